"""Sending to builders: all of them at once, on connections that stay open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx2

from mempool_ids import http
from mempool_ids.defense.broadcast.builders import Builder
from mempool_ids.defense.broadcast.bundle import Identity
from mempool_ids.defense.broadcast.replies import Answer, Reply, read
from mempool_ids.exceptions import ConfigError
from mempool_ids.node.jsonrpc import request

TIMEOUT_S = 2.0
MAX_REPLY_BYTES = 1 << 20
# Any JSON-RPC method does: a builder that does not know it says so, and that is an answer.
_PROBE = request(0, "eth_chainId", ())


@dataclass(frozen=True, slots=True)
class RelayHealth:
    """Of one builder."""

    builder: str
    up: bool
    """Whether it answers in JSON-RPC at all."""
    rtt_s: float | None
    error: str | None


class Relays:
    """Sends requests to builders. An async context manager: use it within.

    Connects directly: a proxy of the environment is not used.

    Args:
        builders: to send to.
        identity: signs the requests of those who want that.
        timeout_s: of one request, from the call on.
        transport: makes what is used instead of the network, for tests.

    Raises:
        ConfigError: a builder wants signatures and there is no identity, or a URL or token cannot be used.
    """

    def __init__(
        self,
        builders: Sequence[Builder],
        identity: Identity | None,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: Callable[[Builder], httpx2.AsyncBaseTransport] | None = None,
    ) -> None:
        self.builders = {builder.name: builder for builder in builders}
        self._identity = identity
        self._timeout_s = timeout_s
        unsigned = [one.name for one in builders if one.signature == "required" and identity is None]
        if unsigned:
            raise ConfigError(
                f"{', '.join(unsigned)}: requests are to be signed; set defense.broadcast.identity"
            )
        self._headers = {name: self._fixed(builder) for name, builder in self.builders.items()}
        self._clients = {
            name: http.client(builder.url, timeout_s, transport=(transport or _network)(builder))
            for name, builder in self.builders.items()
        }

    @staticmethod
    def _fixed(builder: Builder) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if builder.token is not None:
            headers["Authorization"] = builder.token.reveal().strip()
        return headers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, bodies: Mapping[str, Sequence[bytes]]) -> dict[str, tuple[Answer, ...]]:
        """Posts everything at once. Never raises for what a builder does; none holds up another.

        Args:
            bodies: requests by builder's name.

        Returns:
            By builder's name, an answer to each of its requests, in their order, within the timeout.
        """
        asked = [(name, body) for name, each in bodies.items() for body in each]
        answers = await asyncio.gather(*(self._ask(name, body) for name, body in asked))
        told: dict[str, list[Answer]] = {name: [] for name in bodies}
        for (name, _), answer in zip(asked, answers, strict=True):
            told[name].append(answer)
        return {name: tuple(each) for name, each in told.items()}

    async def check(self) -> tuple[RelayHealth, ...]:
        """Asks each builder something harmless, which keeps a connection open, too."""
        return tuple(await asyncio.gather(*(self._check(name) for name in self.builders)))

    async def close(self) -> None:
        """Nothing can be sent afterwards."""
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    async def _check(self, name: str) -> RelayHealth:
        began = time.monotonic()
        answer = await self._ask(name, _PROBE)
        if answer.kind is Reply.NO_ANSWER:
            return RelayHealth(name, False, None, answer.message)
        # A signature that it does not take is no builder that can be counted on.
        refused = answer.kind is Reply.REFUSED and "signature" in answer.message.lower()
        return RelayHealth(name, not refused, time.monotonic() - began, answer.message if refused else None)

    async def _ask(self, name: str, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(name, body)
        except (TimeoutError, httpx2.TimeoutException):
            return Answer(Reply.NO_ANSWER, f"no answer within {self._timeout_s:g} s")
        except (OSError, httpx2.HTTPError) as error:
            # Its words may have the URL, and that may hold a key.
            kind = "cannot connect" if isinstance(error, httpx2.ConnectError) else type(error).__name__
            return Answer(Reply.NO_ANSWER, kind)

    async def _exchange(self, name: str, body: bytes) -> Answer:
        builder = self.builders[name]
        headers = self._headers[name]
        if self._identity is not None and builder.signature != "ignored":
            headers = {**headers, "X-Flashbots-Signature": self._identity.header(body)}
        async with self._clients[name].stream(
            "POST", builder.url.full, content=body, headers=headers
        ) as response:
            reply = bytearray()
            async for part in response.aiter_bytes():
                reply += part
                if len(reply) > MAX_REPLY_BYTES:
                    return Answer(Reply.NO_ANSWER, f"answers with more than {MAX_REPLY_BYTES >> 20} MiB")
        # A status that is no success often comes with the error in words.
        if not response.is_success and b"error" not in reply:
            return Answer(Reply.NO_ANSWER, f"answered {response.status_code}")
        return read(bytes(reply))


def _network(builder: Builder) -> httpx2.AsyncBaseTransport:
    most = builder.connections
    # They stay open for as long as the builder lets them: a handshake would cost what a slot does not have.
    limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=None)
    return httpx2.AsyncHTTPTransport(limits=limits)
