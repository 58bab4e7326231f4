"""The event log that lacks no line of what is kept, whatever crashed or failed before."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import orjson
from sqlalchemy.exc import SQLAlchemyError

from mempool_ids.records.events import Event, Key, key_of
from mempool_ids.sinks.event_log import EventLog
from mempool_ids.storage.store import Store

log = logging.getLogger(__name__)

# Events kept in memory while neither storage nor event log can be written.
_UNWRITTEN = 1024


class Lines:
    """Writes the lines of events, and those that are missing. Lives on the storage's thread.

    Args:
        path: of the event log.
        store: knows what is committed and has no line yet.
        storage_failed: is told of the storage's errors.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, store: Store, storage_failed: Callable[[SQLAlchemyError], None]) -> None:
        self._path = path
        self._store = store
        self._storage_failed = storage_failed
        self._file = EventLog(path)
        # Whether kept events may lack their line, from before the start or since a write failed. The storage knows
        # them, but for those that it could not take either.
        self._behind = True
        self._unwritten: deque[tuple[Key, Event]] = deque(maxlen=_UNWRITTEN)
        self.failures = 0

    def write(self, events: Sequence[Event], *, stored: bool = True) -> None:
        """Writes the events' lines; after a crash or a failure, first those of kept events that lack one.

        Args:
            events: in their order.
            stored: whether the storage has those that are kept.
        """
        keyed = [(key_of(event), event) for event in events]
        kept = [(key, event) for key, event in keyed if key is not None]
        try:
            there: set[Key] = self._catch_up() if self._behind else set()
            # On the disk before it is marked: a power cut must not take a line that nobody would write again.
            self._file.write([event for key, event in keyed if key not in there], sync=bool(kept))
            if stored and kept:
                self._store.mark_logged([key for key, _ in kept])
        except OSError as error:
            self._behind = True
            self.failures += 1
            log.error("event log %s: %s", self._path, error.strerror)
            if not stored:
                self._keep(kept)
        except SQLAlchemyError as error:
            self._behind = True
            self._storage_failed(error)

    def _keep(self, events: Iterable[tuple[Key, Event]]) -> None:
        """For the next write; what finds no room is counted."""
        for event in events:
            if len(self._unwritten) == _UNWRITTEN:
                self.failures += 1
            self._unwritten.append(event)

    def _catch_up(self) -> set[Key]:
        """Writes the missing lines; returns whose lines are there, as far back as matters."""
        there = self._file.recent_keys()
        while self._unwritten:
            key, event = self._unwritten[0]
            if key not in there:
                self._file.write([event], sync=True)
                there.add(key)
            self._unwritten.popleft()
        try:
            while missing := self._store.unlogged():
                new = [(orjson.loads(raw), raw) for key, raw in missing if key not in there]
                self._file.write(new, sync=True)
                there.update(key for key, _ in missing)
                self._store.mark_logged([key for key, _ in missing])
            self._behind = False
        except SQLAlchemyError as error:
            self._storage_failed(error)
        return there

    def close(self) -> None:
        self._file.close()
