"""A guardian as the chain and the journal have it, for whoever only looks: a check, a drill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mempool_ids.defense.armed import Fees
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.guardian import Guardian
from mempool_ids.defense.journal import Journal, JournalError, Records

# Nonces that a pool can make us look at.
_LOOKED_AT = 64


@contextmanager
def opened(path: Path) -> Iterator[tuple[Records | None, str | None]]:
    """The journal, to read it, or why that cannot be done; neither where there is none yet."""
    if not path.exists():
        yield None, None
        return
    try:
        records = Journal.look(path)
    except JournalError as error:
        yield None, str(error)
        return
    try:
        yield records, None
    finally:
        records.close()


async def standing(chain: Chain, address: str, records: Records | None) -> Guardian:
    """Its nonces and balance. What a sensor with this journal has sent with its key is not taken for a stranger's.

    Raises:
        NodeError: nobody answers.
        JournalError: the journal cannot be read.
    """
    guardian = Guardian(address, None)
    latest, pending = await chain.nonces(address)
    for nonce in range(latest, min(pending, latest + _LOOKED_AT)):
        for action in () if records is None else records.by_nonce(address, nonce):
            guardian.went_out(nonce, Fees(action.max_fee_per_gas or 0, action.max_priority_fee_per_gas or 0))
            if not action.is_over:
                guardian.taken[nonce] = action.target
    guardian.seen(latest, pending, await chain.balance(address))
    return guardian
