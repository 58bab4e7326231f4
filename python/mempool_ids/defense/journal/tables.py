"""The journal's tables. Rows are added and never changed: triggers see to it.

Raise `SCHEMA_VERSION` with every change, and say in `database` how to get there.
"""

from __future__ import annotations

from typing import Any

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
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = 3
# In the file's header, so that another program's database is told from ours.
APPLICATION_ID = 0x4D494A4E


class Wei(TypeDecorator[int]):
    """Decimal text: amounts have up to 256 bits, SQLite's integers 64."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> str | None:  # noqa: ARG002
        return None if value is None else str(int(value))

    def process_result_value(self, value: str | None, dialect: Any) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


# Addresses and hashes are compared whatever their case, and come back as they were given.
_HEX = String(collation="NOCASE")

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

guardians = Table(
    "guardians",
    metadata,
    Column("address", _HEX, primary_key=True),
    # Unix seconds, as every time here.
    Column("since", Float, nullable=False),
)

armed = Table(
    "armed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    # One call of `arm`, and the place in it.
    Column("generation", Integer, nullable=False, index=True),
    Column("seq", Integer, nullable=False),
    Column("chain_id", Integer, nullable=False),
    Column("guardian", _HEX, nullable=False),
    Column("nonce", Integer, nullable=False),
    Column("target", String, nullable=False),
    Column("rung", Integer, nullable=False),
    Column("max_fee", Wei, nullable=False),
    Column("tip", Wei, nullable=False),
    Column("gas_limit", Integer, nullable=False),
    Column("to", String, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("value", Wei, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("tx_hash", _HEX, nullable=False, unique=True),
    Column("created", Float, nullable=False),
)
Index("armed_nonce", armed.c.guardian, armed.c.nonce)


def _action_now() -> list[Column[Any]]:
    """What changes of an action, as it was when the row was written."""
    return [
        Column("guardian", _HEX),
        Column("nonce", Integer),
        Column("max_fee", Wei),
        Column("tip", Wei),
        Column("gas_limit", Integer),
        Column("position", Integer),
        Column("won", Boolean),
        Column("capped", Boolean, nullable=False),
        Column("loss", Wei),
        Column("grave", Boolean, nullable=False),
        Column("p", Float, nullable=False),
        Column("contract", _HEX),
        Column("grade", String, nullable=False),
        Column("urgency", String, nullable=False),
        Column("action_attempt", Integer, nullable=False),
        Column("action_tx_hash", _HEX),
        Column("action_block", Integer),
        Column("action_cost", Wei),
    ]


actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("action_id", String, nullable=False, unique=True),
    Column("strategy", String, nullable=False),
    Column("target", String, nullable=False),
    Column("target_address", String, nullable=False),
    Column("created", Float, nullable=False, index=True),
    Column("shadow", Boolean, nullable=False),
    # Of the first threat.
    Column("sender", String),
    *_action_now(),
)

transitions = Table(
    "transitions",
    metadata,
    # The order in which they happened; clocks jump.
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("action_id", String, ForeignKey("actions.action_id"), nullable=False),
    # Its place in the action's history.
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("reason", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("tx_hash", _HEX, index=True),
    Column("cost", Wei),
    Column("block", Integer),
    *_action_now(),
    UniqueConstraint("action_id", "number"),
)
Index("transitions_nonce", transitions.c.guardian, transitions.c.nonce)

threats = Table(
    "threats",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("action_id", String, ForeignKey("actions.action_id"), nullable=False),
    Column("hash", _HEX, nullable=False),
    Column("sender", String),
    Column("joined", Float, nullable=False),
    UniqueConstraint("action_id", "hash"),
)

answers = Table(
    "answers",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("action_id", String, ForeignKey("actions.action_id"), nullable=False, index=True),
    # yes or no
    Column("answer", String, nullable=False),
    Column("who", String, nullable=False),
    Column("at", Float, nullable=False),
)

# What answered an attack and what honest use, as people found out.
judgements = Table(
    "judgements",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("action_id", String, ForeignKey("actions.action_id"), nullable=False),
    # attack or honest
    Column("judgement", String, nullable=False),
    Column("who", String, nullable=False),
    Column("at", Float, nullable=False),
)

# Pauses that a human wants of the sensor that runs on this journal.
orders = Table(
    "orders",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("target", String, nullable=False),
    Column("threat", _HEX),
    # Of the threat, wei a gas.
    Column("gas_price", Wei, nullable=False),
    Column("urgency", String, nullable=False),
    Column("who", String, nullable=False),
    Column("at", Float, nullable=False),
)

sequences = Table(
    "sequences",
    metadata,
    Column("builder", String, primary_key=True),
    Column("number", Integer, primary_key=True),
)

# Why armed rows are gone that are gone: they are old, and their nonces were used, or they never went out and others
# took their place. Of both the trigger knows what a mistake would matter for most: their age, and what an action names.
prunes = Table(
    "prunes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("guardian", _HEX, nullable=False, index=True),
    Column("below", Integer, nullable=False),
    Column("before", Float, nullable=False),
    Column("at", Float, nullable=False),
)

_MAY_BE_PRUNED = """EXISTS (SELECT 1 FROM prunes WHERE prunes.guardian = OLD.guardian
 AND OLD.nonce < prunes.below AND OLD.created < prunes.before)
 AND NOT EXISTS (SELECT 1 FROM transitions WHERE transitions.tx_hash = OLD.tx_hash)"""


def _triggers() -> dict[str, str]:
    found = {}
    for table in metadata.sorted_tables:
        for verb in ("UPDATE", "DELETE"):
            name = f"{table.name}_no_{verb.lower()}"
            unless = f"WHEN NOT ({_MAY_BE_PRUNED})" if (table is armed and verb == "DELETE") else ""
            found[name] = (
                f"CREATE TRIGGER {name} BEFORE {verb} ON {table.name} {unless} "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
    return found


TRIGGERS = _triggers()
"""SQL by name."""
