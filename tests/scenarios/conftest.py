"""The two kinds of node that scenarios run on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.geth import Geth


@pytest.fixture(scope="module", params=["anvil", "geth"])
def quick_node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Mines as soon as asked (anvil), or at once (geth). One for all scenarios: each has contracts of its own."""
    if request.param == "geth":
        with Geth(request.getfixturevalue("geth_binary"), period=0) as geth:
            yield geth
    else:
        with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions()) as anvil:
            yield anvil


@pytest.fixture
async def quick(quick_node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(quick_node.http_url) as connected:
        yield connected
