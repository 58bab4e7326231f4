"""Filling the funding index from blocks that are over, in their order: money is followed forwards."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import orjson

from mempool_ids import _core
from mempool_ids.config import IDSConfig, Url, funding_config
from mempool_ids.exceptions import ConfigError, MempoolIdsError
from mempool_ids.node.blocks import Blocks
from mempool_ids.node.client import Client
from mempool_ids.node.jsonrpc import Refused, RpcError
from mempool_ids.node.traces import TracedBlock, chain_and_head, client, each_block, has_traces, traced
from mempool_ids.node.transfers import PlainBlock, denominations, plain

Say = Callable[[str], None]
_Read = Callable[[Client, int], Awaitable[TracedBlock | PlainBlock]]
Known = Sequence[tuple[int, int]]
"""First and last, both included, of ranges of blocks; ascending."""


class _Reorganized(Exception):
    """From this block on the chain is another one than was read."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class Filled:
    """What came of a backfill, so far."""

    blocks: int = 0
    records: int = 0
    plain: int = 0
    """Blocks whose internal transfers the node does not tell."""
    left_out: int = 0
    """Transactions whose traces the node has not, or that cannot be read."""


class Backfill:
    """Reads blocks of a node into the index, which nobody else may write meanwhile. A context manager.

    What is read is in the index at once: however it ends, the next one goes on from there.

    Args:
        config: says where the index is, and what counts.
        url: of the node.
        say: is told what people should know.

    Raises:
        ConfigError: the index is of another chain, or the services cannot be read.
        MempoolIdsError: another process writes the index.
    """

    def __init__(self, config: IDSConfig, url: Url, say: Say) -> None:
        self._chain_id = config.chain.id
        self._url = url
        self._say = say
        self._index = _core.FundingIndex(funding_config(config), write=True)
        self.filled = Filled()
        state = self._state()
        if state["rebuilt"]:
            say(
                f"{config.early.funding} was damaged ({state['rebuilt']}); it is beside it, and a new one begun"
            )
        if not state["sources"]:
            self.close()
            raise ConfigError(
                f"no service is known on chain {self._chain_id}: give a table of yours, early.sources (docs/early.md)"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """The index is free for others. Idempotent."""
        self._index.close()

    async def missing(self, blocks: Blocks | None, *, anew: bool = False) -> range:
        """The blocks that are to be read.

        Args:
            blocks: those wanted; None is what the longest window of a service reaches back to.
            anew: what the index has is forgotten where it cannot be added to.

        Raises:
            ConfigError: there are no such blocks, or the index has later ones and is not to be made anew.
            NodeError: the node does not answer.
        """
        chain_id, head = await chain_and_head(self._url)
        if chain_id != self._chain_id:
            raise ConfigError(f"the node is on chain {chain_id}, not on {self._chain_id} (chain.id)")
        state = self._state()
        if blocks is None:
            wanted = range(await self._first_within(state["longest_window"], head), head + 1)
        else:
            try:
                wanted = blocks.at(head)
            except ValueError as error:
                raise ConfigError(str(error)) from None
        known = [(span["first"], span["last"]) for span in state["blocks"]]
        missing = without(wanted, known)
        if not missing or not known or missing.start > known[-1][1]:
            return missing
        spans = ", ".join(f"{first:,} to {last:,}" for first, last in known)
        if not anew:
            raise ConfigError(
                f"the index has blocks {spans}, and money is followed forwards: block {missing.start:,} cannot be put "
                "in before them. --anew forgets them and reads everything in order"
            )
        self._index.clear()
        self._say(f"forgot blocks {spans}: they are read again in their order")
        return range(wanted.start, max(wanted.stop, min(known[-1][1], head) + 1))

    async def fill(self, numbers: range) -> AsyncGenerator[int, None]:
        """Reads them; yields each one's number when it is in.

        Raises:
            NodeError: the node does not come back, or has not what is needed.
            MempoolIdsError: the index cannot be written.
        """
        while numbers:
            try:
                async with aclosing(self._read(numbers)) as found:
                    async for number in found:
                        yield number
                return
            except _Reorganized as error:
                self._say(f"block {error.number:,} left the chain; it is read again")
                numbers = range(error.number, numbers.stop)

    async def _read(self, numbers: range) -> AsyncGenerator[int, None]:
        begin = await self._first_traced(numbers)
        parts: list[tuple[range, _Read]] = [(range(begin, numbers.stop), traced)]
        if begin > numbers.start:
            self._say(
                f"the node has no traces before block {begin:,}: of those blocks only what transactions send "
                "themselves, the wrapped asset logs, and Tornado Cash's pools log is known, not what contracts pay"
            )
            state = self._state()
            async with client(self._url) as node:
                pools = await denominations(node, state["sources"])
            plainly = partial(plain, token=state["wrapped"], pools=pools)
            parts.insert(0, (range(numbers.start, begin), plainly))
        for part, read in parts:
            async with aclosing(each_block(self._url, part, read, self._say)) as found:
                async for block in found:
                    await asyncio.to_thread(self._feed, block)
                    yield block.number

    def _feed(self, block: TracedBlock | PlainBlock) -> None:
        head = {
            "number": block.number,
            "hash": block.hash,
            "parent": block.parent,
            "timestamp": block.timestamp,
        }
        traces: list[tuple[str, str]] = []
        transfers: list[dict[str, Any]] = []
        if isinstance(block, TracedBlock):
            traces = [(key, orjson.dumps(trace).decode()) for key, trace in block.traces.items()]
            self._left_out(block.untraced)
        else:
            transfers = block.transfers
            self.filled.plain += 1
        raw = self._index.feed(orjson.dumps({**head, "transfers": transfers}), traces)
        fed, unreadable = orjson.loads(raw)
        self._left_out(dict.fromkeys(unreadable, "its trace cannot be read"))
        if fed == "behind":
            raise MempoolIdsError(
                f"block {block.number:,} is not in order: the node's chain is another one now"
            )
        if isinstance(fed, dict):
            if fed["added"]["undone"]:
                # Its parent is another one than was read.
                self._index.undo(block.number - 1)
                raise _Reorganized(block.number - 1)
            self.filled.records += fed["added"]["records"]
        self.filled.blocks += 1

    def _left_out(self, transactions: dict[str, str]) -> None:
        for key, why in transactions.items():
            self._say(f"{key} left out: {why}")
        self.filled.left_out += len(transactions)

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = orjson.loads(self._index.state())
        return state

    async def _first_within(self, seconds: int, head: int) -> int:
        """The first block that is no more than so many seconds older than the head."""
        async with client(self._url) as node:
            oldest = await _timestamp(node, head) - seconds
            low, high = 0, head
            while low < high:
                middle = (low + high) // 2
                if await _timestamp(node, middle) < oldest:
                    low = middle + 1
                else:
                    high = middle
        return low

    async def _first_traced(self, numbers: range) -> int:
        """The first of them that the node has traces of: nodes forget the state of old blocks. Their end, if none."""
        async with client(self._url) as node:
            if not numbers or not await has_traces(node, numbers[-1]):
                return numbers.stop
            low, high = numbers.start, numbers[-1]
            if await has_traces(node, low):
                return low
            while low < high:
                middle = (low + high) // 2
                if await has_traces(node, middle):
                    high = middle
                else:
                    low = middle + 1
        return low


def without(wanted: range, known: Known) -> range:
    """From the first block of `wanted` that is in none of the ranges; empty where all are."""
    first = wanted.start
    for low, high in known:
        if low <= first <= high:
            first = high + 1
    return range(min(first, wanted.stop), wanted.stop)


async def _timestamp(node: Client, number: int) -> int:
    method = "eth_getBlockByNumber"
    block = await node.call(method, hex(number), False)
    if block is None:
        raise RpcError(f"no block {number}: the node has forgotten it; give --blocks", method)
    try:
        return int(block["timestamp"], 16)
    except (KeyError, TypeError, ValueError):
        raise Refused("answers with something else than a block", method) from None
