"""A cheap threat to one contract does not hold up the pause of another, though a block has an account's nonces in their
order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.defense import book
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import Ring, configuration
from tests.defense.scenes import Scene, Sent, takeover
from tests.defense.test_trouble_backup import BACKUP_KEY, backup
from tests.defense.test_trouble_threats import until_out
from tests.defense.trouble import (
    PAUSE,
    check_journal,
    check_nonces,
    mine_to_end,
    mined_by,
    pending_of,
    sensor,
    settings,
    until,
    until_pending,
    withdraw,
)
from tests.scenarios.stage import GWEI, Actor

pytestmark = pytest.mark.timeout(60)
__all__ = ["backup"]
VAULT, BAITED = "reentrancy 0", "takeover 1"
CHEAP, DEAR = GWEI, 100 * GWEI


@pytest.fixture
async def rpc(rpc: Rpc) -> Rpc:
    await rpc.call("evm_setBlockGasLimit", hex(30_000_000))
    return rpc


@pytest.fixture
async def bait(rpc: Rpc, scene: Scene) -> Scene:
    """An attack on another contract that needs less gas, and pays its builder little."""
    return await takeover(rpc, scene.guardian)


async def until_dear(scene: Scene, attack: Sent, nonce: int) -> None:
    """Until what the guardian has at a nonce stands before the attack: anvil orders blocks by fee caps."""

    async def is_dear() -> bool:
        waits = (await pending_of(scene.stage.rpc, scene.guardian.address, "pending")).get(nonce)
        return waits is not None and int(waits["maxFeePerGas"], 16) > attack.max_fee

    await until(is_dear, f"a dear transaction at nonce {nonce}", 10)


async def is_won(fight: Ring, scene: Scene, attack: Sent, *before: Actor) -> None:
    """All that these guardians have in the attack's block stands before it, and the pause is there."""
    await fight.rpc.mine()
    (block, position), succeeded = await fight.place(attack.tx_hash)
    assert not succeeded, fight.story()
    mined = [one for guardian in before for one in await mined_by(fight.rpc, guardian.address)]
    assert {one.block for one in mined} == {block}
    assert all(one.position < position for one in mined)
    assert await scene.harm() == 0


async def test_its_pause_is_raised_where_there_is_one_guardian(
    node: Node, rpc: Rpc, scene: Scene, bait: Scene, tmp_path: Path
) -> None:
    async with sensor(configuration(node, [scene, bait], tmp_path), rpc, tmp_path) as fight:
        await bait.attack(CHEAP)
        await until_pending(rpc, scene.guardian.address, 0)
        attack = await scene.attack(DEAR)
        await until_dear(scene, attack, 1)
        await until_dear(scene, attack, 0)
        await is_won(fight, scene, attack, scene.guardian)
        ended = await mine_to_end(fight, VAULT, BAITED)
        assert {(one.state, one.won) for one in ended.values()} == {("confirmed", True)}, fight.story()
    assert await bait.harm() == 0
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True, True]
    check_journal(tmp_path)


async def test_its_cancellation_is_raised_where_it_is_withdrawn(
    node: Node, rpc: Rpc, scene: Scene, bait: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "JUDGED_S", 0.0)
    async with sensor(configuration(node, [scene, bait], tmp_path), rpc, tmp_path) as fight:
        await bait.attack(CHEAP)
        await until_pending(rpc, scene.guardian.address, 0)
        await withdraw(bait)
        await until_out(scene, "0x")
        attack = await scene.attack(DEAR)
        await until_dear(scene, attack, 1)
        await until_dear(scene, attack, 0)
        await is_won(fight, scene, attack, scene.guardian)
        ended = await mine_to_end(fight, VAULT, BAITED)
        assert (ended[BAITED].state, ended[VAULT].state) == ("cancelled", "confirmed"), fight.story()
    assert not await bait.is_paused()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [False, True]
    check_journal(tmp_path)


async def test_the_second_guardian_answers_the_dear_one(
    node: Node, rpc: Rpc, scene: Scene, bait: Scene, backup: Actor, tmp_path: Path
) -> None:
    config = await with_two(node, [scene, bait], backup, tmp_path)
    async with sensor(config, rpc, tmp_path) as fight:
        await bait.attack(CHEAP)
        first = await until_pending(rpc, scene.guardian.address, 0)
        attack = await scene.attack(DEAR)
        await until_pending(rpc, backup.address, 0)
        assert (await until_pending(rpc, scene.guardian.address, 0))["hash"] == first["hash"]
        await is_won(fight, scene, attack, backup)
        ended = await mine_to_end(fight, VAULT, BAITED)
        assert {(one.state, one.won) for one in ended.values()} == {("confirmed", True)}, fight.story()
    assert await bait.harm() == 0
    for guardian in (scene.guardian, backup):
        assert len(await check_nonces(rpc, guardian)) == 1
    check_journal(tmp_path)


async def with_two(node: Node, scenes: list[Scene], backup: Actor, folder: Path) -> IDSConfig:
    """Both guardians may pause all of these, through one Pauser."""
    stage, guardian = scenes[0].stage, scenes[0].guardian
    pauser = await stage.deploy("Pauser", stage.deployer.address)
    await stage.settle()
    for one in (guardian, backup):
        await stage.send(stage.deployer, pauser, "addGuardian(address)", one.address)
    for scene in scenes:
        pause = bytes.fromhex(PAUSE[2:])
        await stage.send(stage.deployer, pauser, "setTarget(address,bytes)", scene.contract.address, pause)
        await scene.stage.send(scene.stage.deployer, scene.contract, "setGuardian(address)", pauser.address)
        await scene.stage.settle()
    await stage.settle()
    values = settings(node, scenes, folder, backup={"type": "environment", "key": f"env:{BACKUP_KEY}"})
    assert BACKUP_KEY in os.environ
    for entry in values["contracts"]:
        entry["pause"]["via"] = f"pauser:{pauser.address}"
    return IDSConfig(**values)
