import contextlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Connection, Table
from sqlalchemy.exc import OperationalError

from mempool_ids import IDSConfig
from mempool_ids.diagnostics import Status, check_parts
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.storage import Store, migrate
from tests.support import alert


def encoded(*numbers: int, **changes: object) -> list[tuple[dict[str, object], bytes]]:
    return [(event, orjson.dumps(event)) for event in (alert(number, **changes) for number in numbers)]


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "deep" / "ids.db", 1)
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
    mined = {"chain_id": 1, "hash": f"0x{1:064x}", "timestamp": "t1", "outcome": "mined", "block": 17}
    undone = {"chain_id": 1, "hash": f"0x{1:064x}", "timestamp": "t2", "outcome": "reorged"}
    by = {"chain_id": 1, "hash": f"0x{1:064x}", "timestamp": "t3", "outcome": "replaced", "by": "0x99"}
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
        "store = Store(Path(sys.argv[1]), 1)\n"
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
    store = Store(path, 1)
    assert store.count() == 1
    assert [alert_id for alert_id, _ in store.unlogged()] == ["alert-1"]
    assert len(store.due("w", time.time(), 10)) == 1
    store.close()


VERSION_1 = """
CREATE TABLE meta ("key" VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY ("key"));
CREATE TABLE detections (
    seq INTEGER NOT NULL, alert_id VARCHAR NOT NULL, timestamp VARCHAR NOT NULL, sensor VARCHAR NOT NULL,
    chain_id INTEGER NOT NULL, severity VARCHAR NOT NULL, threat_level VARCHAR NOT NULL, score FLOAT NOT NULL,
    notify BOOLEAN NOT NULL, tx_hash VARCHAR NOT NULL, logged BOOLEAN NOT NULL, event BLOB NOT NULL,
    PRIMARY KEY (seq), UNIQUE (alert_id)
);
CREATE INDEX ix_detections_tx_hash ON detections (tx_hash);
CREATE INDEX detections_unlogged ON detections (seq) WHERE logged IS 0;
CREATE INDEX ix_detections_timestamp ON detections (timestamp);
CREATE TABLE outcomes (
    seq INTEGER NOT NULL, tx_hash VARCHAR NOT NULL, timestamp VARCHAR NOT NULL, outcome VARCHAR NOT NULL,
    block INTEGER, "by" VARCHAR, PRIMARY KEY (seq), UNIQUE (tx_hash, timestamp, outcome)
);
CREATE INDEX ix_outcomes_tx_hash ON outcomes (tx_hash);
CREATE TABLE deliveries (
    id INTEGER NOT NULL, alert_id VARCHAR NOT NULL, sink VARCHAR NOT NULL, state VARCHAR NOT NULL,
    attempts INTEGER NOT NULL, created FLOAT NOT NULL, due FLOAT NOT NULL, error VARCHAR,
    PRIMARY KEY (id), UNIQUE (alert_id, sink), FOREIGN KEY(alert_id) REFERENCES detections (alert_id)
);
CREATE INDEX deliveries_due ON deliveries (sink, due) WHERE state = 'pending';
INSERT INTO meta VALUES ('schema_version', '1');
"""


def version_1(path: Path) -> None:
    """A database as the first version wrote it: an alert on chain 137 with a delivery and its end, and an end alone."""
    event = alert(1, chain_id=137)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        connection.execute(
            "INSERT INTO detections VALUES (7, 'alert-1', 't', 's', 137, 'high', 'HIGH', 0.9, 1, ?, 0, ?)",
            (event["tx"]["hash"], orjson.dumps(event)),
        )
        connection.execute(
            "INSERT INTO deliveries VALUES (5, 'alert-1', 'w', 'pending', 3, 1.5, 2.5, 'answered 500')"
        )
        connection.executemany(
            "INSERT INTO outcomes VALUES (?, ?, 't1', 'mined', 17, NULL)",
            [(3, event["tx"]["hash"]), (4, f"0x{2:064x}")],
        )


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
        columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
        return {**columns, "indexes": connection.execute("PRAGMA index_list(outcomes)").fetchall()}


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    version_1(old)
    for _ in range(2):  # and opened again
        store = Store(old, 10)
        (event,) = store.events()
        assert event == {
            **alert(1, chain_id=137),
            "outcomes": [{"timestamp": "t1", "outcome": "mined", "block": 17}],
        }
        (delivery,) = store.due("w", 3.0, 10)
        assert (delivery.id, delivery.attempts, delivery.created) == (5, 3, 1.5)
        assert [alert_id for alert_id, _ in store.unlogged()] == ["alert-1"]
        store.close()
    with contextlib.closing(sqlite3.connect(old)) as connection:
        ends = connection.execute("SELECT seq, chain_id FROM outcomes ORDER BY seq").fetchall()
        assert ends == [(3, 137), (4, 10)]
        assert connection.execute("SELECT chain_id FROM deliveries").fetchall() == [(137,)]
    Store(new, 10).close()
    assert tables(old) == tables(new)


def test_who_only_looks_leaves_a_database_of_the_first_version_to_those_that_run_on_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ids.db"
    version_1(path)
    before = tables(path)
    config = IDSConfig(storage={"url": f"sqlite:///{path}"})
    (finding,) = (each for each in check_parts(config) if each.check == "storage")
    assert (finding.status, finding.detail) == (
        Status.OK,
        "1 detections, of an older version: run brings it up to date",
    )
    assert tables(path) == before


def test_a_database_stays_as_it_was_where_it_cannot_be_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ids.db"
    version_1(path)
    before = tables(path)
    rebuild = migrate._rebuild

    def half(connection: Connection, table: Table, key: str, chain_id: int) -> None:
        if table.name == "deliveries":
            raise OperationalError("INSERT", {}, Exception("disk full"))
        rebuild(connection, table, key, chain_id)

    with monkeypatch.context() as disk:
        disk.setattr(migrate, "_rebuild", half)
        with pytest.raises(MempoolIdsError, match="disk full"):
            Store(path, 1)
    assert tables(path) == before
    store = Store(path, 1)
    assert store.count() == 1
    store.close()


def test_the_same_hash_on_two_chains_is_two_transactions(store: Store) -> None:
    events = [alert(1), alert(1, chain_id=137, alert_id="on-137")]
    store.add_detections([(event, orjson.dumps(event)) for event in events], ["w"], logged=True)
    end = {"hash": f"0x{1:064x}", "timestamp": "t1", "outcome": "mined"}
    store.add_outcomes([{**end, "chain_id": 1, "block": 17}, {**end, "chain_id": 137, "block": 18}])
    blocks = [event["outcomes"][0]["block"] for event in store.events()]
    assert blocks == [17, 18]
    with store._connection.begin():
        query = "SELECT chain_id FROM deliveries ORDER BY id"
        assert [row[0] for row in store._connection.exec_driver_sql(query)] == [1, 137]


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    Store(path, 1).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    with pytest.raises(MempoolIdsError, match="schema is version 99, this program's is 2"):
        Store(path, 1)


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(MempoolIdsError, match=r"ids\.db: .*not a database"):
        Store(path, 1)
