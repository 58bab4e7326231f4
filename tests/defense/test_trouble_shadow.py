"""Shadow mode sends nothing, whatever happens, and says what would have been."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.journal import Journal
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.liar import Liar, liar
from tests.defense.races import Ring, configuration, name_of
from tests.defense.scenes import Scene, reentrancy, takeover
from tests.defense.trouble import (
    check_journal,
    head_seen,
    mine_to_end,
    mined_by,
    pending_of,
    put,
    sensor,
    settings,
    toml_file,
    with_urls,
    withdraw,
)
from tests.e2e.harness import run
from tests.scenarios.stage import GWEI, Actor

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def ear(node: Node) -> Iterator[Liar]:
    """Hears all that the defense asks."""
    with liar(node.port) as teller:
        yield teller


#: The highest bid is below what a dear attack pays.
CAPS = {"max_fee_gwei": 60, "max_cost_eth": 0.4, "daily_budget_eth": 50.0}


async def crowd(scene: Scene, tips: list[int]) -> None:
    """Others in the same block."""
    for number, tip in enumerate(tips):
        someone = scene.stage.deployer
        nonce = someone.nonce + number
        await put(scene.stage, someone, nonce=nonce, tip=tip, max_fee=200 * GWEI)
    scene.stage.deployer.nonce += len(tips)


async def test_it_rehearses_wins_losses_and_withdrawals_and_sends_nothing(
    ear: Liar, node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    scenes = [await reentrancy(rpc)]
    scenes += [await takeover(rpc, scenes[0].guardian), await reentrancy(rpc, scenes[0].guardian)]
    cheap, dear, bait = scenes
    names = [name_of(scenes, scene) for scene in scenes]
    shadow: dict[str, Any] = {
        "armed": False,
        "shadow": True,
        "signer": None,
        "guardian": scenes[0].guardian.address,
        "gas": CAPS,
    }
    config = with_urls(configuration(node, scenes, tmp_path, **shadow), ear.url)
    async with sensor(config, rpc, tmp_path) as fight:
        await bait.attack(2 * GWEI)
        await would_be_sent(fight, names[2])
        await withdraw(bait)
        await fight.until_state(names[2], "cancelled")

        await cheap.attack(2 * GWEI)
        sent = await would_be_sent(fight, names[0])
        assert sent.tx_hash is None
        # The attack stands behind these by its tip; the pause would have stood before all but the first.
        await crowd(cheap, [70 * GWEI, 4 * GWEI, 3 * GWEI])
        ended = await mine_to_end(fight, names[0])
        won = ended[names[0]]
        assert (won.state, won.won, won.shadow, won.position) == ("confirmed", True, True, 1), fight.story()

        await dear.attack(90 * GWEI)
        await would_be_sent(fight, names[1])
        ended = await mine_to_end(fight, names[1])
        lost = ended[names[1]]
        assert (lost.state, lost.won, lost.capped) == ("failed", False, True), fight.story()
        assert "too late" in lost.reason
    assert ear.asked["eth_sendRawTransaction"] == 0
    assert ear.asked["eth_getBlockByNumber"] > 0
    assert await mined_by(rpc, scenes[0].guardian.address) == []
    assert await pending_of(rpc, scenes[0].guardian.address) == {}
    check_journal(tmp_path)

    values = settings(node, scenes, tmp_path, **shadow)
    del values["defense"]["signer"]
    file = toml_file(tmp_path, values)
    done = await asyncio.to_thread(run, "defend", "report", "--json", "-c", file)
    assert done.returncode == 0, done.stderr
    summed = json.loads(done.stdout)
    figures = {
        key: summed[key] for key in ("actions", "shadow", "won", "lost", "open", "spent_wei", "capped")
    }
    assert figures == {
        "actions": 3,
        "shadow": 3,
        "won": 1,
        "lost": 1,
        "open": 0,
        "spent_wei": "0",
        "capped": 1,
    }
    refused = await asyncio.to_thread(run, "defend", "pause", names[0], "--yes", "-c", file)
    assert refused.returncode != 0
    assert "nothing may be sent" in refused.stderr


async def would_be_sent(fight: Ring, name: str) -> Any:
    sent = await fight.until_state(name, "sent")
    assert "would be sent" in sent.reason
    return sent


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("armed", [False, True])
async def test_a_rehearsal_that_was_cut_short_is_closed_by_the_next_start_and_never_sent(
    armed: bool, steps: int, node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    """The process ended after the rehearsal was sent, or between its two last steps. The next one may be armed."""
    scene = await reentrancy(rpc)
    name = name_of([scene], scene)
    journal = Journal(tmp_path / "defense.db", chain_id=scene.stage.chain_id, guardian=scene.guardian.address)
    action = DefenseAction(
        "a-1", "pause", name, scene.contract.address, 1.0, ("0x" + "12" * 32,), shadow=True
    )
    action.advance(ActionState.INTENT, 1.0, "attack")
    action.advance(ActionState.VERIFIED, 1.0, "bid")
    action.attempt = 1
    action.advance(ActionState.SENT, 1.0, "would be sent")
    if steps == 2:
        action.won = True
        action.advance(ActionState.INCLUDED, 2.0, "in a block")
    journal.begin(action, Actor.create().address)
    journal.close()
    shadow: dict[str, Any] = {
        "armed": False,
        "shadow": True,
        "signer": None,
        "guardian": scene.guardian.address,
    }
    section = {} if armed else shadow
    async with sensor(configuration(node, [scene], tmp_path, **section), rpc, tmp_path) as fight:
        ended = await fight.until_state(name, "cancelled", "confirmed")
        assert (ended.state, ended.shadow) == ("confirmed" if steps == 2 else "cancelled", True)
        assert ended.reason == "it was in shadow when the sensor was restarted"
        await rpc.mine()
        await head_seen(fight)
        assert fight.engine._defense._run.state.book.all() == []  # type: ignore[union-attr]
    assert await pending_of(rpc, scene.guardian.address) == {}
    assert await mined_by(rpc, scene.guardian.address) == []
