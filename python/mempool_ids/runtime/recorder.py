"""Makes events durable, in order: first the storage, then the event log and the log. Lives on one thread."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from sqlalchemy.exc import SQLAlchemyError

from mempool_ids.config.models import IDSConfig
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.records.events import Event, MalformedEvent, read_event
from mempool_ids.sinks.event_log import EventLog
from mempool_ids.sinks.log import LogSink
from mempool_ids.storage.store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

# A storage that does not answer holds back the alert at the longest for this, over all attempts; then the alert goes
# out unstored, because a full disk or a locked database must not silence the sensor.
_PATIENCE_S = 0.75
_PAUSE_S = 0.05
_RECORDED = frozenset({"alert", "outcome", "anomaly", "breakdown", "reorg"})
# Alerts kept in memory while neither storage nor event log can be written.
_UNWRITTEN = 1024
# Of an event that cannot be used, so much is logged.
_SHOWN_BYTES = 2000


@dataclass(slots=True)
class Recorded:
    """What became of a batch. The alerts are new ones only."""

    alerts: list[Event] = field(default_factory=list)
    stored: bool = True


class Recorder:
    """Storage, event log and log of one sensor.

    Args:
        config: where to.
        sinks: identities of the webhooks that get alerts.

    Raises:
        MempoolIdsError: the storage or the event log cannot be opened.
    """

    def __init__(self, config: IDSConfig, sinks: Sequence[str]) -> None:
        self._config = config
        self._sinks = tuple(sinks)
        self.store = Store(config.storage.path, config.chain.id)
        self._log = LogSink() if config.alerts.log else None
        self._event_log: EventLog | None = None
        # Whether alerts may lack their line, from before the start or since a write failed. The storage knows them,
        # but for those that it could not take either.
        self._behind = True
        self._unwritten: deque[Event] = deque(maxlen=_UNWRITTEN)
        self.stored = self.repeated = self.muted = 0
        self.storage_failures = self.event_log_failures = self.malformed = 0
        if config.alerts.jsonl is not None:
            try:
                self._event_log = EventLog(config.alerts.jsonl)
            except OSError as error:
                self.store.close()
                raise MempoolIdsError(f"event log {config.alerts.jsonl}: {error.strerror}") from None
            self._write_log([])

    def record(self, batch: Sequence[tuple[str, bytes]]) -> Recorded:
        """Commits a batch's alerts and outcomes, then writes all its events to the logs."""
        read = [self._read(kind, raw) for kind, raw in batch if kind in _RECORDED]
        events = [event for event in read if event is not None]
        alerts = [event for event in events if event[0]["event_type"] == "alert"]
        ends = [event for event, _ in events if event["event_type"] == "outcome"]
        fresh = self._store(alerts, ends)
        new = [alert for alert, is_new in zip(alerts, fresh or [True] * len(alerts), strict=True) if is_new]
        known = {id(alert) for alert, _ in alerts} - {id(alert) for alert, _ in new}
        self._write([event for event in events if id(event[0]) not in known], stored=fresh is not None)
        self.repeated += len(alerts) - len(new)
        self.muted += sum(not alert["notify"] for alert, _ in new)
        if fresh is not None:
            self.stored += len(new)
        return Recorded(new, fresh is not None)

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
            logged = self._event_log is None
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

    def _write(self, events: list[Event], *, stored: bool) -> None:
        if self._log:
            self._log.write(events)
        self._write_log(events, stored=stored)

    def _write_log(self, events: list[Event], *, stored: bool = True) -> None:
        """Writes the events' lines; after a crash or a failure, first those of the alerts that lack one."""
        if self._event_log is None:
            return
        alerts = {event["alert_id"]: (event, raw) for event, raw in events if event["event_type"] == "alert"}
        try:
            if self._behind:
                for alert_id in self._catch_up(self._event_log) & alerts.keys():
                    events.remove(alerts[alert_id])
            # On the disk before it is marked: a power cut must not take a line that nobody would write again.
            self._event_log.write(events, sync=bool(alerts))
            if stored:
                self.store.mark_logged(list(alerts))
        except OSError as error:
            self._behind = True
            self.event_log_failures += 1
            log.error("event log %s: %s", self._config.alerts.jsonl, error.strerror)
            if not stored:
                self._keep(alerts.values())
        except SQLAlchemyError as error:
            self._behind = True
            self._storage_failed(error)

    def _keep(self, alerts: Iterable[Event]) -> None:
        """For the next write; what finds no room is counted."""
        for alert in alerts:
            if len(self._unwritten) == _UNWRITTEN:
                self.event_log_failures += 1
            self._unwritten.append(alert)

    def _catch_up(self, event_log: EventLog) -> set[str]:
        """Writes the missing lines; returns the ids of the alerts whose lines are there, as far back as matters."""
        there = event_log.recent_alert_ids()
        while self._unwritten:
            event = self._unwritten[0]
            if event[0]["alert_id"] not in there:
                event_log.write([event], sync=True)
                there.add(event[0]["alert_id"])
            self._unwritten.popleft()
        try:
            while missing := self.store.unlogged():
                new = [(orjson.loads(raw), raw) for alert_id, raw in missing if alert_id not in there]
                event_log.write(new, sync=True)
                there.update(alert_id for alert_id, _ in missing)
                self.store.mark_logged([alert_id for alert_id, _ in missing])
            self._behind = False
        except SQLAlchemyError as error:
            self._storage_failed(error)
        return there

    def write_event(self, event: Event) -> None:
        """Appends an event of the engine's own to the event log."""
        self._write_log([event])

    def close(self) -> None:
        if self._event_log is not None:
            self._event_log.close()
        self.store.close()
