"""What a response cost is what all of its transactions cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from mempool_ids.defense.executor import DefenseExecutor
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import configuration
from tests.defense.scenes import Scene
from tests.defense.trouble import mined_by, paid_by, until, until_pending

pytestmark = pytest.mark.timeout(60)
NAME = "reentrancy 0"


async def test_bids_at_two_nonces_that_are_both_mined_are_both_paid_for(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    guardian = scene.guardian.address
    async with DefenseExecutor(configuration(node, [scene], tmp_path)) as executor:
        state, bids = executor._run.state, executor._run.watch._bids
        action = await executor.execute_defense("pause", NAME)
        [live] = state.book.all()
        assert bids.next_nonce(live, "another transaction seemed to use it")
        await until_pending(rpc, guardian, 1)

        async def is_over() -> bool:
            await rpc.mine()
            return (await executor.action(action.action_id)).is_over

        await until(is_over, "the end")
        ended = await executor.action(action.action_id)
        assert ended.state == "confirmed"
        assert len(await mined_by(rpc, guardian)) == 2
        paid = await paid_by(rpc, guardian)
        assert ended.cost_wei == ended.history[-1].cost_wei == paid
        assert state.rails.spent(state.steady()) == paid
        assert executor.get_statistics().spent_wei == paid
