"""The database's tables. Raise `SCHEMA_VERSION` with every change and say in `migrate` how to get there."""

from collections.abc import Mapping

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 3

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

responses = Table(
    "responses",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("response_id", String, nullable=False, unique=True),
    # All changes of one action share it.
    Column("action_id", String, nullable=False, index=True),
    Column("timestamp", String, nullable=False, index=True),
    Column("sensor", String, nullable=False),
    Column("chain_id", Integer, nullable=False),
    Column("state", String, nullable=False),
    # The contract's name.
    Column("target", String, nullable=False),
    # The response's own, once there is one.
    Column("tx_hash", String),
    Column("logged", Boolean, nullable=False),
    # The whole `response` event, as in the event log.
    Column("event", LargeBinary, nullable=False),
)
Index("responses_unlogged", responses.c.seq, sqlite_where=responses.c.logged.is_(False))

# Which transactions an action answers: it joins an action to its detections.
threats = Table(
    "threats",
    metadata,
    Column("chain_id", Integer, primary_key=True),
    Column("tx_hash", String, primary_key=True),
    Column("action_id", String, primary_key=True),
)

alarms = Table(
    "alarms",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("alarm_id", String, nullable=False, unique=True),
    Column("timestamp", String, nullable=False, index=True),
    Column("sensor", String, nullable=False),
    Column("chain_id", Integer, nullable=False),
    Column("origin", String, nullable=False),
    Column("logged", Boolean, nullable=False),
    # The whole `anomaly` event, as in the event log.
    Column("event", LargeBinary, nullable=False),
)
Index("alarms_unlogged", alarms.c.seq, sqlite_where=alarms.c.logged.is_(False))

# What is kept of each kind of event, with the column that has its id. All have `seq`, `logged` and `event`.
KEPT: Mapping[str, tuple[Table, Column[str]]] = {
    "alert": (detections, detections.c.alert_id),
    "response": (responses, responses.c.response_id),
    "anomaly": (alarms, alarms.c.alarm_id),
}

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
    # Of what: the event's type and its id, by `KEPT`.
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False),
    # The webhook's identity: a hash of its URL, so that the database holds no key.
    Column("sink", String, nullable=False),
    # pending, delivered or failed
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Unix seconds
    Column("created", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("error", String),
    UniqueConstraint("kind", "key", "sink"),
)
Index("deliveries_due", deliveries.c.sink, deliveries.c.due, sqlite_where=deliveries.c.state == "pending")
