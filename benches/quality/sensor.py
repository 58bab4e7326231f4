"""A live `mempool-ids run` that judges the pending transactions of one recorded block."""

import asyncio
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.harness import SensorProcess, alerts

from benches.quality.fake_node import FakeNode
from benches.quality.live import DEADLINE_MS, Contract, toml, under_way

STATISTICS_S = 0.1
AT_ONCE = 128
"""Transactions announced before the sensor is waited for."""
QUIET_S = 0.15
"""Without a question the node counts as left alone."""
RETRY_S = 2.0
"""In which what has no verdict is tried again, thrice with half a second between."""
PATIENCE_S = 60.0
TAIL = 1 << 16

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a sensor said of a block."""

    alerts: tuple[Event, ...]
    """The last of each transaction, in the order of their announcement."""
    statistics: Mapping[str, Any]
    """The sensor's last."""


def configuration(url: str, contracts: Iterable[Contract], changes: Mapping[str, Any]) -> str:
    """As TOML: a sensor as it comes, but for time, and for room that a block within seconds needs."""
    settings = {
        "sensor": "quality",
        "chain.id": 1,
        "chain.websocket_urls": [url],
        "chain.resync": False,
        "simulation.deadline_ms": DEADLINE_MS,
        "simulation.queue": 4_096,
        "simulation.per_sender": 4_096,
        "alerts.jsonl": "events.jsonl",
        "alerts.stats_interval_s": STATISTICS_S,
        "alerts.log": False,
        "storage.url": "sqlite:///detections.db",
        **changes,
    }
    return toml(settings, contracts)


async def judge(
    node: FakeNode,
    hashes: Sequence[str],
    contracts: Iterable[Contract],
    changes: Mapping[str, Any] | None = None,
) -> Judged:
    """Starts a sensor on the node's chain, announces these transactions to it, and returns when all are judged.

    Args:
        contracts: entries of `contracts`, keys dotted.
        changes: of other settings, by dotted key.

    Raises:
        AssertionError: it ended by itself, or came to no end; with what it said.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, settings = Path(name), configuration(node.url, contracts, changes or {})
        await asyncio.to_thread(Path(folder, "ids.toml").write_text, settings)
        sensor = SensorProcess(["run", "-c", "ids.toml"], folder)
        try:
            await sensor.wait_ready()
            await node.subscribed()
            for announced, transaction_hash in enumerate(hashes, 1):
                await node.announce(transaction_hash)
                if announced % AT_ONCE == 0 or announced == len(hashes):
                    await _until_done(sensor, node, announced)
            if sum(_statistics(sensor)["simulation_failures"].values()):
                await asyncio.sleep(RETRY_S)
                await _until_done(sensor, node, len(hashes))
            await sensor.terminate()
            events = sensor.events()
        finally:
            sensor.close()
    statistics = [event["stats"] for event in events if event["event_type"] == "stats"][-1]
    last = {event["tx"]["hash"]: event for event in alerts(events)}
    return Judged(tuple(last[one] for one in hashes if one in last), statistics)


def _statistics(sensor: SensorProcess) -> dict[str, Any]:
    """The newest of the log, which may be long."""
    if not sensor.log.exists():
        return {}
    with sensor.log.open("rb") as log:
        log.seek(max(0, log.seek(0, 2) - TAIL))
        lines = log.read().split(b"\n")[:-1]
    for line in reversed(lines):
        if b'"event_type":"stats"' in line and line.startswith(b"{"):
            found: dict[str, Any] = json.loads(line)["stats"]
            return found
    return {}


async def _until_done(sensor: SensorProcess, node: FakeNode, announced: int) -> None:
    """Returns once so many transactions are judged, and nothing is under way."""

    def is_done() -> bool:
        figures = _statistics(sensor)
        return bool(
            figures
            and node.idle_s > QUIET_S
            and figures["classified"] + figures["unparsed"] >= announced
            and not under_way(figures)
        )

    await sensor.until(is_done, f"{announced} transactions to be judged", PATIENCE_S)
