"""An armed sensor that sends to a builder alone: nothing of it is in the public pool before its block."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from eth_account import Account

from mempool_ids.demo.rpc import Rpc
from tests.defense.races import GWEI, key, name_of, ring
from tests.defense.relay import OrderedAnvil, Relay, hash_of
from tests.defense.scenes import STAGES

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
block_needed = true
replacement = {{ id = "replacementUuid" }}
cancel = "method"
reverting = "revertingTxHashes"
"""
    )
    return path


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
                await fight.until(lambda: len(relay.offers) >= 6, "two bundles for each of three blocks")
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
                await fight.until(lambda: len(relay.offers) >= 6, "two bundles for each of three blocks")
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
