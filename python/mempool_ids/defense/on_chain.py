"""What the watch knows of the chain while the head is the same: nothing is asked twice within a second."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mempool_ids.defense.calls import is_paused
from mempool_ids.defense.chain import Chain, Head, Receipt, Reverted
from mempool_ids.defense.guardian import Protected
from mempool_ids.exceptions import NodeError

K = TypeVar("K")
V = TypeVar("V")

# After so long, by time.monotonic, an answer is asked for again on the same head: nodes know of receipts late, and
# forget them.
AGAIN_S = 1.0


class OnChain:
    """Asks, and remembers until the head is another one."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._head = ""
        self._paused: dict[str, bool | None] = {}
        self._receipts: dict[str, tuple[float, Receipt | None]] = {}
        self._hashes: dict[int, tuple[float, str | None]] = {}

    def on(self, head: Head) -> None:
        """What is asked from now on is asked of this head."""
        if head.hash != self._head:
            self._head = head.hash
            self._forget()

    def _forget(self) -> None:
        self._receipts.clear()
        self._hashes.clear()

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """Its receipt, where its block is canonical: nodes keep receipts of blocks that are gone.

        Raises:
            NodeError: nobody answers.
        """
        receipt = await _once(self._receipts, tx_hash, self._chain.receipt)
        if receipt is None:
            return None
        canonical = await _once(self._hashes, receipt.block, self._chain.block_hash)
        return receipt if canonical == receipt.block_hash else None

    async def paused(self, target: Protected) -> bool | None:
        """As `says_paused`, asked each time: a node may know a later head by now, and then what was known is old."""
        paused = await says_paused(self._chain, target)
        if paused != self._paused.get(target.name):
            self._paused[target.name] = paused
            self._forget()
        return paused


async def says_paused(chain: Chain, target: Protected) -> bool | None:
    """What the contract says on the head; None where nobody answers, or it has no check."""
    if target.check is None:
        return None
    try:
        return is_paused(await chain.call(target.check))
    except Reverted:
        return False
    except NodeError:
        return None


async def _once(known: dict[K, tuple[float, V]], key: K, ask: Callable[[K], Awaitable[V]]) -> V:
    if key not in known or time.monotonic() - known[key][0] >= AGAIN_S:
        answer = await ask(key)
        known[key] = time.monotonic(), answer
    return known[key][1]
