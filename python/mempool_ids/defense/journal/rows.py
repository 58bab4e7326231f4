"""Rungs and actions to rows and back, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from mempool_ids.defense.action import ActionState, DefenseAction, Transition
from mempool_ids.defense.armed import Call, Fees, Rung


@dataclass(frozen=True, slots=True)
class Answer:
    """What a human said when asked."""

    yes: bool
    who: str
    at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Order:
    """A pause that a human wants."""

    number: int
    target: str
    """Name or address."""
    threat: str | None
    gas_price: int
    """Of the threat, wei a gas."""
    urgency: str
    who: str
    at: float
    """Unix seconds."""


def rung_row(rung: Rung) -> dict[str, Any]:
    return {
        "chain_id": rung.chain_id,
        "guardian": rung.guardian,
        "nonce": rung.nonce,
        "target": rung.target,
        "rung": rung.rung,
        "max_fee": rung.fees.max_fee,
        "tip": rung.fees.tip,
        "gas_limit": rung.gas_limit,
        "to": rung.call.to,
        "data": rung.call.data,
        "value": rung.call.value,
        "raw": rung.raw,
        "tx_hash": rung.tx_hash,
    }


def rung_of(row: Row[Any]) -> Rung:
    return Rung(
        row.chain_id,
        row.guardian,
        row.nonce,
        row.target,
        row.rung,
        Fees(row.max_fee, row.tip),
        row.gas_limit,
        Call(row.to, row.data, row.value),
        row.raw,
        row.tx_hash,
    )


def action_row(action: DefenseAction, sender: str | None) -> dict[str, Any]:
    return {
        "action_id": action.action_id,
        "strategy": action.strategy,
        "target": action.target,
        "target_address": action.target_address,
        "created": action.created,
        "shadow": action.shadow,
        "sender": sender,
        **_now(action),
    }


def transition_row(action: DefenseAction, number: int) -> dict[str, Any]:
    """Of `action.history[number]`."""
    transition = action.history[number]
    return {
        "action_id": action.action_id,
        "number": number,
        "state": transition.state.value,
        "at": transition.at,
        # It may quote a node or a contract: half a surrogate pair must not keep a change from being written.
        "reason": transition.reason.encode("utf-8", "replace").decode(),
        "attempt": transition.attempt,
        "tx_hash": transition.tx_hash,
        "cost": transition.cost_wei,
        "block": transition.block,
        **_now(action),
    }


def _now(action: DefenseAction) -> dict[str, Any]:
    return {
        "guardian": action.guardian,
        "nonce": action.nonce,
        "max_fee": action.max_fee_per_gas,
        "tip": action.max_priority_fee_per_gas,
        "gas_limit": action.gas_limit,
        "position": action.position,
        "won": action.won,
        "capped": action.capped,
        "loss": action.loss_wei,
        "grave": action.grave,
        "p": action.p,
        "contract": action.contract,
        "grade": action.grade,
        "urgency": action.urgency,
        "action_attempt": action.attempt,
        "action_tx_hash": action.tx_hash,
        "action_block": action.block,
        "action_cost": action.cost_wei,
    }


def action_of(row: Row[Any], threats: Iterable[str], changes: Sequence[Row[Any]]) -> DefenseAction:
    """As it was when the last of `changes`, rows of its transitions in order, was written."""
    history = [transition_of(change) for change in changes]
    now = (changes[-1] if changes else row)._mapping
    return DefenseAction(
        action_id=row.action_id,
        strategy=row.strategy,
        target=row.target,
        target_address=row.target_address,
        created=row.created,
        threats=tuple(threats),
        contract=now["contract"],
        grade=now["grade"],
        urgency=now["urgency"],
        state=history[-1].state if history else ActionState.INTENT,
        guardian=now["guardian"],
        nonce=now["nonce"],
        tx_hash=now["action_tx_hash"],
        gas_limit=now["gas_limit"],
        max_fee_per_gas=now["max_fee"],
        max_priority_fee_per_gas=now["tip"],
        attempt=now["action_attempt"],
        block=now["action_block"],
        position=now["position"],
        won=now["won"],
        cost_wei=now["action_cost"],
        capped=now["capped"],
        shadow=row.shadow,
        loss_wei=now["loss"],
        grave=now["grave"],
        p=now["p"],
        history=history,
    )


def transition_of(row: Row[Any]) -> Transition:
    return Transition(
        ActionState(row.state), row.at, row.reason, row.attempt, row.tx_hash, row.cost, row.block
    )
