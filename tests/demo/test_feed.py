"""What a node announces is heard, once, with its time; a node that is gone is an error in words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.rpc import Rpc
from mempool_ids.exceptions import NodeError


@pytest.fixture
def node(anvil_binary: Path) -> Iterator[Anvil]:
    """Mines when it is asked to."""
    with Anvil(anvil_binary) as running:
        yield running


@pytest.fixture
async def rpc(node: Anvil) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


async def test_transactions_are_heard_in_order_and_blocks_by_number(node: Anvil, rpc: Rpc) -> None:
    accounts = await rpc.accounts()
    before = time.time()
    async with Feed(node.websocket_url) as feed, asyncio.TaskGroup() as group:
        following = group.create_task(feed.follow())
        sent = [await rpc.send(sender, accounts[0], gas=21_000) for sender in accounts[1:4]]
        head = await rpc.block_number()
        await rpc.mine(2)
        async with asyncio.timeout(10):
            assert await feed.head_after(head) == head + 1
            assert await feed.head_after(head + 1) == head + 2
            seen: list[str] = []

            async def look(tx_hash: str) -> str | None:
                seen.append(tx_hash)
                return tx_hash if tx_hash == sent[2] else None

            # Asked afterwards, it is found all the same; what came before is passed over where that is wanted.
            assert await feed.find(look, 1) == sent[2]
        following.cancel()
    assert seen == sent[1:]
    assert list(feed.transactions) == sent
    assert all(before <= at <= time.time() for at in (*feed.transactions.values(), *feed.heads.values()))


async def test_a_node_that_goes_away_is_an_error(node: Anvil) -> None:
    async with Feed(node.websocket_url) as feed:
        node.stop()
        with pytest.raises(NodeError, match="cannot be heard"):
            await asyncio.wait_for(feed.follow(), 10)


async def test_a_node_that_is_not_there_is_an_error(node: Anvil) -> None:
    url = node.websocket_url
    node.stop()
    with pytest.raises(NodeError, match="cannot be heard"):
        async with Feed(url):
            pass
