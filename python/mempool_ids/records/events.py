"""Events of the core as Python takes them in, and `stats` events."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from mempool_ids.records.detection import ThreatDetection

SCHEMA_VERSION = 1

Event = tuple[dict[str, Any], bytes]
"""An event and its JSON, without a newline."""

# What the storage has columns for. Its integers have 64 bits with a sign.
_INTEGER_MAX = 2**63 - 1
_ALERT: Mapping[str, tuple[type, ...]] = {
    "alert_id": (str,),
    "timestamp": (str,),
    "sensor": (str,),
    "chain_id": (int,),
    "severity": (str,),
    "threat_level": (str,),
    "score": (float, int),
    "notify": (bool,),
}
_OUTCOME: Mapping[str, tuple[type, ...]] = {
    "chain_id": (int,),
    "hash": (str,),
    "timestamp": (str,),
    "outcome": (str,),
}
_OUTCOME_OPTIONAL: Mapping[str, tuple[type, ...]] = {"block": (int, type(None)), "by": (str, type(None))}


class MalformedEvent(ValueError):
    """An event lacks what is needed to store it or to tell people; the message says what."""


def read_event(kind: str, raw: bytes) -> Event:
    """An event of the core, as an object and as the JSON that it came as.

    Raises:
        MalformedEvent: it is not what its kind must be.
    """
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedEvent(f"no JSON: {error}") from None
    if not isinstance(event, dict) or event.get("event_type") != kind:
        raise MalformedEvent(f"event_type is not {kind}")
    if kind == "outcome":
        _check(event, _OUTCOME)
        _check({**dict.fromkeys(_OUTCOME_OPTIONAL), **event}, _OUTCOME_OPTIONAL)
    if kind != "alert":
        return event, raw
    _check(event, _ALERT)
    try:
        detection = ThreatDetection.from_event(event)
        names = (match.name for match in detection.signatures)
        "".join((detection.tx_hash, *detection.contracts, *names))  # texts, all of them
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise MalformedEvent(f"{type(error).__name__}: {error}") from None
    return event, raw


def _check(event: Mapping[str, Any], fields: Mapping[str, tuple[type, ...]]) -> None:
    for name, types in fields.items():
        value = event.get(name)
        # A bool is an int to Python, and none to us.
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if not fits or (isinstance(value, int) and value > _INTEGER_MAX):
            raise MalformedEvent(f"{name} is {value!r}")


def stats_event(sensor: str, chain_id: int, figures: Mapping[str, Any]) -> Event:
    """A `stats` event with the sensor's and the engine's counters."""
    now = datetime.now(UTC)
    event = {
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "event_type": "stats",
        "sensor": sensor,
        "chain_id": chain_id,
        "schema_version": SCHEMA_VERSION,
        "stats": figures,
    }
    return event, orjson.dumps(event)
