"""What a response has at other nonces when it is over: it would pause once more, long after people have unpaused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.defense.executor import DefenseExecutor
from mempool_ids.defense.journal import Journal
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.liar import liar
from tests.defense.races import configuration
from tests.defense.scenes import Scene
from tests.defense.test_trouble_backup import NAME, backup, but_for
from tests.defense.test_trouble_backup import configuration as with_backup
from tests.defense.trouble import mined_by, paid_by, until, until_pending, with_urls
from tests.scenarios.stage import Actor

pytestmark = pytest.mark.timeout(60)
__all__ = ["backup"]


async def unpause(scene: Scene) -> None:
    await scene.stage.send(scene.stage.deployer, scene.contract, "unpause()")
    await scene.stage.settle()
    assert not await scene.is_paused()


async def ends(executor: DefenseExecutor, rpc: Rpc, action_id: str) -> str:
    async def is_over() -> bool:
        await rpc.mine()
        return (await executor.action(action_id)).is_over

    await until(is_over, "the end")
    return str((await executor.action(action_id)).state)


async def test_bids_at_another_nonce_are_taken_back_before_the_end(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    guardian = scene.guardian.address
    alarms: list[str] = []
    config = configuration(node, [scene], tmp_path)
    async with DefenseExecutor(config, on_alarm=lambda kind, _: alarms.append(kind)) as executor:
        state, bids = executor._run.state, executor._run.watch._bids
        action = await executor.execute_defense("pause", NAME)
        [live] = state.book.all()
        assert bids.next_nonce(live, "another transaction seemed to use it")
        second = await until_pending(rpc, guardian, 1)
        assert live.last is not None
        raw = live.last.rung.raw
        # It waits elsewhere.
        await rpc.call("anvil_dropTransaction", second["hash"])
        assert await ends(executor, rpc, action.action_id) == "confirmed"
        await unpause(scene)
        with pytest.raises(Exception, match="nonce too low"):
            await rpc.send_raw(raw)
    assert not await scene.is_paused()
    assert [one.is_pause for one in await mined_by(rpc, guardian)] == [True, False]
    assert "response left" not in alarms


async def test_so_is_what_the_first_guardian_sent_where_the_second_was_mined(
    node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    """A pool that took the first's pause shows it to nobody, until later."""
    config = await with_backup(node, scene, backup, tmp_path)
    alarms: list[str] = []
    with liar(node.port) as bad:
        config = with_urls(config, bad.url)
        async with DefenseExecutor(config, on_alarm=lambda kind, _: alarms.append(kind)) as executor:
            state, bids = executor._run.state, executor._run.watch._bids
            bad.lies["eth_sendRawTransaction"] = but_for(scene.guardian, "already known")
            action = await executor.execute_defense("pause", NAME)
            [live] = state.book.all()
            assert live.last is not None
            raw = live.last.rung.raw
            assert bids.change_guardian(live, "stuck")
            await until_pending(rpc, backup.address)
            del bad.lies["eth_sendRawTransaction"]
            assert await ends(executor, rpc, action.action_id) == "confirmed"
            await unpause(scene)
            with pytest.raises(Exception, match="nonce too low"):
                await rpc.send_raw(raw)
    assert [one.is_pause for one in await mined_by(rpc, scene.guardian.address)] == [False]
    assert "response left" not in alarms


async def test_what_nobody_takes_back_is_told_with_key_and_nonce(
    node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    config = await with_backup(node, scene, backup, tmp_path)
    alarms: list[tuple[str, str]] = []
    with liar(node.port) as bad:
        bad.lies["eth_sendRawTransaction"] = but_for(scene.guardian, "already known")
        config = with_urls(config, bad.url)
        async with DefenseExecutor(config, on_alarm=lambda *said: alarms.append(said)) as executor:
            state, bids = executor._run.state, executor._run.watch._bids
            action = await executor.execute_defense("pause", NAME)
            [live] = state.book.all()
            assert bids.change_guardian(live, "stuck")
            await until_pending(rpc, backup.address)
            assert await ends(executor, rpc, action.action_id) == "confirmed"
            left = f"what guardian {scene.guardian.address} at nonce 0 sent may still be mined"
            assert (await executor.action(action.action_id)).reason.endswith(left)
            # What it may cost stays promised.
            cost = (await executor.action(action.action_id)).cost_wei
            assert cost == await paid_by(rpc, backup.address)
            assert state.rails.spent(state.steady()) == cost + live.sent[0].worst_cost
    assert ("response left", f"{NAME}: {left}") in alarms


async def test_what_was_mined_after_the_end_is_spent_after_a_restart_by_a_former_key_too(
    node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    """The second guardian's pause is mined, later the first's; and then the second is not configured any more."""
    config = await with_backup(node, scene, backup, tmp_path)
    alone = config.model_copy(update={"defense": config.defense.model_copy(update={"backup": None})})
    with liar(node.port) as bad:
        bad.lies["eth_sendRawTransaction"] = but_for(scene.guardian, "already known")
        async with DefenseExecutor(with_urls(config, bad.url)) as executor:
            action = await executor.execute_defense("pause", NAME)
            [live] = executor._run.state.book.all()
            assert executor._run.watch._bids.change_guardian(live, "stuck")
            await until_pending(rpc, backup.address)
            assert await ends(executor, rpc, action.action_id) == "confirmed"
            left = live.sent[0]
    by_backup = await paid_by(rpc, backup.address)
    assert await spent_after_restart(alone) == by_backup + left.worst_cost
    await rpc.send_raw(left.rung.raw)
    await rpc.mine()
    by_first = await paid_by(rpc, scene.guardian.address)
    assert by_first > 0
    assert await spent_after_restart(alone) == by_backup + by_first
    journal = Journal.look(config.defense.journal)
    assert set(journal.guardians()) == {scene.guardian.address, backup.address}
    journal.close()


async def spent_after_restart(config: IDSConfig) -> int:
    async with DefenseExecutor(config) as executor:
        state = executor._run.state
        return state.rails.spent(state.steady())
