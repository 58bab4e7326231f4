"""Private order flow: a transaction that goes to whoever builds the block, and to nobody else before.

Anvil builds its blocks itself and announces all that it is given: it has no private way in. So the sensor hears it
through a relay on this machine, which passes on every frame in both directions but for announcements of what was
submitted privately: it hears what a node would say that was never told of these. The transaction itself is an ordinary
one, in an ordinary block, and there the sensor sees it like everybody else.

The relay hides no more than announcements. A sensor asks for what is pending itself only after a lost connection
(`txpool_content`), and by this relay: `was_asked` says whether somebody did after something was submitted. What it
asks over HTTP, of the node itself, is about blocks and its guardian's account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import WebSocketException

from mempool_ids.exceptions import NodeError

_TIMEOUT_S = 10.0
_ASKS_FOR_PENDING = (b"txpool_", b'"pending"')


class PrivateFlow:
    """A relay before a node's WebSocket, as an async context manager.

    Attributes:
        withheld: transactions whose announcement was kept from who listens here, by hash.
        was_asked: a client asked for what is pending after something was submitted.

    Raises:
        NodeError: when it is entered, and no port can be had.
    """

    def __init__(self, node_url: str) -> None:
        self._node_url = node_url
        self._server: Server | None = None
        # Announcements wait while something is submitted: its hash is known only once the node has announced it.
        self._submitting = asyncio.Lock()
        self._private: set[str] = set()
        self.withheld: set[str] = set()
        self.was_asked = False

    async def __aenter__(self) -> Self:
        try:
            self._server = await serve(self._serve, "127.0.0.1", 0, max_size=None, compression=None)
        except OSError as error:
            raise NodeError(f"no port for the private order flow's relay: {error}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None  # noqa: S101
        self._server.close()
        await self._server.wait_closed()

    @property
    def websocket_url(self) -> str:
        """Where everybody listens who is not the builder."""
        assert self._server is not None  # noqa: S101
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def submit(self, send: Callable[[], Awaitable[str]]) -> str:
        """Gives the node a transaction of which nobody is told who listens here.

        Args:
            send: hands it to the node, and returns its hash.
        """
        async with self._submitting:
            tx_hash = await send()
            self._private.add(tx_hash)
        return tx_hash

    async def _serve(self, client: ServerConnection) -> None:
        try:
            async with (
                connect(
                    self._node_url, open_timeout=_TIMEOUT_S, max_size=None, compression=None, proxy=None
                ) as node,
                asyncio.TaskGroup() as ways,
            ):
                ways.create_task(self._up(client, node))
                ways.create_task(self._down(node, client))
        except* (OSError, TimeoutError, WebSocketException):
            pass  # One side has gone, and so the other goes: as without a relay between them.

    async def _up(self, client: ServerConnection, node: ClientConnection) -> None:
        while True:
            frame = await client.recv(decode=False)
            if self._private and any(asked in frame for asked in _ASKS_FOR_PENDING):
                self.was_asked = True
            await node.send(frame, text=True)

    async def _down(self, node: ClientConnection, client: ServerConnection) -> None:
        while True:
            frame = await node.recv(decode=False)
            async with self._submitting:
                announced = _announced(frame) if self._private else None
            if announced in self._private:
                self.withheld.add(str(announced))
            else:
                await client.send(frame, text=True)


def _announced(frame: bytes) -> str | None:
    """The hash of the transaction that a notification announces, alone or with all of it; None of any other frame."""
    said: Any = orjson.loads(frame)
    if not isinstance(said, dict) or said.get("method") != "eth_subscription":
        return None
    result = said["params"]["result"]
    # A block's head has a hash, too, but is from nobody.
    return result if isinstance(result, str) else result["hash"] if "from" in result else None
