"""Runs the sensor as a user does, through its command line, and reads what it writes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Event = dict[str, Any]

#: Where the package's console script is: beside the interpreter that runs the tests.
COMMAND = Path(sys.executable).with_name("mempool-ids")
READY_SECONDS = 30.0


def run(
    *arguments: str | Path, timeout: float = 60, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def read_events(path: Path) -> list[Event]:
    """All events of a log; none if it is not there yet."""
    return parse(path.read_bytes()) if path.exists() else []


def parse(lines: bytes) -> list[Event]:
    """JSON lines. A last line without its newline is still being written and is left out."""
    return [json.loads(line) for line in lines[: lines.rfind(b"\n") + 1].splitlines()]


def alerts(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event["event_type"] == "alert"]


class SensorProcess:
    """A running `mempool-ids` with its standard error collected line by line."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self.log = folder / "events.jsonl"
        self.database = folder / "detections.db"
        self.stderr: list[str] = []
        self._process = subprocess.Popen(
            [COMMAND, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        )
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.stderr.append(line.rstrip("\n"))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_ready(self) -> None:
        await self.wait_for_stderr("sensor ready", READY_SECONDS)

    async def wait_for_stderr(self, text: str, seconds: float) -> None:
        await self.until(
            lambda: any(text in line for line in self.stderr), f"stderr to say {text!r}", seconds
        )

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
        """Waits for `condition`; fails with what the sensor said if it stays false or the sensor ends."""
        deadline = time.monotonic() + seconds
        while not condition():
            ended = self._process.poll()
            if ended is not None and not condition():
                raise AssertionError(f"sensor ended with {ended} while waiting for {what}\n{self._said()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{self._said()}")
            await asyncio.sleep(0.02)

    def _said(self) -> str:
        """To people, and in its last figures."""
        counted = {name: figure for name, figure in self.figures().items() if figure}
        return "\n".join([*self.stderr[-40:], f"figures: {counted}"])

    def events(self) -> list[Event]:
        return read_events(self.log)

    def statistics(self) -> list[dict[str, Any]]:
        """All that were told, the latest last."""
        return [event["stats"] for event in self.events() if event["event_type"] == "stats"]

    def figures(self) -> dict[str, Any]:
        """The latest; empty before the first."""
        return told[-1] if (told := self.statistics()) else {}

    def knows_the_head(self) -> bool:
        """It has the head's state."""
        return any(self.figures().get(name) for name in ("state_carried", "state_discarded"))

    def judged(self) -> int:
        """Transactions whose first simulation is done. What is judged on a head's state before the pipeline is told of
        that head is looked at again: seen by chance alone, and no harm."""
        figures = self.figures()
        return int(figures.get("simulated", 0) - figures.get("simulated_again", 0))

    def under_way(self) -> int:
        """Simulations that were asked for and are not done."""
        figures = self.figures()
        asked = [figures.get(f"triaged_{why}", 0) for why in ("contact", "score", "young")]
        failed = sum(figures.get("simulation_failures", {}).values())
        return int(sum(asked) + figures.get("simulated_again", 0) - figures.get("simulated", 0) - failed)

    async def settle(self, count: int) -> None:
        """Waits until so many transactions are judged and nothing is looked at any more: then no alert follows."""
        await self.until(lambda: self.judged() >= count, f"{count} to be judged")
        await self.until(lambda: self.under_way() == 0, "all to be done")

    def alerted(self) -> list[str]:
        """Hashes of the transactions alerted, in order, duplicates included."""
        return [event["tx"]["hash"] for event in alerts(self.events())]

    async def wait_alerted(self, hashes: Iterable[str], seconds: float = 15.0) -> None:
        wanted = set(hashes)
        await self.until(lambda: wanted <= set(self.alerted()), f"{len(wanted)} alerts", seconds)

    def stored(self) -> list[str]:
        return stored_alert_ids(self.database)

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def terminate(self, number: signal.Signals = signal.SIGTERM, seconds: float = 15.0) -> int:
        """Asks it to stop and returns its exit code."""
        self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait, seconds)

    async def kill(self) -> None:
        """No chance to write anything."""
        self._process.kill()
        await asyncio.to_thread(self._process.wait, 10)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self._reader.join(10)
        assert self._process.stderr is not None
        self._process.stderr.close()


def stored_alert_ids(database: Path) -> list[str]:
    """From the file as it is, write-ahead log included."""
    with sqlite3.connect(database) as connection:
        return [row[0] for row in connection.execute("SELECT alert_id FROM detections")]
