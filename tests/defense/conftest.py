"""An anvil for each file, whose blocks are made when a test says so, and what most tests play on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.liar import Liar, liar
from tests.defense.scenes import Scene, reentrancy
from tests.scenarios.stage import GWEI


@pytest.fixture(scope="module")
def node(anvil_binary: Path) -> Iterator[Node]:
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        yield anvil


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    """The next block's base fee is 1 gwei, whatever was before."""
    async with Rpc(node.http_url) as connected:
        await connected.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        yield connected


@pytest.fixture
async def scene(rpc: Rpc) -> Scene:
    return await reentrancy(rpc)


@pytest.fixture
def bad(node: Node) -> Iterator[Liar]:
    """In front of the node; tells the truth until a test says otherwise."""
    with liar(node.port) as teller:
        yield teller
