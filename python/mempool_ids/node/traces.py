"""What each transaction of a block did, as a node's callTracer tells it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from mempool_ids.config import Url
from mempool_ids.exceptions import ConfigError, NodeError
from mempool_ids.node.client import Client, HttpClient, WebSocketClient
from mempool_ids.node.jsonrpc import Refused, RpcError, Unanswered

# To execute a full block anew takes a node seconds, on a busy disk a minute.
TIMEOUT_S = 120.0
# What a node that does not answer is given to come back, again and again.
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_BLOCK = "debug_traceBlockByNumber"
# geth gives up on a transaction after 5 s unless it is told otherwise.
_TRACER = {"tracer": "callTracer", "timeout": "60s"}
_BUSY_CODES = (429, -32005)
_BUSY = re.compile(
    r"^answered (429|5\d\d)|rate.?limit|too many requests|capacity|compute units", re.IGNORECASE
)
# Transactions of a block that take a node too long; where there are more, it is the node.
_UNANSWERED = 3
_NEEDED = (
    "The node must serve the debug namespace (debug_traceBlockByNumber with callTracer; geth --http.api eth,debug)"
    " and have the state before the block: full nodes keep that of the last 128, archive nodes all"
)

T = TypeVar("T")


@dataclass(frozen=True)
class TracedBlock:
    """A block's transactions."""

    number: int
    hash: str
    parent: str
    timestamp: int
    """Unix seconds."""
    traces: dict[str, Any]
    """By hash, in the block's order: what callTracer says, failed ones included."""
    untraced: dict[str, str]
    """By hash: why the node has no trace of it."""


def client(url: Url) -> Client:
    """A client that waits as long as traces take. Raises `ConfigError` for a URL that is neither HTTP nor WebSocket."""
    if url.scheme in ("http", "https"):
        return HttpClient(url, timeout_s=TIMEOUT_S)
    if url.scheme in ("ws", "wss"):
        return WebSocketClient(url, timeout_s=TIMEOUT_S)
    raise ConfigError("a node's URL begins with http://, https://, ws:// or wss://")


async def chain_and_head(url: Url) -> tuple[int, int]:
    """The node's chain id and the number of its head. Raises `RpcError`."""
    async with client(url) as node:
        return int(await node.call("eth_chainId"), 16), int(await node.call("eth_blockNumber"), 16)


def traced_blocks(url: Url, numbers: range, say: Callable[[str], None]) -> AsyncGenerator[TracedBlock, None]:
    """Those blocks, one after the other, as `each_block` reads them."""
    return each_block(url, numbers, traced, say)


async def each_block(
    url: Url, numbers: range, read: Callable[[Client, int], Awaitable[T]], say: Callable[[str], None]
) -> AsyncGenerator[T, None]:
    """What `read` makes of those blocks, in their order. A node that is busy or away is asked again; `say` is told.

    Raises:
        NodeError: it does not come back, or has not what is read; says what it would need.
        ConfigError: the URL cannot be used.
    """
    done = failures = 0
    while done < len(numbers):
        try:
            # A connection that was lost is opened anew.
            async with client(url) as node:
                while done < len(numbers):
                    block = await read(node, numbers[done])
                    done += 1
                    failures = 0
                    yield block
        except RpcError as error:
            if not _passes(error) or failures == len(PAUSES_S):
                raise
            say(f"block {numbers[done]:,}: {error}; asking again in {PAUSES_S[failures]:g} s")
            await asyncio.sleep(PAUSES_S[failures])
            failures += 1


async def has_traces(node: Client, number: int) -> bool:
    """Whether the node executes that block anew. Raises `RpcError` where it cannot be asked."""
    try:
        await node.call(_BLOCK, hex(number), _TRACER)
    except Refused as error:
        if _passes(error):
            raise
        # A block that is too much for one answer has traces all the same.
        return "MiB" in error.reason
    except Unanswered:
        return True
    return True


async def traced(node: Client, number: int) -> TracedBlock:
    """One block.

    Raises:
        RpcError: asking again may help, unless it is `Refused`.
        NodeError: the node has no traces; says what it would need.
    """
    block = await node.call("eth_getBlockByNumber", hex(number), False)
    if block is None:
        # Behind one URL there may be several nodes, not all as far.
        raise RpcError(f"no block {number}", "eth_getBlockByNumber")
    try:
        hashes, timestamp = [str(key) for key in block["transactions"]], int(block["timestamp"], 16)
        own, parent = str(block["hash"]), str(block["parentHash"])
    except (KeyError, TypeError, ValueError):
        raise Refused("answers with something else than a block", "eth_getBlockByNumber") from None
    told = await _traces(node, number, hashes) if hashes else {}
    traces = {key: told[key] for key in hashes if isinstance(told.get(key), dict)}
    untraced = {key: str(told.get(key) or "the node left it out") for key in hashes if key not in traces}
    return TracedBlock(number, own, parent, timestamp, traces, untraced)


async def _traces(node: Client, number: int, hashes: list[str]) -> dict[str, Any]:
    """By hash: a trace, or in words why there is none."""
    try:
        return _by_hash(await node.call(_BLOCK, hex(number), _TRACER), hashes)
    except (Refused, Unanswered) as error:
        if isinstance(error, Refused) and _passes(error):
            raise
        return await _one_by_one(node, number, hashes, error)


async def _one_by_one(node: Client, number: int, hashes: list[str], refusal: RpcError) -> dict[str, Any]:
    """For a block that is too much for one answer. One transaction that is too much as well is left out, and the node's
    word kept; a node that traces none of them has no traces."""
    told: dict[str, Any] = {}
    unanswered = 0
    for key in hashes:
        try:
            told[key] = await node.call("debug_traceTransaction", key, _TRACER)
        except Refused as error:
            if _passes(error):
                raise
            told[key] = error.reason
        except Unanswered as error:
            unanswered += 1
            if unanswered > _UNANSWERED:
                raise
            told[key] = error.reason
    if not any(isinstance(trace, dict) for trace in told.values()):
        raise NodeError(f"block {number:,}: {refusal}. {_NEEDED}") from None
    return told


def _by_hash(answer: object, hashes: list[str]) -> dict[str, Any]:
    """Raises `Refused` if these are no traces of these transactions, `RpcError` if they are of another block."""
    if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
        raise Refused("answers with something else than traces", _BLOCK)
    entries: list[dict[str, Any]] = answer
    if all("txHash" in entry for entry in entries):
        keys = [str(entry["txHash"]) for entry in entries]
    elif len(entries) == len(hashes):  # older nodes tell no hashes: the order has to do
        keys = hashes
    else:
        raise Refused(f"answers with {len(entries)} traces of {len(hashes)} transactions", _BLOCK)
    if not set(keys) <= set(hashes):
        raise RpcError("the chain was reorganized meanwhile", _BLOCK)
    return {key: entry.get("result") or entry.get("error") for key, entry in zip(keys, entries, strict=True)}


def _passes(error: RpcError) -> bool:
    """Whether asking again may help: nobody answered, or a node that has too much to do."""
    return not isinstance(error, Refused) or error.code in _BUSY_CODES or bool(_BUSY.search(error.reason))
