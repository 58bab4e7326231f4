"""An armed sensor that sends to a builder alone: nothing of it is in the public pool before its block."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_account import Account

from mempool_ids.defense import book
from mempool_ids.defense.chain import Head
from mempool_ids.defense.journal import Journal, JournalError
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import GWEI, Ring, key, name_of, ring
from tests.defense.relay import OrderedAnvil, Relay, hash_of
from tests.defense.scenes import STAGES, Scene, reentrancy
from tests.defense.trouble import PAUSE, check_nonces, withdraw

PAYER = "MEMPOOL_IDS_TEST_PAYER"
BUILDER = "0x" + "b1" * 20
IDENTITY = "MEMPOOL_IDS_TEST_IDENTITY"
pytestmark = pytest.mark.timeout(120)


def builders_file(folder: Path, relay: Relay) -> Path:
    path = folder / "builders.toml"
    path.write_text(
        f"""\
[[builders]]
name = "here"
url = "{relay.url}"
chains = [31337]
signature = "required"
bundle = "eth_sendBundle"
block = "only"
replacement = {{ id = "replacementUuid" }}
cancel = "method"
reverting = "revertingTxHashes"
"""
    )
    return path


@dataclass(frozen=True)
class Arena:
    fight: Ring
    scenes: list[Scene]
    relay: Relay

    @property
    def scene(self) -> Scene:
        return self.scenes[0]

    def name_of(self, scene: Scene) -> str:
        return name_of(self.scenes, scene)


async def offered(fight: Ring, relay: Relay) -> None:
    await fight.until(lambda: len(relay.offers) >= 6, "two bundles for each of three blocks")


async def fill_up(fight: Ring) -> None:
    """From now on the journal finds no room, not for a number."""
    defense = fight.engine._defense
    assert defense is not None
    ledger = defense._run.ledger

    def no_more_pages() -> None:
        connection = ledger._journal._database._connection
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        connection.rollback()
        with pytest.raises(JournalError, match="full"):
            list(iter(lambda: ledger._journal.next_sequence("here"), 0))

    await ledger._in_journal(no_more_pages)


async def test_a_builder_who_ranks_by_transfers_is_paid_by_the_payer(
    anvil_binary: Path, tmp_path: Path
) -> None:
    os.environ[IDENTITY], os.environ[PAYER] = key(), key()
    payer = str(Account.from_key(os.environ[PAYER]).address).lower()
    with OrderedAnvil(anvil_binary) as node:
        async with Rpc(node.http_url) as rpc, Relay("flashbots", rpc) as relay:
            scene = await STAGES["reentrancy"](rpc)
            await rpc.call("anvil_setBalance", payer, hex(10**18))
            path = builders_file(tmp_path, relay)
            path.write_text(f'{path.read_text()}transfer_to = "{BUILDER}"\n')
            broadcast = {
                "public": False,
                "builders": ["here"],
                "builders_file": str(path),
                "identity": f"env:{IDENTITY}",
                "payer": {"type": "environment", "key": f"env:{PAYER}"},
            }
            async with ring(node, rpc, [scene], tmp_path, broadcast=broadcast) as fight:
                name = name_of([scene], scene)
                attack = await scene.attack(2 * GWEI)
                await offered(fight, relay)
                mined = await relay.build()
                # The builder tries bundles on the node itself: a head that it saw there may have raised the bid.
                assert mined[0] in [one.tx_hash for one in fight.of(name, "sent")]
                assert mined[2] == attack.tx_hash
                paid = await rpc.balance(BUILDER)
                assert 0 < paid < 10**18
                # What it was worth to the builder by fees, once more.
                tip = fight.of(name, "sent")[-1].max_priority_fee_per_gas
                assert tip is not None
                assert paid <= tip * 60_000
                await fight.until_state(name, "included")
            assert await scene.harm() == 0
            assert await rpc.balance(payer) < 10**18 - paid


async def test_a_builder_puts_the_pause_before_the_attack(anvil_binary: Path, tmp_path: Path) -> None:
    os.environ[IDENTITY] = key()
    with OrderedAnvil(anvil_binary) as node:
        async with Rpc(node.http_url) as rpc, Relay("flashbots", rpc) as relay:
            scene = await STAGES["reentrancy"](rpc)
            broadcast = {
                "public": False,
                "builders": ["here"],
                "builders_file": str(builders_file(tmp_path, relay)),
                "identity": f"env:{IDENTITY}",
            }
            async with ring(node, rpc, [scene], tmp_path, broadcast=broadcast) as fight:
                name = name_of([scene], scene)
                attack = await scene.attack(2 * GWEI)
                await fight.until_state(name, "sent")
                await offered(fight, relay)
                pool = await rpc.call("txpool_content")
                assert scene.guardian.address not in {sender.lower() for sender in pool["pending"]}
                mined = await relay.build()
                assert mined[0] in [one.tx_hash for one in fight.of(name, "sent")]
                assert mined[1] == attack.tx_hash
                await fight.until_state(name, "included")
                await rpc.mine()
                ended = await fight.until_state(name, "confirmed", "failed")
            assert (ended.state, ended.won) == ("confirmed", True)
            assert await scene.harm() == 0
            assert {hash_of(offer.txs[0]) for offer in relay.offers.values()} <= {
                one.tx_hash for one in fight.of(name, "sent")
            }


@asynccontextmanager
async def private_ring(node: OrderedAnvil, folder: Path, contracts: int = 1) -> AsyncIterator[Arena]:
    """A sensor, and the only builder that it sends to."""
    os.environ[IDENTITY] = key()
    async with Rpc(node.http_url) as rpc, Relay("flashbots", rpc) as relay:
        scenes = [await reentrancy(rpc)]
        scenes += [await reentrancy(rpc, scenes[0].guardian) for _ in range(contracts - 1)]
        broadcast = {
            "public": False,
            "builders": ["here"],
            "builders_file": str(builders_file(folder, relay)),
            "identity": f"env:{IDENTITY}",
        }
        async with ring(node, rpc, scenes, folder, broadcast=broadcast) as fight:
            yield Arena(fight, scenes, relay)


async def test_a_disk_that_is_full_keeps_nothing_from_builders(anvil_binary: Path, tmp_path: Path) -> None:
    with OrderedAnvil(anvil_binary) as node:
        async with private_ring(node, tmp_path) as arena:
            fight = arena.fight
            await fill_up(fight)
            await arena.scene.attack(2 * GWEI)
            await offered(fight, arena.relay)
            await arena.relay.build()
            assert await arena.scene.harm() == 0


async def test_a_start_on_a_full_disk_still_counts_upwards(
    anvil_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise JournalError("full")

    monkeypatch.setattr(Journal, "next_sequence", full)
    with OrderedAnvil(anvil_binary) as node:
        async with private_ring(node, tmp_path) as arena:
            await arena.scene.attack(2 * GWEI)
            await offered(arena.fight, arena.relay)


async def test_builders_have_the_pause_while_the_watch_waits_for_nodes(
    anvil_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OrderedAnvil(anvil_binary) as node:
        async with private_ring(node, tmp_path) as arena:
            fight = arena.fight
            assert fight.engine._defense is not None
            waits = asyncio.Event()

            async def wait(_head: Head) -> None:
                waits.set()
                await asyncio.Event().wait()

            monkeypatch.setattr(fight.engine._defense._run.watch, "look", wait)
            await fight.until(waits.is_set, "the watch to wait")
            await arena.scene.attack(2 * GWEI)
            await offered(fight, arena.relay)
            await arena.relay.build()
            assert await arena.scene.harm() == 0


async def test_a_bait_that_is_withdrawn_leaves_its_nonce_to_the_next_contract(
    anvil_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "JUDGED_S", 0.0)
    with OrderedAnvil(anvil_binary) as node:
        async with private_ring(node, tmp_path, contracts=2) as arena:
            fight, relay = arena.fight, arena.relay
            bait, real = arena.scenes
            await bait.attack(2 * GWEI)
            await offered(fight, relay)
            await withdraw(bait)

            def is_taken_back() -> bool:
                offered = {raw for offer in relay.offers.values() for raw in offer.txs}
                return bool(offered) and all(PAUSE[2:] not in raw for raw in offered)

            await fight.until(is_taken_back, "the pause to be taken back, and no bundle of it")
            await relay.build()
            await fight.until_state(arena.name_of(bait), "cancelled")
            await fight.until(lambda: not relay.offers, "nothing more to be offered")
            await real.attack(2 * GWEI)
            await offered(fight, relay)
            await relay.build()
            await fight.until_state(arena.name_of(real), "included")
            assert await real.harm() == 0
            assert not await bait.is_paused()
            assert [one.is_pause for one in await check_nonces(fight.rpc, bait.guardian)] == [False, True]
