"""What Python adds to the events of the core: the response to an alert, and `stats` events."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import orjson

from mempool_ids.config.models import IDSMode

SCHEMA_VERSION = 1


def with_response(raw: bytes, mode: IDSMode) -> tuple[dict[str, Any], bytes]:
    """An alert as the core emitted it, with `response`; as an object and as JSON."""
    alert: dict[str, Any] = orjson.loads(raw)
    alert["response"] = {"mode": mode.value, "action_id": None}
    return alert, orjson.dumps(alert)


def stats_event(sensor: str, chain_id: int, figures: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A `stats` event with the sensor's and the engine's counters."""
    now = datetime.now(timezone.utc)
    event = {
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "event_type": "stats",
        "sensor": sensor,
        "chain_id": chain_id,
        "schema_version": SCHEMA_VERSION,
        "stats": figures,
    }
    return event, orjson.dumps(event)
