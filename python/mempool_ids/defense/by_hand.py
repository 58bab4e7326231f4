"""Responses that a person asks for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from mempool_ids.config.values import lower_hash
from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.book import ASKED, Cause
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.journal import Journal, JournalThread
from mempool_ids.defense.ledger import Ledger
from mempool_ids.defense.on_chain import says_paused
from mempool_ids.defense.protected import find
from mempool_ids.defense.state import State
from mempool_ids.defense.trigger import Trigger
from mempool_ids.defense.upkeep import IDLE_S
from mempool_ids.exceptions import ConfigError, MempoolIdsError, NodeError

T = TypeVar("T")

log = logging.getLogger(__name__)

# How long an order waits for a node to say what the threat pays, and whether the contract is paused.
_ASK_S = 1.0


class ByHand:
    """As `DefenseExecutor` has it, which says what is raised."""

    def __init__(
        self,
        state: State,
        trigger: Trigger,
        chain: Chain,
        ledger: Ledger,
        journal: Journal,
        in_journal: JournalThread,
    ) -> None:
        self._state = state
        self._trigger = trigger
        self._chain = chain
        self._ledger = ledger
        self._journal = journal
        self._in_journal = in_journal

    async def execute(
        self, strategy: str, name: str, tx_hash: str | None, gas_price: int, urgency: str
    ) -> DefenseAction:
        target = find(self._state.targets, name)
        if strategy != target.strategy:
            raise ConfigError(f"{target.name} is configured for {target.strategy!r}, not {strategy!r}")
        if urgency not in list(Urgency):
            raise ConfigError(f"urgency {urgency!r} is none of {', '.join(Urgency)}")
        if tx_hash is not None:
            try:
                tx_hash = lower_hash(tx_hash)
            except ValueError as error:
                raise ConfigError(f"threat {tx_hash!r}: {error}") from None
        # A node that does not answer must not hold up a person.
        price, paused = self._price(tx_hash, gas_price), says_paused(self._chain, target)
        priced, is_paused = await asyncio.gather(_within(_ASK_S, price), _within(_ASK_S, paused))
        gas_price, max_fee = priced or (gas_price, gas_price)
        cause = Cause(
            tx_hash=tx_hash,
            sender="by hand",
            priced=Priced(gas_price=gas_price, tip=max(0, gas_price - self._state.base_fee)),
            max_fee=max_fee,
            grade="proved",
            urgency=Urgency(urgency),
            pause_gas=0,
            grave=True,
            reason=ASKED,
        )
        note = await asyncio.to_thread(
            lambda: self._trigger.by_hand(target.name, cause, is_paused=bool(is_paused))
        )
        if note.action_id is None:
            raise MempoolIdsError(note.decision)
        return await self.action(note.action_id)

    async def _price(self, tx_hash: str | None, given: int) -> tuple[int, int]:
        """What a threat pays a gas, and its fee cap: as a node knows it, else as given."""
        with contextlib.suppress(NodeError, ValueError):
            known = None if tx_hash is None else await self._chain.transaction(tx_hash)
            if known is not None:
                legacy = _quantity(known, "gasPrice", 0)
                max_fee = _quantity(known, "maxFeePerGas", legacy)
                tip = _quantity(known, "maxPriorityFeePerGas", legacy)
                return max(given, min(max_fee, self._state.base_fee + tip)), max_fee
        return given, given

    async def retry(self, action: DefenseAction) -> DefenseAction:
        if action.state is not ActionState.FAILED:
            raise MempoolIdsError(f"action {action.action_id} is {action.state}, not failed")
        price = self._state.base_fee + (action.max_priority_fee_per_gas or 0)
        threat = action.threats[0] if action.threats else None
        return await self.execute(action.strategy, action.target, threat, price, action.urgency)

    async def action(self, action_id: str) -> DefenseAction:
        for live in self._state.book.all():
            if live.action.action_id == action_id:
                return live.action
        await self._ledger.drain()
        for action in reversed(await self._in_journal(self._journal.actions)):
            if action.action_id == action_id:
                return action
        raise MempoolIdsError(f"there is no action {action_id}")


def _quantity(of: Mapping[str, Any], key: str, default: int) -> int:
    """As a node writes it in JSON, in hexadecimal.

    Raises:
        ValueError: it is no uint256.
    """
    text = of.get(key)
    if text is None:
        return default
    number = int(str(text), 16)
    if not 0 <= number < 2**256:
        raise ValueError(f"{key} is no uint256")
    return number


async def _within(seconds: float, asked: Awaitable[T]) -> T | None:
    """None where it takes longer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await asked
    return None


class Orders:
    """Pauses that somebody asks for beside the sensor (`mempool-ids defend pause`).

    Args:
        last: number of the last order that was there before the start: nobody waits for it any more.
    """

    def __init__(
        self,
        state: State,
        by_hand: ByHand,
        alarms: Alarms,
        journal: Journal,
        in_journal: JournalThread,
        last: int,
    ) -> None:
        self._state = state
        self._by_hand = by_hand
        self._alarms = alarms
        self._journal = journal
        self._in_journal = in_journal
        self._last = last

    async def run(self) -> None:
        while True:
            for order in await self._in_journal(lambda: self._journal.orders(self._last)):
                # Whatever becomes of it, once: a pause long after is a false one.
                self._last = order.number
                log.warning("defense: %s asks to pause %s", order.who, order.target)
                try:
                    strategy = find(self._state.targets, order.target).strategy
                    await self._by_hand.execute(
                        strategy, order.target, order.threat, order.gas_price, order.urgency
                    )
                except Exception as error:
                    # Whatever it is, who waits for it is told, and the next order is carried out.
                    if not isinstance(error, MempoolIdsError):
                        log.exception("defense: an order")
                    said = str(error) or type(error).__name__
                    reason = f"{order.who} asked to pause {order.target}: {said}"
                    self._alarms.tell("order refused", reason)
            await asyncio.sleep(IDLE_S)
