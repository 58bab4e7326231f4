import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, Table
from sqlalchemy.exc import OperationalError

from mempool_ids import IDSConfig
from mempool_ids.diagnostics import Status, check_parts
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.records.events import ALARM, anomaly_event
from mempool_ids.storage import Store, migrate
from mempool_ids.storage.tables import metadata
from tests.responses import encode, response
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


def test_a_new_file_is_its_users_alone_and_an_old_one_keeps_its_mode(store: Store, tmp_path: Path) -> None:
    store.add_detections(encoded(1), [], logged=True)
    modes = {file.name: file.stat().st_mode & 0o777 for file in store.path.parent.iterdir()}
    assert modes == dict.fromkeys(("ids.db", "ids.db-wal", "ids.db-shm"), 0o600)
    old = tmp_path / "old.db"
    old.touch(0o644)
    old.chmod(0o644)
    Store(old, 1).close()
    assert old.stat().st_mode & 0o777 == 0o644


def test_the_stored_event_is_the_event(store: Store) -> None:
    store.add_detections(encoded(1), [], logged=True)
    assert list(store.events()) == [{**alert(1), "outcomes": [], "responses": []}]


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


def test_a_response_is_stored_once_however_often_it_is_told(store: Store) -> None:
    changes = [encode(response(number)) for number in range(3)]
    assert store.add_responses(changes[:2], ["w"], logged=True) == [True, True]
    assert store.add_responses(changes, ["w"], logged=True) == [False, False, True]
    assert [delivery.key for delivery in store.due("w", time.time(), 10)] == ["a-0", "a-1", "a-2"]


def test_an_alert_and_a_response_of_the_same_id_are_two(store: Store) -> None:
    store.add_detections(encoded(1, alert_id="a-0"), ["w"], logged=False)
    store.add_responses([encode(response(0))], ["w"], logged=False)
    assert [orjson.loads(each.body)["event_type"] for each in store.due("w", time.time(), 10)] == [
        "alert",
        "response",
    ]
    store.mark_logged([("response", "a-0")])
    assert [key for key, _ in store.unlogged()] == [("alert", "a-0")]


def test_an_alarm_of_the_defense_is_stored_and_sent_once(store: Store) -> None:
    alarm = anomaly_event("test", 1, ALARM, "readiness Vault", "the guardian has lost its role")
    again = anomaly_event("test", 1, ALARM, "readiness Vault", "the guardian has lost its role")
    assert store.add_responses([alarm], ["w"], logged=False) == [True]
    assert store.add_responses([alarm, again], ["w"], logged=False) == [False, True]
    assert [delivery.body for delivery in store.due("w", time.time(), 10)] == [alarm[1], again[1]]


def test_of_what_has_no_line_yet_alerts_come_first_and_each_kind_in_order(store: Store) -> None:
    alarm = anomaly_event("test", 1, ALARM, "balance", "it is low")
    store.add_responses([encode(response(0)), alarm, encode(response(1))], [], logged=False)
    store.add_detections(encoded(1, 2), [], logged=False)
    kinds = ["alert", "alert", "response", "response", "anomaly"]
    assert [kind for (kind, _), _ in store.unlogged()] == kinds
    assert [key for (_, key), _ in store.unlogged(3)] == ["alert-1", "alert-2", "a-0"]
    store.mark_logged([key for key, _ in store.unlogged(4)])
    assert [raw for _, raw in store.unlogged()] == [alarm[1]]


def test_a_detection_has_all_changes_of_the_actions_that_answer_it(store: Store) -> None:
    """Those too from before the action was known to answer it, and of no other chain."""
    store.add_detections(encoded(1, 2, 3), [], logged=True)
    first, second = f"0x{1:064x}", f"0x{2:064x}"
    joined = [response(0, threats=[first]), response(1, threats=[first, second])]
    elsewhere = response(0, action_id="b", chain_id=137, threats=[first])
    by_hand = response(0, action_id="c", threats=[])
    store.add_responses([encode(each) for each in (*joined, elsewhere, by_hand)], [], logged=True)
    assert [event["responses"] for event in store.events()] == [joined, joined, []]


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
    assert [key for key, _ in store.unlogged()] == [("alert", "alert-1")]
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
# What the second changed.
VERSION_2 = """
DROP TABLE outcomes;
DROP TABLE deliveries;
CREATE TABLE outcomes (
    seq INTEGER NOT NULL, chain_id INTEGER NOT NULL, tx_hash VARCHAR NOT NULL, timestamp VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL, block INTEGER, "by" VARCHAR,
    PRIMARY KEY (seq), UNIQUE (chain_id, tx_hash, timestamp, outcome)
);
CREATE INDEX ix_outcomes_tx_hash ON outcomes (tx_hash);
CREATE TABLE deliveries (
    id INTEGER NOT NULL, chain_id INTEGER NOT NULL, alert_id VARCHAR NOT NULL, sink VARCHAR NOT NULL,
    state VARCHAR NOT NULL, attempts INTEGER NOT NULL, created FLOAT NOT NULL, due FLOAT NOT NULL, error VARCHAR,
    PRIMARY KEY (id), UNIQUE (alert_id, sink), FOREIGN KEY(alert_id) REFERENCES detections (alert_id)
);
CREATE INDEX deliveries_due ON deliveries (sink, due) WHERE state = 'pending';
UPDATE meta SET value = '2';
"""


def older(path: Path, version: int) -> None:
    """A database as an older version wrote it.

    It has an alert on chain 137 with a delivery and its end, and an end of a transaction that was not detected.
    """
    event = alert(1, chain_id=137)
    chains = {"event": [137], "alone": [10]} if version == 2 else {"event": [], "alone": []}
    ends = [(3, *chains["event"], event["tx"]["hash"]), (4, *chains["alone"], f"0x{2:064x}")]
    delivery = (5, *chains["event"], "alert-1", "w", "pending", 3, 1.5, 2.5, "answered 500")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        if version == 2:
            connection.executescript(VERSION_2)
        connection.execute(
            "INSERT INTO detections VALUES (7, 'alert-1', 't', 's', 137, 'high', 'HIGH', 0.9, 1, ?, 0, ?)",
            (event["tx"]["hash"], orjson.dumps(event)),
        )
        connection.execute(f"INSERT INTO deliveries VALUES ({', '.join('?' * len(delivery))})", delivery)
        marks = ", ".join("?" * len(ends[0]))
        connection.executemany(f"INSERT INTO outcomes VALUES ({marks}, 't1', 'mined', 17, NULL)", ends)


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table and index, by its columns; the tables' constraints and indexes."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, type FROM sqlite_master ORDER BY name").fetchall()
        return {
            **{name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name, _ in found},
            **{f"of {name}": constraints(connection, name) for name, kind in found if kind == "table"},
        }


def constraints(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    indexes = connection.execute(f"PRAGMA index_list({table})").fetchall()
    columns = [connection.execute(f"PRAGMA index_info({index[1]})").fetchall() for index in indexes]
    foreign = connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
    return sorted((index[2:], tuple(of)) for index, of in zip(indexes, columns, strict=True)) + foreign


OLDER = pytest.mark.parametrize("version", [1, 2])


@OLDER
def test_a_database_of_an_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    older(old, version)
    for _ in range(2):  # and opened again
        store = Store(old, 10)
        (event,) = store.events()
        assert event == {
            **alert(1, chain_id=137),
            "outcomes": [{"timestamp": "t1", "outcome": "mined", "block": 17}],
            "responses": [],
        }
        (delivery,) = store.due("w", 3.0, 10)
        assert (delivery.id, delivery.key, delivery.attempts, delivery.created) == (5, "alert-1", 3, 1.5)
        assert orjson.loads(delivery.body) == alert(1, chain_id=137)
        assert [key for key, _ in store.unlogged()] == [("alert", "alert-1")]
        store.close()
    with contextlib.closing(sqlite3.connect(old)) as connection:
        ends = connection.execute("SELECT seq, chain_id FROM outcomes ORDER BY seq").fetchall()
        assert ends == [(3, 137), (4, 10)]
        moved = connection.execute("SELECT chain_id, kind, due, error FROM deliveries").fetchall()
        assert moved == [(137, "alert", 2.5, "answered 500")]
    Store(new, 10).close()
    assert tables(old) == tables(new)


@OLDER
def test_a_database_that_was_brought_up_to_date_takes_responses(tmp_path: Path, version: int) -> None:
    path = tmp_path / "ids.db"
    older(path, version)
    store = Store(path, 10)
    change = response(0, chain_id=137, threats=[f"0x{1:064x}"])
    assert store.add_responses([encode(change)], ["w"], logged=True) == [True]
    assert store.add_detections(encoded(1, 2), ["w"], logged=True) == [False, True]
    assert [delivery.key for delivery in store.due("w", time.time(), 10)] == ["alert-1", "a-0", "alert-2"]
    assert next(store.events())["responses"] == [change]
    store.close()


@OLDER
def test_who_only_looks_leaves_a_database_of_an_older_version_to_those_that_run_on_it(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "ids.db"
    older(path, version)
    before = tables(path)
    config = IDSConfig(storage={"url": f"sqlite:///{path}"})
    (finding,) = (each for each in check_parts(config) if each.check == "storage")
    assert (finding.status, finding.detail) == (
        Status.OK,
        "1 detections, of an older version: run brings it up to date",
    )
    assert tables(path) == before


@OLDER
@pytest.mark.parametrize("late", [False, True])
def test_a_database_stays_as_it_was_where_it_cannot_be_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, late: bool
) -> None:
    path = tmp_path / "ids.db"
    older(path, version)
    before, content = tables(path), dump(path)
    move, create = migrate._move, metadata.create_all

    def half(connection: Connection, old: Table, table: Table, new: Mapping[str, Any]) -> None:
        if table.name == "deliveries":
            raise OperationalError("INSERT", {}, Exception("disk full"))
        move(connection, old, table, new)

    def almost(connection: Connection) -> None:
        create(connection)
        raise OperationalError("UPDATE", {}, Exception("disk full"))

    with monkeypatch.context() as disk:
        if late:
            disk.setattr(metadata, "create_all", almost)
        else:
            disk.setattr(migrate, "_move", half)
        with pytest.raises(MempoolIdsError, match="disk full"):
            Store(path, 1)
    assert (tables(path), dump(path)) == (before, content)
    store = Store(path, 1)
    assert store.count() == 1
    store.close()


def dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


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
    with pytest.raises(MempoolIdsError, match="schema is version 99, this program's is 3"):
        Store(path, 1)


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(MempoolIdsError, match=r"ids\.db: .*not a database"):
        Store(path, 1)
