"""An alert that never was: the way from an alert to a bid is walked again and again while nothing happens.

What was not run for a second has left the processor's caches, and takes five times as long. Practice sends nothing and
changes nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

_NOBODY = "0x" + "00" * 20


@functools.cache
def alert(contract: str) -> Mapping[str, Any]:
    """Of an attack on this contract that every rule would answer."""
    amount = str(10**18)
    return {
        "notify": True,
        "score": 1.0,
        "threat_level": "CRITICAL",
        "grade": "proved",
        "classification": {"threshold": 0.7},
        "contracts": [contract],
        "simulation": {"status": "done"},
        "tx": {"hash": "0x" + "00" * 32, "from": _NOBODY, "authenticity": "proven"},
        "victims": [
            {
                "contract": contract,
                "invariants": ["outflow"],
                "asset": "native",
                "amount": amount,
                "share": 1.0,
                "beneficiary": _NOBODY,
            }
        ],
        "response": {
            "asked": True,
            "why": None,
            "targets": [contract],
            "pauses": [{"contract": contract, "gas": 50_000}],
            "pause_succeeds": True,
            "already_paused": False,
            "harm_left": 0.0,
            "pause_gas": 50_000,
            "copyable": False,
            "attack_payment": "1000000000000000",
            "attack_gas": 500_000,
            "attack_tip": "2000000000",
            "attack_max_fee": "30000000000",
            "base_fee": "1000000000",
            "includable": True,
            "includable_reason": None,
        },
    }
