"""The race as a timeline: what happened when, by one clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mempool_ids.demo.attacker import Bid
from mempool_ids.demo.scene import GWEI

Event = Mapping[str, Any]

ATTACKER, SENSOR, DEFENSE, NODE, BLOCK = "attacker", "sensor", "defense", "node", "block"

#: What the times are, for people.
CLOCK = (
    "Times are of this machine's clock (Unix time, to the microsecond) since right before the attacker gave the attack "
    "to the node. The sensor's and the defense's are those of their own events: an alert's timestamp and latency_us, a "
    "response's timestamp, which is taken once its bytes are out. The node's are when its announcement was heard, "
    "which may be before that."
)


@dataclass(frozen=True)
class Moment:
    """Something that happened: microseconds since the attack was sent, who did it, and what in words."""

    us: float
    who: str
    what: str


def unix(timestamp: str) -> float:
    """Unix seconds of an event's timestamp."""
    return datetime.fromisoformat(timestamp).timestamp()


def gwei(wei: int | str) -> str:
    """For people, with unit: three digits that count."""
    return f"{float(f'{int(wei) / GWEI:.3g}'):g} gwei"


def timeline(
    bids: Sequence[Bid],
    alerts: Sequence[Event],
    responses: Sequence[Event],
    announced: Mapping[str, float],
    mined: tuple[float, str] | None,
) -> tuple[Moment, ...]:
    """In the order of time.

    Args:
        bids: of the attack, the first first.
        alerts: `alert` events about any of them.
        responses: `response` events of the action that answers them.
        announced: when the node announced transactions, by hash; Unix seconds.
        mined: when the attack's block was announced, and what is in it, in words.
    """
    begin = bids[0].sent_at
    found: list[tuple[float, str, str]] = []
    for number, bid in enumerate(bids):
        said = "sends attack()" if number == 0 else "sees the pause in the pool, and sends attack() again"
        found.append((bid.sent_at, ATTACKER, f"{said}: tip {gwei(bid.tip)} a gas"))
    numbers = {bid.tx_hash: number for number, bid in enumerate(bids)}
    for alert in alerts:
        at, again = unix(alert["timestamp"]), numbers[alert["tx"]["hash"]] > 0
        found.append((at - alert["latency_us"]["total"] / 1e6, SENSOR, _seen(again)))
        found.append((at, SENSOR, _verdict(alert, again)))
    for response in responses:
        found += of_response(response, announced)
    if mined is not None:
        found.append((mined[0], BLOCK, mined[1]))
    return in_order(begin, found)


def in_order(begin: float, found: Iterable[tuple[float, str, str]]) -> tuple[Moment, ...]:
    """What happened when (Unix seconds), who did it, and what, as moments since `begin`."""
    moments = [Moment(round((at - begin) * 1e6, 1), who, what) for at, who, what in found]
    return tuple(sorted(moments, key=lambda moment: moment.us))


def _seen(again: bool) -> str:
    return "has the raised bid" if again else "has it from the node's pool"


def _verdict(alert: Event, again: bool) -> str:
    if again:
        return f"ALERT about the raised bid: {alert['grade']}"
    broken = ", ".join(entry["name"] for entry in alert["simulation"].get("invariants", ()))
    return f"ALERT, {alert['threat_level']}: {alert['grade']} by simulation, it breaks {broken or 'nothing'}"


def of_response(response: Event, announced: Mapping[str, float]) -> list[tuple[float, str, str]]:
    """A change of a response that is worth a line, with the node's announcement of it."""
    at, state, tx_hash = unix(response["timestamp"]), response["state"], response["tx_hash"]
    if state == "sent":
        tip = f"tip {gwei(response['max_priority_fee_per_gas'])} a gas"
        first = response["attempt"] == 1
        out = "verified; pause() is on the wire" if first else "pause() is on the wire again, higher"
        told = [(at, DEFENSE, f"{out}: {tip}")]
        if tx_hash in announced:
            has = "pause() is in the pool" if first else "the higher pause() is in the pool"
            told.append((announced[tx_hash], NODE, has))
        return told
    if state == "confirmed":
        return [(at, DEFENSE, f"confirmed: {response['reason']}")]
    if state in ("failed", "superseded", "cancelled"):
        return [(at, DEFENSE, f"{state}: {response['reason']}")]
    return []


def alert_to_wire_us(alerts: Sequence[Event], responses: Sequence[Event]) -> tuple[float, ...]:
    """Microseconds from each alert to the bytes that answered it on the wire, where any did."""
    sent = [unix(one["timestamp"]) for one in responses if one["state"] == "sent"]
    decided = sorted(unix(alert["timestamp"]) for alert in alerts)
    took = []
    for number, at in enumerate(decided):
        until = decided[number + 1] if number + 1 < len(decided) else float("inf")
        answers = [out for out in sent if at <= out < until]
        if answers:
            took.append(round((min(answers) - at) * 1e6, 1))
    return tuple(took)
