"""A sensor whose own code fails: nothing may take that for a quiet end."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from mempool_ids import IDSConfig, IDSEngine, MempoolIdsError, MempoolMonitor, _core
from mempool_ids.cli import main
from mempool_ids.cli.pull import events
from mempool_ids.config import sensor_config
from mempool_ids.records.schema import event_schema
from mempool_ids.runtime.receiver import Batch, Receiver
from tests.support import alert, write_capture

BREAKDOWN = {
    "timestamp": "2026-01-01T00:00:00.000001Z",
    "event_type": "breakdown",
    "sensor": "test",
    "chain_id": 1,
    "schema_version": 1,
    "thread": "ids-pipeline",
    "reason": "index out of bounds",
}
NAMED = "ids-pipeline: index out of bounds"


class Failing:
    """A sensor that tells an alert, fails and ends."""

    def __init__(self, *_: Any) -> None:
        told = [("ready", b""), ("alert", orjson.dumps(alert(1))), ("breakdown", orjson.dumps(BREAKDOWN))]
        self.batches: list[Batch] = [told, [("end", b"")]]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def recv(self, timeout: float, limit: int = 1024, /) -> Batch:
        return self.batches.pop(0) if self.batches else [("end", b"")]

    def stats(self) -> bytes:
        return b"{}"  # whoever needs figures has a real sensor's


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every sensor fails."""
    capture = write_capture(tmp_path / "c.jsonl", 1)
    real = _core.Sensor(sensor_config(IDSConfig(), replay=[capture]))
    monkeypatch.setattr(Failing, "stats", lambda _: real.stats())
    monkeypatch.setattr(_core, "Sensor", Failing)


async def test_the_receiver_raises_after_all_that_came_before() -> None:
    receiver = Receiver(Failing())
    receiver.start()
    seen = []

    async def read() -> None:
        async for batch in receiver.batches():
            seen.extend(kind for kind, _ in batch)

    with pytest.raises(MempoolIdsError, match=NAMED):
        await read()
    assert seen == ["ready", "alert", "breakdown"]


def test_a_loop_of_commands_raises_at_the_end() -> None:
    seen = []
    told = (seen.append(kind) for kind, _ in events(Failing(), "replay"))
    with pytest.raises(MempoolIdsError, match=NAMED):
        list(told)
    assert seen == ["ready", "alert", "breakdown"]


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("replayed", [False, True])
async def test_an_engine_fails_with_it_and_its_log_has_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, replayed: bool
) -> None:
    config = IDSConfig(
        websocket_url="ws://127.0.0.1:1",
        alerts={"jsonl": str(tmp_path / "log.jsonl")},
        storage={"url": f"sqlite:///{tmp_path / 'ids.db'}"},
    )
    engine = IDSEngine(config, replay=[tmp_path / "c.jsonl"] if replayed else [])
    await engine.start()
    with caplog.at_level(logging.CRITICAL), pytest.raises(MempoolIdsError, match=NAMED):
        await engine.wait()
    with pytest.raises(MempoolIdsError, match=NAMED):
        await engine.stop()
    assert f"breakdown of {NAMED}" in caplog.text
    lines = [orjson.loads(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
    assert BREAKDOWN in lines


async def _read(monitor: MempoolMonitor) -> None:
    async for _ in monitor:
        pass


@pytest.mark.usefixtures("failing")
async def test_a_monitor_says_it_to_whoever_reads() -> None:
    monitor = MempoolMonitor("ws://127.0.0.1:1")
    await monitor.connect()
    with pytest.raises(MempoolIdsError, match=NAMED):
        await asyncio.wait_for(_read(monitor), 10)
    await monitor.close()


@pytest.mark.usefixtures("failing")
def test_a_replay_ends_with_exit_code_1_and_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(tmp_path / "c.jsonl")])
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert NAMED in printed.err
    assert orjson.loads(printed.out.splitlines()[0])["alert_id"] == "alert-1"


def test_the_event_is_in_the_schema() -> None:
    jsonschema.Draft202012Validator(event_schema()).validate(BREAKDOWN)
