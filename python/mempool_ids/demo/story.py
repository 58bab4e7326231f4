"""One run of the demo: honest traffic, an attack, and what the sensor says and does before the block comes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from mempool_ids.demo.attacker import STAKE, Attacker
from mempool_ids.demo.background import Background
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.hearing import ENDS, Hearing, Teller
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import ETHER, Scene
from mempool_ids.demo.timeline import gwei

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
        self._teller = teller
        self._block_time = block_time
        self._background = Background(rpc, scene, feed, teller, block_time)
        self.attacker = Attacker(rpc, scene.cast.attacker, scene.vault.address, _PATIENCE * block_time)
        self.hearing = Hearing(scene, self.attacker, teller)

    async def play(self) -> Attack:
        """From the first honest transaction to the block with the attack, and to the end of the response.

        Raises:
            TimeoutError: the node mined nothing for three blocks' time.
        """
        return await self._background.behind(self._attack())

    async def _attack(self) -> Attack:
        await self._background.next_blocks(_QUIET_BLOCKS)
        attacker, hearing = self.attacker, self.hearing
        self._teller.attacker("deploys a contract")
        await attacker.deploy()
        # Right after a block: all the time until the next is left.
        await self._background.next_blocks(1)
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
