"""Makes events durable, in order: first the storage, then the event log and the log. Lives on one thread."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from sqlalchemy.exc import SQLAlchemyError

from mempool_ids.alerts.event_log import EventLog
from mempool_ids.alerts.log import LogSink
from mempool_ids.config.models import IDSConfig
from mempool_ids.events import MalformedEvent, read_event
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.storage.store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

Event = tuple[dict[str, Any], bytes]

# A storage that does not answer holds back the alert at the longest for the sum of these; then the alert goes out
# unstored, because a full disk must not silence the sensor.
_RETRIES_S = (0.05, 0.2, 0.5)
_RECORDED = frozenset({"alert", "outcome", "anomaly", "reorg"})
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
        self.store = Store(config.storage.path)
        self._log = LogSink() if config.alerts.log else None
        self._event_log: EventLog | None = None
        self.stored = self.repeated = self.muted = 0
        self.storage_failures = self.event_log_failures = self.malformed = 0
        if config.alerts.jsonl is not None:
            try:
                self._event_log = EventLog(config.alerts.jsonl)
            except OSError as error:
                self.store.close()
                raise MempoolIdsError(f"event log {config.alerts.jsonl}: {error.strerror}") from None
            self._catch_up()

    def _catch_up(self) -> None:
        """Writes the lines that a crash kept from the event log."""
        missing = self.store.unlogged()
        if not missing or self._event_log is None:
            return
        there = self._event_log.recent_alert_ids()
        self._write_log([(orjson.loads(raw), raw) for alert_id, raw in missing if alert_id not in there], ())
        self.store.mark_logged([alert_id for alert_id, _ in missing])

    def record(self, batch: Sequence[tuple[str, bytes]]) -> Recorded:
        """Commits a batch's alerts and outcomes, then writes all its events to the logs."""
        read = [self._read(kind, raw) for kind, raw in batch if kind in _RECORDED]
        events = [event for event in read if event is not None]
        alerts = [event for event in events if event[0]["event_type"] == "alert"]
        ends = [event for event, _ in events if event["event_type"] == "outcome"]
        fresh = self._store(alerts, ends)
        new = [alert for alert, is_new in zip(alerts, fresh or [True] * len(alerts), strict=True) if is_new]
        known = {id(alert) for alert, _ in alerts} - {id(alert) for alert, _ in new}
        self._write([event for event in events if id(event[0]) not in known], [a["alert_id"] for a, _ in new])
        self.repeated += len(alerts) - len(new)
        self.muted += sum(not alert["notify"] for alert, _ in new)
        if fresh is not None:
            self.stored += len(new)
        return Recorded(new, fresh is not None)

    def _read(self, kind: str, raw: bytes) -> Event | None:
        """None where it cannot be used: one bad event must not take the others of its batch with it."""
        try:
            return read_event(kind, raw, self._config.operational_mode)
        except MalformedEvent as error:
            self.malformed += 1
            shown = raw[:_SHOWN_BYTES].decode(errors="replace")
            log.error("malformed %s, left out: %s: %s", kind, error, shown)
            return None

    def _store(self, alerts: list[Event], ends: list[dict[str, Any]]) -> list[bool] | None:
        """Whether each alert is new; None where the storage failed."""
        pauses = iter(_RETRIES_S)  # for both together
        fresh: list[bool] | None = []
        if alerts:
            logged = self._event_log is None
            fresh = self._retry(lambda: self.store.add_detections(alerts, self._sinks, logged=logged), pauses)
        if ends:
            # Apart from the alerts: these are committed, and written once more they would be known ones.
            self._retry(lambda: self.store.add_outcomes(ends), pauses)
        return fresh

    def _retry(self, write: Callable[[], T], pauses: Iterator[float]) -> T | None:
        """What `write` returns; None where the storage failed until the pauses were used up."""
        while True:
            try:
                return write()
            except SQLAlchemyError as error:
                self._storage_failed(error)
            pause = next(pauses, None)
            if pause is None:
                return None
            time.sleep(pause)

    def _storage_failed(self, error: SQLAlchemyError) -> None:
        self.storage_failures += 1
        log.error("storage %s: %s", self.store.path, getattr(error, "orig", None) or error)

    def _write(self, events: list[Event], alert_ids: list[str]) -> None:
        if self._log:
            self._log.write(events)
        self._write_log(events, alert_ids)

    def _write_log(self, events: list[Event], alert_ids: Sequence[str]) -> None:
        if self._event_log is None:
            return
        try:
            self._event_log.write(events)
            self.store.mark_logged(alert_ids)
        except OSError as error:
            self.event_log_failures += 1
            log.error("event log %s: %s", self._config.alerts.jsonl, error.strerror)
        except SQLAlchemyError as error:
            self._storage_failed(error)

    def write_event(self, event: Event) -> None:
        """Appends an event of the engine's own to the event log."""
        self._write_log([event], ())

    def close(self) -> None:
        if self._event_log is not None:
            self._event_log.close()
        self.store.close()
