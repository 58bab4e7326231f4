"""One run of the demo: honest traffic, an attack, and what the sensor says and does before the block comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from mempool_ids.demo.attacker import STAKE, Attacker
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.hearing import ENDS, Hearing, Teller
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import ETHER, Scene
from mempool_ids.demo.timeline import gwei

_ACTIONS_PER_BLOCK = 10
_QUIET_BLOCKS = 1
#: How long an alert, or the beginning of a response, is waited for once the block is there: it would be too late.
_LATE_SECONDS = 0.5
#: Blocks that the attacker waits for its transactions.
_PATIENCE = 3
#: Blocks that the end of a response is waited for.
_RESPONSE_BLOCKS = 6


@dataclass(frozen=True)
class Attack:
    """The attack, once a block has it. `mined_at` is in seconds on the monotonic clock."""

    receipt: dict[str, Any]
    mined_at: float


class Story:
    """Plays the scene against a running node; `hearing` takes what the sensor tells of it.

    Args:
        block_time: seconds.
        is_defended: the sensor answers the attack, and the attacker answers that.
    """

    def __init__(
        self, rpc: Rpc, scene: Scene, feed: Feed, teller: Teller, block_time: float, *, is_defended: bool
    ) -> None:
        self.scene = scene
        self.feed = feed
        self.is_defended = is_defended
        self._rpc = rpc
        self._teller = teller
        self._block_time = block_time
        self._block = 0
        self._new_block = asyncio.Condition()
        self.attacker = Attacker(rpc, scene.cast.attacker, scene.vault.address, _PATIENCE * block_time)
        self.hearing = Hearing(scene, self.attacker, teller)

    async def play(self) -> Attack:
        """From the first honest transaction to the block with the attack, and to the end of the response.

        Raises:
            TimeoutError: the node mined nothing for three blocks' time.
        """
        others = [asyncio.create_task(work()) for work in (self._traffic, self._blocks, self.feed.follow)]
        try:
            return await _unless_failed(self._attack(), *others)
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _attack(self) -> Attack:
        await self._next_blocks(_QUIET_BLOCKS)
        attacker, hearing = self.attacker, self.hearing
        self._teller.attacker("deploys a contract")
        await attacker.deploy()
        # Right after a block: all the time until the next is left.
        await self._next_blocks(1)
        stake = f"{STAKE / ETHER:g} ETH"
        self._teller.attacker(f"calls attack() with {stake}; it waits in the pool for the next block")
        known = len(self.feed.transactions)
        await attacker.attack()
        if self.is_defended:
            await self._outbid(known)
        receipt = await attacker.mined()
        attack = Attack(receipt, time.monotonic())
        # What comes late shall be seen to come late.
        await hearing.until(lambda: receipt["transactionHash"] in hearing.alerts, _LATE_SECONDS)
        if self.is_defended and await hearing.until(lambda: bool(hearing.responses), _LATE_SECONDS):
            patience = _RESPONSE_BLOCKS * self._block_time
            await hearing.until(lambda: hearing.responses[-1]["state"] in ENDS, patience)
        await hearing.tell_the_rest()
        return attack

    async def _outbid(self, known: int) -> None:
        """The attacker sees a pause in the pool and bids more, once; unless a block comes first.

        `known` are the transactions that were announced before the attack.
        """
        seeing = asyncio.create_task(self._see_pause(known))
        mined = asyncio.create_task(self.attacker.mined())
        try:
            await asyncio.wait((seeing, mined), return_when=asyncio.FIRST_COMPLETED)
            if not seeing.done():
                return
            tip, max_fee = self.attacker.above(*seeing.result())
            self._teller.attacker(
                f"sees the pause in the pool, and raises the attack's bid to {gwei(tip)} a gas"
            )
            if not await self.attacker.raise_to(tip, max_fee):
                self._teller.attacker("comes too late: a block has the attack at its first bid")
        finally:
            for task in (seeing, mined):
                task.cancel()
            await asyncio.gather(seeing, mined, return_exceptions=True)

    async def _see_pause(self, known: int) -> tuple[int, int]:
        """Its tip and fee cap, wei a gas, once people were told of it, too: the story is told in its order."""
        found = await self.attacker.see_pause(self.feed, known)
        await self.hearing.until(lambda: self.hearing.was_told("sent"))
        return found

    async def _traffic(self) -> None:
        self._teller.traffic(await self.scene.welcome())
        while True:
            await asyncio.sleep(self._block_time / _ACTIONS_PER_BLOCK * self.scene.dice.uniform(0.3, 1.7))
            self._teller.traffic(await self.scene.act())

    async def _blocks(self) -> None:
        known = await self._rpc.block_number()
        while True:
            known = await self.feed.head_after(known)
            block = await self._rpc.call("eth_getBlockByNumber", hex(known), False)
            self._teller.block(known, len(block["transactions"]))
            async with self._new_block:
                self._block = known
                self._new_block.notify_all()

    async def _next_blocks(self, count: int) -> None:
        """Returns right after the last of them, once people were told of it."""
        last = await self._rpc.block_number() + count
        async with self._new_block:
            await self._new_block.wait_for(lambda: self._block >= last)


async def _unless_failed(main: Awaitable[Attack], *others: asyncio.Task[None]) -> Attack:
    """The result of `main`, or the error of one of the others, which never end by themselves."""
    task = asyncio.ensure_future(main)
    try:
        await asyncio.wait((task, *others), return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            if other.done():
                other.result()
        return await task
    finally:
        task.cancel()
