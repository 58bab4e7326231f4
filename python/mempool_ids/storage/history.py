"""What is read back for people: each detection with how it ended and what was done about it."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select

from mempool_ids.storage.tables import detections, outcomes, responses, threats

# SQLite's limit on variables in one statement is 32,766; pages stay far below.
_PAGE = 500

_ByTransaction = dict[tuple[int, str], list[dict[str, Any]]]


def history(connection: Connection) -> Iterator[dict[str, Any]]:
    """All alerts as events, oldest first, each with its `outcomes` and `responses` (events) so far."""
    last = 0
    while True:
        query = select(detections).where(detections.c.seq > last).order_by(detections.c.seq).limit(_PAGE)
        with connection.begin():
            page = connection.execute(query).all()
            hashes = [row.tx_hash for row in page]
            ends, answers = _outcomes(connection, hashes), _responses(connection, hashes)
        if not page:
            return
        for row in page:
            key = (row.chain_id, row.tx_hash)
            found = {"outcomes": ends.get(key, []), "responses": answers.get(key, [])}
            yield {**orjson.loads(row.event), **found}
        last = page[-1].seq


def _outcomes(connection: Connection, hashes: Sequence[str]) -> _ByTransaction:
    query = select(outcomes).where(outcomes.c.tx_hash.in_(hashes)).order_by(outcomes.c.seq)
    found: _ByTransaction = {}
    for row in connection.execute(query):
        end = {"timestamp": row.timestamp, "outcome": row.outcome}
        if row.block is not None:
            end["block"] = row.block
        if row.by is not None:
            end["by"] = row.by
        found.setdefault((row.chain_id, row.tx_hash), []).append(end)
    return found


def _responses(connection: Connection, hashes: Sequence[str]) -> _ByTransaction:
    """Every change of an action, also those from before it answered the transaction."""
    query = (
        select(threats.c.chain_id, threats.c.tx_hash, responses.c.event)
        .join(responses, responses.c.action_id == threats.c.action_id)
        .where(threats.c.tx_hash.in_(hashes))
        .order_by(responses.c.seq)
    )
    found: _ByTransaction = {}
    for row in connection.execute(query):
        found.setdefault((row.chain_id, row.tx_hash), []).append(orjson.loads(row.event))
    return found
