"""Where alerts go once they are stored: the event log, the process's log, webhooks.

A sink gets only what is committed. The event log and the log are written in the order of the events; webhooks have
an outbox each, so that none of them holds up detection or another.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mempool_ids.alerts.event_log import EventLog
from mempool_ids.alerts.log import LogSink
from mempool_ids.alerts.webhook import Outbox, sign, verify

Event = tuple[Mapping[str, Any], bytes]
"""An event and its JSON, without a newline."""


class Sink(Protocol):
    """Takes events in order. Called from one thread; must be quick and must not raise for a bad event."""

    def write(self, events: Sequence[Event]) -> None:
        """Takes the events; raises OSError if it could not."""

    def close(self) -> None:
        """Nothing is written afterwards."""


__all__ = ["Event", "EventLog", "LogSink", "Outbox", "Sink", "sign", "verify"]
