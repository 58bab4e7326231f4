"""One run of the demo: honest traffic, an attack, and what the sensor says before the block comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from mempool_ids.demo.contracts import artifact
from mempool_ids.demo.result import Event, FalseAlert, Result
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import ETHER, Action, Scene

#: What the attacker stakes; each re-entry takes as much again.
STAKE = 10 * ETHER
_POLL_SECONDS = 0.02
#: Where between two blocks the attack is sent: late enough for its contract to be there, well before the next.
_ATTACK_AT = 0.3
_ACTIONS_PER_BLOCK = 10
_QUIET_BLOCKS = 1


class Teller(Protocol):
    """Who tells the story to somebody."""

    def note(self, text: str) -> None: ...
    def traffic(self, action: Action) -> None: ...
    def block(self, number: int, transactions: int) -> None: ...
    def attacker(self, text: str) -> None: ...
    def alert(self, alert: Event, sent_to_alert_ms: float | None, pending: bool) -> None: ...
    def false_alert(self, alert: FalseAlert) -> None: ...
    def verdict(self, result: Result) -> None: ...


@dataclass(frozen=True)
class Heard:
    """An alert as it arrived."""

    event: Event
    at: float
    #: The node's answer, right after: no block has the transaction.
    pending: bool


@dataclass
class Story:
    """Plays the scene against a running node; the sensor calls `hear` with each alert."""

    rpc: Rpc
    scene: Scene
    teller: Teller
    block_time: float
    heard: dict[str, Heard] = field(default_factory=dict)
    _attack_sent_at: float | None = None

    async def hear(self, event: Event) -> None:
        """Takes one alert event of the event log's form."""
        at = time.monotonic()
        tx_hash = event["tx"]["hash"]
        pending = await self.rpc.is_pending(tx_hash)
        self.heard.setdefault(tx_hash, Heard(event, at, pending))
        if event["tx"]["from"] == self.scene.cast.attacker:
            sent = self._attack_sent_at
            elapsed = (at - sent) * 1000 if sent is not None else None
            self.teller.alert(event, elapsed, pending)

    async def play(self) -> Result:
        """From the first honest transaction to the block with the attack."""
        traffic = asyncio.create_task(self._traffic())
        blocks = asyncio.create_task(self._blocks())
        try:
            return await _unless_failed(self._attack(), traffic, blocks)
        finally:
            for task in (traffic, blocks):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _attack(self) -> Result:
        await self._next_blocks(_QUIET_BLOCKS)
        attacker = self.scene.cast.attacker
        code = artifact("Attacker").creation(self.scene.vault.address)
        self.teller.attacker("deploys a contract")
        created = await self.rpc.send(attacker, None, code, gas=700_000, tip=2 * 10**9)
        receipt = await self.rpc.receipt(created, 3 * self.block_time)
        await asyncio.sleep(_ATTACK_AT * self.block_time)

        self.teller.attacker(f"sends attack() with {STAKE / ETHER:g} ETH: it waits in the pool for the next block")
        self._attack_sent_at = time.monotonic()
        attack = await self.rpc.send(
            attacker,
            receipt["contractAddress"],
            artifact("Attacker").calldata("attack()"),
            value=STAKE,
            gas=1_500_000,
            tip=3 * 10**9,
        )
        mined = await self.rpc.receipt(attack, 3 * self.block_time)
        mined_at = time.monotonic()
        await asyncio.sleep(0.5)  # an alert that comes late shall be seen to come late
        return await self._result(attack, mined, mined_at)

    async def _result(self, attack: str, receipt: Event, mined_at: float) -> Result:
        heard = self.heard.get(attack)
        block = int(receipt["blockNumber"], 16)
        honest = dict(self.scene.sent)
        return Result(
            attack_tx=attack,
            alert=heard.event if heard else None,
            pending_when_alerted=heard is not None and heard.pending,
            sent_to_alert_ms=(heard.at - (self._attack_sent_at or heard.at)) * 1000 if heard else None,
            alert_to_inclusion_ms=(mined_at - heard.at) * 1000 if heard else None,
            block=block,
            drained=receipt["status"] == "0x1",
            vault_before=await self._vault_at(block - 1),
            vault_after=await self._vault_at(block),
            honest_transactions=len(honest),
            false_alerts=tuple(
                FalseAlert(honest[tx_hash].user, honest[tx_hash].text, alert.event)
                for tx_hash, alert in self.heard.items()
                if tx_hash in honest
            ),
        )

    async def _vault_at(self, block: int) -> int:
        return int(await self.rpc.call("eth_getBalance", self.scene.vault.address, hex(block)), 16)

    async def _traffic(self) -> None:
        pause = self.block_time / _ACTIONS_PER_BLOCK
        self.teller.traffic(await self.scene.welcome())
        while True:
            await asyncio.sleep(pause * self.scene.dice.uniform(0.3, 1.7))
            self.teller.traffic(await self.scene.act())

    async def _blocks(self) -> None:
        known = await self.rpc.block_number()
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            while known < await self.rpc.block_number():
                known += 1
                block = await self.rpc.call("eth_getBlockByNumber", hex(known), False)
                self.teller.block(known, len(block["transactions"]))

    async def _next_blocks(self, count: int) -> None:
        target = await self.rpc.block_number() + count
        while await self.rpc.block_number() < target:
            await asyncio.sleep(_POLL_SECONDS)


async def _unless_failed(main: Awaitable[Result], *others: asyncio.Task[None]) -> Result:
    """The result of `main`, or the error of one of the others, which should never end."""
    task = asyncio.ensure_future(main)
    await asyncio.wait((task, *others), return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        if other.done():
            task.cancel()
            other.result()
    return await task
