"""kill -9 at every state of a response: the next process goes on with it or closes it, and no nonce has two intents."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mempool_ids.defense.journal import Journal
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import configuration
from tests.defense.scenes import Scene, reentrancy
from tests.defense.trouble import (
    Victim,
    check_journal,
    check_nonces,
    head_seen,
    mine_until,
    sensor,
    settings,
    until_pending,
    victim,
    withdraw,
)
from tests.defense.trouble_victim import POINTS
from tests.scenarios.stage import GWEI

pytestmark = pytest.mark.timeout(90)
NAME = "reentrancy 0"


async def play_to(point: str, victim: Victim, scene: Scene, rpc: Rpc) -> None:
    """Until it stops there."""
    if point == "arming":
        await asyncio.to_thread(victim.hear, "reached")
        return
    await asyncio.to_thread(victim.hear, "ready")
    await rpc.mine()
    await scene.attack(2 * GWEI)
    if point in ("included", "confirming"):
        await until_pending(rpc, scene.guardian.address)
        await rpc.mine()
    if point == "confirming":
        await rpc.mine()
    if point.startswith("cancel"):
        await until_pending(rpc, scene.guardian.address)
        await withdraw(scene)
    await asyncio.to_thread(victim.hear, "reached")


@pytest.mark.parametrize("point", POINTS)
async def test_after_a_kill_every_response_is_resumed_or_closed(
    point: str, node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    scene = await reentrancy(rpc)
    guardian = scene.guardian.address
    defense = {"confirm": {"seconds": 600, "default": "act"}} if point == "intent" else {}
    with victim(tmp_path, settings(node, [scene], tmp_path, **defense), point, scene) as running:
        await play_to(point, running, scene, rpc)
        if "bytes" in point:
            await until_pending(rpc, guardian)
        running.kill()
    check_journal(tmp_path)
    config = configuration(node, [scene], tmp_path)
    async with sensor(config, rpc, tmp_path) as fight:
        if point in ("intent", "arming"):
            # Nothing was out: what was asked is closed, and the attack, still pending, is seen and answered anew.
            if point == "arming":
                await rpc.mine()
                await scene.attack(2 * GWEI)
            await fight.until_state(NAME, "sent")
        elif point not in ("included", "confirming", "cancel out"):
            await until_pending(rpc, guardian)
        # What was signed to take it back and never sent is not out: the pause stands.
        last = "cancelled" if point == "cancel out" else "confirmed"
        await mine_until(fight, lambda: bool(fight.of(NAME, last)), f"the response to be {last}")

    mined = await check_nonces(rpc, scene.guardian)
    if point == "cancel out":
        assert [(one.to, one.is_pause) for one in mined] == [(guardian, False)]
    else:
        assert [one.is_pause for one in mined] == [True], fight.story()
        assert await scene.is_paused()
        assert await scene.harm() == 0
    check_journal(tmp_path)
    records = Journal.look(tmp_path / "defense.db")
    try:
        assert records.open_actions() == []
        states = [action.state.value for action in records.actions()]
    finally:
        records.close()
    expected = {"intent": ["cancelled", "confirmed"]}.get(
        point, ["cancelled"] if point == "cancel out" else ["confirmed"]
    )
    assert states == expected, fight.story()

    # A third start finds nothing to do.
    async with sensor(config, rpc, tmp_path) as fight:
        for _ in range(3):
            await rpc.mine()
            await head_seen(fight)
    assert len(await check_nonces(rpc, scene.guardian)) == 1
