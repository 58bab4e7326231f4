"""The database. Synchronous and used from one thread; the engine gives it a thread of its own."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, bindparam, create_engine, event, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.records.events import Event
from mempool_ids.storage import migrate
from mempool_ids.storage.tables import SCHEMA_VERSION, deliveries, detections, meta, metadata, outcomes

# SQLite's limit on variables in one statement is 32,766; chunks stay far below.
_CHUNK = 500
# How long one statement waits for another process's lock: while opening, and afterwards, when alerts wait behind it.
_OPENING_MS = 5000
_BUSY_MS = 200


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert on its way to one webhook. Times in Unix seconds."""

    id: int | None
    """None where the storage failed: the alert is sent from memory."""
    alert_id: str
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
    """Detections, outcomes and deliveries.

    Every method that writes returns after its commit. Writing the same alert twice is the same as writing it once.

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
            path.parent.mkdir(parents=True, exist_ok=True)
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
            metadata.create_all(self._connection)
            found = self._connection.scalar(select(meta.c.value).where(meta.c.key == "schema_version"))
            if found is None:
                self._connection.execute(insert(meta).values(key="schema_version", value=str(SCHEMA_VERSION)))
            elif found == "1" and look_only:
                self.is_older = True
            elif found == "1":
                migrate.from_1(self._connection, chain_id)
            elif int(found) != SCHEMA_VERSION:
                raise MempoolIdsError(
                    f"storage {self.path}: its schema is version {found}, this program's is {SCHEMA_VERSION}"
                )

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
        fresh: list[bool] = []
        now = time.time()
        add = sqlite_insert(detections).on_conflict_do_nothing(index_elements=["alert_id"])
        post = sqlite_insert(deliveries).on_conflict_do_nothing(index_elements=["alert_id", "sink"])
        with self._connection.begin():
            for alert, raw in alerts:
                row = {
                    "alert_id": alert["alert_id"],
                    "timestamp": alert["timestamp"],
                    "sensor": alert["sensor"],
                    "chain_id": alert["chain_id"],
                    "severity": alert["severity"],
                    "threat_level": alert["threat_level"],
                    "score": alert["score"],
                    "notify": alert["notify"],
                    "tx_hash": alert["tx"]["hash"],
                    "logged": logged,
                    "event": raw,
                }
                new = self._connection.execute(add, row).rowcount == 1
                fresh.append(new)
                if new and alert["notify"] and sinks:
                    first = {
                        "chain_id": alert["chain_id"],
                        "alert_id": alert["alert_id"],
                        "state": "pending",
                        "attempts": 0,
                        "created": now,
                        "due": now,
                    }
                    self._connection.execute(post, [{**first, "sink": sink} for sink in sinks])
        return fresh

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

    def mark_logged(self, alert_ids: Sequence[str]) -> None:
        """The event log has these alerts' lines."""
        statement = update(detections).where(detections.c.alert_id == bindparam("id")).values(logged=True)
        if alert_ids:
            with self._connection.begin():
                self._connection.execute(statement, [{"id": alert_id} for alert_id in alert_ids])

    def unlogged(self, limit: int = _CHUNK) -> list[tuple[str, bytes]]:
        """Alerts (id, JSON) that were committed but have no line in the event log yet, the oldest first."""
        query = select(detections.c.alert_id, detections.c.event).where(detections.c.logged.is_(False))
        with self._connection.begin():
            return [
                (row.alert_id, row.event)
                for row in self._connection.execute(query.order_by(detections.c.seq).limit(limit))
            ]

    def due(self, sink: str, now: float, limit: int) -> list[Delivery]:
        """Deliveries to `sink` whose time has come, the longest waiting first."""
        query = (
            select(deliveries, detections.c.event)
            .join(detections, detections.c.alert_id == deliveries.c.alert_id)
            .where(deliveries.c.sink == sink, deliveries.c.state == "pending", deliveries.c.due <= now)
            .order_by(deliveries.c.due, deliveries.c.id)
            .limit(limit)
        )
        with self._connection.begin():
            return [
                Delivery(row.id, row.alert_id, row.attempts, row.created, row.event)
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
        """All alerts as events, oldest first, each with its `outcomes` so far."""
        last = 0
        while True:
            query = select(detections).where(detections.c.seq > last).order_by(detections.c.seq).limit(_CHUNK)
            with self._connection.begin():
                page = self._connection.execute(query).all()
                ends = self._outcomes([row.tx_hash for row in page])
            if not page:
                return
            for row in page:
                yield {**orjson.loads(row.event), "outcomes": ends.get((row.chain_id, row.tx_hash), [])}
            last = page[-1].seq

    def _outcomes(self, hashes: Sequence[str]) -> dict[tuple[int, str], list[dict[str, Any]]]:
        """By chain and transaction."""
        query = select(outcomes).where(outcomes.c.tx_hash.in_(hashes)).order_by(outcomes.c.seq)
        found: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for row in self._connection.execute(query):
            end = {"timestamp": row.timestamp, "outcome": row.outcome}
            if row.block is not None:
                end["block"] = row.block
            if row.by is not None:
                end["by"] = row.by
            found.setdefault((row.chain_id, row.tx_hash), []).append(end)
        return found


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error)
