"""What keeps a defense from starting: better not at all than in a way that cannot work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.defense.executor import DefenseExecutor
from mempool_ids.defense.journal import Locked
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from mempool_ids.exceptions import ConfigError, NodeError
from tests.defense.races import configuration
from tests.defense.scenes import Scene, reentrancy


@pytest.fixture(scope="module")
def node(anvil_binary: Path) -> Iterator[Anvil]:
    with Anvil(anvil_binary, AnvilOptions()) as running:
        yield running


@pytest.fixture
async def rpc(node: Anvil) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


@pytest.fixture
async def scene(rpc: Rpc) -> Scene:
    return await reentrancy(rpc)


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
