"""The database. Synchronous and used from one thread; the engine gives it a thread of its own."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    and_,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.files import create_private
from mempool_ids.records.events import Event, Key
from mempool_ids.storage import migrate, rows
from mempool_ids.storage.history import history
from mempool_ids.storage.tables import (
    KEPT,
    SCHEMA_VERSION,
    deliveries,
    detections,
    meta,
    metadata,
    outcomes,
    threats,
)

# So many events are read at once.
_CHUNK = 500
# How long one statement waits for another process's lock: while opening, and afterwards, when alerts wait behind it.
_OPENING_MS = 5000
_BUSY_MS = 200


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to one webhook. Times in Unix seconds."""

    id: int | None
    """None where the storage failed: the event is sent from memory."""
    key: str
    """The alert's, response's or alarm's id."""
    attempts: int
    created: float
    body: bytes


def sink_id(url: str) -> str:
    """A webhook's identity in the database, without its URL (which may hold a key)."""
    return "webhook:" + hashlib.sha256(url.encode()).hexdigest()[:16]


def _pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # Readers never block the sensor, and a commit is on the disk when it returns.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={_OPENING_MS}")
    cursor.close()


class Store:
    """Detections, outcomes, responses, alarms and deliveries.

    Every method that writes returns after its commit. Writing the same event twice is the same as writing it once.

    Args:
        path: the file; one that an older version wrote is brought up to date, unless it is only looked at.
        chain_id: the sensor's: what an older version did not write down is taken to be of this chain.

    Raises:
        MempoolIdsError: the file cannot be opened, or a newer version wrote it.
    """

    def __init__(self, path: Path, chain_id: int, *, look_only: bool = False) -> None:
        self.path = path
        # An older version may still be running on it.
        self.is_older = False
        try:
            # What the defense did and could not do helps who attacks next.
            create_private(path)
            self._engine: Engine = create_engine(
                f"sqlite:///{path}", poolclass=NullPool, connect_args={"check_same_thread": False}
            )
            event.listen(self._engine, "connect", _pragmas)
            self._connection: Connection = self._engine.connect()
            self._prepare(chain_id, look_only)
            self._connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_MS}")
            self._connection.rollback()  # the PRAGMA began a transaction
        except (SQLAlchemyError, OSError) as error:
            raise MempoolIdsError(f"storage {path}: {_reason(error)}") from None

    def _prepare(self, chain_id: int, look_only: bool) -> None:
        with self._connection.begin():
            found = self._version()
            if found is None:
                metadata.create_all(self._connection)
                self._connection.execute(insert(meta).values(key="schema_version", value=str(SCHEMA_VERSION)))
            elif found in migrate.OLDER and look_only:
                self.is_older = True
            elif found in migrate.OLDER:
                migrate.bring_up_to_date(self._connection, chain_id)
            elif found != str(SCHEMA_VERSION):
                raise MempoolIdsError(
                    f"storage {self.path}: its schema is version {found}, this program's is {SCHEMA_VERSION}"
                )

    def _version(self) -> str | None:
        """None where nobody has written anything yet."""
        if not inspect(self._connection).has_table(meta.name):
            return None
        found: str | None = self._connection.scalar(migrate.VERSION)
        return found

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def add_detections(self, alerts: Sequence[Event], sinks: Sequence[str], *, logged: bool) -> list[bool]:
        """Commits alerts, and a delivery of each that notifies to each sink.

        Args:
            alerts: the event, and its JSON.
            sinks: identities of webhooks.
            logged: whether the event log needs no line (there is none).

        Returns:
            For each alert whether it is new: False where its id was there already.
        """
        return self._add(alerts, sinks, logged)

    def add_responses(self, events: Sequence[Event], sinks: Sequence[str], *, logged: bool) -> list[bool]:
        """As `add_detections`, responses and the defense's alarms."""
        return self._add(events, sinks, logged)

    def _add(self, events: Sequence[Event], sinks: Sequence[str], logged: bool) -> list[bool]:
        fresh: list[bool] = []
        with self._connection.begin():
            for kept in events:
                kind, key, row = rows.row(kept)
                table, column = KEPT[kind]
                add = sqlite_insert(table).on_conflict_do_nothing(index_elements=[column])
                fresh.append(self._connection.execute(add, {**row, "logged": logged}).rowcount == 1)
                if fresh[-1]:
                    self._add_threats(rows.threats(kept[0]))
                    self._post(kind, key, row["chain_id"], sinks if rows.notifies(kept[0]) else ())
        return fresh

    def _add_threats(self, answered: list[dict[str, Any]]) -> None:
        if answered:
            self._connection.execute(sqlite_insert(threats).on_conflict_do_nothing(), answered)

    def _post(self, kind: str, key: str, chain_id: int, sinks: Sequence[str]) -> None:
        now = time.time()
        first = {"chain_id": chain_id, "kind": kind, "key": key, "state": "pending", "attempts": 0}
        if sinks:
            self._connection.execute(
                sqlite_insert(deliveries).on_conflict_do_nothing(index_elements=["kind", "key", "sink"]),
                [{**first, "created": now, "due": now, "sink": sink} for sink in sinks],
            )

    def add_outcomes(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Commits how detected transactions ended."""
        add = sqlite_insert(outcomes).on_conflict_do_nothing(
            index_elements=["chain_id", "tx_hash", "timestamp", "outcome"]
        )
        with self._connection.begin():
            self._connection.execute(
                add,
                [
                    {
                        "chain_id": event["chain_id"],
                        "tx_hash": event["hash"],
                        "timestamp": event["timestamp"],
                        "outcome": event["outcome"],
                        "block": event.get("block"),
                        "by": event.get("by"),
                    }
                    for event in events
                ],
            )

    def mark_logged(self, keys: Sequence[Key]) -> None:
        """The event log has these events' lines."""
        with self._connection.begin():
            for kind in {kind for kind, _ in keys}:
                table, column = KEPT[kind]
                statement = update(table).where(column == bindparam("key")).values(logged=True)
                self._connection.execute(statement, [{"key": key} for of, key in keys if of == kind])

    def unlogged(self, limit: int = _CHUNK) -> list[tuple[Key, bytes]]:
        """Events (key, JSON) that were committed but have no line in the event log yet.

        Alerts come first, then responses, then alarms; of each the oldest first.
        """
        found: list[tuple[Key, bytes]] = []
        with self._connection.begin():
            for kind, (table, column) in KEPT.items():
                query = select(column.label("key"), table.c.event).where(table.c.logged.is_(False))
                page = self._connection.execute(query.order_by(table.c.seq).limit(limit - len(found)))
                found += [((kind, row.key), row.event) for row in page]
        return found

    def due(self, sink: str, now: float, limit: int) -> list[Delivery]:
        """Deliveries to `sink` whose time has come, the longest waiting first."""
        bodies = [table.c.event for table, _ in KEPT.values()]
        query = select(deliveries, func.coalesce(*bodies).label("event"))
        for kind, (table, column) in KEPT.items():
            query = query.outerjoin(table, and_(deliveries.c.kind == kind, deliveries.c.key == column))
        query = (
            query.where(deliveries.c.sink == sink, deliveries.c.state == "pending", deliveries.c.due <= now)
            .order_by(deliveries.c.due, deliveries.c.id)
            .limit(limit)
        )
        with self._connection.begin():
            return [
                Delivery(row.id, row.key, row.attempts, row.created, row.event)
                for row in self._connection.execute(query)
            ]

    def next_due(self, sink: str) -> float | None:
        """When the next delivery to `sink` is due (Unix seconds); None if none is pending."""
        query = select(func.min(deliveries.c.due)).where(
            deliveries.c.sink == sink, deliveries.c.state == "pending"
        )
        with self._connection.begin():
            due: float | None = self._connection.scalar(query)
        return due

    def settle(self, delivery: int | None, state: str, *, due: float = 0.0, error: str | None = None) -> None:
        """Commits an attempt's result: `delivered`, `failed` for good, or `pending` again until `due`."""
        statement = (
            update(deliveries)
            .where(deliveries.c.id == delivery)
            .values(state=state, due=due, error=error, attempts=deliveries.c.attempts + 1)
        )
        with self._connection.begin():
            self._connection.execute(statement)

    def delivery_counts(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
        with self._connection.begin():
            return {state: count for state, count in self._connection.execute(query)}  # noqa: C416  (rows are no tuples)

    def count(self) -> int:
        """Detections kept."""
        with self._connection.begin():
            return self._connection.scalar(select(func.count()).select_from(detections)) or 0

    def events(self) -> Iterator[dict[str, Any]]:
        """All alerts as events, oldest first, each with its `outcomes` and `responses` (events) so far."""
        return history(self._connection)


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error)
