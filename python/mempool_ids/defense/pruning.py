"""Forgets signed bytes that nobody needs any more: at the start, and once a day. What ever went out stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial

from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.guardian import Guardian
from mempool_ids.defense.journal import Journal, JournalError, JournalThread, Marks, Superseded

_EVERY_S = 86_400.0
# Signed bytes whose nonces are used are kept for so long.
_USED_S = 7 * 86_400.0
# Ladders that others took the place of, and that never went out: a base fee that moves signs some thousands a day.
_SUPERSEDED_S = 2 * 86_400.0
# Of these, so many are looked up at a time: a second or two in 200 MB. So many are forgotten at a time: a tenth of one.
_MOST, _PORTION = 20_000, 2_000


class Pruning:
    """Keeps the journal small.

    Args:
        marks: without them (shadow mode) nothing is signed, and what a former process sent is not known.
        former: the next nonce of each account that signed and signs no more, by the chain.
    """

    def __init__(
        self,
        journal: Journal,
        in_journal: JournalThread,
        marks: Marks | None,
        former: Mapping[str, int],
        guardians: Sequence[Guardian],
        alarms: Alarms,
    ) -> None:
        self._journal = journal
        self._in_journal = in_journal
        self._marks = marks
        self._former = former
        self._guardians = guardians
        self._alarms = alarms

    async def run(self) -> None:
        while True:
            try:
                await self.prune()
                self._alarms.over("journal", "pruning")
            except JournalError as error:
                self._alarms.tell_lasting("journal", str(error), "pruning")
            await asyncio.sleep(_EVERY_S)

    async def prune(self) -> None:
        """
        Raises:
            JournalError: the disk is full, for example; what is there stays.
        """
        now = time.time()
        latest = {**self._former, **{one.address: one.latest for one in self._guardians}}
        await self._in_journal(lambda: self._journal.prune(latest, now - _USED_S))
        gone = self._marks is not None
        while gone:
            gone = await self._prune_superseded(now - _SUPERSEDED_S)

    async def _prune_superseded(self, before: float) -> bool:
        """Whether there may be more of them."""
        some = await self._in_journal(lambda: self._journal.superseded(before, _MOST))
        count = 0
        for start in range(0, len(some), _PORTION):
            # Whoever waits for the journal gets it in between.
            count += await self._in_journal(partial(self._forget, some[start : start + _PORTION], before))
        return len(some) == _MOST and count > 0

    def _forget(self, some: Sequence[Superseded], before: float) -> int:
        """On the journal's thread."""
        marked = [] if self._marks is None else self._marks.read()
        return self._journal.forget(some, {"0x" + tx_hash.hex() for tx_hash, _ in marked}, before)
