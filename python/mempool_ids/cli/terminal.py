"""Talking to people: stderr only."""

import logging
import os
import queue
import sys
import time
from collections.abc import Mapping
from logging.handlers import QueueHandler, QueueListener
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.text import Text

talk = Console(stderr=True, highlight=False, soft_wrap=True)

# Log messages that may wait for a slow reader of stderr, and how long the program's own words wait for them.
WAITING = 10_000
PATIENCE_S = 1.0


def data_console() -> Console:
    """For tables on stdout: as wide as the terminal, or as the data where there is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)


def reader_left() -> None:
    """The reader of stdout (head, less) has enough: what is still buffered goes nowhere, quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(message: str) -> None:
    """A line on stderr, without markup, after what was logged before it."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    talk.print(Text(message))


def fail(message: str, code: int) -> int:
    """Says what went wrong and returns the exit code."""
    for line in message.splitlines() or [""]:
        talk.print(Text.assemble(("error: ", "bold red"), line))
    return code


class Aside(QueueHandler):
    """Hands messages to a thread that writes them: whoever holds stderr and stops reading it must not hold up alerts.

    What finds no room among `WAITING` messages is left out, and the next one that does says how many.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._queue: queue.Queue[logging.LogRecord] = queue.Queue(WAITING)
        super().__init__(self._queue)
        self._left_out = 0
        QueueListener(self._queue, handler).start()

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits."""
        if self._left_out:
            record.msg = f"[{self._left_out} messages left out before this: stderr is not read] {record.msg}"
        try:
            self._queue.put_nowait(record)
            self._left_out = 0
        except queue.Full:
            self._left_out += 1

    def flush(self) -> None:
        """Waits until all is written, at most `PATIENCE_S`."""
        deadline = time.monotonic() + PATIENCE_S
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.002)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Python's log on stderr: coloured on a terminal, plain with times elsewhere."""
    handler: logging.Handler
    if talk.is_terminal:
        handler = RichHandler(console=talk, show_path=False, markup=False, log_time_format="[%X]")
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[Aside(handler)], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)


class StatusLine:
    """One line of figures below the log, on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        self._live = Live(console=talk, refresh_per_second=4, transient=True) if talk.is_terminal else None
        self._received = 0
        self._at = 0.0
        self._rate = 0.0

    def __enter__(self) -> "StatusLine":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live:
            self._live.stop()

    @property
    def visible(self) -> bool:
        return self._live is not None

    def show(self, now: float, core: Mapping[str, Any], phase: str = "") -> None:
        """`now` in seconds of any clock; `core` as `Sensor.stats()` gives it."""
        if self._live is None:
            return
        elapsed = now - self._at
        if self._at and elapsed > 0:
            fresh = (core["received"] - self._received) / elapsed
            self._rate = fresh if not self._rate else 0.7 * self._rate + 0.3 * fresh
        self._received, self._at = core["received"], now
        self._live.update(Text(" · ".join(figures(core, self._rate, phase)), style="dim", no_wrap=True))


def figures(core: Mapping[str, Any], rate: float, phase: str = "") -> list[str]:
    """The status line's parts."""
    endpoints = core["endpoints"]
    drops = core["dropped_queue"] + core["dropped_events"] + core["dropped_capture"]
    parts = [
        phase,
        f"{rate:,.0f} tx/s",
        f"{core['received'] - core['duplicates']:,} seen",
        f"{core['detections']:,} alerts",
        f"{sum(e['up'] for e in endpoints)}/{len(endpoints)} endpoints" if endpoints else "",
        f"p99 {core['latency_us']['p99']:,.0f} µs",
        f"{drops:,} drops",
        f"head {core['head_number']:,}" if core["head_number"] else "",
    ]
    return [part for part in parts if part]
