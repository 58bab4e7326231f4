"""Responses as the defense tells them."""

from typing import Any

import orjson

from mempool_ids.records.events import Event
from tests.support import VAULT


def response(number: int, **changes: Any) -> dict[str, Any]:
    """A `response` event: change `number` of action `a`, which was sent."""
    action_id = changes.get("action_id", "a")
    threats = changes.get("threats", [f"0x{1:064x}"])
    return {
        "timestamp": f"2026-01-01T00:00:01.{number:06d}Z",
        "event_type": "response",
        "sensor": "test",
        "chain_id": 1,
        "schema_version": 1,
        "response_id": f"{action_id}-{number}",
        "action_id": action_id,
        "strategy": "pause",
        "target": "Vault",
        "target_address": VAULT,
        "threats": threats,
        "threat_tx": threats[0] if threats else None,
        "grade": "proved",
        "urgency": "critical",
        "state": "sent",
        "reason": "outflow of all it has",
        "tx_hash": f"0x{0xF00:064x}",
        "nonce": 7,
        "gas_limit": 60_000,
        "max_fee_per_gas": "80000000000",
        "max_priority_fee_per_gas": "12500000000",
        "cost_wei": None,
        "loss_wei": str(10**20),
        "attempt": 1,
        "block": None,
        "position": None,
        "won": None,
        "capped": False,
        "shadow": False,
        **changes,
    }


def encode(event: dict[str, Any]) -> Event:
    return event, orjson.dumps(event)
