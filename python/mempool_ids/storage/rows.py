"""Events as rows of their tables, without `logged`."""

from collections.abc import Callable, Mapping
from typing import Any

from mempool_ids.records.events import Event, key_of

Row = dict[str, Any]


def row(event: Event) -> tuple[str, str, Row]:
    """The kind of what is kept, its id, and its row in the kind's table.

    Raises:
        ValueError: events like this one are not kept.
    """
    key = key_of(event)
    if key is None:
        raise ValueError(f"{event[0].get('event_type')} events are not kept")
    kind, name = key
    content, raw = event
    common = {name: content[name] for name in ("timestamp", "sensor", "chain_id")}
    return kind, name, {**common, "event": raw, **_ROWS[kind](name, content)}


def threats(event: Mapping[str, Any]) -> list[Row]:
    """The transactions that a response answers, if it is one."""
    shared = {"chain_id": event["chain_id"], "action_id": event.get("action_id")}
    return [{**shared, "tx_hash": tx_hash} for tx_hash in event.get("threats", ())]


def notifies(event: Mapping[str, Any]) -> bool:
    """Whether webhooks get it: everything that is kept, but for muted alerts."""
    return bool(event.get("notify", True))


def _alert(alert_id: str, alert: Mapping[str, Any]) -> Row:
    plain = ("severity", "threat_level", "score", "notify")
    return {
        "alert_id": alert_id,
        **{name: alert[name] for name in plain},
        "tx_hash": alert["tx"]["hash"],
    }


def _response(response_id: str, response: Mapping[str, Any]) -> Row:
    plain = ("action_id", "state", "target", "tx_hash")
    return {"response_id": response_id, **{name: response[name] for name in plain}}


def _alarm(alarm_id: str, anomaly: Mapping[str, Any]) -> Row:
    return {"alarm_id": alarm_id, "origin": anomaly["origin"]}


_ROWS: Mapping[str, Callable[[str, Mapping[str, Any]], Row]] = {
    "alert": _alert,
    "response": _response,
    "anomaly": _alarm,
}
