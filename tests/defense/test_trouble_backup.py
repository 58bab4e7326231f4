"""A second guardian acts where the first cannot."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mempool_ids import _core
from mempool_ids.config import IDSConfig
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.liar import Ask, Lie, liar
from tests.defense.races import Ring
from tests.defense.scenes import Scene
from tests.defense.trouble import (
    PAUSE,
    check_journal,
    check_nonces,
    head_seen,
    mine_to_end,
    mined_by,
    sensor,
    settings,
    until_alarm,
    until_pending,
    with_urls,
)
from tests.scenarios.stage import ETHER, GWEI, Actor, Contract

pytestmark = pytest.mark.timeout(60)
NAME = "reentrancy 0"
BACKUP_KEY = "MEMPOOL_IDS_TEST_BACKUP"


@pytest.fixture
async def rpc(rpc: Rpc) -> Rpc:
    await rpc.call("evm_setBlockGasLimit", hex(30_000_000))
    return rpc


@pytest.fixture
async def backup(rpc: Rpc) -> Actor:
    second = Actor.create()
    await rpc.call("anvil_setBalance", second.address, hex(100 * ETHER))
    os.environ[BACKUP_KEY] = second.key.key.hex()
    return second


async def configuration(node: Node, scene: Scene, backup: Actor, folder: Path) -> IDSConfig:
    """Both may pause, through a Pauser."""
    return IDSConfig(**await values_of(node, scene, backup, folder))


async def values_of(node: Node, scene: Scene, backup: Actor, folder: Path) -> dict[str, Any]:
    """The same as a file has it."""
    stage = scene.stage
    pauser = await stage.deploy("Pauser", stage.deployer.address)
    await stage.settle()
    for guardian in (scene.guardian, backup):
        await stage.send(stage.deployer, pauser, "addGuardian(address)", guardian.address)
    pause = bytes.fromhex(PAUSE[2:])
    await stage.send(stage.deployer, pauser, "setTarget(address,bytes)", scene.contract.address, pause)
    await stage.send(stage.deployer, scene.contract, "setGuardian(address)", pauser.address)
    await stage.settle()
    values = settings(node, [scene], folder, backup={"type": "environment", "key": f"env:{BACKUP_KEY}"})
    values["contracts"][0]["pause"]["via"] = f"pauser:{pauser.address}"
    return values


def but_for(first: Actor, message: str) -> Lie:
    """Takes all transactions but this account's, of which it says so."""

    def lie(params: list[Any], ask: Ask) -> Any:
        decoded = json.loads(_core.decode_transaction(bytes.fromhex(params[0][2:])))
        is_first = decoded["from"].lower() == first.address
        return {"error": {"code": -32000, "message": message}} if is_first else ask()

    return lie


async def is_won_by(fight: Ring, scene: Scene, whose: Actor, other: Actor) -> None:
    ended = await mine_to_end(fight, NAME)
    assert (ended[NAME].state, ended[NAME].won) == ("confirmed", True), fight.story()
    assert await scene.is_paused()
    assert await scene.harm() == 0
    assert len(await check_nonces(fight.rpc, whose)) == 1
    assert await mined_by(fight.rpc, other.address) == []


async def test_it_pays_where_the_first_has_no_money(
    node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    config = await configuration(node, scene, backup, tmp_path)
    await rpc.call("anvil_setBalance", scene.guardian.address, hex(10**13))
    async with sensor(config, rpc, tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, backup.address)
        await is_won_by(fight, scene, backup, scene.guardian)
    check_journal(tmp_path)


async def test_it_takes_over_where_the_first_comes_through_nowhere(
    node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    """Every node says that it has the first's transactions, and none has."""
    config = await configuration(node, scene, backup, tmp_path)
    with liar(node.port) as bad:
        async with sensor(with_urls(config, bad.url), rpc, tmp_path) as fight:
            bad.lies["eth_sendRawTransaction"] = but_for(scene.guardian, "already known")
            await scene.attack(2 * GWEI)
            await fight.until_state(NAME, "sent")
            # The attack finds no room either.
            await rpc.call("evm_setBlockGasLimit", hex(100_000))
            for _ in range(30):
                if await rpc.call("eth_getTransactionCount", backup.address, "pending") != "0x0":
                    break
                await rpc.mine()
                await head_seen(fight)
                await asyncio.sleep(0.1)
            await until_alarm(fight, "nothing more can be sent")
            await rpc.call("evm_setBlockGasLimit", hex(30_000_000))
            await is_won_by(fight, scene, backup, scene.guardian)
            # Nor does what was to take that back.
            await until_alarm(fight, f"guardian {scene.guardian.address} at nonce 0 sent may still be mined")
    check_journal(tmp_path)


async def test_it_acts_at_once_where_a_pool_says_that_the_first_cannot_pay(
    node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    """geth adds up all that waits of an account; the balance alone does not tell."""
    config = await configuration(node, scene, backup, tmp_path)
    with liar(node.port) as bad:
        async with sensor(with_urls(config, bad.url), rpc, tmp_path) as fight:
            message = "insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1"
            bad.lies["eth_sendRawTransaction"] = but_for(scene.guardian, message)
            await scene.attack(2 * GWEI)
            await until_pending(rpc, backup.address)
            await is_won_by(fight, scene, backup, scene.guardian)


async def test_after_a_restart_it_goes_on_with_the_key_that_it_was_sent_with(
    node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    config = await configuration(node, scene, backup, tmp_path)
    await rpc.call("anvil_setBalance", scene.guardian.address, hex(10**13))
    async with sensor(config, rpc, tmp_path) as fight:
        await scene.attack(2 * GWEI)
        pause = await until_pending(rpc, backup.address)
    await rpc.call("anvil_setBalance", scene.guardian.address, hex(ETHER))
    async with sensor(config, rpc, tmp_path) as fight:
        await is_won_by(fight, scene, backup, scene.guardian)
        # Perhaps for more: the pool tells the new sensor of the threat, too.
        [mined] = await mined_by(rpc, backup.address)
        assert mined.nonce == int(pause["nonce"], 16)
    check_journal(tmp_path)


async def test_readiness_is_proven_for_every_guardian_and_says_which_is_not_ready(
    node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    config = await configuration(node, scene, backup, tmp_path)
    async with sensor(config, rpc, tmp_path) as fight:
        defense = fight.engine._defense
        assert defense is not None
        [proof] = await defense.prove()
        assert (proof.ready, proof.reasons) == (True, ())
        # Its role is revoked.
        pauser = next(iter(defense._run.state.targets.values())).call.to
        stage = scene.stage
        contract = Contract("Pauser", pauser)
        await stage.send(stage.deployer, contract, "revokeGuardian(address)", backup.address)
        await stage.settle()
        [proof] = await defense.prove()
        assert proof.ready, "the first can"
        assert len(proof.reasons) == 1
        assert f"does not succeed for {backup.address}" in proof.reasons[0]
        await until_alarm(fight, "not every guardian can pause it")
        await rpc.call("anvil_setBalance", backup.address, "0x1")
        await rpc.call("anvil_setBalance", scene.guardian.address, "0x1")
        await rpc.mine()
        await head_seen(fight)
        [proof] = await defense.prove()
        assert not proof.ready
        for guardian in (scene.guardian, backup):
            assert any(f"guardian {guardian.address} has 0.0000 ETH" in one for one in proof.reasons)
