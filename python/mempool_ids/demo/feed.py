"""What a node announces to everybody who is subscribed, the attacker too: pending transactions and blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from mempool_ids.exceptions import NodeError

T = TypeVar("T")

_TIMEOUT_S = 10.0
_TRANSACTIONS, _HEADS = "newPendingTransactions", "newHeads"


class Feed:
    """A subscription to a node on this machine, as an async context manager; `follow` takes in what it announces.

    Attributes:
        transactions: when each was announced (Unix seconds), by hash, in order.
        heads: when each block was, by number.

    Raises:
        NodeError: when it is entered, and the node cannot be subscribed to.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: ClientConnection | None = None
        self._kinds: dict[str, str] = {}
        self._news = asyncio.Condition()
        self.transactions: dict[str, float] = {}
        self.heads: dict[int, float] = {}

    async def __aenter__(self) -> Self:
        try:
            self._socket = await connect(self._url, open_timeout=_TIMEOUT_S, proxy=None)
            async with asyncio.timeout(_TIMEOUT_S):
                for number, kind in enumerate((_TRANSACTIONS, _HEADS)):
                    await self._subscribe(self._socket, number, kind)
        except (OSError, TimeoutError, WebSocketException) as error:
            await self._close()
            raise _lost(error) from None
        return self

    async def _subscribe(self, socket: ClientConnection, number: int, kind: str) -> None:
        request = {"jsonrpc": "2.0", "id": number, "method": "eth_subscribe", "params": [kind]}
        await socket.send(orjson.dumps(request), text=True)
        while True:
            said = orjson.loads(await socket.recv(decode=False))
            if said.get("id") == number:
                break
            await self._take(said)
        if "result" not in said:
            raise NodeError(f"the node announces no {kind}: {said.get('error')}")
        self._kinds[said["result"]] = kind

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    async def follow(self) -> None:
        """Until it is cancelled.

        Raises:
            NodeError: the connection was lost.
        """
        assert self._socket is not None  # noqa: S101
        try:
            while True:
                await self._take(orjson.loads(await self._socket.recv(decode=False)))
        except (OSError, WebSocketException) as error:
            raise _lost(error) from None

    async def _take(self, said: dict[str, Any]) -> None:
        at = time.time()
        told = said.get("params") or {}
        kind = self._kinds.get(str(told.get("subscription")))
        if kind is None:
            return
        async with self._news:
            if kind == _HEADS:
                self.heads.setdefault(int(told["result"]["number"], 16), at)
            else:
                self.transactions.setdefault(told["result"], at)
            self._news.notify_all()

    async def find(self, look: Callable[[str], Awaitable[T | None]], looked_at: int = 0) -> T:
        """The first that `look` makes something of, among the transactions announced after so many; waits for it."""
        while True:
            for tx_hash in await self._after(looked_at):
                looked_at += 1
                if (found := await look(tx_hash)) is not None:
                    return found

    async def _after(self, count: int) -> list[str]:
        async with self._news:
            await self._news.wait_for(lambda: len(self.transactions) > count)
            return list(self.transactions)[count:]

    async def head_after(self, number: int) -> int:
        """The lowest number above `number` of a block that was announced; waits for one."""
        async with self._news:
            await self._news.wait_for(lambda: any(head > number for head in self.heads))
        return min(head for head in self.heads if head > number)


def _lost(error: Exception) -> NodeError:
    return NodeError(f"what the node announces cannot be heard: {error or type(error).__name__}")
