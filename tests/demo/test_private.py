"""Who listens at the relay hears all that the node says, but for the announcement of what was submitted privately."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.early.private import PrivateFlow
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def node(anvil_binary: Path) -> Iterator[Anvil]:
    """Mines when it is asked to."""
    with Anvil(anvil_binary) as running:
        yield running


@pytest.fixture
async def rpc(node: Anvil) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


@pytest.fixture
async def flow(node: Anvil) -> AsyncIterator[PrivateFlow]:
    async with PrivateFlow(node.websocket_url) as relay:
        yield relay


async def heard_until(feed: Feed, last: str) -> list[str]:
    """All that was announced up to this transaction: the order of announcements is the node's."""

    async def is_last(tx_hash: str) -> str | None:
        return tx_hash if tx_hash == last else None

    async with asyncio.timeout(20):
        await feed.find(is_last)
    return list(feed.transactions)


async def test_nobody_at_the_relay_hears_of_it_before_its_block(
    node: Anvil, rpc: Rpc, flow: PrivateFlow
) -> None:
    accounts = await rpc.accounts()
    async with (
        Feed(flow.websocket_url) as others,
        Feed(flow.websocket_url) as more,
        Feed(node.websocket_url) as builder,
        asyncio.TaskGroup() as group,
    ):
        following = [group.create_task(feed.follow()) for feed in (others, more, builder)]
        before = await rpc.send(accounts[1], accounts[0], gas=21_000)
        private = await flow.submit(lambda: rpc.send(accounts[2], accounts[0], gas=21_000))
        after = await rpc.send(accounts[3], accounts[0], gas=21_000)
        assert await heard_until(builder, after) == [before, private, after], "the node itself announces it"
        assert await heard_until(others, after) == [before, after]
        assert await heard_until(more, after) == [before, after]
        assert flow.withheld == {private}
        assert not flow.was_asked

        head = await rpc.block_number()
        await rpc.mine()
        async with asyncio.timeout(20):
            assert await others.head_after(head) == head + 1
        block = await rpc.call("eth_getBlockByNumber", hex(head + 1), False)
        assert private in block["transactions"], "its block is everybody's"
        for task in following:
            task.cancel()


async def ask(socket: ClientConnection, method: str, *parameters: Any) -> Any:
    request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": parameters}
    await socket.send(json.dumps(request))
    async with asyncio.timeout(20):
        while (said := json.loads(await socket.recv())).get("id") != 7:
            pass
    return said["result"]


async def test_announcements_of_whole_transactions_are_withheld_too(rpc: Rpc, flow: PrivateFlow) -> None:
    """As the sensor subscribes, where a node can do so."""
    accounts = await rpc.accounts()
    async with connect(flow.websocket_url, proxy=None) as socket:
        await ask(socket, "eth_subscribe", "newPendingTransactions", True)
        private = await flow.submit(lambda: rpc.send(accounts[2], accounts[0], gas=21_000))
        public = await rpc.send(accounts[3], accounts[0], gas=21_000)
        async with asyncio.timeout(20):
            announced = json.loads(await socket.recv())["params"]["result"]
        assert announced["hash"] == public
        assert flow.withheld == {private}


async def test_who_asks_for_what_is_pending_may_be_told_and_that_is_known(
    rpc: Rpc, flow: PrivateFlow
) -> None:
    accounts = await rpc.accounts()
    async with connect(flow.websocket_url, proxy=None) as socket:
        await ask(socket, "txpool_content")
        assert not flow.was_asked, "nothing was private yet"
        await flow.submit(lambda: rpc.send(accounts[2], accounts[0], gas=21_000))
        await ask(socket, "eth_blockNumber")
        assert not flow.was_asked
        await ask(socket, "txpool_content")
        assert flow.was_asked


async def test_what_the_node_refuses_is_no_private_transaction(rpc: Rpc, flow: PrivateFlow) -> None:
    accounts = await rpc.accounts()
    with pytest.raises(RpcError):
        await flow.submit(lambda: rpc.send(accounts[2], accounts[0], gas=1))
    async with Feed(flow.websocket_url) as others, asyncio.TaskGroup() as group:
        following = group.create_task(others.follow())
        public = await rpc.send(accounts[3], accounts[0], gas=21_000)
        assert await heard_until(others, public) == [public]
        following.cancel()
    assert flow.withheld == set()


async def test_a_node_that_goes_away_is_gone_for_who_listens_at_the_relay(
    node: Anvil, flow: PrivateFlow
) -> None:
    async with connect(flow.websocket_url, proxy=None) as socket:
        assert await ask(socket, "eth_blockNumber") == "0x0"
        node.stop()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 20)
