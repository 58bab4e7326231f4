"""The second act: money out of a mixer, a contract that nobody has called yet, and an attack that no pool shows."""

from __future__ import annotations

import time

from mempool_ids.demo.attacker import STAKE, Attacker
from mempool_ids.demo.background import Background
from mempool_ids.demo.early.hearing import EarlyHearing
from mempool_ids.demo.early.mixer import NOTE, Mixer
from mempool_ids.demo.early.private import PrivateFlow
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.hearing import Teller
from mempool_ids.demo.scene import ETHER, Scene
from mempool_ids.demo.story import Attack

#: Blocks that the attacker waits for its transactions.
_PATIENCE = 3
#: Blocks from the contract's to the attack; real attackers take minutes.
_BLOCKS_BEFORE_ATTACK = 2
#: How long a proof is waited for once the attack is over: it would be too late.
_LATE_SECONDS = 0.5
#: Blocks that the end of a response is waited for.
_RESPONSE_BLOCKS = 6


class EarlyStory:
    """Plays the scene against a running node; `hearing` takes what the sensor tells of it.

    Args:
        address: the attacker's new account, which has nothing.
        flow: the attack's way to the node.
        feed: what others hear of the node, by the same relay as the sensor.
        block_time: seconds.
        is_defended: the sensor answers what it foresees.
    """

    def __init__(
        self,
        scene: Scene,
        mixer: Mixer,
        address: str,
        flow: PrivateFlow,
        feed: Feed,
        teller: Teller,
        block_time: float,
        *,
        is_defended: bool,
    ) -> None:
        self.scene = scene
        self.flow = flow
        self.feed = feed
        self.is_defended = is_defended
        self._mixer = mixer
        self._teller = teller
        self._block_time = block_time
        self._background = Background(scene.rpc, scene, feed, teller, block_time)
        self.attacker = Attacker(scene.rpc, address, scene.vault.address, _PATIENCE * block_time)
        self.hearing = EarlyHearing(scene, self.attacker, teller)

    async def play(self) -> Attack:
        """From the mixer's payment to the block with the attack, and to the end of the response.

        Raises:
            TimeoutError: the node mined nothing for three blocks' time.
        """
        return await self._background.behind(self._attack())

    async def _attack(self) -> Attack:
        attacker, hearing, teller = self.attacker, self.hearing, self._teller
        teller.attacker(f"has a mixer pay {NOTE / ETHER:g} ETH to a new account, {attacker.address}")
        await self._mixer.pay(self.scene.rpc, attacker.address, _PATIENCE * self._block_time)
        await self._background.next_blocks(1)
        teller.attacker("deploys a contract from there, and calls nothing yet")
        hearing.begin()
        await attacker.deploy()
        await self._background.next_blocks(_BLOCKS_BEFORE_ATTACK)
        teller.attacker(
            f"sends attack() with {STAKE / ETHER:g} ETH straight to the block's builder: no pool announces it"
        )
        await self.flow.submit(attacker.attack)
        receipt = await attacker.mined()
        attack = Attack(receipt, time.monotonic())
        block = int(receipt["blockNumber"], 16)
        fate = "goes through" if receipt["status"] == "0x1" else "REVERTS"
        await self._background.until_block(block)
        teller.attacker(f"has attack() in block {block}: it {fate}")
        # What comes late shall be seen to come late.
        await hearing.until(lambda: hearing.proof is not None, _LATE_SECONDS)
        if self.is_defended and await hearing.until(lambda: bool(hearing.responses), _LATE_SECONDS):
            await hearing.until(hearing.is_over, _RESPONSE_BLOCKS * self._block_time)
        await hearing.tell_the_rest()
        return attack
