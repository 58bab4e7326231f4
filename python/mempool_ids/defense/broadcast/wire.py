"""Bytes to RPC endpoints, at once, from any thread.

Connections stay open and are proven all the time, so that a request costs no more than a write to a socket. Replies
are read on a thread of this module's own.

To endpoints in the clear, all bytes go out without letting go of the GIL. Python's TLS lets go of it for each endpoint:
where a thread beside only runs Python, each endpoint after the first may come later by a switch interval
(`sys.setswitchinterval`, 5 ms unless set otherwise).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from mempool_ids.config import Url
from mempool_ids.defense.broadcast.connection import Connection, Exchange, Then
from mempool_ids.defense.broadcast.pump import Endpoint, Pump
from mempool_ids.defense.broadcast.target import Target
from mempool_ids.node.jsonrpc import request

CONNECTIONS = 3
TIMEOUT_S = 5.0
PROBE_S = 5.0


def send_raw_body(raw: bytes, number: int) -> bytes:
    """The JSON-RPC request, with that id, that gives a signed transaction to a node."""
    return request(number, "eth_sendRawTransaction", ["0x" + raw.hex()])


@dataclass(frozen=True, slots=True)
class Health:
    """Of one endpoint."""

    endpoint: str
    """Redacted URL."""
    up: bool
    """Whether it answers now."""
    warm: int
    """Connections that could take a request at once."""
    rtt_s: float | None
    """Round-trip time of the last proof, seconds."""
    chain_id: int | None
    """As it said last."""
    error: str | None
    """Why it is not up."""


class Wire:
    """Persistent connections to RPC endpoints, open as soon as it is made. A context manager, or `close` it.

    Connects directly: a proxy of the environment is not used.

    Args:
        urls: of the endpoints, http or https; printed redacted.
        connections: to each; so many requests go out to it at the same time.
        timeout_s: of a connect, and of a request.
        probe_s: a connection that was not used for so long is proven by `eth_chainId`.
        context: of TLS; None is Python's default.

    Raises:
        ConfigError: a URL cannot be asked.
    """

    def __init__(
        self,
        urls: Sequence[Url],
        *,
        connections: int = CONNECTIONS,
        timeout_s: float = TIMEOUT_S,
        probe_s: float = PROBE_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        endpoints = []
        for name, url in zip(_names(urls), urls, strict=True):
            target = Target(url, lambda: context or ssl.create_default_context())
            warm = tuple(Connection(target) for _ in range(connections))
            endpoints.append(Endpoint(name, target, warm))
        self._endpoints = tuple(endpoints)
        # Encrypting lets go of the GIL: what is sent in the clear goes out before.
        self._order = sorted(endpoints, key=lambda endpoint: endpoint.target.context is not None)
        self._pump = Pump(self._endpoints, timeout_s, probe_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the endpoints, as `then` and `health` have them: redacted URLs, numbered where two look alike."""
        return tuple(endpoint.name for endpoint in self._endpoints)

    def post(self, body: bytes, then: Then) -> int:
        """Writes a request to every endpoint before it returns. Never waits, from whatever thread.

        Args:
            body: of the request.
            then: takes each endpoint's name and its reply, or why there is none, once for each endpoint, on the thread
                that reads replies: it must be quick. After `close` nothing is sent, and it is not called.

        Returns:
            How many endpoints' sockets took it. To the others it goes as soon as they are connected.
        """
        if self._pump.closing:
            return 0
        took = 0
        is_left = False
        deadline = time.monotonic() + self._timeout_s
        for endpoint in self._order:
            exchange = Exchange(endpoint.target.request(body), then, deadline)
            for connection in endpoint.connections:
                if connection.offer(exchange):
                    took += 1
                    is_left = is_left or bool(connection.unsent)
                    break
            else:
                endpoint.waiting.append(exchange)
                is_left = True
        if is_left:
            self._pump.wake()
        return took

    def health(self) -> tuple[Health, ...]:
        """Of each endpoint, in the order given."""
        if not self._pump.is_alive:
            return tuple(
                Health(endpoint.name, False, 0, None, endpoint.chain_id, "closed")
                for endpoint in self._endpoints
            )
        return tuple(
            Health(
                endpoint.name,
                endpoint.up,
                sum(connection.ready for connection in endpoint.connections),
                endpoint.rtt_s,
                endpoint.chain_id,
                None if endpoint.up else endpoint.error,
            )
            for endpoint in self._endpoints
        )

    def wait_warm(self, seconds: float) -> bool:
        """Waits until every connection is proven. False where that took longer."""
        deadline = time.monotonic() + seconds
        every = [connection for endpoint in self._endpoints for connection in endpoint.connections]
        while not all(connection.ready for connection in every):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def close(self) -> None:
        """Closes all connections; who still waits for a reply is told. Idempotent."""
        self._pump.close()


def _names(urls: Sequence[Url]) -> list[str]:
    names: list[str] = []
    for url in urls:
        alike = sum(name == str(url) or name.startswith(f"{url} (") for name in names)
        names.append(f"{url} ({alike + 1})" if alike else str(url))
    return names
