"""Brings a database that an older version wrote to this version's tables, all at once or not at all."""

from sqlalchemy import Column, Connection, MetaData, Table, func, insert, literal, select, update
from sqlalchemy.schema import DropIndex, DropTable

from mempool_ids.storage.tables import deliveries, detections, meta, outcomes


def from_1(connection: Connection, chain_id: int) -> None:
    """Outcomes and deliveries bear their chain: their detection's, else `chain_id`.

    Args:
        connection: in a transaction that only reads so far.
        chain_id: the sensor's.
    """
    # The driver begins none by itself before it changes tables.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    version = select(meta.c.value).where(meta.c.key == "schema_version")
    if connection.scalar(version) != "1":
        return  # another process was faster
    for table, key in ((outcomes, "tx_hash"), (deliveries, "alert_id")):
        _rebuild(connection, table, key, chain_id)
    connection.execute(update(meta).where(meta.c.key == "schema_version").values(value="2"))


def _rebuild(connection: Connection, table: Table, key: str, chain_id: int) -> None:
    """SQLite cannot change a constraint: the rows move to a new table. `key` is what they share with a detection."""
    names = [column.name for column in table.columns if column.name != "chain_id"]
    old = Table(f"{table.name}_1", MetaData(), *(Column(name, table.c[name].type) for name in names))
    for index in table.indexes:
        connection.execute(DropIndex(index, if_exists=True))
    connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO {old.name}")
    table.create(connection)
    theirs = select(detections.c.chain_id).where(detections.c[key] == old.c[key]).limit(1).scalar_subquery()
    chain = func.coalesce(theirs, literal(chain_id))
    connection.execute(insert(table).from_select(["chain_id", *names], select(chain, *old.columns)))
    connection.execute(DropTable(old))
