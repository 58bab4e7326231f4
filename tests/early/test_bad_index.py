"""A funding index that is damaged, or written by another for a while: said once, begun anew; nothing else stops."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import SensorProcess
from tests.early.hostile import anomalies, early, heads, sensing
from tests.early.test_deployed import configure, early_alerts
from tests.early.traps import TRAPS, Trap

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True)
class Scene:
    rpc: Rpc
    trap: Trap
    config: Path

    @property
    def index(self) -> Path:
        return self.config.with_name("funding.db")

    @property
    def aside(self) -> Path:
        return self.config.with_name("funding.db.damaged")

    async def is_proved(self, sensor: SensorProcess) -> None:
        """What else there is goes on."""
        contract = await self.trap.place()
        await self.trap.stage.settle()
        await sensor.until(lambda: bool(early_alerts(sensor.events(), contract)), "the attack to be told", 30)

    def is_whole(self) -> bool:
        """There is an index, with blocks."""
        with sqlite3.connect(self.index) as db:
            (blocks,) = db.execute("SELECT count(*) FROM heads").fetchone()
            return bool(blocks) and db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture
async def scene(anvil_binary: Path, tmp_path: Path) -> AsyncIterator[Scene]:
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            trap = await TRAPS["reentrancy"](rpc)
            yield Scene(rpc, trap, configure(tmp_path / "run", anvil, {"reentrancy": trap}))


async def test_an_index_that_is_damaged_while_it_is_used_is_put_aside_and_begun_anew(scene: Scene) -> None:
    async with sensing(scene.config) as sensor:
        await heads(scene.rpc, sensor, 1)
        await sensor.until(scene.index.exists, "the index")
        with sqlite3.connect(scene.index, timeout=10) as db:
            db.execute("DROP TABLE heads")
        await heads(scene.rpc, sensor, 3)
        await sensor.until(lambda: bool(anomalies(sensor.events(), "damaged")), "it to be said")
        await heads(scene.rpc, sensor, 3)
        await scene.is_proved(sensor)
        assert len(anomalies(sensor.events(), "funding")) == 1
    assert scene.aside.exists()
    assert scene.is_whole()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "schema"])
async def test_a_file_that_is_damaged_is_put_aside_said_once_and_begun_anew(
    scene: Scene, damage: str
) -> None:
    async with sensing(scene.config) as sensor:
        await heads(scene.rpc, sensor, 2)
        await sensor.until(scene.index.exists, "the index")
    # Of the next sensor alone is what is read from now on.
    scene.config.with_name("events.jsonl").unlink()
    whole = scene.index.read_bytes()
    if damage == "flipped":
        scene.index.write_bytes(bytes(byte ^ 0xFF if at >= 100 else byte for at, byte in enumerate(whole)))
    elif damage == "truncated":
        scene.index.write_bytes(whole[: len(whole) // 2 + 17])
    else:
        with sqlite3.connect(scene.index) as db:
            db.execute("PRAGMA user_version = 99")
    async with sensing(scene.config) as sensor:
        await heads(scene.rpc, sensor, 4)
        await sensor.until(lambda: bool(anomalies(sensor.events(), "begun")), "it to be said")
        await scene.is_proved(sensor)
        assert len(anomalies(sensor.events(), "funding")) == 1
    assert scene.aside.exists()
    assert scene.is_whole()


async def test_an_index_that_a_backfill_writes_is_said_once_and_counted_until_it_is_free(
    scene: Scene,
) -> None:
    scene.config.with_name("funding.db.lock").touch()
    with scene.config.with_name("funding.db.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with sensing(scene.config) as sensor:
            await heads(scene.rpc, sensor, 5)
            await scene.is_proved(sensor)
            assert len(anomalies(sensor.events(), "another sensor or backfill")) == 1
            await sensor.until(lambda: early(sensor)["fundings_failed"] > 0, "it to be counted")
            assert not scene.index.exists()
            fcntl.flock(lock, fcntl.LOCK_UN)
            await heads(scene.rpc, sensor, 2)
            await sensor.until(scene.index.exists, "the index")
            await sensor.until(scene.is_whole, "it to be filled")
            assert len(anomalies(sensor.events(), "funding")) == 1
