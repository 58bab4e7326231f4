"""A restart with another key: what the former one sent is followed, and the new one's nonces are its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.defense import recovery
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.liar import liar
from tests.defense.races import KEY
from tests.defense.scenes import Scene
from tests.defense.test_trouble_backup import BACKUP_KEY, NAME, but_for, configuration
from tests.defense.trouble import (
    check_journal,
    head_seen,
    looked,
    mine_to_end,
    mined_by,
    sensor,
    until_alarm,
    until_pending,
    with_urls,
    withdraw,
)
from tests.scenarios.stage import ETHER, GWEI, Actor

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def new(rpc: Rpc) -> Actor:
    """Who is to guard from the restart on."""
    second = Actor.create()
    await rpc.call("anvil_setBalance", second.address, hex(100 * ETHER))
    os.environ[BACKUP_KEY] = second.key.key.hex()
    return second


async def both(node: Node, scene: Scene, new: Actor, folder: Path) -> tuple[IDSConfig, IDSConfig]:
    """Before and after: with the former key alone, and with the new one alone."""
    config = await configuration(node, scene, new, folder)
    os.environ[KEY] = scene.guardian.key.key.hex()
    assert config.defense.backup is not None
    before = config.defense.model_copy(update={"backup": None})
    after = config.defense.model_copy(update={"backup": None, "signer": config.defense.backup})
    return config.model_copy(update={"defense": before}), config.model_copy(update={"defense": after})


async def test_what_the_former_key_sent_is_mined_and_the_new_key_spends_nothing(
    node: Node, rpc: Rpc, scene: Scene, new: Actor, tmp_path: Path
) -> None:
    before, after = await both(node, scene, new, tmp_path)
    async with sensor(before, rpc, tmp_path) as fight:
        await scene.attack(2 * GWEI)
        pause = await until_pending(rpc, scene.guardian.address)
    async with sensor(after, rpc, tmp_path) as fight:
        await looked(fight)
        [guardian] = fight.engine._defense._run.state.guardians  # type: ignore[union-attr]
        assert guardian.address == new.address
        assert (guardian.taken, guardian.out) == ({}, {})
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()
        assert ended[NAME].tx_hash == pause["hash"]
    assert await scene.harm() == 0
    assert await mined_by(rpc, new.address) == []
    check_journal(tmp_path)


async def test_what_the_former_key_gets_in_nowhere_the_new_one_sends_at_its_own_nonce(
    node: Node, rpc: Rpc, scene: Scene, new: Actor, tmp_path: Path
) -> None:
    before, after = await both(node, scene, new, tmp_path)
    with liar(node.port) as bad:
        bad.lies["eth_sendRawTransaction"] = but_for(scene.guardian, "already known")
        async with sensor(with_urls(before, bad.url), rpc, tmp_path) as fight:
            await scene.attack(2 * GWEI)
            await fight.until_state(NAME, "sent")
        async with sensor(with_urls(after, bad.url), rpc, tmp_path) as fight:
            await looked(fight)
            assert await mined_by(rpc, new.address) == []
            # The attack finds no room either.
            await rpc.call("evm_setBlockGasLimit", hex(100_000))
            await rpc.mine()
            await head_seen(fight)
            pause = await until_pending(rpc, new.address, 0)
            await rpc.call("evm_setBlockGasLimit", hex(30_000_000))
            ended = await mine_to_end(fight, NAME)
            assert (ended[NAME].state, ended[NAME].tx_hash) == ("confirmed", pause["hash"]), fight.story()
    assert await scene.harm() == 0
    assert await mined_by(rpc, scene.guardian.address) == []
    check_journal(tmp_path)


async def test_what_nobody_can_take_back_any_more_is_closed_and_said(
    node: Node, rpc: Rpc, scene: Scene, new: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = await both(node, scene, new, tmp_path)
    async with sensor(before, rpc, tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
    await withdraw(scene)
    monkeypatch.setattr(recovery, "RESUME_S", -1.0)
    async with sensor(after, rpc, tmp_path) as fight:
        await rpc.call("evm_setBlockGasLimit", hex(20_999))
        await rpc.mine()
        ended = await fight.until_state(NAME, "cancelled")
        assert "may still be mined" in ended.reason
        await until_alarm(fight, f"guardian {scene.guardian.address} is not configured any more")
        await rpc.call("evm_setBlockGasLimit", hex(30_000_000))
    assert await mined_by(rpc, new.address) == []
    check_journal(tmp_path)
