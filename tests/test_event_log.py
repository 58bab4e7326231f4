import errno
import os
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from mempool_ids.records.events import ALARM, anomaly_event, key_of, stats_event
from mempool_ids.sinks import EventLog
from tests.responses import encode, response
from tests.support import alert


def event(number: int) -> tuple[dict[str, object], bytes]:
    return alert(number), orjson.dumps(alert(number))


def ids(path: Path) -> list[str]:
    return [orjson.loads(line)["alert_id"] for line in path.read_bytes().splitlines() if line]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "alerts.jsonl"


def test_events_are_appended_one_a_line_across_restarts(path: Path) -> None:
    for start in (0, 2):
        log = EventLog(path)
        log.write([event(start), event(start + 1)])
        log.close()
    assert ids(path) == ["alert-0", "alert-1", "alert-2", "alert-3"]


@pytest.mark.parametrize("how", ["rename", "delete", "truncate"])
def test_rotation_is_noticed_without_a_signal(path: Path, how: str) -> None:
    log = EventLog(path)
    log.write([event(1)])
    rotated = path.with_suffix(".1")
    if how == "rename":
        path.rename(rotated)
    elif how == "delete":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.truncate(0)
    log.write([event(2)])
    log.close()
    assert ids(path) == ["alert-2"]
    if how == "rename":
        assert ids(rotated) == ["alert-1"]


def test_half_a_line_of_a_crash_does_not_swallow_the_next(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(event(1)[1] + b'\n{"event_type": "al')
    log = EventLog(path)
    log.write([event(2)])
    assert path.read_bytes().splitlines()[-1] == event(2)[1]
    assert log.recent_keys() == {("alert", "alert-1"), ("alert", "alert-2")}
    log.close()


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files of this process end at 5,000 bytes, as on a full disk: what fits of a write is written."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def more_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)


def test_a_disk_that_is_full_for_a_moment_leaves_no_half_line(path: Path, small_disk: None) -> None:
    log = EventLog(path)
    log.write([event(1)])
    with pytest.raises(OSError, match="too large"):
        log.write([event(number) for number in range(2, 9)])
    more_room()
    log.write([event(9)])
    log.close()
    assert ids(path) == ["alert-1", "alert-9"]


def test_half_a_line_that_cannot_be_taken_back_does_not_swallow_the_next(
    path: Path, small_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EIO, "no")

    log = EventLog(path)
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(OSError, match="too large"):
        log.write([event(number) for number in range(1, 9)])
    more_room()
    log.write([event(9)])
    log.close()
    assert path.read_bytes().splitlines()[-1] == event(9)[1]


def test_a_rotation_that_cannot_be_followed_yet_is_followed_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(path)
    path.rename(path.with_suffix(".1"))
    path.mkdir()
    for _ in range(2):
        with pytest.raises(IsADirectoryError):
            log.write([event(1)])
    path.rmdir()
    log.write([event(2)])
    log.close()
    assert ids(path) == ["alert-2"]


def test_a_file_of_foreign_lines_has_no_keys(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(
        b'"alert_id"\n["response_id"]\n{"alert_id": 1}\n\xff"alert_id"\n{"kind": "defense"}\n'
        b'{"event_type": "alert", "alert_id": 1}\n{"event_type": "outcome", "alert_id": "a"}\n'
    )
    log = EventLog(path)
    assert log.recent_keys() == set()
    log.close()


def test_lines_are_told_by_their_kind_and_id(path: Path) -> None:
    log = EventLog(path)
    alarm = anomaly_event("test", 1, ALARM, "balance", "it is low")
    other = anomaly_event("test", 1, "node_error", "ws://n", 'it said "defense"')
    kept = [event(1), encode(response(0)), alarm]
    log.write([*kept, other, stats_event("test", 1, {})])
    assert log.recent_keys() == {key_of(each) for each in kept}
    log.close()


def test_two_writers_do_not_mix_lines(path: Path) -> None:
    def work(first: int) -> None:
        log = EventLog(path)
        for number in range(first, first + 200):
            log.write([event(number)])
        log.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids(path))) == 400
