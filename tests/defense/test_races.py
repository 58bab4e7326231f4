"""The pause comes before the attack, whatever the attack is and however often it raises its bid."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import GWEI, Ring, name_of, next_block, ring
from tests.defense.scenes import STAGES, Scene
from tests.defense.trouble import PAUSE, pending_of, until
from tests.nodes import KINDS, mining

#: Races of each kind on each node; `RACES=17 pytest tests/defense/test_races.py` are 51 on each.
RACES = int(os.environ.get("RACES", "1"))
pytestmark = pytest.mark.timeout(120 + 60 * RACES)


@pytest.fixture(params=KINDS)
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A block every three seconds: an attack is pending for a while."""
    with mining(request, 3) as running:
        yield running


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


async def scenes_of(rpc: Rpc, each: int) -> list[Scene]:
    scenes: list[Scene] = []
    for _ in range(each):
        for deploy in STAGES.values():
            scenes.append(await deploy(rpc, scenes[0].guardian if scenes else None))
    return scenes


async def race(fight: Ring, scene: Scene, name: str) -> None:
    """An attack that raises its bid twice; each bid is outbid in the pool before the next, all within one block's time,
    and the last of them is in the pause's block, behind it."""
    honest = await scene.honest()
    await next_block(fight.rpc)
    bids = [await scene.attack(2 * GWEI)]
    await fight.until_alerted(bids[0].tx_hash)
    await until_outbid(fight, scene)
    for tip in (5 * GWEI, 12 * GWEI):
        bids.append(await scene.escalate(tip))
        await fight.until_alerted(bids[-1].tx_hash)
        await until_outbid(fight, scene)
    ended = await fight.until_state(name, "confirmed", "failed", "superseded", "cancelled")
    assert ended.state == "confirmed", fight.story()
    assert ended.tx_hash is not None
    pause, succeeded = await fight.place(ended.tx_hash)
    assert succeeded
    landed = [bid for bid in bids if await fight.rpc.call("eth_getTransactionReceipt", bid.tx_hash)]
    assert landed == bids[-1:], fight.story()
    attack, hit = await fight.place(landed[0].tx_hash)
    assert not hit
    assert (attack[0], pause < attack) == (pause[0], True), fight.story()
    assert ended.won
    assert await scene.harm() == 0
    assert await scene.is_paused()
    for tx_hash in honest:
        _, done = await fight.place(tx_hash)
        assert done


async def until_outbid(fight: Ring, scene: Scene) -> None:
    """Until the pool has a pause that pays more a gas than the attack's last bid."""
    last, guardian = scene.sent[-1], scene.guardian.address

    async def is_outbid() -> bool:
        pending = (await pending_of(fight.rpc, guardian)).values()
        tips = [int(one["maxPriorityFeePerGas"], 16) for one in pending if one["input"].startswith(PAUSE)]
        return max(tips, default=0) > last.tip

    await until(is_outbid, "a pause above the attack's bid")


async def test_the_pause_comes_first(node: Node, rpc: Rpc, tmp_path: Path) -> None:
    scenes = await scenes_of(rpc, RACES)
    async with ring(node, rpc, scenes, tmp_path) as fight:
        for scene in scenes:
            await race(fight, scene, name_of(scenes, scene))
        statistics = fight.engine.get_statistics().defense
    assert statistics is not None
    assert statistics["won"] == len(scenes), statistics
    assert statistics["lost"] == 0
