"""The attacker: deploys a contract, calls it, and bids higher where something would come first."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from mempool_ids.demo.contracts import artifact
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import ETHER, GWEI
from mempool_ids.node import RpcError

#: What the attacker stakes, in wei; each re-entry takes as much again.
STAKE = 10 * ETHER
_TIP = 2 * GWEI
#: Above every honest user's, as anvil puts the highest fee cap first.
_FEE_CAP = 12 * GWEI
#: By so many percent it goes above what it wants to come before.
_OUTBIDS = 115


@dataclass(frozen=True)
class Bid:
    """A transaction as it was given to the node. Wei a gas; `sent_at` is in Unix seconds, right before."""

    tx_hash: str
    tip: int
    max_fee: int
    sent_at: float


class Attacker:
    """Sends one attack, with one nonce, however often it raises its bid.

    Attributes:
        creation: of its contract, as it was given to the node; None before.
        created: that one's receipt, once a block has it.
        bids: what the node took, the last last.
        began_at: seconds on the monotonic clock, right before the first; None before the attack.
    """

    def __init__(self, rpc: Rpc, address: str, vault: str, patience_s: float) -> None:
        self._rpc = rpc
        self._vault = vault
        self._patience_s = patience_s
        self._contract = ""
        self._nonce = 0
        self.creation: Bid | None = None
        self.created: dict[str, Any] | None = None
        self.address = address
        self.bids: list[Bid] = []
        self.began_at: float | None = None

    async def deploy(self) -> None:
        """Returns once a block has its contract.

        Raises:
            TimeoutError: no block had it in time.
        """
        nonce = await self._rpc.nonce(self.address)
        # Of the attack that follows: what was asked meanwhile is about that one, too.
        self._nonce = nonce + 1
        code = artifact("Attacker").creation(self._vault)
        at = time.time()
        tx_hash = await self._rpc.send(
            self.address, None, code, gas=700_000, tip=_TIP, max_fee=_FEE_CAP, nonce=nonce
        )
        self.creation = Bid(tx_hash, _TIP, _FEE_CAP, at)
        self.created = await self._rpc.receipt(tx_hash, self._patience_s)
        self._contract = self.created["contractAddress"]

    async def attack(self) -> str:
        """Returns its hash."""
        self.began_at = time.monotonic()
        await self._bid(_TIP, _FEE_CAP)
        return self.bids[-1].tx_hash

    async def see_pause(self, feed: Feed, looked_at: int) -> tuple[int, int]:
        """Waits for somebody's `pause()` of the vault among what is announced after so many transactions.

        Returns:
            Its tip and fee cap, wei a gas.
        """
        pause = artifact("Vault").calldata("pause()")

        async def look(tx_hash: str) -> tuple[int, int] | None:
            found = await self._rpc.transaction(tx_hash)
            if found is None or (found["to"] or "").lower() != self._vault or found["input"] != pause:
                return None
            return int(found["maxPriorityFeePerGas"], 16), int(found["maxFeePerGas"], 16)

        return await feed.find(look, looked_at)

    def above(self, tip: int, max_fee: int) -> tuple[int, int]:
        """A tip and a fee cap above these, wei a gas, that replace its last bid in the pool, too."""
        last = self.bids[-1]
        return _above(max(tip, last.tip)), _above(max(max_fee, last.max_fee))

    async def raise_to(self, tip: int, max_fee: int) -> bool:
        """The same attack at another price. False: a block came first."""
        try:
            await self._bid(tip, max_fee)
        except RpcError:
            if await self.is_pending():
                raise
            return False
        return True

    async def _bid(self, tip: int, max_fee: int) -> None:
        calldata = artifact("Attacker").calldata("attack()")
        at = time.time()
        tx_hash = await self._rpc.send(
            self.address,
            self._contract,
            calldata,
            value=STAKE,
            gas=1_500_000,
            tip=tip,
            max_fee=max_fee,
            nonce=self._nonce,
        )
        self.bids.append(Bid(tx_hash, tip, max_fee, at))

    async def is_pending(self) -> bool:
        """The node says that no block has the attack, whatever it bids."""
        return await self._rpc.nonce(self.address) <= self._nonce

    async def mined(self) -> dict[str, Any]:
        """The receipt of the bid that a block has.

        Raises:
            TimeoutError: none had one in time.
        """
        async with asyncio.timeout(self._patience_s):
            while True:
                for bid in reversed(self.bids):
                    if (found := await self._rpc.find_receipt(bid.tx_hash)) is not None:
                        return found
                await asyncio.sleep(0.02)


def _above(fee: int) -> int:
    return -(-fee * _OUTBIDS // 100)
