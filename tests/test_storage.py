import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.storage import Store
from tests.support import alert


def encoded(*numbers: int, **changes: object) -> list[tuple[dict[str, object], bytes]]:
    return [(event, orjson.dumps(event)) for event in (alert(number, **changes) for number in numbers)]


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "deep" / "ids.db")
    yield store
    store.close()


def test_an_alert_is_stored_once_however_often_it_comes(store: Store) -> None:
    assert store.add_detections(encoded(1, 2), ["w"], logged=True) == [True, True]
    assert store.add_detections(encoded(2, 3, 3), ["w"], logged=True) == [False, True, False]
    assert store.count() == 3
    assert len(store.due("w", time.time(), 10)) == 3


def test_the_stored_event_is_the_event(store: Store) -> None:
    store.add_detections(encoded(1), [], logged=True)
    assert list(store.events()) == [{**alert(1), "outcomes": []}]


def test_more_events_than_a_page_come_in_order(store: Store) -> None:
    store.add_detections(encoded(*range(1200)), [], logged=True)
    assert [event["alert_id"] for event in store.events()] == [f"alert-{n}" for n in range(1200)]


def test_muted_alerts_have_no_deliveries(store: Store) -> None:
    store.add_detections(encoded(1, notify=False), ["w"], logged=True)
    assert store.due("w", time.time(), 10) == []
    assert store.count() == 1


def test_outcomes_join_their_detection_and_repeat_harmlessly(store: Store) -> None:
    store.add_detections(encoded(1), [], logged=True)
    mined = {"hash": f"0x{1:064x}", "timestamp": "t1", "outcome": "mined", "block": 17}
    undone = {"hash": f"0x{1:064x}", "timestamp": "t2", "outcome": "reorged"}
    by = {"hash": f"0x{1:064x}", "timestamp": "t3", "outcome": "replaced", "by": "0x99"}
    store.add_outcomes([mined, undone])
    store.add_outcomes([mined, by])
    (event,) = store.events()
    assert event["outcomes"] == [
        {"timestamp": "t1", "outcome": "mined", "block": 17},
        {"timestamp": "t2", "outcome": "reorged"},
        {"timestamp": "t3", "outcome": "replaced", "by": "0x99"},
    ]


def test_a_delivery_waits_until_it_is_due_and_ends_when_settled(store: Store) -> None:
    store.add_detections(encoded(1), ["w", "v"], logged=True)
    (delivery,) = store.due("w", time.time(), 10)
    later = time.time() + 60
    store.settle(delivery.id, "pending", due=later, error="answered 500")
    assert store.due("w", time.time(), 10) == []
    assert store.next_due("w") == pytest.approx(later)
    (again,) = store.due("w", later, 10)
    assert again.attempts == 1
    store.settle(again.id, "delivered")
    assert store.next_due("w") is None
    assert store.delivery_counts() == {"delivered": 1, "pending": 1}


def test_commits_are_synchronous_and_in_wal_mode(store: Store) -> None:
    from sqlalchemy import text

    with store._connection.begin():
        assert store._connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert store._connection.scalar(text("PRAGMA synchronous")) == 2


def test_a_killed_process_loses_nothing_it_committed(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    code = (
        "import sys, time, orjson\n"
        "from pathlib import Path\n"
        "from mempool_ids.storage import Store\n"
        "from tests.support import alert\n"
        "store = Store(Path(sys.argv[1]))\n"
        "store.add_detections([(alert(1), orjson.dumps(alert(1)))], ['w'], logged=False)\n"
        "print('committed', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "committed\n"
        process.kill()
    store = Store(path)
    assert store.count() == 1
    assert [alert_id for alert_id, _ in store.unlogged()] == ["alert-1"]
    assert len(store.due("w", time.time(), 10)) == 1
    store.close()


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    with pytest.raises(MempoolIdsError, match="schema is version 99, this program's is 1"):
        Store(path)


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(MempoolIdsError, match=r"ids\.db: .*not a database"):
        Store(path)
