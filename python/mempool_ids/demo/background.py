"""What goes on while somebody attacks: honest users at work, and a block every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from mempool_ids.demo.feed import Feed
from mempool_ids.demo.hearing import Teller
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import Scene

T = TypeVar("T")

_ACTIONS_PER_BLOCK = 10


class Background:
    """Honest traffic in a scene, and the blocks that a node announces, told as they come.

    Args:
        block_time: seconds.
    """

    def __init__(self, rpc: Rpc, scene: Scene, feed: Feed, teller: Teller, block_time: float) -> None:
        self._rpc = rpc
        self._scene = scene
        self._feed = feed
        self._teller = teller
        self._block_time = block_time
        self._block = 0
        self._new_block = asyncio.Condition()

    async def behind(self, act: Awaitable[T]) -> T:
        """What `act` comes to, with all of it going on meanwhile; or the error of what fails first."""
        task = asyncio.ensure_future(act)
        others = [asyncio.create_task(work()) for work in (self._traffic, self._blocks, self._feed.follow)]
        try:
            await asyncio.wait((task, *others), return_when=asyncio.FIRST_COMPLETED)
            for other in others:  # They never end by themselves.
                if other.done():
                    other.result()
            return await task
        finally:
            for each in (task, *others):
                each.cancel()
            await asyncio.gather(task, *others, return_exceptions=True)

    async def next_blocks(self, count: int) -> None:
        """Returns right after the last of them, once people were told of it."""
        await self.until_block(await self._rpc.block_number() + count)

    async def until_block(self, number: int) -> None:
        """Returns right after this block, once people were told of it."""
        async with self._new_block:
            await self._new_block.wait_for(lambda: self._block >= number)

    async def _traffic(self) -> None:
        self._teller.traffic(await self._scene.welcome())
        while True:
            await asyncio.sleep(self._block_time / _ACTIONS_PER_BLOCK * self._scene.dice.uniform(0.3, 1.7))
            self._teller.traffic(await self._scene.act())

    async def _blocks(self) -> None:
        known = await self._rpc.block_number()
        while True:
            known = await self._feed.head_after(known)
            block = await self._rpc.call("eth_getBlockByNumber", hex(known), False)
            self._teller.block(known, len(block["transactions"]))
            async with self._new_block:
                self._block = known
                self._new_block.notify_all()
