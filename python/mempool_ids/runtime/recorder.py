"""Makes events durable, in order: first the storage, then the event log and the log. Lives on one thread."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from mempool_ids.config.models import IDSConfig
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.records.events import Event, MalformedEvent, key_of, read_event
from mempool_ids.runtime.lines import Lines
from mempool_ids.sinks.log import LogSink
from mempool_ids.storage.store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

# A storage that does not answer holds back the alert at the longest for this, over all attempts; then the alert goes
# out unstored, because a full disk or a locked database must not silence the sensor.
_PATIENCE_S = 0.75
_PAUSE_S = 0.05
_RECORDED = frozenset({"alert", "deploy", "outcome", "anomaly", "breakdown", "reorg"})
# Of an event that cannot be used, so much is logged.
_SHOWN_BYTES = 2000


@dataclass(slots=True)
class Recorded:
    """What became of a batch: what is new of it, in its order."""

    alerts: list[Event] = field(default_factory=list)
    deployments: list[Event] = field(default_factory=list)
    stored: bool = True
    responses: list[Event] = field(default_factory=list)
    """Responses, and alarms of the defense."""

    def unstored(self) -> list[tuple[str, bytes]]:
        """What the outboxes must send from memory, since the storage has it not: idempotency keys and bodies."""
        if self.stored:
            return []
        told = [event for event in (*self.alerts, *self.responses) if event[0].get("notify", True)]
        return [(key[1], event[1]) for event in told if (key := key_of(event))]


class Recorder:
    """Storage, event log and log of one sensor.

    Args:
        config: where to.
        sinks: identities of the webhooks that get alerts.

    Raises:
        MempoolIdsError: the storage or the event log cannot be opened.
    """

    def __init__(self, config: IDSConfig, sinks: Sequence[str]) -> None:
        self._sinks = tuple(sinks)
        self.store = Store(config.storage.path, config.chain.id)
        self._log = LogSink() if config.alerts.log else None
        self._lines: Lines | None = None
        self.stored = self.repeated = self.muted = 0
        self.storage_failures = self.malformed = 0
        if config.alerts.jsonl is not None:
            try:
                self._lines = Lines(config.alerts.jsonl, self.store, self._storage_failed)
            except OSError as error:
                self.store.close()
                raise MempoolIdsError(f"event log {config.alerts.jsonl}: {error.strerror}") from None
            self._lines.write([])

    @property
    def event_log_failures(self) -> int:
        """Writes that failed, and lines that are lost."""
        return self._lines.failures if self._lines else 0

    def record(self, batch: Sequence[tuple[str, bytes]]) -> Recorded:
        """Commits a batch's alerts and outcomes, then writes all its events to the logs."""
        read = [self._read(kind, raw) for kind, raw in batch if kind in _RECORDED]
        events = [event for event in read if event is not None]
        alerts = [event for event in events if event[0]["event_type"] == "alert"]
        ends = [event for event, _ in events if event["event_type"] == "outcome"]
        fresh = self._store(alerts, ends)
        new = _new(alerts, fresh)
        known = {id(alert) for alert, _ in alerts} - {id(alert) for alert, _ in new}
        self._write([event for event in events if id(event[0]) not in known], stored=fresh is not None)
        self.repeated += len(alerts) - len(new)
        self.muted += sum(not alert["notify"] for alert, _ in new)
        if fresh is not None:
            self.stored += len(new)
        deployments = [event for event in events if event[0]["event_type"] == "deploy"]
        return Recorded(new, deployments, fresh is not None)

    def record_responses(self, events: Sequence[Event]) -> Recorded:
        """Commits responses and alarms of the defense, then writes them to the logs.

        Those that were recorded before are passed over: after a crash, everything may be told again.

        Args:
            events: `response` events and `anomaly` events of the kind `ALARM`, in their order.
        """
        deadline = time.monotonic() + _PATIENCE_S
        fresh = self._retry(
            lambda: self.store.add_responses(events, self._sinks, logged=self._lines is None), deadline
        )
        new = _new(events, fresh)
        self._write(new, stored=fresh is not None)
        return Recorded(responses=new, stored=fresh is not None)

    def _read(self, kind: str, raw: bytes) -> Event | None:
        """None where it cannot be used: one bad event must not take the others of its batch with it."""
        try:
            return read_event(kind, raw)
        except MalformedEvent as error:
            self.malformed += 1
            shown = raw[:_SHOWN_BYTES].decode(errors="replace")
            log.error("malformed %s, left out: %s: %s", kind, error, shown)
            return None

    def _store(self, alerts: list[Event], ends: list[dict[str, Any]]) -> list[bool] | None:
        """Whether each alert is new; None where the storage failed."""
        deadline = time.monotonic() + _PATIENCE_S  # for both together
        fresh: list[bool] | None = []
        if alerts:
            logged = self._lines is None
            fresh = self._retry(
                lambda: self.store.add_detections(alerts, self._sinks, logged=logged), deadline
            )
        if ends:
            # Apart from the alerts: these are committed, and written once more they would be known ones.
            self._retry(lambda: self.store.add_outcomes(ends), deadline)
        return fresh

    def _retry(self, write: Callable[[], T], deadline: float) -> T | None:
        """What `write` returns; None where the storage failed until the deadline."""
        while True:
            try:
                return write()
            except SQLAlchemyError as error:
                self._storage_failed(error)
            if time.monotonic() + _PAUSE_S >= deadline:
                return None
            time.sleep(_PAUSE_S)

    def _storage_failed(self, error: SQLAlchemyError) -> None:
        self.storage_failures += 1
        log.error("storage %s: %s", self.store.path, getattr(error, "orig", None) or error)

    def _write(self, events: Sequence[Event], *, stored: bool) -> None:
        if self._log:
            self._log.write(events)
        if self._lines:
            self._lines.write(events, stored=stored)

    def write_event(self, event: Event) -> None:
        """Appends an event of the engine's own to the event log."""
        if self._lines:
            self._lines.write([event])

    def close(self) -> None:
        if self._lines:
            self._lines.close()
        self.store.close()


def _new(events: Sequence[Event], fresh: Sequence[bool] | None) -> list[Event]:
    """Without the storage, all are taken to be new."""
    if fresh is None:
        return list(events)
    return [event for event, is_new in zip(events, fresh, strict=True) if is_new]
