"""Practice walks the whole way, and leaves nothing behind."""

from __future__ import annotations

import copy
from pathlib import Path

from mempool_ids.defense.executor import DefenseExecutor
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import configuration
from tests.defense.scenes import reentrancy


async def test_practice_would_send_and_changes_nothing(anvil_binary: Path, tmp_path: Path) -> None:
    with Anvil(anvil_binary, AnvilOptions()) as node:
        async with Rpc(node.http_url) as rpc:
            scene = await reentrancy(rpc)
            told: list[object] = []
            config = configuration(node, [scene], tmp_path)
            async with DefenseExecutor(config, on_change=lambda *change: told.append(change)) as executor:
                state, trigger = executor._run.state, executor._run.trigger
                [guardian] = state.guardians
                before = copy.copy(guardian.taken), dict(guardian.out), guardian.figures()
                spent = state.rails.spent(state.steady())
                assert all(trigger.practise() for _ in range(50))
                assert (guardian.taken, guardian.out, guardian.figures()) == before
                assert state.rails.spent(state.steady()) == spent
                assert state.book.all() == []
                assert told == []
            pool = await rpc.call("txpool_content")
            assert scene.guardian.address not in {sender.lower() for sender in pool["pending"]}
