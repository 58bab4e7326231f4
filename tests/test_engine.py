import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from sqlalchemy.exc import OperationalError

from mempool_ids import (
    ConfigError,
    IDSConfig,
    IDSEngine,
    MempoolIdsError,
    NodeError,
    RulesError,
    ThreatDetection,
    ThreatLevel,
)
from mempool_ids.sinks import Outbox
from mempool_ids.storage import Store
from tests.support import UNANSWERED, VAULT, Node, eventually, running, transaction, write_capture

#: A selector that nobody has published, and whom it is about: what attacks' entry points look like.
UNKNOWN = f"0x9e5faafc{VAULT[2:]:0>64}"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return write_capture(tmp_path / "capture.jsonl", 20)


def settings(tmp_path: Path, **sections: Any) -> IDSConfig:
    """A threshold of 0 makes every transaction a detection: what follows a detection is under test here."""
    return IDSConfig(
        sensor="test",
        monitored_contracts=[{"name": "Vault", "address": VAULT}],
        **{
            "detection": {"classification_threshold": 0.0},
            "alerts": {"jsonl": tmp_path / "events.jsonl", **sections.pop("alerts", {})},
            "storage": {"url": f"sqlite:///{tmp_path}/ids.db"},
            **sections,
        },
    )


def logged(tmp_path: Path, event_type: str = "alert") -> list[dict[str, Any]]:
    events = [orjson.loads(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    return [event for event in events if event["event_type"] == event_type]


async def play(engine: IDSEngine) -> None:
    async with engine:
        await asyncio.wait_for(engine.wait(), 30)


async def test_every_detection_is_stored_logged_and_called_back_in_order(
    tmp_path: Path, capture: Path
) -> None:
    engine = IDSEngine(settings(tmp_path), replay=[capture])
    seen: list[ThreatDetection] = []
    awaited: list[str] = []
    threads: set[str] = set()

    def sync(detection: ThreatDetection) -> None:
        threads.add(threading.current_thread().name)
        seen.append(detection)

    @engine.on_detection
    async def later(detection: ThreatDetection) -> None:
        awaited.append(detection.tx_hash)

    engine.on_detection(sync)
    await play(engine)
    expected = [f"0x{number:064x}" for number in range(1, 21)]
    assert [event["tx"]["hash"] for event in logged(tmp_path)] == expected
    assert [detection.tx_hash for detection in seen] == expected
    assert awaited == expected
    assert threading.current_thread().name not in threads
    first = seen[0]
    assert isinstance(first.threat_level, ThreatLevel)
    assert first.tx.nonce == 1
    assert 0.0 <= first.classification.probability <= 1.0
    assert first.event["response"] == {**UNANSWERED, "mode": "monitor_only"}
    statistics = engine.get_statistics()
    assert (statistics.received, statistics.stored, statistics.repeated, statistics.dropped) == (20, 20, 0, 0)


async def test_the_model_over_calldata_says_nothing_of_a_creation(tmp_path: Path) -> None:
    """The same bytes, as calldata and as init code."""
    both = [transaction(1, input=UNKNOWN), transaction(2, input=UNKNOWN, to=None)]
    recorded = tmp_path / "both.jsonl"
    recorded.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in both))
    await play(IDSEngine(settings(tmp_path), replay=[recorded]))
    call, creation = (alert["classification"] for alert in logged(tmp_path))
    assert call["probability"] > 0.01
    assert creation["probability"] == 0
    assert not creation["factors"]


async def test_a_second_run_over_the_same_transactions_alerts_nobody_again(
    tmp_path: Path, capture: Path
) -> None:
    await play(IDSEngine(settings(tmp_path), replay=[capture]))
    engine = IDSEngine(settings(tmp_path), replay=[capture])
    seen: list[ThreatDetection] = []
    engine.on_detection(seen.append)
    await play(engine)
    assert seen == []
    assert engine.get_statistics().repeated == 20
    assert len(logged(tmp_path)) == 20


async def test_lines_that_a_crash_kept_from_the_event_log_are_written_at_the_next_start(
    tmp_path: Path, capture: Path
) -> None:
    await play(IDSEngine(settings(tmp_path), replay=[capture]))
    log = tmp_path / "events.jsonl"
    lines = [line for line in log.read_bytes().splitlines() if b'"alert"' in line]
    # As if the process had been killed after the commit: three alerts unmarked, the last of them half written.
    log.write_bytes(b"\n".join(lines[:18]) + b"\n" + lines[18][:50])
    store = Store(tmp_path / "ids.db", 1)
    with store._connection.begin():
        store._connection.exec_driver_sql("UPDATE detections SET logged = 0 WHERE seq > 17")
    store.close()
    await play(IDSEngine(settings(tmp_path), replay=[capture]))
    written = []
    for line in log.read_bytes().splitlines():
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if event["event_type"] == "alert":
            written.append(event["tx"]["hash"])
    assert written == [f"0x{number:064x}" for number in range(1, 21)]


async def test_failing_and_slow_callbacks_hold_up_nothing_else(tmp_path: Path, capture: Path) -> None:
    engine = IDSEngine(settings(tmp_path), replay=[capture])
    release = threading.Event()

    def broken(detection: ThreatDetection) -> None:
        raise ValueError(detection.tx_hash)

    def stuck(_detection: ThreatDetection) -> None:
        release.wait(10)

    engine.on_detection(broken)
    engine.on_detection(stuck)
    async with engine:
        await asyncio.wait_for(engine.wait(), 30)
        assert len(logged(tmp_path)) == 20
        release.set()
    assert engine.get_statistics().callback_failures == 20


async def test_a_slow_callback_does_not_hold_up_another(tmp_path: Path, capture: Path) -> None:
    engine = IDSEngine(settings(tmp_path), replay=[capture])
    release = threading.Event()
    seen: list[str] = []

    def stuck(_detection: ThreatDetection) -> None:
        release.wait(30)

    async def later(_detection: ThreatDetection) -> None:
        await asyncio.sleep(30)

    engine.on_detection(stuck)
    engine.on_detection(later)
    engine.on_detection(lambda detection: seen.append(detection.tx_hash))
    async with engine:
        await eventually(lambda: len(seen) == 20)
        release.set()
    assert engine.get_statistics().callbacks_dropped == 19  # of the one that sleeps when the engine stops


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_callback_may_stop_the_engine(tmp_path: Path, capture: Path, wrapped: bool) -> None:
    engine = IDSEngine(settings(tmp_path), replay=[capture])
    stopped = asyncio.Event()

    @engine.on_detection
    async def stop(_detection: ThreatDetection) -> None:
        await engine.wait()
        await (asyncio.wait_for(engine.stop(), 20) if wrapped else engine.stop())
        stopped.set()

    started = time.monotonic()
    await engine.start()
    await asyncio.wait_for(stopped.wait(), 20)
    await engine.stop()
    assert time.monotonic() - started < 5
    statistics = engine.get_statistics()
    assert (statistics.stored, statistics.callbacks_dropped, statistics.callback_failures) == (20, 19, 0)
    assert logged(tmp_path, "stats")


async def test_several_may_stop_an_engine_at_once(tmp_path: Path, capture: Path) -> None:
    engine = IDSEngine(settings(tmp_path), replay=[capture])
    await engine.start()
    await asyncio.wait_for(asyncio.gather(*(engine.stop() for _ in range(3))), 20)
    assert len(logged(tmp_path, "stats")) == 1
    await engine.stop()


async def test_a_callback_that_raises_cancelled_error_has_failed_and_is_called_again(
    tmp_path: Path, capture: Path
) -> None:
    engine = IDSEngine(settings(tmp_path), replay=[capture])

    @engine.on_detection
    async def broken(_detection: ThreatDetection) -> None:
        raise asyncio.CancelledError

    await play(engine)
    assert engine.get_statistics().callback_failures == 20


class Hook(httpx2.AsyncBaseTransport):
    def __init__(self, delay: float = 0.0) -> None:
        self.keys: list[str] = []
        self.delay = delay

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(self.delay)
        self.keys.append(request.headers["Idempotency-Key"])
        return httpx2.Response(200)


HOOKS = {"webhooks": [{"url": "https://hooks.test/", "secret": "env:HOOK_SECRET"}]}


@pytest.mark.parametrize(("mode", "expected"), [("monitor_only", 0), ("alert_only", 20)])
async def test_webhooks_are_used_in_alert_only_mode(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch, mode: str, expected: int
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s")
    hook = Hook()
    engine = IDSEngine(
        settings(tmp_path, operational_mode=mode, alerts=HOOKS), replay=[capture], transport=hook
    )
    await play(engine)
    assert len(set(hook.keys)) == len(hook.keys) == expected
    assert engine.get_statistics().deliveries["delivered"] == expected
    assert len(logged(tmp_path)) == 20


async def test_a_dead_webhook_holds_up_neither_detection_nor_the_stop(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s")
    config = settings(tmp_path, operational_mode="alert_only", alerts=HOOKS)
    engine = IDSEngine(config, replay=[capture], transport=Hook(delay=60))
    started = time.monotonic()
    await play(engine)
    assert time.monotonic() - started < 10
    assert len(logged(tmp_path)) == 20
    again = Hook()
    await play(IDSEngine(config, replay=[capture], transport=again))
    assert len(set(again.keys)) == 20


async def test_a_webhook_without_its_secret_stops_the_start(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    engine = IDSEngine(settings(tmp_path, operational_mode="alert_only", alerts=HOOKS), replay=[capture])
    with pytest.raises(ConfigError, match=r"alerts\.webhooks\.0\.secret: .*HOOK_SECRET is not set"):
        await engine.start()
    assert not (tmp_path / "ids.db").exists()
    await play(IDSEngine(settings(tmp_path, alerts=HOOKS), replay=[capture]))  # not used in monitor_only


@pytest.mark.parametrize("variable", ["ALL_PROXY", "SSL_CERT_FILE"])
async def test_an_environment_that_no_webhook_can_be_sent_with_stops_the_start(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    values = {"ALL_PROXY": "socks5://user:hunter22@127.0.0.1:9", "SSL_CERT_FILE": str(tmp_path / "none.pem")}
    monkeypatch.setenv("HOOK_SECRET", "s")
    monkeypatch.setenv(variable, values[variable])
    engine = IDSEngine(settings(tmp_path, operational_mode="alert_only", alerts=HOOKS), replay=[capture])
    with pytest.raises(ConfigError, match=rf"webhook https://hooks\.test/.*{variable}") as refused:
        await engine.start()
    assert "hunter22" not in str(refused.value)
    await engine.stop()


@pytest.mark.parametrize("error", [ValueError("a defect of ours"), asyncio.CancelledError()])
async def test_a_background_task_that_ends_is_logged_counted_and_started_again(
    tmp_path: Path,
    capture: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
) -> None:
    works = Outbox.run
    failures = [error]

    async def run(outbox: Outbox) -> None:
        if failures:
            raise failures.pop()
        await works(outbox)

    monkeypatch.setenv("HOOK_SECRET", "s")
    monkeypatch.setattr("mempool_ids.engine.RESTART_S", 0.01)
    monkeypatch.setattr(Outbox, "run", run)
    hook = Hook()
    config = settings(tmp_path, operational_mode="alert_only", alerts=HOOKS)
    engine = IDSEngine(config, replay=[capture], transport=hook)
    await play(engine)
    assert len(set(hook.keys)) == 20
    assert engine.get_statistics().anomalies["background_task"] == 1
    assert "webhook https://hooks.test/: ended unexpectedly" in caplog.text


async def test_alerts_go_out_even_if_the_storage_fails(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> list[bool]:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setenv("HOOK_SECRET", "s")
    monkeypatch.setattr(Store, "add_detections", full)
    hook = Hook()
    config = settings(tmp_path, operational_mode="alert_only", alerts=HOOKS)
    engine = IDSEngine(config, replay=[capture], transport=hook)
    await play(engine)
    statistics = engine.get_statistics()
    assert statistics.storage_failures > 0
    assert statistics.stored == 0
    assert len(logged(tmp_path)) == 20
    assert len(set(hook.keys)) == 20


async def test_muted_alerts_go_to_storage_and_event_log_only(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(MUTING)
    monkeypatch.setenv("HOOK_SECRET", "s")
    hook = Hook()
    config = settings(
        tmp_path,
        operational_mode="alert_only",
        alerts=HOOKS,
        detection={"classification_threshold": 0.999, "rules": [str(rules)]},
    )
    engine = IDSEngine(config, replay=[capture], transport=hook)
    seen: list[ThreatDetection] = []
    engine.on_detection(seen.append)
    await play(engine)
    events = logged(tmp_path)
    assert len(events) == 20
    muted = [event for event in events if not event["notify"]]
    assert len(muted) == 19
    assert len(seen) == len(hook.keys) == 1
    assert engine.get_statistics().muted == 19


MUTING = """
rules:
  - sid: 2000001
    rev: 1
    msg: any withdrawal
    classtype: attack-contract
    severity: 1
    weight: 1.0
    match: { selector: "0x2e1a7d4d" }
thresholds:
  - { sid: 2000001, type: limit, track: by_rule, count: 1, seconds: 3600 }
"""


async def test_active_defense_must_say_whether_it_may_send(tmp_path: Path) -> None:
    engine = IDSEngine(settings(tmp_path, operational_mode="active_defense"))
    with pytest.raises(ConfigError, match="does nothing by itself"):
        await engine.start()
    assert not (tmp_path / "ids.db").exists()


async def test_a_bad_rule_file_stops_the_start_and_not_a_reload(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{sid: zero}]")
    async with running(Node()) as node:
        config = settings(
            tmp_path,
            websocket_url=node.url,
            detection={"classification_threshold": 0.999, "rules": [str(rules)]},
            simulation={"enabled": False},
        )
        with pytest.raises(RulesError):
            await IDSEngine(config).start()
        rules.write_text(MUTING)
        seen: asyncio.Queue[ThreatDetection] = asyncio.Queue()
        engine = IDSEngine(config)

        @engine.on_detection
        async def see(detection: ThreatDetection) -> None:
            seen.put_nowait(detection)

        async with engine:
            assert await engine.wait_ready(10)
            rules.write_text("rules: [{sid: zero}]")
            with pytest.raises(RulesError):
                await engine.reload()
            await node.announce(transaction(1))
            detection = await asyncio.wait_for(seen.get(), 10)
    assert [match.id for match in detection.signatures] == [2000001]


async def test_a_live_alert_says_how_long_was_watched_since_the_nodes_were_subscribed(tmp_path: Path) -> None:
    async with running(Node()) as node:
        config = settings(tmp_path, websocket_url=node.url, simulation={"enabled": False})
        seen: asyncio.Queue[ThreatDetection] = asyncio.Queue()
        engine = IDSEngine(config)

        @engine.on_detection
        async def see(detection: ThreatDetection) -> None:
            seen.put_nowait(detection)

        started = time.monotonic()
        async with engine:
            assert await engine.wait_ready(10)
            watched = []
            for number in (1, 2):
                await node.announce(transaction(number))
                watched.append((await asyncio.wait_for(seen.get(), 10)).watched_ms)
        assert 0 <= watched[0] <= watched[1] <= (time.monotonic() - started) * 1000


async def test_an_engine_whose_nodes_all_serve_another_chain_fails_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(Node(chain_id=5)) as node:
        engine = IDSEngine(settings(tmp_path, websocket_url=node.url))
        await engine.start()
        assert not await asyncio.wait_for(engine.wait_ready(), 20)
        for end in (engine.wait, engine.stop):
            with pytest.raises(NodeError, match="no endpoint serves chain 1"):
                await asyncio.wait_for(end(), 20)
        await engine.stop()
    errors = [
        record.message
        for record in caplog.records
        if record.levelname == "ERROR" and record.name == "mempool_ids.engine"
    ]
    assert errors == ["nothing is watched any more: no endpoint serves chain 1: nothing can be watched"]


async def test_an_engine_is_started_once(tmp_path: Path, capture: Path) -> None:
    engine = IDSEngine(settings(tmp_path), replay=[capture])
    await play(engine)
    with pytest.raises(MempoolIdsError, match="started once"):
        await engine.start()
    await engine.stop()


async def test_a_start_that_fails_leaves_nothing_open(tmp_path: Path, capture: Path) -> None:
    engine = IDSEngine(settings(tmp_path), replay=[tmp_path / "none.jsonl"])
    with pytest.raises(MempoolIdsError, match="none"):
        await engine.start()
    await engine.stop()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("ids-storage")] == []
    await play(IDSEngine(settings(tmp_path), replay=[capture]))


async def test_statistics_are_events_too(tmp_path: Path, capture: Path) -> None:
    config = settings(tmp_path, alerts={"stats_interval_s": 0.05})
    async with IDSEngine(config, replay=[capture]) as engine:
        await asyncio.wait_for(engine.wait(), 30)
        await asyncio.sleep(0.3)
    events = logged(tmp_path, "stats")
    assert len(events) >= 3
    assert events[-1]["stats"]["stored"] == 20


def test_without_a_start_there_are_figures_and_an_export(tmp_path: Path) -> None:
    engine = IDSEngine(settings(tmp_path))
    assert engine.get_statistics().received == 0
    assert engine.export_detections(tmp_path / "out.json") == 0
    assert orjson.loads((tmp_path / "out.json").read_bytes()) == []
