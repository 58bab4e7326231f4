"""Events of the core as Python takes them in, and those that Python makes."""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from mempool_ids.records.deployment import Deployment
from mempool_ids.records.detection import ThreatDetection
from mempool_ids.records.response import Response

SCHEMA_VERSION = 1

Event = tuple[dict[str, Any], bytes]
"""An event and its JSON, without a newline."""

Key = tuple[str, str]
"""What is kept and delivered: its event type, and an id that no other of its type has."""

ALARM = "defense"
"""The kind of the anomalies that people are told of as of alerts: the defense cannot do what it is there for."""

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
_RESPONSE: Mapping[str, tuple[type, ...]] = {
    "response_id": (str,),
    "action_id": (str,),
    "timestamp": (str,),
    "sensor": (str,),
    "chain_id": (int,),
    "state": (str,),
    "target": (str,),
    "tx_hash": (str, type(None)),
}
_OUTCOME_OPTIONAL: Mapping[str, tuple[type, ...]] = {"block": (int, type(None)), "by": (str, type(None))}


class MalformedEvent(ValueError):
    """An event lacks what is needed to store it or to tell people; the message says what."""


def read_event(kind: str, raw: bytes) -> Event:
    """An event, as an object and as the JSON that it came as.

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
    elif kind == "response":
        _check(event, _RESPONSE)
        _read_whole(event, Response.from_event)
    elif kind == "deploy":
        _read_whole(event, lambda deploy: Deployment.from_event(deploy["contract"]))
    elif kind == "alert":
        _check(event, _ALERT)
        _read_whole(event, _read_alert)
    return event, raw


def _read_whole(event: Mapping[str, Any], read: Callable[[Mapping[str, Any]], object]) -> None:
    try:
        read(event)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise MalformedEvent(f"{type(error).__name__}: {error}") from None


def _read_alert(event: Mapping[str, Any]) -> None:
    detection = ThreatDetection.from_event(event)
    names = (match.name for match in detection.signatures)
    "".join((detection.tx_hash, *detection.contracts, *names))  # texts, all of them


def _check(event: Mapping[str, Any], fields: Mapping[str, tuple[type, ...]]) -> None:
    for name, types in fields.items():
        value = event.get(name)
        # A bool is an int to Python, and none to us.
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if not fits or (isinstance(value, int) and value > _INTEGER_MAX):
            raise MalformedEvent(f"{name} is {value!r}")


def key_of(event: Event) -> Key | None:
    """None for what is written to the logs and kept nowhere else."""
    content, raw = event
    match content:
        case {"event_type": "alert", "alert_id": str(alert_id)}:
            return "alert", alert_id
        case {"event_type": "response", "response_id": str(response_id)}:
            return "response", response_id
        case {"event_type": "anomaly", "kind": kind} if kind == ALARM:
            # Anomalies bear no id: the same words of the same microsecond are the same alarm.
            return "anomaly", f"alarm-{hashlib.sha256(raw).hexdigest()[:32]}"
    return None


def stats_event(sensor: str, chain_id: int, figures: Mapping[str, Any]) -> Event:
    """A `stats` event with the sensor's and the engine's counters."""
    return _made("stats", sensor, chain_id, {"stats": figures})


def anomaly_event(sensor: str, chain_id: int, kind: str, origin: str, reason: str) -> Event:
    """An `anomaly` event, as the core makes them.

    Args:
        sensor: its name.
        chain_id: the sensor's.
        kind: one of the schema's `anomaly_kind`; `ALARM` is stored and sent like an alert.
        origin: what it comes from: an endpoint, a file, a part of the defense.
        reason: in words, for people. No secrets: it is sent.
    """
    return _made("anomaly", sensor, chain_id, {"kind": kind, "origin": origin, "reason": reason})


def _made(event_type: str, sensor: str, chain_id: int, body: Mapping[str, Any]) -> Event:
    event = {
        "timestamp": rfc3339(time.time()),
        "event_type": event_type,
        "sensor": sensor,
        "chain_id": chain_id,
        "schema_version": SCHEMA_VERSION,
        **body,
    }
    return event, orjson.dumps(event)


def rfc3339(at: float) -> str:
    """Unix seconds as events bear them: in UTC, to the microsecond."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
