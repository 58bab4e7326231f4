"""Forgets signed bytes that can never be mined any more, or that nobody sends any more."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select

from mempool_ids.defense.journal.queries import CHUNK
from mempool_ids.defense.journal.tables import armed, prunes, transitions


def prune(connection: Connection, latest: Mapping[str, int], before: float) -> int:
    """See `Journal.prune`. Within a transaction that writes."""
    next_nonce = {guardian.lower(): nonce for guardian, nonce in latest.items()}
    gone = _dead(connection, next_nonce, before)
    if not gone:
        return 0
    # The reason first: without it the triggers refuse the delete.
    now = time.time()
    reasons = [
        {"guardian": guardian, "below": nonce, "before": before, "at": now}
        for guardian, nonce in next_nonce.items()
    ]
    connection.execute(insert(prunes), reasons)
    count = 0
    for start in range(0, len(gone), CHUNK):
        some = armed.c.generation.in_(gone[start : start + CHUNK])
        count += connection.execute(delete(armed).where(some, _never_sent())).rowcount
    return count


def _never_sent() -> ColumnElement[bool]:
    """As far as actions tell."""
    return armed.c.tx_hash.not_in(select(transitions.c.tx_hash).where(transitions.c.tx_hash.is_not(None)))


def _dead(connection: Connection, next_nonce: Mapping[str, int], before: float) -> list[int]:
    """Generations that are older and whose nonces are all used."""
    query = select(
        armed.c.generation,
        func.lower(armed.c.guardian).label("guardian"),
        func.max(armed.c.nonce).label("nonce"),
        func.max(armed.c.created).label("created"),
    ).group_by(armed.c.generation, armed.c.guardian)
    dead: dict[int, bool] = {}
    for row in connection.execute(query):
        used = row.nonce < next_nonce.get(row.guardian, 0) and row.created < before
        dead[row.generation] = dead.get(row.generation, True) and used
    return [generation for generation, is_dead in dead.items() if is_dead]


class Superseded(NamedTuple):
    """A rung of which a later ladder is old, too: it was loaded in its place long ago."""

    id: int
    guardian: str
    nonce: int
    tx_hash: str


def superseded(connection: Connection, before: float, most: int) -> list[Superseded]:
    """See `Journal.superseded`."""
    key = (func.lower(armed.c.guardian).label("guardian"), armed.c.nonce, armed.c.target)
    # What stands alone is sent as soon as it is signed: exact bids, and transfers, which have no target.
    is_old_ladder = (armed.c.rung >= 0) & (armed.c.target != "") & (armed.c.created < before)
    newest = (
        select(*key, func.max(armed.c.generation).label("generation"))
        .where(is_old_ladder)
        .group_by(*key)
        .subquery()
    )
    query = (
        select(armed.c.id, newest.c.guardian, armed.c.nonce, func.lower(armed.c.tx_hash))
        .join(
            newest,
            (func.lower(armed.c.guardian) == newest.c.guardian)
            & (armed.c.nonce == newest.c.nonce)
            & (armed.c.target == newest.c.target),
        )
        .where(is_old_ladder, armed.c.generation < newest.c.generation)
        .limit(most)
    )
    return [Superseded(*row) for row in connection.execute(query)]


def forget(connection: Connection, some: Sequence[Superseded], before: float) -> int:
    """See `Journal.forget`. Within a transaction that writes."""
    for guardian in {one.guardian for one in some}:
        below = max(one.nonce for one in some if one.guardian == guardian) + 1
        _give_reason(connection, guardian, below, before)
    count = 0
    for start in range(0, len(some), CHUNK):
        ids = [one.id for one in some[start : start + CHUNK]]
        count += connection.execute(delete(armed).where(armed.c.id.in_(ids), _never_sent())).rowcount
    return count


def _give_reason(connection: Connection, guardian: str, below: int, before: float) -> None:
    """One for all portions."""
    given = (prunes.c.guardian == guardian) & (prunes.c.below >= below) & (prunes.c.before >= before)
    if not connection.scalar(select(exists().where(given))):
        reason = {"guardian": guardian, "below": below, "before": before, "at": time.time()}
        connection.execute(insert(prunes), reason)
