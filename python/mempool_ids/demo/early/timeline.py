"""What happened when, from the contract's creation to the attack: by one clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mempool_ids.demo.attacker import Bid
from mempool_ids.demo.timeline import ATTACKER, BLOCK, SENSOR, Event, Moment, in_order, of_response, unix
from mempool_ids.sinks.log import proved


def foresight(
    creation: Bid,
    attack: Bid,
    alerts: Sequence[Event],
    responses: Sequence[Event],
    announced: Mapping[str, float],
    mined: Sequence[tuple[float, str]],
) -> tuple[Moment, ...]:
    """In the order of time.

    Args:
        creation: of the contract.
        attack: its first call.
        alerts: `alert` events about the contract.
        responses: `response` events of the action that answers them.
        announced: when the node announced transactions, by hash; Unix seconds.
        mined: when blocks were announced, and what is in them, in words.
    """
    found = [
        (creation.sent_at, ATTACKER, "sends its contract's creation to the pool"),
        (attack.sent_at, ATTACKER, "gives attack() to the block's builder, and to nobody else"),
        *((unix(alert["timestamp"]), SENSOR, _verdict(alert)) for alert in alerts),
        *((at, BLOCK, words) for at, words in mined),
    ]
    for response in responses:
        found += of_response(response, announced)
    return in_order(creation.sent_at, found)


def _verdict(alert: Event) -> str:
    early = alert["early"]
    contract = early["contract"]
    if early["reason"] == "proof":
        return f"ALERT, {alert['threat_level']}: proved by calling it: {'; '.join(proved(alert))}"
    score = (
        "no score" if contract["score"] is None else f"its code has score {contract['score']['score']:.3f}"
    )
    funded = (
        f", and its deployer has money of {contract['funding'][0]['service']}" if contract["funding"] else ""
    )
    return f"ALERT, {alert['grade']}: {score}{funded}"
