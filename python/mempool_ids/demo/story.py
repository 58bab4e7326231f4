"""One run of the demo: honest traffic, an attack, and what the sensor says before the block comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from mempool_ids.demo.contracts import artifact
from mempool_ids.demo.result import Alert, FalseAlert, Result
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import ETHER, GWEI, Action, Scene

#: What the attacker stakes, in wei; each re-entry takes as much again.
STAKE = 10 * ETHER
_POLL_SECONDS = 0.02
#: When between two blocks the attack is sent, as a share of the block time.
_ATTACK_AT = 0.3
_ACTIONS_PER_BLOCK = 10
_QUIET_BLOCKS = 1
_LATE_SECONDS = 0.5


class Teller(Protocol):
    """Tells the story to somebody while it happens."""

    def note(self, text: str) -> None: ...
    def traffic(self, action: Action) -> None: ...
    def block(self, number: int, transactions: int) -> None: ...
    def attacker(self, text: str) -> None: ...
    def alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None: ...
    def other_alert(self, alert: Alert, who: str) -> None: ...


@dataclass(frozen=True)
class Heard:
    """An alert as it arrived."""

    event: Alert
    #: Seconds on the monotonic clock.
    at: float
    #: The node's answer, right after: no block has the transaction.
    pending: bool


@dataclass(frozen=True)
class Attack:
    """The attack, once a block has it. Times are seconds on the monotonic clock."""

    tx_hash: str
    sent_at: float
    mined_at: float
    receipt: dict[str, Any]


@dataclass
class Story:
    """Plays the scene against a running node; the sensor calls `hear` with each alert it notifies of."""

    rpc: Rpc
    scene: Scene
    teller: Teller
    block_time: float
    _heard: dict[str, Heard] = field(default_factory=dict)
    _attack_sent_at: float | None = None

    async def hear(self, event: Alert) -> None:
        """Takes one alert, in the event log's form."""
        at = time.monotonic()
        transaction = event["tx"]
        pending = await self.rpc.is_pending(transaction["hash"])
        self._heard.setdefault(transaction["hash"], Heard(event, at, pending))
        if transaction["from"] != self.scene.cast.attacker:
            self.teller.other_alert(event, "an honest user")
        elif self._attack_sent_at is None:
            self.teller.other_alert(event, "the attacker, before the attack")
        else:
            self.teller.alert(event, (at - self._attack_sent_at) * 1000, pending)

    async def play(self) -> Attack:
        """From the first honest transaction to the block with the attack.

        Raises:
            TimeoutError: the node mined nothing for three blocks' time.
        """
        traffic = asyncio.create_task(self._traffic())
        blocks = asyncio.create_task(self._blocks())
        try:
            return await _unless_failed(self._attack(), traffic, blocks)
        finally:
            for task in (traffic, blocks):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _attack(self) -> Attack:
        await self._next_blocks(_QUIET_BLOCKS)
        attacker = self.scene.cast.attacker
        self.teller.attacker("deploys a contract")
        code = artifact("Attacker").creation(self.scene.vault.address)
        created = await self.rpc.send(attacker, None, code, gas=700_000, tip=2 * GWEI)
        contract = (await self.rpc.receipt(created, 3 * self.block_time))["contractAddress"]
        await asyncio.sleep(_ATTACK_AT * self.block_time)

        self.teller.attacker(
            f"calls attack() with {STAKE / ETHER:g} ETH; it waits in the pool for the next block"
        )
        calldata = artifact("Attacker").calldata("attack()")
        self._attack_sent_at = sent_at = time.monotonic()
        attack = await self.rpc.send(attacker, contract, calldata, value=STAKE, gas=1_500_000, tip=3 * GWEI)
        receipt = await self.rpc.receipt(attack, 3 * self.block_time)
        mined_at = time.monotonic()
        await asyncio.sleep(_LATE_SECONDS)  # an alert that comes late shall be seen to come late
        return Attack(attack, sent_at, mined_at, receipt)

    async def result(self, attack: Attack, alerts: Iterable[Alert]) -> Result:
        """Judges the run by all alerts of the event log, muted ones included."""
        heard = self._heard.get(attack.tx_hash)
        block = int(attack.receipt["blockNumber"], 16)
        honest = self.scene.sent
        return Result(
            attack_tx=attack.tx_hash,
            alert=heard.event if heard else None,
            pending_when_alerted=heard is not None and heard.pending,
            sent_to_alert_ms=(heard.at - attack.sent_at) * 1000 if heard else None,
            alert_to_inclusion_ms=(attack.mined_at - heard.at) * 1000 if heard else None,
            block=block,
            drained=attack.receipt["status"] == "0x1",
            vault_before=await self._vault_at(block - 1),
            vault_after=await self._vault_at(block),
            honest_transactions=len(honest),
            false_alerts=tuple(
                FalseAlert(honest[alert["tx"]["hash"]].user, honest[alert["tx"]["hash"]].text, alert)
                for alert in alerts
                if alert["tx"]["hash"] in honest
            ),
        )

    async def _vault_at(self, block: int) -> int:
        return int(await self.rpc.call("eth_getBalance", self.scene.vault.address, hex(block)), 16)

    async def _traffic(self) -> None:
        self.teller.traffic(await self.scene.welcome())
        while True:
            await asyncio.sleep(self.block_time / _ACTIONS_PER_BLOCK * self.scene.dice.uniform(0.3, 1.7))
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
        while await self.rpc.block_number() < target:  # noqa: ASYNC110  (a node, not a task, makes blocks)
            await asyncio.sleep(_POLL_SECONDS)


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
