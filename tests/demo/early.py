"""A second act as it should be, and the events of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mempool_ids.demo.attacker import Bid
from mempool_ids.demo.early.result import Foreseen
from mempool_ids.demo.early.timeline import foresight
from mempool_ids.demo.result import Outcome
from mempool_ids.demo.scene import ETHER, GWEI
from tests.demo.runs import BEGIN, DEFENDED, alert, response

DEPLOYER = "0x" + "0a" * 20
CONTRACT = "0x" + "0d" * 20
CREATION = Bid("0xcc", 2 * GWEI, 12 * GWEI, BEGIN)
FIRST_CALL = Bid("0xee", 2 * GWEI, 12 * GWEI, BEGIN + 18.0)
_INVARIANT = {"name": "reentrancy", "explanation": "90 ETH leave Vault, re-entered 9 times"}


def early_alert(reason: str, at: float) -> dict[str, Any]:
    """About the contract, before its first call, as far as it is looked at."""
    call = {"from": DEPLOYER, "to": CONTRACT, "input": "0x9e5faafc" + "00" * 32, "value": str(ETHER)}
    detonation = {
        "calls": 11,
        "block": 8,
        "proof": {"calls": [call], "simulation": {"invariants": [_INVARIANT]}},
    }
    is_proof = reason == "proof"
    return {
        **alert(CREATION.tx_hash, at),
        "grade": "proved" if is_proof else "suspected",
        "victims": [
            {
                "contract": "Vault",
                "asset": "native",
                "amount": str(90 * ETHER),
                "share": 0.9,
                "invariants": ["reentrancy"],
            }
        ]
        if is_proof
        else [],
        "early": {
            "reason": reason,
            "contract": {
                "address": CONTRACT,
                "deployer": DEPLOYER,
                "code_size": 682,
                "contained": [{"address": "0x" + "0c" * 20, "contract": "Vault", "place": "code"}],
                "score": {"score": 0.905, "high_recall": True, "thresholds": {"high_recall": 0.668}},
                "funding": [{"service": "Demo mixer", "amount": str(20 * ETHER), "hops": 1}],
                "detonation": detonation if is_proof else None,
            },
        },
    }


FUNDED, PROOF = early_alert("funded", 0.030), early_alert("proof", 0.050)
EARLY_RESPONSES = [
    response("intent", 0.0501, 0, 0, ()),
    response("sent", 0.051, 500 * GWEI, 1, ()),
    response("included", 6.1, 500 * GWEI, 1, ()),
    response("confirmed", 12.1, 500 * GWEI, 1, ()),
]
_MINED = (
    (BEGIN + 6.0, "8 is mined, position 0: pause(), position 1: the contract is created"),
    (BEGIN + 24.0, "11 is mined, position 0: attack() REVERTS"),
)
assert DEFENDED.defense is not None
_BECAME = Outcome(**{name: getattr(DEFENDED, name) for name in Outcome.__dataclass_fields__})

FORESEEN = Foreseen(
    **{
        **vars(_BECAME),
        "attack_tx": FIRST_CALL.tx_hash,
        "block": 11,
        "position": 0,
        "defense": replace(DEFENDED.defense, block=8, position=0, alert_to_wire_us=(1_000.0,)),
    },
    contract=CONTRACT,
    creation_tx=CREATION.tx_hash,
    created_block=8,
    score=0.905,
    service="Demo mixer",
    funded_wei=2**200,
    alert=PROOF,
    proof="calling 0x9e5faafc() as its deployer takes 90 ether out of Vault",
    pending_when_proved=True,
    creation_to_alert_ms=52.0,
    alert_to_first_call_ms=17_948.0,
    alert_to_inclusion_ms=23_948.0,
    is_private=True,
    timeline=foresight(
        CREATION, FIRST_CALL, (FUNDED, PROOF), EARLY_RESPONSES, {"0xdd1": BEGIN + 0.052}, _MINED
    ),
)
