"""One warm connection to one endpoint: a socket that any thread may write to, and a reply that one thread reads."""

from __future__ import annotations

import random
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import h11

from mempool_ids.defense.broadcast.target import Dead, Target, send_now
from mempool_ids.node import RpcError
from mempool_ids.node.jsonrpc import Refused

Then = Callable[[str, bytes | RpcError], None]
"""Takes an endpoint's name and its reply, or why there is none."""

MAX_REPLY_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_BACK_OFF_S = (0.25, 10.0)
LOST = "the connection was lost"


@dataclass(slots=True, eq=False)
class Exchange:
    """A request on its way, and who waits for the reply."""

    request: bytes
    then: Then | None
    """None where the request only proves that the connection works."""
    deadline: float
    """Seconds of time.monotonic."""
    again: bool = True
    """The same bytes may be sent once more if the connection turns out dead."""
    written_at: float = 0.0
    """Seconds of time.monotonic; 0 where no connection took a byte of it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply."""

    content: bytes | RpcError
    reusable: bool
    """Whether the connection takes another request."""


class Connection:
    """A socket. Whoever touches it holds `lock`; who may not wait tries for it, or takes another connection."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.lock = threading.Lock()
        self.ready = False
        """Connected, and nothing is on its way."""
        self.sock: socket.socket | None = None
        self.exchange: Exchange | None = None
        self.unsent = b""
        self.used_at = 0.0
        self.failures = 0
        """Since it last worked."""
        self.dialing = False
        self.dial_at = 0.0
        self.next: Exchange | None = None
        """To be sent as soon as it is connected anew."""
        self._reader: h11.Connection | None = None
        self._status = 0
        self._body = bytearray()

    def offer(self, exchange: Exchange) -> bool:
        """Writes it at once if nothing is in the way; never waits. From any thread."""
        if not self.ready or not self.lock.acquire(blocking=False):
            return False
        try:
            if not self._is_free():  # it may have been taken, or lost, just now
                return False
            self.begin(exchange)
        except OSError:
            self.exchange = None  # the reading thread connects anew
            return False
        finally:
            self.lock.release()
        return True

    def _is_free(self) -> bool:
        return self.ready

    def begin(self, exchange: Exchange) -> None:
        """Under the lock: writes what the socket's buffer takes."""
        assert self.sock is not None  # noqa: S101
        self.used_at = exchange.written_at = time.monotonic()
        self.unsent = exchange.request
        # In this order: a connection that is neither ready nor busy is one that failed.
        self.exchange = exchange
        self.ready = False
        self.flush()

    def flush(self) -> None:
        """Under the lock: writes more of what is left."""
        assert self.sock is not None  # noqa: S101
        while self.unsent and (sent := send_now(self.sock, self.unsent)):
            self.unsent = self.unsent[sent:]

    def read(self) -> Reply | None:
        """Under the lock: what came, if that is a whole reply.

        Raises:
            OSError: it ended, or says something that nobody asked for.
        """
        assert self.sock is not None  # noqa: S101
        while True:
            try:
                data = self.sock.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None
            if not data and self._reader is None:
                raise Dead(LOST)
            if self.exchange is None:
                raise Dead("it said something that nobody asked for")
            try:
                if (reply := self._take(data)) is not None:
                    return reply
            except h11.RemoteProtocolError:
                lost = RpcError(LOST) if not data else Refused("answers with something else than HTTP")
                return Reply(lost, reusable=False)

    @property
    def is_answering(self) -> bool:
        """Whether a byte of the reply came."""
        return self._reader is not None

    def _take(self, data: bytes) -> Reply | None:
        if self._reader is None:
            self._reader = h11.Connection(h11.CLIENT)
            # How a reply is framed depends on the method alone.
            self._reader.send(
                h11.Request(method="POST", target="/", headers=[("Host", ""), ("Content-Length", "0")])
            )
            self._reader.send(h11.EndOfMessage())
        reader = self._reader
        reader.receive_data(data)
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return None
            if isinstance(event, h11.Response):
                self._status = event.status_code
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_REPLY_BYTES:
                    return Reply(
                        Refused(f"answers with more than {MAX_REPLY_BYTES >> 20} MiB"), reusable=False
                    )
            elif isinstance(event, h11.EndOfMessage):
                reusable = reader.our_state is h11.DONE and reader.their_state is h11.DONE and not self.unsent
                return Reply(self._content(), reusable and not reader.trailing_data[0])
            elif isinstance(event, h11.ConnectionClosed):
                raise Dead(LOST)

    def _content(self) -> bytes | RpcError:
        # A status that is no success often comes with the error in words.
        if not 200 <= self._status < 300 and b'"error"' not in self._body:
            return Refused(f"answered {self._status}")
        return bytes(self._body)

    def end(self) -> Exchange | None:
        """Under the lock: what was on its way is over; returns it."""
        self.ready = False
        exchange, self.exchange = self.exchange, None
        self.unsent = b""
        self._reader, self._status = None, 0
        self._body = bytearray()
        return exchange

    def back_off(self, now: float) -> None:
        """It did not work: the next attempt is later, and later each time."""
        self.failures += 1
        first, longest = _BACK_OFF_S
        delay = min(longest, first * 2.0 ** min(self.failures - 1, 16))
        # Not all connections at the same moment.
        self.dial_at = now + delay * random.uniform(0.5, 1.0)  # noqa: S311

    def drop(self) -> None:
        """Under the lock: closes the socket."""
        self.ready = False
        sock, self.sock = self.sock, None
        if sock is not None:
            with suppress(OSError):
                sock.close()
