"""What the defense tells: each change of an action as a `response` event."""

import orjson

from mempool_ids.defense.action import DefenseAction, Transition
from mempool_ids.records.events import SCHEMA_VERSION, Event, rfc3339

# What an action answers that a person asked for.
_NOTHING = "0x" + "0" * 64


def response_event(sensor: str, chain_id: int, action: DefenseAction, transition: Transition) -> Event:
    """A `response` event: what `transition` made of the action.

    Make it when the transition happened, or the event tells of later fees and blocks too. Made again, as after a
    restart, it has the same `response_id`: what was stored first stays.

    Args:
        sensor: its name.
        chain_id: the sensor's.
        action: after the transition.
        transition: one of the action's history.

    Raises:
        ValueError: the action has no such transition.
    """
    threats = [threat for threat in action.threats if threat != _NOTHING]
    cost = action.cost_wei if transition.cost_wei is None else transition.cost_wei
    event = {
        "timestamp": rfc3339(transition.at),
        "event_type": "response",
        "sensor": sensor,
        "chain_id": chain_id,
        "schema_version": SCHEMA_VERSION,
        "response_id": f"{action.action_id}-{_number(action, transition)}",
        "action_id": action.action_id,
        "strategy": action.strategy,
        "target": action.target,
        "target_address": action.target_address,
        "threats": threats,
        "threat_tx": threats[0] if threats else None,
        "grade": str(action.grade),
        "urgency": str(action.urgency),
        "state": str(transition.state),
        "reason": transition.reason,
        "tx_hash": transition.tx_hash or action.tx_hash,
        "nonce": action.nonce,
        "gas_limit": action.gas_limit,
        "max_fee_per_gas": _text(action.max_fee_per_gas),
        "max_priority_fee_per_gas": _text(action.max_priority_fee_per_gas),
        "cost_wei": _text(cost),
        "loss_wei": _text(action.loss_wei),
        "attempt": transition.attempt,
        "block": action.block if transition.block is None else transition.block,
        "position": action.position,
        "won": action.won,
        "capped": action.capped,
        "shadow": action.shadow,
    }
    return event, orjson.dumps(event)


def _number(action: DefenseAction, transition: Transition) -> int:
    # Two may be equal, as where the same bytes are sent twice at once. One of a copied action is only equal.
    same = [number for number, each in enumerate(action.history) if each is transition]
    equal = [number for number, each in enumerate(action.history) if each == transition]
    if not equal:
        raise ValueError(f"action {action.action_id}: no such transition to {transition.state}")
    return (same or equal)[-1]


def _text(amount: int | None) -> str | None:
    return None if amount is None else str(amount)
