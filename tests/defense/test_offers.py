"""What goes to builders beside each other: nothing waits for what it does not need, and nothing is overtaken."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from coincurve import PrivateKey
from eth_account import Account

from mempool_ids.config import Url
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.amounts import GWEI
from mempool_ids.defense.armed import Fees
from mempool_ids.defense.book import Live
from mempool_ids.defense.broadcast.builders import Builder, shipped
from mempool_ids.defense.broadcast.bundle import Identity
from mempool_ids.defense.broadcast.relays import Relays
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.guardian import Loaded
from mempool_ids.defense.private import Private
from tests.defense.hot import Hot
from tests.defense.relay import Relay

HEAD = 10
FIELDS = {"chainId": 1, "nonce": 0, "gas": 21_000, "maxFeePerGas": 1, "maxPriorityFeePerGas": 1, "value": 0}
SIGNED = Account.from_key(b"\x05" * 32).sign_transaction({"type": 2, "to": "0x" + "11" * 20, **FIELDS})
HASH = "0x" + SIGNED.hash.hex()
#: As a node has it.
ATTACK = {
    **{key: hex(value) for key, value in {**FIELDS, "type": 2, "r": SIGNED.r, "s": SIGNED.s}.items()},
    "hash": HASH,
    "to": "0x" + "11" * 20,
    "input": "0x",
    "accessList": [],
    "v": hex(SIGNED.v),
    "yParity": hex(SIGNED.v),
}


class Slow:
    """A chain, and a payer, that answers once it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.asked = 0
        self.asked_for_fees = 0
        self.signer = self
        self.address = "0x" + "77" * 20

    async def transaction(self, _tx_hash: str) -> dict[str, Any]:
        self.asked += 1
        await self.may.wait()
        return ATTACK

    async def fees(self) -> Fees:
        self.asked_for_fees += 1
        await self.may.wait()
        return Fees(GWEI, GWEI)

    async def transfer(self, *_: Any) -> bytes:
        return b"\x02transfer"


@dataclass
class Offering:
    """Detections, a chain that does not answer yet, and builders on loopback."""

    hot: Hot
    chain: Slow
    relays: dict[str, Relay]
    private: Private
    alarms: list[str]
    _seen: dict[str, int] = field(default_factory=dict)

    def look(self, head: int = HEAD) -> None:
        self.private.look(self.hot.state.book.all(), head)

    def has(self, builder: str, live: Live, place: int = -1) -> int:
        """How many of its requests bear the bytes of this bid."""
        raw = live.sent[place].rung.raw.hex()
        return sum(raw in str(request) for request in self.relays[builder].requests)


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.001)


@asynccontextmanager
async def offering(*builders: Builder, timeout_s: float = 30.0) -> AsyncIterator[Offering]:
    alarms: list[str] = []
    async with AsyncExitStack() as stack:
        relays = {one.name: await stack.enter_async_context(Relay(one.name)) for one in builders}
        there = [one.model_copy(update={"url": Url(relays[one.name].url)}) for one in builders]
        # Longer than any test: what arrives did not wait for a timeout.
        sender = await stack.enter_async_context(
            Relays(there, Identity(PrivateKey(b"\x07" * 32)), timeout_s=timeout_s)
        )
        hot, chain = Hot("Vault", "Pool", "Bank", "Fund", limits={"actions": 99}, is_offered=True), Slow()
        private = Private(
            sender,
            there,
            chain,  # type: ignore[arg-type]
            Alarms(asyncio.get_running_loop(), lambda kind, reason: alarms.append(f"{kind}: {reason}")),
            {one.name: itertools.count(1) for one in builders},
            3,
            chain,  # type: ignore[arg-type]
            lambda *_: 1,
            hot.transfers.to_be_mined,
        )
        stack.push_async_callback(private.close)
        for relay in relays.values():
            # Before the listeners are closed, whatever a test held back goes on.
            stack.callback(relay.free.set)
        yield Offering(hot, chain, relays, private, alarms)


def named(name: str, **changes: Any) -> Builder:
    return shipped()[name].model_copy(update=changes)


async def test_a_pause_waits_neither_for_withdrawals_nor_for_a_slow_builder() -> None:
    async with offering(named("titan"), named("quasar")) as one:
        baits = ("Vault", "Pool", "Bank")
        for number, name in enumerate(baits):
            one.hot.alert(name, f"0x{number}")
        one.look()
        await until(lambda: len(one.relays["titan"].offers) >= 3 * len(baits), "the baits' bundles")
        one.relays["quasar"].free.clear()
        for name in baits:
            one.hot.end(name)
        one.hot.alert("Fund", "0x99")
        one.look()
        fund = one.hot.live("Fund")
        await until(lambda: one.has("titan", fund) == 4, "a private transaction and a bundle for each block")
        assert one.alarms == []


async def test_the_pause_goes_before_the_attack_and_the_transfer_are_known() -> None:
    pays = named("titan", transfer_to="0x" + "b1" * 20)
    async with offering(pays, named("buildernet")) as one:
        one.hot.alert("Vault", HASH)
        one.look()
        vault = one.hot.live("Vault")
        await until(lambda: one.has("titan", vault) == one.has("buildernet", vault) == 4, "the pause alone")
        assert {len(offer.txs) for offer in one.relays["titan"].offers.values()} == {1}
        one.chain.may.set()

        def sizes(name: str) -> list[int]:
            return sorted(len(offer.txs) for offer in one.relays[name].offers.values())

        await until(lambda: sizes("buildernet") == [1, 1, 1, 1, 2, 2, 2], "[pause, attack]")
        await until(lambda: sizes("titan") == [1, 2, 2, 2, 3, 3, 3], "the same with a transfer")
        assert one.chain.asked == 1, "of all builders once"
        assert one.alarms == []


async def test_what_follows_is_sought_while_the_builder_has_not_answered() -> None:
    async with offering(named("titan", transfer_to="0x" + "b1" * 20)) as one:
        one.relays["titan"].free.clear()
        one.hot.alert("Vault")
        one.look()
        await until(lambda: one.chain.asked == one.chain.asked_for_fees == 1, "both to be asked")


async def test_an_attack_that_another_followed_is_offered_no_more() -> None:
    async with offering(named("titan")) as one:
        relay, first, second = one.relays["titan"], "0x" + "01" * 32, "0x" + "02" * 32
        one.hot.alert("Vault", first)
        one.look()
        await until(lambda: len(relay.offers) == 4, "the pause alone")
        one.hot.alert("Vault", second)
        vault = one.hot.live("Vault")
        assert (vault.action.threats, len(vault.sent)) == ((first, second), 1)
        one.look(HEAD + 1)
        await until(lambda: one.chain.asked == 2, "both attacks to be asked for")
        one.chain.may.set()
        await until(lambda: not one.private._tasks, "all to be offered")
        assert [offer.reverting for offer in relay.offers.values() if len(offer.txs) == 2] == [{second}] * 3


async def test_what_does_not_answer_in_time_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mempool_ids.defense.private._MORE_S", 0.01)
    pays = named("titan", transfer_to="0x" + "b1" * 20)
    async with offering(pays) as one:
        one.hot.alert("Vault")
        one.look()
        await until(lambda: bool(one.alarms), "an alarm of the payer")
        assert one.alarms[0].startswith("payer: no transfer within 0.01 s")
        await until(lambda: len(one.relays["titan"].offers) == 4, "the pause itself")


@pytest.mark.parametrize("name", ["flashbots", "titan", "beaverbuild"])
async def test_a_builder_has_the_last_that_was_wanted_however_slow_it_was(name: str) -> None:
    async with offering(named(name)) as one:
        relay = one.relays[name]
        relay.free.clear()
        one.hot.alert("Vault")
        one.look()
        await until(lambda: len(relay.requests) >= 1, "the first bid")
        one.hot.alert("Vault", "0x02", tip=90 * GWEI)
        vault = one.hot.live("Vault")
        assert len(vault.sent) == 2
        one.look()
        one.look(HEAD + 1)
        relay.free.set()
        dearer = "0x" + vault.sent[1].rung.raw.hex()
        await until(lambda: one.has(name, vault, 1) >= 4, "the dearer bid on the newest head")
        bundles = [offer for offer in relay.offers.values() if offer.first == offer.last]
        assert {tuple(offer.txs) for offer in bundles if offer.first > HEAD + 1} <= {(dearer,)}
        one.hot.end("Vault")
        one.look(HEAD + 1)
        one.chain.may.set()
        await until(lambda: not one.private._tasks, "all of it to end")
        kept = [offer for offer in relay.offers.values() if offer.first == offer.last > HEAD + 1]
        assert kept == [], "it is withdrawn, and nothing came after that"
        one.look(HEAD + 1)
        assert one.private._lines == {}


async def test_a_mistake_with_one_builder_is_told_and_is_no_other_builders() -> None:
    async with offering(named("titan"), named("quasar")) as one:
        one.private._sequences = {"titan": iter(()), "quasar": itertools.count(1)}
        one.hot.alert("Vault")
        one.look()
        vault = one.hot.live("Vault")
        await until(lambda: one.has("quasar", vault) == 3, "what the other gets")
        await until(lambda: bool(one.alarms), "an alarm")
        assert f"response {vault.action.action_id} is not offered to titan" in one.alarms[0]


async def test_nothing_is_under_way_once_it_is_closed() -> None:
    async with offering(named("titan")) as one:
        one.relays["titan"].free.clear()
        one.hot.alert("Vault")
        one.look()
        await until(lambda: one.chain.asked == 1 and bool(one.relays["titan"].requests), "it to be under way")
        await one.private.close()
        assert not one.private._tasks
        assert [task for task in asyncio.all_tasks() if "offer" in task.get_name()] == []


async def test_heads_that_come_faster_than_answers_do_not_pile_up() -> None:
    async with offering(named("titan")) as one:
        one.relays["titan"].free.clear()
        one.hot.alert("Vault")
        for head in range(200):
            one.look(HEAD + head)
        assert len(one.private._tasks) == 32
        one.hot.alert("Vault", "0x02", tip=90 * GWEI)
        one.look(HEAD + 200)
        assert len(one.private._tasks) == 33, "another bid is always offered"


def offered(relay: Relay) -> set[str]:
    """Bytes that a bundle has for a block beyond the next one."""
    return {
        raw for offer in relay.offers.values() if offer.first == offer.last > HEAD + 1 for raw in offer.txs
    }


def raw_of(loaded: Loaded) -> str:
    return "0x" + loaded.rung.raw.hex()


@pytest.mark.parametrize("name", ["flashbots", "titan", "beaverbuild", "quasar"])
async def test_what_takes_a_pause_back_goes_to_builders_until_a_pause_replaces_it(name: str) -> None:
    async with offering(named(name)) as one:
        one.chain.may.set()
        relay, hot = one.relays[name], one.hot
        hot.alert("Vault")
        one.look()
        vault = hot.live("Vault")
        await until(lambda: offered(relay) == {raw_of(vault.sent[0])}, "the pause")
        for head in (HEAD, HEAD + 1):
            above = vault.guardian.out[0]
            transfer = hot.transfer(vault.guardian, 0, replacement(above))
            assert hot.transfers.withdraw(vault, transfer, above, is_done=True)
            one.look(head)
            raw = raw_of(transfer)
            await until(lambda raw=raw: offered(relay) == {raw}, "the transfer alone")  # type: ignore[misc]
            assert name == "quasar" or raw in relay.offers, "as a private transaction"
        hot.alert("Vault", "0x02", tip=90 * GWEI)
        assert not vault.withdrawn
        one.look(HEAD + 1)
        await until(lambda: offered(relay) == {raw_of(vault.sent[-1])}, "the pause above it alone")


async def test_what_fills_a_gap_goes_to_builders_until_its_nonce_is_used() -> None:
    async with offering(named("titan")) as one:
        relay, hot = one.relays["titan"], one.hot
        hot.alert("Vault", "0x01")
        hot.alert("Pool", "0x02")
        pool, guardian = hot.live("Pool"), hot.guardians[0]
        assert pool.action.nonce == 1
        hot.end("Vault")
        fill = hot.transfer(guardian, 0, replacement(guardian.out[0]))
        assert hot.transfers.fill(pool, fill, guardian.out[0])
        one.look()
        await until(lambda: offered(relay) == {raw_of(fill), raw_of(pool.sent[0])}, "both")
        with hot.state.lock:
            hot.state.seen(guardian, 1, 1, guardian.balance)
        one.look()
        await until(lambda: offered(relay) == {raw_of(pool.sent[0])}, "the pause")
        assert one.alarms == []


async def test_a_transfer_that_nothing_replaces_goes_with_the_pause_behind_it() -> None:
    async with offering(named("titan")) as one:
        relay, hot = one.relays["titan"], one.hot
        hot.alert("Vault")
        vault = hot.live("Vault")
        above = vault.guardian.out[0]
        transfer = hot.transfer(vault.guardian, 0, replacement(hot.fees[-1]))
        assert hot.transfers.withdraw(vault, transfer, above, is_done=True)
        hot.alert("Vault", "0x02", tip=90 * GWEI)
        assert (vault.action.nonce, vault.withdrawn) == (1, False)
        one.look()
        await until(lambda: offered(relay) == {raw_of(transfer), raw_of(vault.sent[-1])}, "both")
