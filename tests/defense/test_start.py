"""What keeps a defense from starting: better not at all than in a way that cannot work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.defense.executor import DefenseExecutor
from mempool_ids.defense.journal import Locked
from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.rpc import Rpc
from mempool_ids.exceptions import ConfigError, MempoolIdsError, NodeError
from tests.defense.races import configuration
from tests.defense.scenes import Scene
from tests.defense.test_policy import VICTIM, alert
from tests.defense.trouble import pending_of


def changed(config: IDSConfig, **defense: Any) -> IDSConfig:
    section = config.defense.model_copy(update=defense)
    return config.model_copy(update={"defense": section})


async def refused(config: IDSConfig) -> str:
    with pytest.raises((ConfigError, NodeError)) as refusal:
        async with DefenseExecutor(config):
            pass
    return str(refusal.value)


async def test_a_guardian_with_code_is_refused(node: Anvil, rpc: Rpc, scene: Scene, tmp_path: Path) -> None:
    await rpc.call("anvil_setCode", scene.guardian.address, "0xef0100" + "11" * 20)
    assert "EIP-7702" in await refused(configuration(node, [scene], tmp_path))


async def test_another_guardian_than_the_signer_is_refused(node: Anvil, scene: Scene, tmp_path: Path) -> None:
    config = changed(configuration(node, [scene], tmp_path), guardian="0x" + "22" * 20)
    said = await refused(config)
    assert "0x" + "22" * 20 in said
    assert scene.guardian.address in said


async def test_without_a_signer_it_says_how_to_name_one(node: Anvil, scene: Scene, tmp_path: Path) -> None:
    said = await refused(changed(configuration(node, [scene], tmp_path), signer=None))
    assert "docs/signers.md" in said


async def test_one_key_twice_is_no_backup(node: Anvil, scene: Scene, tmp_path: Path) -> None:
    config = configuration(node, [scene], tmp_path)
    assert "same key" in await refused(changed(config, backup=config.defense.signer))


async def test_another_chain_is_refused(node: Anvil, scene: Scene, tmp_path: Path) -> None:
    config = configuration(node, [scene], tmp_path)
    chain = config.chain.model_copy(update={"id": 5})
    assert "31337" in await refused(config.model_copy(update={"chain": chain}))


async def test_two_defenses_on_one_journal_are_one_too_many(
    node: Anvil, scene: Scene, tmp_path: Path
) -> None:
    config = configuration(node, [scene], tmp_path)
    async with DefenseExecutor(config):
        with pytest.raises(Locked):
            await DefenseExecutor(config).start()


async def test_it_starts_where_nothing_is_wrong_and_says_who_stands_ready(
    node: Anvil, scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mempool_ids.defense")
    async with DefenseExecutor(configuration(node, [scene], tmp_path)) as executor:
        [guardian] = executor.get_statistics().guardians
        assert guardian["free"] >= 3
    assert any(f"ARMED: guardian {scene.guardian.address}" in message for message in caplog.messages)


async def test_it_leaves_the_interpreter_as_it_was(node: Anvil, scene: Scene, tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    async with DefenseExecutor(configuration(node, [scene], tmp_path)):
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


async def test_once_it_is_stopped_it_answers_nothing_and_says_so(
    node: Anvil, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = configuration(node, [scene], tmp_path)
    name = config.contracts[0].name
    both = alert(victims=[{**VICTIM, "contract": name}], contracts=[name], response={"targets": [name]})
    async with DefenseExecutor(config) as executor:
        trigger = executor._run.trigger
    for ask in (lambda: executor.respond(both), lambda: trigger.fire(both)):
        with pytest.raises(MempoolIdsError, match="not running"):
            ask()
    with pytest.raises(MempoolIdsError, match="not running"):
        await executor.execute_defense("pause", name)
    raw = json.dumps(both).encode()
    assert executor.receive("alert", raw) == raw, "the alert is still told, with no response to it"
    assert await pending_of(rpc, scene.guardian.address) == {}
    assert executor.get_statistics().by_state == {}
