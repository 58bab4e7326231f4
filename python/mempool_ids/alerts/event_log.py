"""The event log: one JSON object a line, appended; see schema/event.schema.json."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

# How much of the file's end is looked at to find lines that were written before a crash was recorded.
_TAIL = 4 << 20


class EventLog:
    """Appends events to a file that others may rotate at any time.

    Moved, deleted or truncated files are noticed before the next write and opened anew, so no signal is needed.

    Raises:
        OSError: the file cannot be opened or written (from every method).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._open()

    def _open(self) -> int:
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        size = os.fstat(file).st_size
        # A crash can leave half a line: it must not swallow the next one.
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.write(file, b"\n")
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
        os.close(self._file)
        self._file = self._open()

    def write(self, events: Sequence[tuple[Mapping[str, Any], bytes]]) -> None:
        """Appends the events' lines."""
        if not events:
            return
        self._follow_rotation()
        block = memoryview(b"".join(raw + b"\n" for _, raw in events))
        while block:
            block = block[os.write(self._file, block) :]

    def recent_alert_ids(self) -> set[str]:
        """Ids of the alerts at the file's end."""
        size = os.fstat(self._file).st_size
        start = max(0, size - _TAIL)
        data = os.pread(self._file, size - start, start)
        ids: set[str] = set()
        for line in data.splitlines():
            if b'"alert_id"' not in line:
                continue
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # the first line of the tail, or one cut by a crash
            if isinstance(event, dict) and event.get("event_type") == "alert":
                ids.add(str(event.get("alert_id")))
        return ids

    def close(self) -> None:
        os.close(self._file)
