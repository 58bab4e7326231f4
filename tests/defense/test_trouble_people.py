"""People beside the sensor: asked, asking, and told, through the command line."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.defense.journal import Journal
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense import trouble
from tests.defense.races import Ring, ring
from tests.defense.scenes import Scene, reentrancy
from tests.defense.trouble import (
    ENDS,
    check_journal,
    check_nonces,
    looked,
    mine_to_end,
    mine_until,
    mined_by,
    toml_file,
    until_pending,
    withdraw,
)
from tests.e2e.harness import run
from tests.scenarios.stage import GWEI

pytestmark = pytest.mark.timeout(60)
NAME = "reentrancy 0"
FOR_LONG = {"seconds": 3600, "default": "act"}


@pytest.fixture(scope="module")
def node(anvil_binary: Path) -> Iterator[Node]:
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        yield anvil


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        await connected.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        yield connected


@pytest.fixture
async def scene(rpc: Rpc) -> Scene:
    return await reentrancy(rpc)


async def command(*arguments: str | Path) -> str:
    done = await asyncio.to_thread(run, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def asked(fight: Ring, scene: Scene) -> str:
    """The id of what a human is asked about."""
    await scene.attack(2 * GWEI)
    intent = await fight.until_state(NAME, "intent")
    assert "a human is asked" in intent.reason
    await looked(fight)
    assert fight.of(NAME)[-1].state == "intent"
    return str(intent.action_id)


@pytest.mark.parametrize(("word", "end"), [("yes", "confirmed"), ("no", "cancelled")])
async def test_an_answer_counts(
    word: str, end: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path, confirm=FOR_LONG) as fight:
        action = await asked(fight, scene)
        await command("defend", "answer", action, word, "-c", file)
        if word == "yes":
            await until_pending(rpc, scene.guardian.address)
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == end, fight.story()
        late = await asyncio.to_thread(run, "defend", "answer", action, "yes", "-c", file)
        assert late.returncode != 0
        assert "is over" in late.stderr
    assert len(await mined_by(rpc, scene.guardian.address)) == (word == "yes")
    assert await scene.is_paused() == (word == "yes")


@pytest.mark.parametrize(("default", "end"), [("act", "confirmed"), ("refuse", "cancelled")])
async def test_where_nobody_answers_the_default_counts(
    default: str, end: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path, confirm={"seconds": 0.3, "default": default}) as fight:
        await scene.attack(2 * GWEI)
        if default == "act":
            await until_pending(rpc, scene.guardian.address)
            await mine_to_end(fight, NAME)
        ended = await fight.until_state(NAME, *ENDS)
        assert ended.state == end, fight.story()
        if default == "refuse":
            assert ended.reason == "nobody answered in time"
    assert await scene.is_paused() == (default == "act")


async def test_a_question_whose_threat_is_withdrawn_is_closed(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """The default is to act; but there is nothing to act on any more."""
    async with ring(node, rpc, [scene], tmp_path, confirm={"seconds": 4, "default": "act"}) as fight:
        await scene.attack(2 * GWEI)
        await fight.until_state(NAME, "intent")
        await withdraw(scene)
        ended = await fight.until_state(NAME, "cancelled", "sent")
        assert ended.state == "cancelled", fight.story()
    assert await mined_by(rpc, scene.guardian.address) == []


async def test_a_second_threat_is_answered_with_the_first_and_as_dearly(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """The attacker raises its bid while a human thinks."""
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path, confirm=FOR_LONG) as fight:
        action = await asked(fight, scene)
        raised = await scene.escalate(9 * GWEI)
        await fight.until_alerted(raised.tx_hash)
        await command("defend", "answer", action, "yes", "-c", file)
        await until_pending(rpc, scene.guardian.address)
        ended = await mine_to_end(fight, NAME)
        assert (ended[NAME].state, ended[NAME].won) == ("confirmed", True), fight.story()
        assert len(ended[NAME].threats) == 2
    assert await scene.harm() == 0


async def test_a_pause_by_hand_while_a_human_is_asked_is_the_answer(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path, confirm=FOR_LONG) as fight:
        action = await asked(fight, scene)
        said = asyncio.create_task(command("defend", "pause", NAME, "--yes", "--json", "-c", file))
        await until_pending(rpc, scene.guardian.address)
        await mine_until(fight, said.done, "the command to end")
        told = json.loads(await said)
        assert (told["action_id"], told["state"]) == (action, "confirmed")
    assert await scene.is_paused()
    assert await scene.harm() == 0
    assert len(await check_nonces(rpc, scene.guardian)) == 1


async def test_a_pause_by_hand_beside_a_sensor_is_that_sensor_s(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path) as fight:
        said = asyncio.create_task(command("defend", "pause", NAME, "--yes", "--json", "-c", file))
        await fight.until_state(NAME, "sent")
        await until_pending(rpc, scene.guardian.address)
        await mine_until(fight, said.done, "the command to end")
        told = json.loads(await said)
        assert (told["state"], told["target"]) == ("confirmed", NAME)
        # What is paused already costs nothing more.
        again = json.loads(await command("defend", "pause", NAME, "--yes", "--json", "-c", file))
        assert (again["state"], again["cost_wei"]) == ("superseded", "0")
    assert len(await check_nonces(rpc, scene.guardian)) == 1
    check_journal(tmp_path)


async def test_an_order_is_carried_out_though_the_clock_was_set_back(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        journal = Journal.look(tmp_path / "defense.db")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: 1_000_000_000.0)
            journal.order(NAME, None, 0, "critical", "somebody")
        journal.close()
        await fight.until_state(NAME, "sent")
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()


async def test_a_pause_by_hand_needs_no_sensor_and_is_in_the_report(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    values = trouble.settings(node, [scene], tmp_path)
    file = toml_file(tmp_path, values)
    said = asyncio.create_task(command("defend", "pause", NAME, "--yes", "--json", "-c", file))
    await until_pending(rpc, scene.guardian.address)
    while not said.done():
        await rpc.mine()
        await asyncio.wait([said], timeout=0.3)
    told = json.loads(await said)
    assert told["state"] == "confirmed"
    assert await scene.is_paused()

    await command("defend", "judge", told["action_id"], "attack", "-c", file)
    summed: dict[str, Any] = json.loads(await command("defend", "report", "--json", "-c", file))
    assert (summed["actions"], summed["won"], summed["judged"], summed["open"]) == (1, 1, 1, 0)
    assert summed["false_alarms"]["count"] == 0
    assert int(summed["spent_wei"]) == int(told["cost_wei"]) > 0
    await command("defend", "judge", told["action_id"], "honest", "-c", file)
    summed = json.loads(await command("defend", "report", "--json", "-c", file))
    assert summed["false_alarms"]["count"] == 1
    words = await command("defend", "report", "-c", file)
    assert "1 of 1 judged were false alarms" in words
