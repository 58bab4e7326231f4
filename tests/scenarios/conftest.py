"""The two kinds of node that scenarios run on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.geth import Geth

#: Long enough for a sensor to judge what is pending, seconds.
BLOCK_TIME = 2


@pytest.fixture(scope="module", params=["anvil", "geth"])
def quick_node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Mines as soon as asked (anvil), or at once (geth). One for all scenarios: each has contracts of its own."""
    if request.param == "geth":
        with Geth(request.getfixturevalue("geth_binary"), period=0) as geth:
            yield geth
    else:
        with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions()) as anvil:
            yield anvil


@pytest.fixture(scope="module", params=["anvil", "geth"])
def live_node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Mines every `BLOCK_TIME` seconds, as a chain does: what is sent is pending for a while."""
    if request.param == "geth":
        with Geth(request.getfixturevalue("geth_binary"), period=BLOCK_TIME) as geth:
            yield geth
    else:
        with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions(block_time=BLOCK_TIME)) as anvil:
            yield anvil


@pytest.fixture
async def quick(quick_node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(quick_node.http_url) as connected:
        yield connected
