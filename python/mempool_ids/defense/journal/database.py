"""One connection to a journal's file, and transactions on it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event, func, insert, inspect, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from mempool_ids.defense.journal.errors import JournalError, corrupt, explained
from mempool_ids.defense.journal.tables import APPLICATION_ID, SCHEMA_VERSION, TRIGGERS, meta, metadata

# How long a statement waits for another process's lock. A human's answer and an arming are milliseconds.
_BUSY_MS = 5000


class Database:
    """Used from one thread at a time.

    Args:
        path: an existing file.

    Raises:
        JournalError: from the construction and everything else, with what to do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Never creates the file: its mode would be the umask's.
        address = f"file:{quote(str(path.absolute()))}?mode=rw"
        self._engine = create_engine(
            "sqlite://",
            poolclass=NullPool,
            # The driver begins nothing by itself: `_transaction` does.
            creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None),
            # The parameters are signed bytes.
            hide_parameters=True,
        )
        event.listen(self._engine, "connect", _pragmas)
        with self._explained():
            self._connection: Connection = self._engine.connect()

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """What is read within is of one moment."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Committed and on the disk afterwards, or not there at all."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self._explained(), self._connection.begin():
            self._connection.exec_driver_sql(begin)
            yield self._connection

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        # Numbers above 64 bits and text that is none come from whom we ask.
        except (SQLAlchemyError, OSError, OverflowError, UnicodeError) as error:
            raise explained(self.path, error) from None

    def prepare(self, chain_id: int) -> None:
        """Creates the tables in an empty file, or sees to it that the file is a whole journal of this chain."""
        with self.read() as connection:
            fresh = self._is_fresh(connection)
        with self._explained():
            mode = self._connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar_one()
            self._connection.rollback()
        if mode != "wal":
            raise JournalError(
                f"journal {self.path}: SQLite cannot keep a write-ahead log here (mode {mode}): use a local file system"
            )
        # A transaction that writes: a file that cannot be written is found out now.
        with self.write() as connection:
            if fresh and self._is_fresh(connection):
                metadata.create_all(connection)
                for trigger in TRIGGERS.values():
                    connection.exec_driver_sql(trigger)
                rows = {"schema_version": SCHEMA_VERSION, "chain_id": chain_id}
                connection.execute(
                    insert(meta), [{"key": key, "value": str(value)} for key, value in rows.items()]
                )
                connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
            elif (found := self._version(connection)) < SCHEMA_VERSION:
                _bring_up_to_date(connection, found)
            self._check_whole(connection)
        if self.chain_id() != chain_id:
            raise JournalError(
                f"journal {self.path}: it is of chain {self.chain_id()}, the sensor's is {chain_id}: "
                "let `defense.journal` name a file of its own for each chain"
            )

    def check_ours(self) -> None:
        """Whether the file is a journal that this version can read."""
        with self.read() as connection:
            if self._is_fresh(connection):
                raise JournalError(f"journal {self.path}: it is empty: no sensor has written to it yet")
            if (found := self._version(connection)) < SCHEMA_VERSION:
                raise JournalError(
                    f"journal {self.path}: an older version wrote it ({found}, this program's is {SCHEMA_VERSION}): "
                    "start the sensor, which brings it up to date"
                )

    def chain_id(self) -> int:
        with self.read() as connection:
            return int(connection.scalar(select(meta.c.value).where(meta.c.key == "chain_id")) or 0)

    def _is_fresh(self, connection: Connection) -> bool:
        """Raises for another program's database."""
        ours = connection.exec_driver_sql("PRAGMA application_id").scalar_one() == APPLICATION_ID
        tables = connection.scalar(select(func.count()).select_from(text("sqlite_master")))
        if not ours and tables:
            raise JournalError(
                f"journal {self.path}: this is another program's database: let `defense.journal` name another file"
            )
        return not ours

    def _version(self, connection: Connection) -> int:
        """Of who wrote it. Raises where it is newer than this one."""
        if not inspect(connection).has_table("meta"):
            raise corrupt(self.path, "it has no table meta")
        found = connection.scalar(select(meta.c.value).where(meta.c.key == "schema_version"))
        if found is None or not found.isdigit():
            raise corrupt(self.path, "it does not say its version")
        if int(found) > SCHEMA_VERSION:
            raise JournalError(
                f"journal {self.path}: a newer version wrote it ({found}, this program's is {SCHEMA_VERSION}): "
                "run that version, or a newer one"
            )
        return int(found)

    def _check_whole(self, connection: Connection) -> None:
        self._version(connection)
        said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        if said != "ok":
            raise corrupt(self.path, said.splitlines()[-1])
        there = set(connection.execute(text("SELECT name FROM sqlite_master")).scalars())
        lost = sorted({*metadata.tables, *TRIGGERS} - there)
        if lost:
            raise corrupt(self.path, f"it has no {', '.join(lost)}")


# What each version says that the one before it did not. Of version 1 all was grave, and for certain, as it was resumed.
_ADDED = {
    2: ("grave BOOLEAN NOT NULL DEFAULT 1", "p FLOAT NOT NULL DEFAULT 1"),
    3: ("contract VARCHAR COLLATE NOCASE",),
}


def _bring_up_to_date(connection: Connection, found: int) -> None:
    """From version `found`."""
    for version in range(found + 1, SCHEMA_VERSION + 1):
        for table in ("actions", "transitions"):
            for column in _ADDED[version]:
                connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column}")
    connection.exec_driver_sql("DROP TRIGGER meta_no_update")
    connection.execute(update(meta).where(meta.c.key == "schema_version").values(value=str(SCHEMA_VERSION)))
    connection.exec_driver_sql(TRIGGERS["meta_no_update"])


def _pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    # A commit is on the disk when it returns; the second is for macOS, where fsync alone does not promise that.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA fullfsync=ON")
    cursor.execute("PRAGMA foreign_keys=ON")
    # INSERT OR REPLACE deletes, too: the triggers shall see it.
    cursor.execute("PRAGMA recursive_triggers=ON")
    cursor.close()
