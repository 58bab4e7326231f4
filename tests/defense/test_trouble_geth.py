"""The same trouble on geth, whose pool has rules of its own, and which makes a block every two seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mempool_ids.defense import book
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import next_block, ring
from tests.defense.scenes import Scene, takeover
from tests.defense.trouble import ENDS, check_journal, check_nonces, pending_of, put, until_alarm, withdraw
from tests.geth import Geth
from tests.scenarios.stage import GWEI

pytestmark = pytest.mark.timeout(90)
NAME, OTHER = "reentrancy 0", "takeover 1"


@pytest.fixture(scope="module")
def node(geth_binary: Path) -> Iterator[Node]:
    with Geth(geth_binary, period=2) as geth:
        yield geth


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


async def is_safe(scene: Scene) -> bool:
    return await scene.is_paused() and await scene.harm() == 0


async def test_a_stranger_that_waits_at_the_nonce_is_outbid(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        # Below every base fee to come: it waits for ever.
        await put(scene.stage, scene.guardian, nonce=0, tip=5, max_fee=5)
        await until_alarm(fight, "a transaction that is not ours waits at nonce 0")
        await next_block(rpc)
        attack = await scene.attack(2 * GWEI)
        ended = await fight.until_state(NAME, *ENDS)
        assert (ended.state, ended.won) == ("confirmed", True), fight.story()
        assert (await rpc.receipt(attack.tx_hash, 10))["status"] == "0x0"
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True]
    assert await is_safe(scene)


async def test_a_withdrawn_threat_takes_the_pause_with_it_and_the_next_is_answered(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "JUDGED_S", 0.0)
    other = await takeover(rpc, scene.guardian)
    async with ring(node, rpc, [scene, other], tmp_path) as fight:
        await next_block(rpc)
        await scene.attack(2 * GWEI)
        await fight.until_state(NAME, "sent")
        await withdraw(scene)
        ended = await fight.until_state(NAME, *ENDS)
        assert ended.state == "cancelled", fight.story()
        await next_block(rpc)
        await other.attack(2 * GWEI)
        ended = await fight.until_state(OTHER, *ENDS)
        assert (ended.state, ended.won) == ("confirmed", True), fight.story()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [False, True]
    assert not await scene.is_paused()
    assert await is_safe(other)
    check_journal(tmp_path)


async def test_a_cheap_threat_does_not_hold_up_the_answer_to_a_dear_one(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """One guardian: a block has its nonces in their order, by what each pays."""
    bait = await takeover(rpc, scene.guardian)
    async with ring(node, rpc, [scene, bait], tmp_path) as fight:
        await next_block(rpc)
        await bait.attack(GWEI)
        await fight.until_state(OTHER, "sent")
        attack = await scene.attack(30 * GWEI)
        ended = await fight.until_state(NAME, *ENDS)
        assert (ended.state, ended.won) == ("confirmed", True), fight.story()
        assert (await rpc.receipt(attack.tx_hash, 10))["status"] == "0x0"
        ended = await fight.until_state(OTHER, *ENDS)
        assert (ended.state, ended.won) == ("confirmed", True), fight.story()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True, True]
    assert await is_safe(scene)
    assert await is_safe(bait)


async def test_a_head_that_is_set_back_is_a_reorg(node: Node, rpc: Rpc, scene: Scene, tmp_path: Path) -> None:
    async with ring(node, rpc, [scene], tmp_path, depth=3) as fight:
        await next_block(rpc)
        await scene.attack(2 * GWEI)
        included = await fight.until_state(NAME, "included")
        assert included.block is not None
        await rpc.call("debug_setHead", hex(included.block - 1))
        ended = await fight.until_state(NAME, *ENDS)
        assert ended.state == "confirmed", fight.story()
        states = [one.state for one in fight.of(NAME)]
        assert states.count("included") == 2, states
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True]
    assert await scene.is_paused()
    assert await pending_of(rpc, scene.guardian.address) == {}
