"""What a chain's nodes are asked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mempool_ids.config.values import Url
from mempool_ids.defense.chain import Chain
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.liar import liar, refuses
from tests.defense.trouble import put
from tests.scenarios.stage import GWEI, Stage


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


async def test_anvil_puts_the_higher_fee_cap_first_and_is_known_for_it(node: Node, rpc: Rpc) -> None:
    stage = await Stage.on(rpc, people=2)
    await stage.settle()
    dear, generous = stage.people
    tipping = await put(stage, dear, nonce=0, tip=50 * GWEI, max_fee=100 * GWEI)
    capped = await put(stage, generous, nonce=0, tip=GWEI, max_fee=200 * GWEI)
    await rpc.mine()
    order = [int((await rpc.receipt(one, 10))["transactionIndex"], 16) for one in (capped, tipping)]
    assert order == [0, 1]
    chain = Chain([Url(node.http_url)])
    assert await chain.orders_by_fee_cap()
    await chain.close()


async def test_a_node_that_does_not_tell_its_name_orders_by_tips(node: Node) -> None:
    with liar(node.port) as shy:
        shy.lies["web3_clientVersion"] = refuses("the method web3_clientVersion does not exist")
        chain = Chain([Url(shy.url)])
        assert not await chain.orders_by_fee_cap()
        await chain.close()
