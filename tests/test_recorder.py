"""What reaches storage, event log and people, whatever the storage and the core do."""

import errno
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy.exc import OperationalError

from mempool_ids import IDSConfig
from mempool_ids.records.events import ALARM, Event, anomaly_event
from mempool_ids.runtime.recorder import Recorder
from mempool_ids.sinks import event_log
from mempool_ids.storage import Store
from tests.responses import encode, response
from tests.support import alert


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    config = IDSConfig(
        alerts={"jsonl": tmp_path / "events.jsonl"}, storage={"url": f"sqlite:///{tmp_path}/ids.db"}
    )
    recorder = Recorder(config, ["w"])
    yield recorder
    recorder.close()


def emitted(number: int, **changes: Any) -> tuple[str, bytes]:
    """An alert as the core emits it."""
    return "alert", orjson.dumps(alert(number, **changes))


def outcome(number: int, **changes: Any) -> tuple[str, bytes]:
    event = {
        "timestamp": "2026-01-01T00:00:01.000000Z",
        "event_type": "outcome",
        "sensor": "test",
        "chain_id": 1,
        "schema_version": 1,
        "alert_id": f"alert-{number}",
        "hash": f"0x{number:064x}",
        "outcome": "mined",
        "block": 17,
        **changes,
    }
    return "outcome", orjson.dumps(event)


def logged(tmp_path: Path) -> list[str]:
    events = [orjson.loads(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    return [event["alert_id"] for event in events if event["event_type"] == "alert"]


def failing(monkeypatch: pytest.MonkeyPatch, method: str, times: int) -> None:
    """The store's `method` fails `times` times before it works."""
    works = getattr(Store, method)
    left = [times]

    def sometimes(store: Store, *arguments: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OperationalError("INSERT", {}, Exception("database is locked"))
        return works(store, *arguments, **options)

    monkeypatch.setattr(Store, method, sometimes)
    monkeypatch.setattr("mempool_ids.runtime.recorder._PAUSE_S", 0.01)
    # What ends by itself may take as long as the machine needs.
    patience = 0.3 if times == sys.maxsize else 60.0
    monkeypatch.setattr("mempool_ids.runtime.recorder._PATIENCE_S", patience)


@pytest.mark.parametrize("method", ["add_detections", "add_outcomes"])
def test_an_alert_is_new_even_if_the_storage_is_locked_for_a_moment(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str
) -> None:
    failing(monkeypatch, method, 1)
    recorded = recorder.record([emitted(1), outcome(1)])
    assert [event["alert_id"] for event, _ in recorded.alerts] == logged(tmp_path) == ["alert-1"]
    assert recorded.stored
    assert (recorder.stored, recorder.repeated, recorder.storage_failures) == (1, 0, 1)
    (event,) = recorder.store.events()
    assert event["outcomes"] == [
        {"timestamp": "2026-01-01T00:00:01.000000Z", "outcome": "mined", "block": 17}
    ]


def test_outcomes_that_cannot_be_stored_leave_the_alerts_stored_and_new(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing(monkeypatch, "add_outcomes", sys.maxsize)
    recorded = recorder.record([emitted(1), outcome(1)])
    assert recorded.stored
    assert [event["alert_id"] for event, _ in recorded.alerts] == logged(tmp_path) == ["alert-1"]
    assert recorder.storage_failures > 1


def test_a_locked_database_holds_an_alert_for_a_second_only(recorder: Recorder, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ids.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        recorded = recorder.record([emitted(1), outcome(1)])
        held = time.monotonic() - started
    assert not recorded.stored
    assert logged(tmp_path) == ["alert-1"]
    assert held < 4.0  # 0.75 s, and the last attempts' own 0.2 s; SQLite alone would wait for 5 s
    assert recorder.record([emitted(2)]).stored


def full(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """`room` bytes more can be written, then no file can be written to any longer."""
    write = os.write
    left = [room]

    def limited(file: int, data: Any) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = write(file, bytes(data)[: left[0]])
        left[0] -= done
        return done

    monkeypatch.setattr(os, "write", limited)


def test_alerts_that_a_full_disk_kept_from_the_event_log_are_written_at_the_next_success(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorder.record([emitted(1)])
    with monkeypatch.context() as disk:
        full(disk, 100)
        recorder.record([emitted(2)])
        recorder.record([emitted(3)])
    assert recorder.event_log_failures == 2
    recorder.record([outcome(2), emitted(4)])
    assert logged(tmp_path) == ["alert-1", "alert-2", "alert-3", "alert-4"]
    assert recorder.store.unlogged() == []
    assert b'"outcome"' in (tmp_path / "events.jsonl").read_bytes()


def test_alerts_that_neither_storage_nor_event_log_took_are_written_at_the_next_success(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as disk:
        full(disk, 100)
        failing(disk, "add_detections", sys.maxsize)
        assert not recorder.record([emitted(1), emitted(2)]).stored
    recorder.record([emitted(3)])
    assert logged(tmp_path) == ["alert-1", "alert-2", "alert-3"]


def test_a_line_is_on_the_disk_before_it_is_marked_as_logged(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for module, name in ((event_log, "_sync"), (Store, "mark_logged")):
        works = getattr(module, name)

        def step(*arguments: Any, works: Any = works, name: str = name) -> Any:
            steps.append(name)
            return works(*arguments)

        monkeypatch.setattr(module, name, step)
    recorder.record([emitted(1)])
    assert steps == ["_sync", "mark_logged"]


def changes(*numbers: int) -> list[Event]:
    return [encode(response(number)) for number in numbers]


def lines(tmp_path: Path) -> list[str]:
    """What the event log has, in words."""
    events = [orjson.loads(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    return [event.get("response_id") or event.get("alert_id") or event["reason"] for event in events]


def test_responses_and_alarms_are_stored_written_and_new_once_and_in_order(
    recorder: Recorder, tmp_path: Path
) -> None:
    low = anomaly_event("test", 1, ALARM, "balance", "it is low")
    first = [*changes(0), low, *changes(1)]
    recorder.record([emitted(1)])
    recorded = recorder.record_responses(first)
    assert (recorded.responses, recorded.stored, recorded.unstored()) == (first, True, [])
    again = recorder.record_responses([*first, *changes(2)])
    assert again.responses == changes(2)
    assert lines(tmp_path) == ["alert-1", "a-0", "it is low", "a-1", "a-2"]
    assert recorder.store.unlogged() == []
    assert [each.key for each in recorder.store.due("w", time.time(), 10) if each.body != low[1]] == [
        "alert-1",
        "a-0",
        "a-1",
        "a-2",
    ]


def crashed(recorder: Recorder, monkeypatch: pytest.MonkeyPatch, method: str, events: list[Event]) -> None:
    """The process ends in the event log's `method` while it records the events."""

    def end(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as moment:
        moment.setattr(event_log.EventLog if method == "write" else Store, method, end)
        with pytest.raises(KeyboardInterrupt):
            recorder.record_responses(events)


@pytest.mark.parametrize("method", ["write", "mark_logged"])
def test_a_response_has_one_line_where_the_process_ends_between_commit_and_line(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str
) -> None:
    """`write`: there is no line yet. `mark_logged`: there is one, and the storage does not know."""
    events = [*changes(0), anomaly_event("test", 1, ALARM, "balance", "it is low"), *changes(1)]
    recorder.record([emitted(1)])
    crashed(recorder, monkeypatch, method, events)
    expected = ["alert-1", "a-0", "it is low", "a-1"] if method == "mark_logged" else ["alert-1"]
    assert lines(tmp_path) == expected
    config = IDSConfig(
        alerts={"jsonl": tmp_path / "events.jsonl"}, storage={"url": f"sqlite:///{tmp_path}/ids.db"}
    )
    with closing(Recorder(config, ["w"])) as restarted:
        assert sorted(lines(tmp_path)) == sorted(["alert-1", "a-0", "it is low", "a-1"])
        assert restarted.store.unlogged() == []
        assert restarted.record_responses([*events, *changes(2)]).responses == changes(2)
        assert len(restarted.store.due("w", time.time(), 10)) == 5
    assert [line for line in lines(tmp_path) if line.startswith("a-")] == ["a-0", "a-1", "a-2"]


def test_responses_that_a_full_disk_kept_from_the_event_log_are_written_at_the_next_success(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorder.record_responses(changes(0))
    with monkeypatch.context() as disk:
        full(disk, 100)
        recorder.record_responses(changes(1))
        recorder.record([emitted(1)])
    assert recorder.event_log_failures == 2
    recorder.record_responses(changes(2))
    assert lines(tmp_path) == ["a-0", "alert-1", "a-1", "a-2"]
    assert recorder.store.unlogged() == []


def test_responses_go_to_the_logs_and_out_of_memory_where_the_storage_fails(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    low = anomaly_event("test", 1, ALARM, "balance", "it is low")
    events = [*changes(0, 1), low]
    with monkeypatch.context() as disk:
        failing(disk, "add_responses", sys.maxsize)
        recorded = recorder.record_responses(events)
    assert not recorded.stored
    assert recorded.responses == events
    (first, second, (alarm_key, alarm)) = recorded.unstored()
    assert [first, second] == [("a-0", changes(0)[0][1]), ("a-1", changes(1)[0][1])]
    assert alarm == low[1]
    assert alarm_key.startswith("alarm-")
    assert lines(tmp_path) == ["a-0", "a-1", "it is low"]
    assert caplog.text.count("pause of Vault is sent") == 2
    assert "anomaly defense from balance: it is low" in caplog.text


def test_responses_that_neither_storage_nor_event_log_took_are_written_at_the_next_success(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as disk:
        full(disk, 100)
        failing(disk, "add_responses", sys.maxsize)
        assert not recorder.record_responses(changes(0, 1)).stored
    recorder.record_responses(changes(2))
    assert lines(tmp_path) == ["a-0", "a-1", "a-2"]


def test_muted_alerts_are_not_sent_from_memory_either(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "add_detections", sys.maxsize)
    recorded = recorder.record([emitted(1), emitted(2, notify=False)])
    assert [key for key, _ in recorded.unstored()] == ["alert-1"]


def test_a_locked_database_holds_a_response_for_a_moment_only(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing(monkeypatch, "add_responses", 1)
    recorded = recorder.record_responses(changes(0))
    assert (recorded.stored, recorder.storage_failures) == (True, 1)
    assert lines(tmp_path) == ["a-0"]


MALFORMED = [
    emitted(2, score=None),
    emitted(2, score="high"),
    emitted(2, score=True),
    emitted(2, notify=None),
    emitted(2, alert_id=None),
    emitted(2, chain_id=2**63),
    emitted(2, threat_level="UNHEARD_OF"),
    emitted(2, timestamp="yesterday"),
    emitted(2, contracts=[None]),
    emitted(2, tx=None),
    emitted(2, tx={**alert(2)["tx"], "hash": None}),
    emitted(2, classification={**alert(2)["classification"], "probability": None}),
    ("alert", b'{"event_type": "alert"}'),
    ("alert", b"[]"),
    ("alert", b"{"),
    outcome(2, hash=None),
    outcome(2, chain_id=None),
    outcome(2, block=2**63),
    outcome(2, by=1),
]


@pytest.mark.parametrize("bad", MALFORMED)
def test_a_malformed_event_is_counted_and_logged_and_the_others_go_on(
    recorder: Recorder, tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: tuple[str, bytes]
) -> None:
    recorded = recorder.record([emitted(1), bad, emitted(3), outcome(1)])
    expected = ["alert-1", "alert-3"]
    assert [event["alert_id"] for event, _ in recorded.alerts] == logged(tmp_path) == expected
    assert [event["alert_id"] for event in recorder.store.events()] == expected
    assert (recorder.malformed, recorder.storage_failures) == (1, 0)
    assert f"malformed {bad[0]}, left out" in caplog.text
