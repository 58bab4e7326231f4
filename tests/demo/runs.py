"""Runs as they should be, and events as a sensor tells them."""

from __future__ import annotations

from typing import Any

from mempool_ids.demo.attacker import Bid
from mempool_ids.demo.result import Defended, Entry, Result
from mempool_ids.demo.scene import ETHER, GWEI
from mempool_ids.demo.timeline import timeline
from mempool_ids.records.events import rfc3339

#: Unix seconds of the attack.
BEGIN = 1_800_000_000.0
BIDS = (
    Bid("0xaa", 2 * GWEI, 12 * GWEI, BEGIN),
    Bid("0xbb", 30 * GWEI, 40 * GWEI, BEGIN + 0.060),
)


def alert(tx_hash: str, at: float, total_us: float = 4_000.0) -> dict[str, Any]:
    """As far as it is looked at; `at` seconds after the attack."""
    return {
        "event_type": "alert",
        "timestamp": rfc3339(BEGIN + at),
        "latency_us": {"decode": 10.0, "simulate": 3_000.0, "total": total_us},
        "grade": "proved",
        "severity": "critical",
        "threat_level": "CRITICAL",
        "score": 0.999,
        "contracts": ["Vault"],
        "signatures": [],
        "classification": {"probability": 0.04, "model": "random_forest", "factors": []},
        "simulation": {
            "status": "done",
            "outcome": "succeeded",
            "block": 7,
            "frames": 23,
            "probability": 0.95,
            "invariants": [{"name": "reentrancy", "explanation": "90 ETH leave Vault, re-entered 9 times"}],
            "factors": [{"feature": "free_gain", "value": 1.0, "contribution": 0.09}],
        },
        "response": {"decision": "paused because its simulation proves that Vault loses 90 ETH"},
        "tx": {
            "hash": tx_hash,
            "from": "0x" + "0a" * 20,
            "to": "0x" + "0c" * 20,
            "selector": "0x9e5faafc",
            "max_priority_fee_per_gas": str(2 * GWEI),
        },
    }


def response(state: str, at: float, tip: int, attempt: int, threats: tuple[str, ...]) -> dict[str, Any]:
    """A change of a response to these threats, `at` seconds after the attack."""
    return {
        "event_type": "response",
        "timestamp": rfc3339(BEGIN + at),
        "state": state,
        "reason": "paused, 1 blocks deep" if state == "confirmed" else "a reason in words",
        "target": "Vault",
        "threats": list(threats),
        "tx_hash": f"0xdd{attempt}",
        "max_priority_fee_per_gas": str(tip),
        "attempt": attempt,
    }


ALERTS = [alert("0xaa", 0.006), alert("0xbb", 0.070)]
RESPONSES = [
    response("intent", 0.0061, 0, 0, ("0xaa",)),
    # A timestamp has whole microseconds: that of `verified` may be the later one.
    response("verified", 0.0065, 25 * GWEI, 0, ("0xaa",)),
    response("sent", 0.0064, 25 * GWEI, 1, ("0xaa",)),
    response("sent", 0.0705, 300 * GWEI, 2, ("0xaa", "0xbb")),
    response("included", 5.1, 300 * GWEI, 2, ("0xaa", "0xbb")),
    response("confirmed", 11.2, 300 * GWEI, 2, ("0xaa", "0xbb")),
]
ANNOUNCED = {"0xdd1": BEGIN + 0.008, "0xdd2": BEGIN + 0.072}
MINED = (BEGIN + 5.0, "7 is mined, position 0: pause(), position 1: attack() REVERTS")

DEFENDED = Result(
    attack_tx="0xbb",
    attack_txs=("0xaa", "0xbb"),
    alert=ALERTS[0],
    pending_when_alerted=True,
    sent_to_alert_ms=9.0,
    alert_to_inclusion_ms=4_990.0,
    block=7,
    position=1,
    drained=False,
    vault_before=2**200,
    vault_after=2**200,
    at_stake_wei=90 * ETHER,
    lost_wei=0,
    holders=11,
    attack_cost_wei=ETHER // 1000,
    honest_transactions=20,
    false_alerts=(),
    stopped=(),
    order=(
        Entry(0, "guardian", "pause()", 300 * GWEI, True),
        Entry(1, "attacker", "attack()", 30 * GWEI, False),
        Entry(2, "user 3", "deposits through the Router 1.75 ETH", 2 * GWEI, False),
        *(Entry(place, "user 4", "pays 1 ETH", GWEI, True) for place in range(3, 9)),
    ),
    timeline=timeline(BIDS, ALERTS, RESPONSES, ANNOUNCED, MINED),
    defense=Defended(
        guardian="0x" + "0b" * 20,
        state="confirmed",
        decision="paused because its simulation proves that Vault loses 90 ETH",
        won=True,
        pause_tx="0xdd2",
        block=7,
        position=0,
        paused=True,
        tips=(25 * GWEI, 300 * GWEI),
        cost_wei=ETHER // 100,
        alert_to_wire_us=(400.0, 500.0),
        turned_away=1,
        alarms=(),
    ),
)
