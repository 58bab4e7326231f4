"""The loop of commands without an engine: pulls events until the end; signals stop it cleanly."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import orjson

from mempool_ids import _core
from mempool_ids.cli.terminal import StatusLine
from mempool_ids.records.statistics import dropped
from mempool_ids.runtime.receiver import broken_down

_STATUS_EVERY_S = 0.5


@contextmanager
def stopping(sensor: _core.Sensor) -> Iterator[list[int]]:
    """SIGINT and SIGTERM stop the sensor; the list then holds the signal's number. A second one ends at once."""
    caught: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        for each in previous:
            signal.signal(each, signal.SIG_DFL)
        sensor.stop()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def events(sensor: _core.Sensor, phase: str, deadline: float | None = None) -> Iterator[tuple[str, bytes]]:
    """Events up to the end, with a status line on a terminal. Past `deadline` (monotonic seconds) the sensor stops.

    Raises:
        MempoolIdsError: at the end, where the sensor failed in its own code.
    """
    shown = 0.0
    breakdown: bytes | None = None
    with StatusLine() as line:
        while True:
            for kind, raw in sensor.recv(0.1):
                if kind == "end":
                    if breakdown is not None:
                        raise broken_down(breakdown)
                    return
                if kind == "breakdown":
                    breakdown = raw
                yield kind, raw
            now = time.monotonic()
            if line.visible and now - shown >= _STATUS_EVERY_S:
                shown = now
                line.show(now, orjson.loads(sensor.stats()), phase)
            if deadline is not None and now >= deadline:
                deadline = None
                sensor.stop()


def finish(sensor: _core.Sensor) -> None:
    """Stops the sensor and throws away what it still has."""
    sensor.stop()
    while not any(kind == "end" for kind, _ in sensor.recv(0.1)):
        pass


def summary(core: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What a finished run amounts to, for the last line on stderr."""
    anomalies = {kind: count for kind, count in core["anomalies"].items() if count}
    transactions = core["received"] - core["duplicates"] - core["unparsed"]
    return {
        "seconds": round(seconds, 3),
        "received": core["received"],
        "transactions": transactions,
        "duplicates": core["duplicates"],
        "classified": core["classified"],
        "simulated": core["simulated"],
        "alerts": core["detections"],
        "anomalies": anomalies,
        "dropped": dropped(core),
        "transactions_per_second": round(transactions / seconds) if seconds > 0 else 0,
    }
