"""The event log: one JSON object a line, appended; see records/event.schema.json."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import orjson

from mempool_ids.records.events import ALARM, Event, Key, key_of

# How much of the file's end is looked at to find lines that were written before a crash was recorded.
_TAIL = 4 << 20
# Lines of kept events have one of these: the others need not be read.
_MARKS = (b'"alert_id"', b'"response_id"', f'"{ALARM}"'.encode())

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class EventLog:
    """Appends events to a file that others may rotate at any time.

    Moved, deleted or truncated files are noticed before the next write and opened anew, so no signal is needed.

    Raises:
        OSError: the file cannot be opened or written (from every method).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._open()

    def _open(self) -> int:
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            size = os.fstat(file).st_size
            # A crash can leave half a line: it must not swallow the next one.
            self._torn = bool(size) and os.pread(file, 1, size - 1) != b"\n"
            _sync_folder(self._path.parent)
        except OSError:
            os.close(file)
            raise
        return file

    def _follow_rotation(self) -> None:
        mine = os.fstat(self._file)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            pass
        else:
            if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
                return
        # The old one stays open until there is a new one: its number must not become another file's.
        rotated, self._file = self._file, self._open()
        os.close(rotated)

    def write(self, events: Sequence[Event], *, sync: bool = False) -> None:
        """Appends the events' lines, all of them or, as far as that can be undone, none.

        Args:
            events: each event and its JSON.
            sync: whether the lines must be on the disk when this returns.
        """
        if not events:
            return
        self._follow_rotation()
        block = b"".join(raw + b"\n" for _, raw in events)
        self._append(b"\n" + block if self._torn else block)
        if sync:
            _sync(self._file)

    def _append(self, block: bytes) -> None:
        before, done = os.fstat(self._file).st_size, 0
        try:
            while done < len(block):
                done += os.write(self._file, memoryview(block)[done:])
        except OSError:
            if done:
                self._take_back(before, done)
            raise
        self._torn = False

    def _take_back(self, before: int, done: int) -> None:
        """Half a block must not be glued to the next one."""
        self._torn = True
        with contextlib.suppress(OSError):
            if os.fstat(self._file).st_size == before + done:  # else another process has appended too
                os.ftruncate(self._file, before)
                self._torn = before > 0 and os.pread(self._file, 1, before - 1) != b"\n"

    def recent_keys(self) -> set[Key]:
        """Of the kept events whose lines are at the file's end."""
        size = os.fstat(self._file).st_size
        start = max(0, size - _TAIL)
        data = os.pread(self._file, size - start, start)
        keys: set[Key] = set()
        for line in data.splitlines():
            if not any(mark in line for mark in _MARKS):
                continue
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # the first line of the tail, or one cut by a crash
            if isinstance(event, dict) and (key := key_of((event, line))):
                keys.add(key)
        return keys

    def close(self) -> None:
        os.close(self._file)


def _sync_folder(folder: Path) -> None:
    """A new file's name is on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
