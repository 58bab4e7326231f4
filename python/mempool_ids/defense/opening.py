"""Builds a defense from a configuration: opens signers, journal and nodes, and takes up what a former process left."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial

from mempool_ids.config import IDSConfig
from mempool_ids.config.defense import Signer as SignerSection
from mempool_ids.defense import recovery
from mempool_ids.defense.alarms import Alarms, OnAlarm
from mempool_ids.defense.armed import Kind, Rung
from mempool_ids.defense.arming import Armory
from mempool_ids.defense.asking import Asking
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.broadcast.builders import Builder, chosen
from mempool_ids.defense.broadcast.bundle import Identity
from mempool_ids.defense.broadcast.relays import Relays
from mempool_ids.defense.broadcast.wire import Wire
from mempool_ids.defense.by_hand import ByHand, Orders
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.confirm import ConfirmPage
from mempool_ids.defense.exact import Exact
from mempool_ids.defense.gas import GasStrategy
from mempool_ids.defense.guardian import Guardian
from mempool_ids.defense.journal import Journal, JournalError, JournalThread, Marks
from mempool_ids.defense.ledger import Ledger, OnChange
from mempool_ids.defense.outlet import Outlet
from mempool_ids.defense.pace import block_s
from mempool_ids.defense.payer import Payer
from mempool_ids.defense.policy import Policy
from mempool_ids.defense.private import Private
from mempool_ids.defense.protected import check_recipients, find, protected
from mempool_ids.defense.pruning import Pruning
from mempool_ids.defense.rails import Rails
from mempool_ids.defense.signers import Signer, signer
from mempool_ids.defense.signers.local import LocalSigner
from mempool_ids.defense.state import Change, State
from mempool_ids.defense.transfers import Transfers
from mempool_ids.defense.trigger import Trigger
from mempool_ids.defense.upkeep import Rehearsals, Upkeep
from mempool_ids.defense.watch import Watch
from mempool_ids.exceptions import ConfigError, NodeError

# A thread of this process that computes (arming, the user's own) gives way to the one that answers after so long; by
# Python's default it is ten times that.
_SWITCH_S = 0.0005
# Of a sequence number, what one process counts: a million requests to a builder. All of it stays below 2^53.
_IN_PROCESS_BITS = 20


@dataclass(frozen=True, slots=True)
class Running:
    """What there is once it is open."""

    state: State
    trigger: Trigger
    watch: Watch
    upkeep: Upkeep
    ledger: Ledger
    alarms: Alarms
    asking: Asking
    by_hand: ByHand
    orders: Orders
    pruning: Pruning
    wire: Wire | None
    private: Private | None


class Opening:
    """What is opened is closed with `stack`, the last first.

    Args:
        on_change, on_alarm, rehearsals, only: as `DefenseExecutor` has them.
    """

    def __init__(
        self,
        config: IDSConfig,
        stack: AsyncExitStack,
        on_change: OnChange | None,
        on_alarm: OnAlarm | None,
        rehearsals: Rehearsals,
        only: str | None,
    ) -> None:
        self._config = config
        self._defense = config.defense
        self._stack = stack
        self._on_change = on_change
        self._on_alarm = on_alarm
        self._rehearsals = rehearsals
        self._only = only
        self._in_journal = JournalThread()
        stack.callback(self._in_journal.close)

    async def open(self) -> Running:
        """As `DefenseExecutor.start`, which says what is raised."""
        config, defense, in_journal = self._config, self._defense, self._in_journal
        chain_id = config.chain.id
        targets = protected(config.contracts)
        if not targets:
            raise ConfigError("no contract has a `pause`: there is nothing to defend with")
        chain = Chain(config.chain.rpc_urls, chain_id)
        self._stack.push_async_callback(chain.close)
        if wrong := await chain.leave_out_wrong():
            raise NodeError("; ".join(wrong))
        head = await chain.head()
        kind = head.kind(defense.gas.kind)
        guardians = await self._open_guardians()
        if defense.armed:
            await _refuse_delegated(chain, guardians)
        await check_recipients(config.contracts, chain.call, chain_id)
        journal = await in_journal(
            lambda: Journal(defense.journal, chain_id=chain_id, guardian=guardians[0].address)
        )
        self._stack.push_async_callback(in_journal, journal.close)
        for guardian in guardians[1:]:
            await in_journal(partial(journal.add_guardian, guardian.address))

        async def arm(rungs: list[Rung]) -> None:
            await in_journal(lambda: journal.arm(rungs))

        marks, exact, wire = await self._open_ways(guardians, kind)
        is_offered = bool(defense.broadcast.builders)
        outlet = Outlet(wire, marks, exact, defense.exact, is_offered, lambda *said: watch.answered(*said))
        loop = asyncio.get_running_loop()
        alarms = Alarms(loop, self._on_alarm)
        signed = list if exact is None else exact.take
        ledger = Ledger(loop, journal, in_journal, alarms, self._on_change, signed, marks)
        self._stack.push_async_callback(ledger.drain)
        gas = GasStrategy(defense.gas)

        def told(change: Change) -> None:
            ledger.note(change)
            upkeep.offer_soon()

        state = State(
            gas=gas,
            rails=Rails(defense.rails, gas.daily_budget),
            targets=targets,
            guardians=guardians,
            tell=told,
        )
        asking = Asking(state, ledger, journal, in_journal, lambda: watch.wake.set())
        await self._open_page(asking)
        by_fee_cap = await chain.orders_by_fee_cap()
        bids = Bids(state, outlet, by_fee_cap=by_fee_cap, legacy=kind == "legacy")
        trigger = Trigger(state, bids, Policy(config), confirm_s=defense.confirm.seconds)
        transfers = Transfers(state, bids, outlet)
        watch = Watch(
            state,
            bids,
            transfers,
            chain,
            chain_id,
            kind,
            defense.depth,
            default_act=defense.confirm.default == "act",
            cancels=defense.when_gone == "cancel",
            arm=arm,
            alarms=alarms,
            human=asking.answer,
            refuse=trigger.refuse,
        )

        armories = [(one, Armory(defense, gas, one, chain_id, kind, arm, state.lock)) for one in guardians]
        payer = await self._open_payer(chain, kind, gas, guardians, arm)
        private = await self._open_private(chain, alarms, journal, bids, transfers, payer, guardians)
        upkeep = Upkeep(
            defense,
            chain,
            state,
            watch,
            private,
            wire,
            armories,
            alarms,
            self._rehearsals,
            block_s=block_s(config.chain),
            only=None if self._only is None else find(targets, self._only),
        )
        spent = await _spent(chain, await in_journal(lambda: recovery.unsettled(journal)))
        left = await in_journal(lambda: recovery.read(journal, marks, exact, spent))
        self._take_up(left, state, bids, ledger, alarms)
        # After what a former process sent is known: else it would look like a stranger's.
        await upkeep.see(head)
        ordered = max((order.number for order in await in_journal(lambda: journal.orders(0))), default=0)
        by_hand = ByHand(state, trigger, chain, ledger, journal, in_journal)
        orders = Orders(state, by_hand, alarms, journal, in_journal, ordered)
        former = set(await in_journal(journal.guardians)) - state.by_address.keys()
        pruning = Pruning(journal, in_journal, marks, await _latest(chain, former), guardians, alarms)
        return Running(
            state, trigger, watch, upkeep, ledger, alarms, asking, by_hand, orders, pruning, wire, private
        )

    async def _open_guardians(self) -> list[Guardian]:
        defense = self._defense
        if defense.armed and defense.signer is None:
            raise ConfigError(
                "defense.armed without defense.signer: who is to sign? docs/signers.md has the kinds, for example "
                'signer = { type = "keystore", path = "guardian.json", password = "env:GUARDIAN_PASSWORD" }'
            )
        if not defense.armed and defense.guardian is not None:
            return [Guardian(defense.guardian, None)]
        sections = [one for one in (defense.signer, defense.backup) if one is not None]
        if not sections:
            raise ConfigError("defense.shadow needs defense.guardian (an address) or defense.signer")
        guardians = []
        for section in sections:
            one = await self._open_signer(section)
            guardians.append(Guardian(one.address, one if defense.armed else None))
        if defense.guardian is not None and defense.guardian != guardians[0].address:
            raise ConfigError(
                f"defense.guardian is {defense.guardian}, and defense.signer signs as {guardians[0].address}: leave "
                "the first out, or use the key of that account"
            )
        if len({guardian.address for guardian in guardians}) != len(guardians):
            raise ConfigError(
                "defense.backup is the same key as defense.signer: it makes nothing independent"
            )
        return guardians

    async def _open_signer(self, section: SignerSection) -> Signer:
        one = signer(section)
        self._stack.push_async_callback(one.close)
        await one.open(self._config.chain.id)
        return one

    async def _open_ways(
        self, guardians: list[Guardian], kind: Kind
    ) -> tuple[Marks | None, Exact | None, Wire | None]:
        """None of them in shadow mode."""
        config, path = self._config, self._defense.journal
        if not self._defense.armed:
            return None, None, None
        self._stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_SWITCH_S)
        marks = await self._in_journal(lambda: Marks.beside(path))
        self._stack.callback(marks.close)
        exact = None
        if any(isinstance(guardian.signer, LocalSigner) for guardian in guardians):
            exact = await self._in_journal(lambda: Exact(path, config.chain.id, kind))
            self._stack.callback(exact.close)
        wire = Wire(config.chain.rpc_urls if self._defense.broadcast.public else ())
        self._stack.callback(wire.close)
        return marks, exact, wire

    async def _open_page(self, asking: Asking) -> None:
        confirm = self._defense.confirm
        if not confirm.seconds or not confirm.listen:
            return
        outside = None if confirm.url is None else confirm.url.full
        page = ConfirmPage(confirm.listen, outside, asking.describe, asking.take)
        self._stack.push_async_callback(page.stop)
        await page.start()
        asking.link = page.link

    async def _open_payer(
        self,
        chain: Chain,
        kind: Kind,
        gas: GasStrategy,
        guardians: list[Guardian],
        arm: Callable[[list[Rung]], Awaitable[None]],
    ) -> Payer | None:
        section = self._defense.broadcast
        if not section.builders or not self._defense.armed or section.payer is None:
            return None
        one = await self._open_signer(section.payer)
        if one.address in [guardian.address for guardian in guardians]:
            raise ConfigError(
                "defense.broadcast.payer is a guardian: its transfers would take nonces of pauses"
            )
        return Payer(one, chain, self._config.chain.id, kind, gas.min_tip, gas.max_fee, arm)

    async def _open_private(
        self,
        chain: Chain,
        alarms: Alarms,
        journal: Journal,
        bids: Bids,
        transfers: Transfers,
        payer: Payer | None,
        guardians: list[Guardian],
    ) -> Private | None:
        section = self._defense.broadcast
        if not section.builders or not self._defense.armed:
            return None
        builders = chosen(section.builders, self._config.chain.id, section.builders_file)
        whose = [guardian.address for guardian in guardians]
        identity = None if section.identity is None else Identity.load(section.identity, whose)
        relays = Relays(builders, identity)
        self._stack.push_async_callback(relays.close)
        private = Private(
            relays,
            builders,
            chain,
            alarms,
            {one.name: await self._sequence(journal, one) for one in builders},
            section.blocks,
            payer,
            bids.promise,
            transfers.to_be_mined,
        )
        self._stack.push_async_callback(private.close)
        return private

    async def _sequence(self, journal: Journal, builder: Builder) -> Iterator[int]:
        """The journal counts the processes, and each process what it sends: a disk that is full, or busy, keeps no
        pause from a builder. Where not even that can be written, seconds count: what the next process gives is lower
        then, and matters for the blocks alone that were offered before."""
        try:
            process = await self._in_journal(lambda: journal.next_sequence(builder.name))
        except JournalError:
            process = int(time.time())
        return itertools.count((process << _IN_PROCESS_BITS) + 1)

    def _take_up(self, left: recovery.Left, state: State, bids: Bids, ledger: Ledger, alarms: Alarms) -> None:
        state.rails.restore(left.past)
        for rung in left.out:
            if rung.guardian in state.by_address:
                state.by_address[rung.guardian].went_out(rung.nonce, rung.fees)
        # What was written and not told before the end is told now; who knows it passes it over.
        for action in left.recent:
            for transition in action.history:
                if self._on_change is not None:
                    self._on_change(action, transition)
        for found in left.found:
            ledger.adopt(found.action)
            recovery.resume(found, state, bids, time.time(), alarms.tell)


async def _refuse_delegated(chain: Chain, guardians: list[Guardian]) -> None:
    """Pools take one transaction at a time of an account with code (EIP-7702)."""
    for guardian in guardians:
        if await chain.code(guardian.address):
            raise ConfigError(
                f"guardian {guardian.address} has code (EIP-7702): use an account that has delegated nothing"
            )


async def _latest(chain: Chain, accounts: Iterable[str]) -> dict[str, int]:
    """The next nonce of each, by the chain."""
    return {account: (await chain.nonces(account))[0] for account in accounts}


async def _spent(chain: Chain, rungs: list[Rung]) -> dict[str, int]:
    """Wei that blocks have of these, by hash: 0 where they gave the nonce to something else. What may still be mined
    is left out, and of what nobody says whether it was."""
    latest = await _latest(chain, {rung.guardian for rung in rungs})
    spent: dict[str, int] = {}
    for rung in rungs:
        if rung.nonce < latest[rung.guardian]:
            with suppress(NodeError):
                receipt = await chain.receipt(rung.tx_hash)
                spent[rung.tx_hash] = 0 if receipt is None else receipt.cost
    return spent
