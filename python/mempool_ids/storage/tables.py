"""The database's tables. Raise `SCHEMA_VERSION` with every change and say in `migrate` how to get there."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 2

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

detections = Table(
    "detections",
    metadata,
    # The order of arrival; an alert's timestamp may repeat.
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("alert_id", String, nullable=False, unique=True),
    Column("timestamp", String, nullable=False, index=True),
    Column("sensor", String, nullable=False),
    Column("chain_id", Integer, nullable=False),
    Column("severity", String, nullable=False),
    Column("threat_level", String, nullable=False),
    Column("score", Float, nullable=False),
    Column("notify", Boolean, nullable=False),
    Column("tx_hash", String, nullable=False, index=True),
    # False until the event log has its line; true from the start where there is no event log.
    Column("logged", Boolean, nullable=False),
    # The whole `alert` event, as in the event log.
    Column("event", LargeBinary, nullable=False),
)
Index("detections_unlogged", detections.c.seq, sqlite_where=detections.c.logged.is_(False))

outcomes = Table(
    "outcomes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("chain_id", Integer, nullable=False),
    Column("tx_hash", String, nullable=False, index=True),
    Column("timestamp", String, nullable=False),
    # mined, replaced, dropped or reorged
    Column("outcome", String, nullable=False),
    Column("block", Integer),
    Column("by", String),
    UniqueConstraint("chain_id", "tx_hash", "timestamp", "outcome"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("chain_id", Integer, nullable=False),
    Column("alert_id", String, ForeignKey("detections.alert_id"), nullable=False),
    # The webhook's identity: a hash of its URL, so that the database holds no key.
    Column("sink", String, nullable=False),
    # pending, delivered or failed
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Unix seconds
    Column("created", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("error", String),
    UniqueConstraint("alert_id", "sink"),
)
Index("deliveries_due", deliveries.c.sink, deliveries.c.due, sqlite_where=deliveries.c.state == "pending")
