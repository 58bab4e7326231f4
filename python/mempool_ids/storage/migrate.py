"""Brings a database that an older version wrote to this version's tables, all at once or not at all."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, func, insert, literal, select, update
from sqlalchemy.schema import DropIndex, DropTable
from sqlalchemy.sql import ColumnElement

from mempool_ids.storage.tables import SCHEMA_VERSION, deliveries, detections, meta, metadata, outcomes

OLDER = ("1", "2")
VERSION = select(meta.c.value).where(meta.c.key == "schema_version")


def bring_up_to_date(connection: Connection, chain_id: int) -> None:
    """From any of the `OLDER` versions.

    Version 2 gave outcomes and deliveries their chain: their detection's, else `chain_id`. Version 3 has deliveries of
    other events than alerts.

    Args:
        connection: in a transaction that only reads so far.
        chain_id: the sensor's.
    """
    # The driver begins none by itself before it changes tables.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    found = connection.scalar(VERSION)
    if found not in OLDER:
        return  # another process was faster
    if found == "1":
        old = _set_aside(connection, outcomes, _columns(outcomes, "chain_id"))
        _move(connection, old, outcomes, {"chain_id": _chain_of(old.c.tx_hash, chain_id)})
    lacks = ("kind", "key", "chain_id") if found == "1" else ("kind", "key")
    old = _set_aside(connection, deliveries, {**_columns(deliveries, *lacks), "alert_id": deliveries.c.key})
    new = {"kind": literal("alert"), "key": old.c.alert_id, "chain_id": _chain_of(old.c.alert_id, chain_id)}
    _move(connection, old, deliveries, {name: new[name] for name in lacks})
    metadata.create_all(connection)
    connection.execute(update(meta).where(meta.c.key == "schema_version").values(value=str(SCHEMA_VERSION)))


def _columns(table: Table, *lacks: str) -> dict[str, Column[Any]]:
    return {column.name: column for column in table.columns if column.name not in lacks}


def _set_aside(connection: Connection, table: Table, columns: Mapping[str, Column[Any]]) -> Table:
    """SQLite cannot change a constraint: the rows move to a new table.

    Args:
        connection: in a transaction.
        table: as it is to be. It is made, empty.
        columns: those that there are, each with one of the same type.

    Returns:
        The old one.
    """
    old = Table(f"{table.name}_old", MetaData(), *(Column(name, like.type) for name, like in columns.items()))
    for index in table.indexes:
        connection.execute(DropIndex(index, if_exists=True))
    connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO {old.name}")
    table.create(connection)
    return old


def _move(connection: Connection, old: Table, table: Table, new: Mapping[str, ColumnElement[Any]]) -> None:
    """All rows of `old`, with `new` columns."""
    same = [column for column in old.columns if column.name in table.c]
    names = [*new, *(column.name for column in same)]
    connection.execute(insert(table).from_select(names, select(*new.values(), *same)))
    connection.execute(DropTable(old))


def _chain_of(key: Column[Any], chain_id: int) -> ColumnElement[int]:
    """The chain of the detection that has `key` in its column of the same name."""
    theirs = select(detections.c.chain_id).where(detections.c[key.name] == key).limit(1).scalar_subquery()
    return func.coalesce(theirs, literal(chain_id))
