"""Alerts that nobody raised, for drills: of a transaction that was judged, and of an attack that is only supposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mempool_ids.config import Contract
from mempool_ids.defense.rehearsal import Attempt
from mempool_ids.records.classification import ThreatLevel

_NOBODY = "0x" + "00" * 20
_NO_HASH = "0x" + "00" * 32
_NOT_ASKED = {"asked": False, "why": "simulation.enabled is false"}


def of_report(report: Mapping[str, Any], threshold: float, *, simulated: bool) -> dict[str, Any]:
    """The alert that a sensor would raise for a transaction.

    Args:
        report: as the core judged it, with the pauses.
        simulated: whether the sensor simulates; else its alert is the first stage's.
    """
    first = report["stage_one"]
    alert = {
        "notify": True,
        "contracts": report["simulation"]["touched"],
        "classification": {"threshold": threshold, "probability": first["probability"]},
        # Bytes, or what a node tells: nobody has compared hash and contents.
        "tx": {**report["tx"], "authenticity": "unproven"},
    }
    if not simulated:
        return {**alert, **_unsimulated(max(first["probability"], first["signature_score"]))}
    return {
        **alert,
        "score": report["verdict"]["probability"],
        "threat_level": report["verdict"]["threat_level"],
        "grade": report["grade"],
        "victims": report["victims"],
        "simulation": {**report["simulation"], "status": "done"},
        "response": report["response"],
    }


def of_nothing(
    contract: Contract, attempt: Attempt, base_fee: int, gas_price: int, *, simulated: bool
) -> dict[str, Any]:
    """The alert for an attack that is proved to take all that the contract has.

    Args:
        attempt: its pause, as it was tried.
        base_fee: of the next block, wei a gas.
        gas_price: that the attack pays, wei a gas; 0 where nobody bids.
        simulated: whether the sensor simulates; else nothing is ever proved.
    """
    alert = {
        "notify": True,
        "contracts": [contract.name],
        "classification": {"threshold": 0.0, "probability": 1.0},
        "tx": {"hash": _NO_HASH, "from": _NOBODY, "authenticity": "unproven"},
    }
    if not simulated:
        return {**alert, **_unsimulated(1.0)}
    pause = contract.pause
    # What `value_eth` says is at stake is known in ether; else the loss is not.
    known = pause is not None and pause.value_eth is not None
    victim = {
        "contract": contract.name,
        "invariants": ["outflow"],
        "asset": contract.address if known else None,
        "amount": None,
        "share": 1.0 if known else None,
        "beneficiary": None,
    }
    return {
        **alert,
        "score": 1.0,
        "threat_level": ThreatLevel.CRITICAL.name,
        "grade": "proved",
        "victims": [victim],
        "simulation": {"status": "done"},
        "response": {
            "asked": True,
            "why": None,
            "targets": [contract.name],
            "pause_succeeds": attempt.succeeds,
            "already_paused": attempt.paused_before is True,
            "harm_left": 0.0,
            "pause_gas": attempt.gas,
            "copyable": False,
            "attack_payment": "0",
            "attack_gas": 0,
            "attack_tip": str(max(0, gas_price - base_fee)),
            "attack_max_fee": str(gas_price),
            "base_fee": str(base_fee),
            "includable": True,
            "includable_reason": None,
        },
    }


def _unsimulated(score: float) -> dict[str, Any]:
    """By model and rules alone."""
    return {
        "score": score,
        "threat_level": ThreatLevel.of(score).name,
        "grade": "suspected",
        "victims": [],
        "simulation": {"status": "not_run"},
        "response": _NOT_ASKED,
    }
