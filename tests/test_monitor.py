import asyncio

import pytest

from mempool_ids import ConfigError, MempoolIdsError, MempoolMonitor, NodeError, PendingTransaction
from tests.support import Node, eventually, running, transaction


@pytest.fixture
async def node():
    async with running(Node()) as node:
        yield node


async def test_transactions_are_iterated_as_they_arrive(node: Node) -> None:
    async with MempoolMonitor(node.url) as monitor:
        for number in range(1, 6):
            await node.announce(transaction(number))
        await node.announce(transaction(3))
        seen = [await asyncio.wait_for(anext(aiter(monitor)), 10) for _ in range(5)]
        await eventually(lambda: monitor.get_statistics().duplicates == 1)
        statistics = monitor.get_statistics()
    assert [tx.nonce for tx in seen] == [1, 2, 3, 4, 5]
    assert seen[0].value == 0
    assert seen[0].gas == 100_000
    assert seen[0].input is not None
    assert seen[0].input.hex().startswith("2e1a7d4d")
    assert (statistics.received, statistics.duplicates) == (6, 1)
    assert statistics.endpoints[0].up


async def test_callbacks_get_every_transaction_until_close(node: Node) -> None:
    monitor = MempoolMonitor(node.url)
    seen: list[PendingTransaction] = []
    awaited: list[str] = []

    @monitor.on_transaction
    def broken(tx: PendingTransaction) -> None:
        seen.append(tx)
        raise ValueError

    @monitor.on_transaction
    async def later(tx: PendingTransaction) -> None:
        awaited.append(tx.hash)

    streaming = asyncio.create_task(monitor.subscribe_pending_transactions())
    await asyncio.wait_for(node.subscribed.wait(), 10)
    await node.announce(transaction(1))
    await node.announce(transaction(2))
    await eventually(lambda: len(awaited) == 2)
    await monitor.close()
    await asyncio.wait_for(streaming, 10)
    assert [tx.hash for tx in seen] == awaited == [f"0x{1:064x}", f"0x{2:064x}"]


async def test_one_transaction_can_be_asked_for(node: Node) -> None:
    wanted = transaction(9)
    node.known[wanted["hash"]] = wanted
    async with MempoolMonitor(node.url) as monitor:
        tx = await monitor.process_transaction(wanted["hash"])
        assert tx is not None
        assert tx.nonce == 9
        assert await monitor.process_transaction(wanted["hash"]) == tx
        assert await monitor.process_transaction("0x" + "77" * 32, timeout=0.2) is None
        with pytest.raises(MempoolIdsError):
            await monitor.process_transaction("nonsense")


async def test_several_may_ask_for_one_transaction_at_once_and_give_up_at_different_times(node: Node) -> None:
    late = transaction(9)
    async with MempoolMonitor(node.url) as monitor:
        patient = [asyncio.create_task(monitor.process_transaction(late["hash"])) for _ in range(2)]
        hasty = monitor.process_transaction(late["hash"], timeout=0.1)
        assert await hasty is None
        await node.announce(late)
        for tx in await asyncio.gather(*patient):
            assert tx is not None
            assert tx.nonce == 9
        assert monitor._wanted == {}


async def test_iteration_goes_on_over_a_reconnect(node: Node) -> None:
    async with MempoolMonitor(node.url) as monitor:
        await node.announce(transaction(1))
        stream = aiter(monitor)
        assert (await asyncio.wait_for(anext(stream), 10)).nonce == 1
        following = asyncio.create_task(anext(stream))
        node._subscribers.clear()
        node.subscribed.clear()
        await monitor.reconnect()
        await asyncio.wait_for(node.subscribed.wait(), 10)
        await node.announce(transaction(2))
        assert (await asyncio.wait_for(following, 10)).nonce == 2


async def test_no_node_is_an_error_with_its_redacted_url() -> None:
    monitor = MempoolMonitor("ws://127.0.0.1:9/v3/0123456789abcdef")
    with pytest.raises(NodeError, match=r"ws://127\.0\.0\.1:9/v3/\*\*\*"):
        await monitor.connect(timeout=0.5)
    await monitor.close()


async def test_nodes_of_another_chain_are_an_error_at_once() -> None:
    async with running(Node(chain_id=5)) as node:
        monitor = MempoolMonitor(node.url)
        with pytest.raises(NodeError, match="no endpoint serves chain 1"):
            await asyncio.wait_for(monitor.connect(timeout=600), 20)
        with pytest.raises(NodeError, match="no endpoint serves chain 1"):
            await anext(aiter(monitor))


async def test_wrong_use_is_said() -> None:
    with pytest.raises(ConfigError, match="websocket_urls is empty"):
        await MempoolMonitor().connect()
    with pytest.raises(MempoolIdsError, match="connect"):
        await MempoolMonitor("ws://127.0.0.1:9").process_transaction("0x" + "00" * 32)
    assert MempoolMonitor("ws://127.0.0.1:9").get_statistics().received == 0
