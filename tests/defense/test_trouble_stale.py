"""A response of long ago: a restart takes it back, and does not send it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.defense import recovery
from mempool_ids.defense.broadcast.wire import Wire
from mempool_ids.defense.journal import Journal
from mempool_ids.defense.watch import Watch
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import configuration
from tests.defense.scenes import Scene
from tests.defense.test_trouble_threats import rival, until_out
from tests.defense.trouble import (
    PAUSE,
    check_journal,
    check_nonces,
    looked,
    mine_to_end,
    sensor,
    until_pending,
    withdraw,
)
from tests.scenarios.stage import GWEI

pytestmark = pytest.mark.timeout(60)
NAME = "reentrancy 0"


@pytest.fixture(params=["cancel", "keep"])
async def config(
    request: pytest.FixtureRequest,
    node: Node,
    rpc: Rpc,
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> IDSConfig:
    """Of a sensor that left a response days ago, which no pool remembers."""
    config = configuration(node, [scene], tmp_path, when_gone=request.param)
    async with sensor(config, rpc, tmp_path):
        await scene.attack(2 * GWEI)
        pause = await until_pending(rpc, scene.guardian.address)
    await withdraw(scene)
    await rpc.call("anvil_dropTransaction", pause["hash"])
    await rpc.mine()
    monkeypatch.setattr(recovery, "RESUME_S", -1.0)
    return config


def capped(config: IDSConfig, folder: Path) -> tuple[IDSConfig, int]:
    """What was bid is now the most that may be, wei a gas: nothing that replaces it is allowed."""
    journal = Journal.look(folder / "defense.db")
    [action] = journal.open_actions()
    journal.close()
    assert action.max_fee_per_gas is not None
    gas = config.defense.gas.model_copy(update={"max_fee_gwei": action.max_fee_per_gas / GWEI})
    defense = config.defense.model_copy(update={"gas": gas})
    return config.model_copy(update={"defense": defense}), action.max_fee_per_gas


async def test_it_is_taken_back_and_not_sent_again(
    config: IDSConfig, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with sensor(config, rpc, tmp_path) as fight:
        await until_out(scene, "0x")
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "cancelled", fight.story()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [False]
    assert not await scene.is_paused()
    check_journal(tmp_path)


async def test_it_is_sent_to_nobody_before_it_is_taken_back(
    config: IDSConfig, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arming may take blocks: whatever goes out at the start is mined meanwhile."""
    posted: list[bytes] = []
    post = Wire.post

    def note(self: Wire, body: bytes, *more: Any) -> int:
        posted.append(body)
        return post(self, body, *more)

    monkeypatch.setattr(Wire, "post", note)
    async with sensor(config, rpc, tmp_path) as fight:
        await until_out(scene, "0x")
        await looked(fight)
    assert posted
    assert not any(PAUSE[2:].encode() in body for body in posted)


async def test_a_threat_that_comes_then_has_it_sent(
    config: IDSConfig, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = await rival(rpc, scene)
    config, _ = capped(config, tmp_path)

    def later(*_: object, **__: object) -> None:
        """Its turn has not come."""

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "_cancel", later)
        async with sensor(config, rpc, tmp_path) as fight:
            attack = await second.attack(GWEI)
            await fight.until_alerted(attack.tx_hash)
            await until_out(scene, PAUSE)
            ended = await mine_to_end(fight, NAME)
            assert (ended[NAME].state, ended[NAME].won) == ("confirmed", True), fight.story()
    assert await scene.harm() == 0
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True]


async def test_one_that_was_bid_the_most_is_taken_back_within_the_caps(
    config: IDSConfig, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """Pools that have forgotten it take what does not replace it."""
    config, cap = capped(config, tmp_path)
    async with sensor(config, rpc, tmp_path) as fight:
        await until_out(scene, "0x")
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "cancelled", fight.story()
    [transfer] = await check_nonces(rpc, scene.guardian)
    mined = await rpc.call("eth_getTransactionByHash", transfer.tx_hash)
    assert int(mined["maxFeePerGas"], 16) <= cap
