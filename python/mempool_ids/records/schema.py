"""The JSON Schema of the event log."""

from importlib.resources import files
from typing import Any

import orjson


def event_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of one line of the event log, of webhook bodies and of `replay`'s output."""
    schema: dict[str, Any] = orjson.loads(files(__package__).joinpath("event.schema.json").read_bytes())
    return schema
