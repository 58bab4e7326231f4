"""Forgets signed bytes that can never be mined any more."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, insert, select

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
    named = select(transitions.c.tx_hash).where(transitions.c.tx_hash.is_not(None))
    count = 0
    for start in range(0, len(gone), CHUNK):
        some = armed.c.generation.in_(gone[start : start + CHUNK])
        count += connection.execute(delete(armed).where(some, armed.c.tx_hash.not_in(named))).rowcount
    return count


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
