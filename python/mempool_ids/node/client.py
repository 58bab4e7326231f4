"""Clients of one node, over HTTP and over WebSocket."""

import asyncio
import logging
import os
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import Any, Self

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, SecurityError, WebSocketException

from mempool_ids import http
from mempool_ids.config import Url
from mempool_ids.node.jsonrpc import Refused, RpcError, Unanswered, answers, message, request, result

TIMEOUT_S = 10.0
# What a block changed is told in one answer.
MAX_ANSWER_BYTES = 64 << 20
# Uncompressed: the bound on an answer is one on what is read.
_JSON = {"Content-Type": "application/json", "Accept-Encoding": "identity"}

# At DEBUG, websockets logs the path it asks for, which may be a key.
_handshakes = logging.getLogger("mempool_ids.node.websocket")
_handshakes.setLevel(logging.INFO)


class Client(ABC):
    """Asks one node. An async context manager: use it within, and it is closed afterwards.

    Args:
        url: of the node; printed redacted.
        timeout_s: how long a connection, and an answer, may take.
    """

    def __init__(self, url: Url, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url
        self._timeout_s = timeout_s
        self._numbers = count(1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.url)!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def call(self, method: str, *params: Any) -> Any:
        """The result as JSON has it. Every way it can fail is an `RpcError`, with the method and without the URL.

        Raises:
            Refused: the node answered with an error, or with nothing that is an answer.
            Unanswered: it did not answer in time.
            RpcError: it could not be reached, or was lost.
        """
        number = next(self._numbers)
        with self._told(method):
            async with asyncio.timeout(self._timeout_s):
                answer = await self._exchange(number, method, params)
        return result(method, answer)

    @abstractmethod
    async def _exchange(self, number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """Sends the request and returns its answer; the time for both is limited."""

    @abstractmethod
    async def close(self) -> None:
        """Nothing can be asked afterwards."""

    @contextmanager
    def _told(self, method: str | None = None) -> Iterator[None]:
        """What the transports raise, in our words: theirs may have the URL, and that may hold a key."""
        try:
            yield
        except (TimeoutError, httpx2.TimeoutException):
            raise Unanswered(f"no answer within {self._timeout_s:g} s", method) from None
        except (OSError, httpx2.HTTPError, WebSocketException) as error:
            raise RpcError(_reason(error), method) from None


def _reason(error: Exception) -> str:
    if isinstance(error, InvalidURI):
        return "not a WebSocket URL"
    if isinstance(error, SecurityError):
        return "no WebSocket there: it redirects elsewhere"
    if isinstance(error, InvalidHandshake):
        return f"no WebSocket there: {error}"[:200]
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {type(error).__name__}"
    if isinstance(error, OSError):  # a name that is not found has a number of its own, below zero
        return os.strerror(error.errno) if error.errno and error.errno > 0 else "cannot connect"
    return "cannot connect" if isinstance(error, httpx2.ConnectError) else type(error).__name__


class HttpClient(Client):
    """Asks one node over HTTP; any number of requests at a time.

    Args:
        transport: instead of the network, for tests.
        environment: whether the environment's proxy and certificates are used.

    Raises:
        ConfigError: the URL, or the environment's proxy or certificates, cannot be used.
    """

    def __init__(
        self,
        url: Url,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx2.AsyncBaseTransport | None = None,
        environment: bool = True,
    ) -> None:
        super().__init__(url, timeout_s=timeout_s)
        self._http = http.client(url, timeout_s, transport=transport, environment=environment)

    async def _exchange(self, number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
        body = request(number, method, params)
        async with self._http.stream("POST", self.url.full, content=body, headers=_JSON) as response:
            answer = bytearray()
            async for part in response.aiter_bytes():
                answer += part
                if len(answer) > MAX_ANSWER_BYTES:
                    raise Refused(f"answers with more than {MAX_ANSWER_BYTES >> 20} MiB", method)
        # A status that is no success often comes with the error in words.
        if not response.is_success and b'"error"' not in answer:
            raise Refused(f"answered {response.status_code}", method)
        return message(method, bytes(answer))

    async def close(self) -> None:
        await self._http.aclose()


class WebSocketClient(Client):
    """Asks one node over WebSocket, one request at a time; what it announces meanwhile is passed over.

    Entering it connects, and raises RpcError where that fails.
    """

    def __init__(self, url: Url, *, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(url, timeout_s=timeout_s)
        self._socket: ClientConnection | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        with self._told():
            self._socket = await connect(
                self.url.full,
                open_timeout=self._timeout_s,
                max_size=MAX_ANSWER_BYTES,
                proxy=None,
                logger=_handshakes,
            )
        return self

    async def _exchange(self, number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
        if self._socket is None:
            raise RpcError("not connected", method)
        async with self._turn:
            await self._socket.send(request(number, method, params), text=True)
            while not answers(said := message(method, await self._socket.recv(decode=False)), number):
                pass
        return said

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
