"""Talking to people: stderr only."""

import contextlib
import io
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from logging.handlers import QueueHandler
from typing import Any, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.text import Text

from mempool_ids.records.statistics import dropped


class _Talk(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read stderr has left: no more of it, but the data on stdout goes on."""
        self.quiet = True


talk = _Talk(stderr=True, highlight=False, soft_wrap=True)

# Log messages that may wait for a slow reader of stderr, and how long the program's end waits for them.
WAITING = 10_000
PATIENCE_S = 1.0


def data_console() -> Console:
    """For tables on stdout: as wide as the terminal, or as the data where there is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)


def reader_left() -> None:
    """The reader of stdout (head, less) has enough: what is still buffered goes nowhere, quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(message: str) -> None:
    """A line on stderr, without markup, after what was logged before it. Waits for nobody once there is a log."""
    _print([Text(message)])


def fail(message: str, code: int) -> int:
    """Says what went wrong and returns the exit code. Waits at most `PATIENCE_S` for it to be written."""
    _print([Text.assemble(("error: ", "bold red"), line) for line in message.splitlines() or [""]])
    for handler in logging.getLogger().handlers:
        handler.flush()
    return code


def _print(lines: Iterable[Text]) -> None:
    aside = _aside()
    for line in lines:
        if aside is None:
            talk.print(line)
        else:
            aside.print(line)


def _aside() -> "Aside | None":
    return next((each for each in logging.getLogger().handlers if isinstance(each, Aside)), None)


class Aside(QueueHandler):
    """Hands messages to a thread that writes them: whoever holds stderr and stops reading it must not hold up alerts.

    What finds no room among `WAITING` messages is left out, and the next one that does says how many.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._queue: queue.Queue[Callable[[], object]] = queue.Queue(WAITING)
        super().__init__(cast(Any, self._queue))
        # `prepare` merges message and arguments by it. `handler` has the format that is shown, and one is enough:
        # `basicConfig` would give another to a handler without.
        self.setFormatter(logging.Formatter("%(message)s"))
        self._handler = handler
        self._left_out = 0
        threading.Thread(target=self._write, name="ids-stderr", daemon=True).start()

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits."""
        record.msg = f"{self._missing()}{record.msg}"
        self._put(lambda: self._handler.handle(record))

    def print(self, line: Text) -> None:
        """The line as it is, in its turn. Never waits."""
        self.acquire()
        try:
            shown = Text.assemble(self._missing(), line)
            self._put(lambda: talk.print(shown))
        finally:
            self.release()

    def draw(self, work: Callable[[], object]) -> None:
        """Any other output, in its turn, if there is room. Never waits."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(work)

    def _missing(self) -> str:
        return (
            f"[{self._left_out} messages left out before this: stderr is not read] " if self._left_out else ""
        )

    def _put(self, work: Callable[[], object]) -> None:
        try:
            self._queue.put_nowait(work)
            self._left_out = 0
        except queue.Full:
            self._left_out += 1

    def _write(self) -> None:
        while True:
            work = self._queue.get()
            # The reader may have left; whatever it is that cannot be shown, what comes after it is shown.
            with contextlib.suppress(Exception):
                work()
            self._queue.task_done()

    def flush(self) -> None:
        """Waits until all is written, at most `PATIENCE_S`."""
        deadline = time.monotonic() + PATIENCE_S
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.002)

    def close(self) -> None:
        """Lets the process end: its exit would wait for the lock of a handler whose write never returns."""
        if self._queue.unfinished_tasks:
            self._handler.createLock()
        super().close()


def log_to_stderr(level: int = logging.INFO) -> None:
    """Python's log on stderr: coloured on a terminal, plain with times elsewhere."""
    handler: logging.Handler
    stream = _unlocked(sys.stderr)
    if stream is not sys.stderr:
        talk.file = stream
        # Of its own what cannot be written stays in a buffer, and to fail to flush that at exit is exit code 120.
        sys.stderr = stream
    if talk.is_terminal:
        handler = RichHandler(console=talk, show_path=False, markup=False, log_time_format="[%X]")
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[Aside(handler)], force=True)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("httpcore2").setLevel(logging.WARNING)


def _unlocked(stderr: TextIO) -> TextIO:
    """stderr without a buffer: Python flushes that at exit, and aborts if a thread stuck in a write has its lock."""
    try:
        raw = io.FileIO(stderr.fileno(), "w", closefd=False)
    except OSError:  # no file, as in tests
        return stderr
    # `write` may take a part only if a signal interrupts it, and signals are handled by the main thread.
    return io.TextIOWrapper(cast(Any, raw), stderr.encoding, "backslashreplace", write_through=True)


class StatusLine:
    """One line of figures below the log, on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        # Without a thread of its own: it would hold the display's lock while the terminal is held.
        self._live = Live(console=talk, auto_refresh=False, transient=True) if talk.is_terminal else None
        self._received = 0
        self._at = 0.0
        self._rate = 0.0
        self._waiting = False

    def __enter__(self) -> "StatusLine":
        if self._live:
            _draw(self._live.start)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live:
            _draw(self._live.stop)

    @property
    def visible(self) -> bool:
        return self._live is not None

    def show(self, now: float, core: Mapping[str, Any], phase: str = "") -> None:
        """`now` in seconds of any clock; `core` as `Sensor.stats()` gives it. Waits for nobody once there is a log."""
        live = self._live
        if live is None:
            return
        elapsed = now - self._at
        if self._at and elapsed > 0:
            fresh = (core["received"] - self._received) / elapsed
            self._rate = fresh if not self._rate else 0.7 * self._rate + 0.3 * fresh
        self._received, self._at = core["received"], now
        line = Text(" · ".join(figures(core, self._rate, phase)), style="dim", no_wrap=True)
        if not self._waiting:
            self._waiting = True
            _draw(lambda: self._update(live, line))

    def _update(self, live: Live, line: Text) -> None:
        self._waiting = False
        live.update(line, refresh=True)


def _draw(work: Callable[[], object]) -> None:
    aside = _aside()
    if aside is None:
        work()
    else:
        aside.draw(work)


def figures(core: Mapping[str, Any], rate: float, phase: str = "") -> list[str]:
    """The status line's parts."""
    endpoints = core["endpoints"]
    parts = [
        phase,
        f"{rate:,.0f} tx/s",
        f"{core['received'] - core['duplicates']:,} seen",
        f"{core['simulated']:,} simulated" if core["simulated"] else "",
        f"{core['detections']:,} alerts",
        f"{sum(e['up'] for e in endpoints)}/{len(endpoints)} endpoints" if endpoints else "",
        f"p99 {core['latency_us']['p99']:,.0f} µs",
        f"{dropped(core):,} drops",
        f"head {core['head_number']:,}" if core["head_number"] else "",
    ]
    return [part for part in parts if part]
