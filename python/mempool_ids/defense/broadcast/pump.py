"""The thread behind a `Wire`: reads replies, writes what had no room, keeps connections warm and proves them."""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mempool_ids.defense.broadcast.connection import LOST, Connection, Exchange, Reply
from mempool_ids.defense.broadcast.target import Target, why
from mempool_ids.node import RpcError
from mempool_ids.node.jsonrpc import Unanswered, Unreached, message, request, result

log = logging.getLogger(__name__)

# A warm connection that says nothing for so long is taken for dead: the same bytes go out once more.
SILENT_S = 2.0
_TICK_S = 0.25
_PROBE = request(0, "eth_chainId", ())


@dataclass(slots=True, eq=False)
class Endpoint:
    """One endpoint and its connections."""

    name: str
    target: Target
    connections: tuple[Connection, ...]
    waiting: deque[Exchange] = field(default_factory=deque)
    """What no connection could take at once."""
    up: bool = False
    rtt_s: float | None = None
    chain_id: int | None = None
    error: str | None = "not connected yet"


class Pump:
    """A running thread, until `close`.

    Args:
        timeout_s: of a connect, and of a proof.
        probe_s: a connection that was not used for so long is proven.
    """

    def __init__(self, endpoints: Sequence[Endpoint], timeout_s: float, probe_s: float) -> None:
        self._endpoints = endpoints
        self._timeout_s, self._probe_s = timeout_s, probe_s
        self._dialed: deque[tuple[Endpoint, Connection, socket.socket | Exception]] = deque()
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self.closing = False
        self._thread = threading.Thread(target=self._run, name="ids-wire", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Closes all connections; who still waits for a reply is told. Idempotent."""
        self.closing = True
        self.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(self._timeout_s)

    def wake(self) -> None:
        """There is something to be sent. From any thread; never waits."""
        with suppress(OSError):  # full: it is awake anyway; closed: nobody is there to wake
            self._waker.send(b"\0")

    def _run(self) -> None:
        try:
            while not self.closing:
                try:
                    self._turn()
                except Exception:
                    # Whatever it was, the connections are still needed.
                    log.exception("broadcast: reading replies")
                    time.sleep(_TICK_S)
        finally:
            self._end()

    def _turn(self) -> None:
        for key, events in self._selector.select(_TICK_S):
            if key.data is None:
                with suppress(BlockingIOError):
                    self._woken.recv(4096)
                continue
            endpoint, connection = key.data
            if events & selectors.EVENT_WRITE:
                self._flush(endpoint, connection)
            if events & selectors.EVENT_READ:
                self._read(endpoint, connection)
        while self._dialed:
            self._connected(*self._dialed.popleft())
        now = time.monotonic()
        for endpoint in self._endpoints:
            self._tend(endpoint, now)

    def _tend(self, endpoint: Endpoint, now: float) -> None:
        for connection in endpoint.connections:
            # In this order, as `begin` sets them the other way round.
            is_ready = connection.ready
            exchange = connection.exchange
            if exchange is not None and connection.sock is not None:
                # What has no room in the socket's buffer, or no answer.
                self._watch(endpoint, connection)
                if now > exchange.deadline or (exchange.again and self._is_silent(connection, now)):
                    self._lose(endpoint, connection, "no answer")
            elif connection.sock is not None and not is_ready:
                self._lose(endpoint, connection, LOST)  # a write to it failed
            if (
                connection.sock is None
                and not connection.dialing
                and (now >= connection.dial_at or endpoint.waiting)
            ):
                self._dial(endpoint, connection)
        for _ in range(len(endpoint.waiting)):
            exchange = endpoint.waiting.popleft()
            if now > exchange.deadline:
                self._tell(endpoint, exchange, Unanswered(f"no answer within {self._timeout_s:g} s"))
            elif not any(connection.offer(exchange) for connection in endpoint.connections):
                endpoint.waiting.append(exchange)
        self._prove(endpoint, now)

    @staticmethod
    def _is_silent(connection: Connection, now: float) -> bool:
        exchange = connection.exchange
        return exchange is not None and not connection.is_answering and now > exchange.written_at + SILENT_S

    def _prove(self, endpoint: Endpoint, now: float) -> None:
        """One connection at a time: the others stay free for what matters."""
        if any(one.exchange is not None and one.exchange.then is None for one in endpoint.connections):
            return
        due = [one for one in endpoint.connections if one.ready and now > one.used_at + self._probe_s]
        for connection in sorted(due, key=lambda one: one.used_at):
            if connection.offer(self._probe(endpoint, now)):
                return

    def _probe(self, endpoint: Endpoint, now: float) -> Exchange:
        return Exchange(endpoint.target.request(_PROBE), None, now + self._timeout_s, again=False)

    def _watch(self, endpoint: Endpoint, connection: Connection) -> None:
        sock = connection.sock
        if sock is None:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.unsent else 0)
        try:
            if self._selector.get_key(sock).events != events:
                self._selector.modify(sock, events, (endpoint, connection))
        except KeyError:
            self._selector.register(sock, events, (endpoint, connection))

    def _flush(self, endpoint: Endpoint, connection: Connection) -> None:
        try:
            with connection.lock:
                if connection.sock is not None:
                    connection.flush()
        except OSError as error:
            self._lose(endpoint, connection, why(error))
        else:
            self._watch(endpoint, connection)

    def _read(self, endpoint: Endpoint, connection: Connection) -> None:
        if connection.sock is None:
            return
        try:
            with connection.lock:
                reply = connection.read()
                if reply is None:
                    return
                exchange = connection.end()
                if reply.reusable:
                    connection.used_at = time.monotonic()
                    connection.failures = 0
                    connection.ready = True
        except OSError as error:
            self._lose(endpoint, connection, why(error))
            return
        if not reply.reusable:
            self._drop(connection)
            if exchange is not None and exchange.then is None:
                connection.back_off(time.monotonic())  # it closes after each reply
        self._watch(endpoint, connection)
        if exchange is not None:
            self._answered(endpoint, exchange, reply)

    def _answered(self, endpoint: Endpoint, exchange: Exchange, reply: Reply) -> None:
        if exchange.then is not None:
            endpoint.up = True
            self._tell(endpoint, exchange, reply.content)
            return
        try:
            if isinstance(reply.content, RpcError):
                raise reply.content
            endpoint.chain_id = int(result("eth_chainId", message("eth_chainId", reply.content)), 16)
        except (RpcError, TypeError, ValueError) as error:
            endpoint.up, endpoint.error = (
                False,
                str(error) if isinstance(error, RpcError) else "says no chain id",
            )
        else:
            endpoint.up = True
            endpoint.rtt_s = time.monotonic() - exchange.written_at

    def _lose(self, endpoint: Endpoint, connection: Connection, reason: str) -> None:
        """A connection is dead. What it had taken goes out once more on a fresh one, if no byte of a reply came."""
        with connection.lock:
            was_answering = connection.is_answering
            exchange = connection.end()
        self._drop(connection)
        if exchange is None:
            return
        now = time.monotonic()
        if exchange.then is None:
            endpoint.up, endpoint.error = False, reason
            connection.back_off(now)
        elif exchange.again and not was_answering and now < exchange.deadline:
            exchange.again = False
            connection.next = exchange
            self._dial(endpoint, connection)
        elif now >= exchange.deadline:
            self._tell(endpoint, exchange, Unanswered(f"no answer within {self._timeout_s:g} s"))
        else:
            self._tell(endpoint, exchange, RpcError(reason))

    def _drop(self, connection: Connection) -> None:
        with connection.lock:
            if connection.sock is not None:
                with suppress(KeyError, ValueError):
                    self._selector.unregister(connection.sock)
            connection.drop()

    def _dial(self, endpoint: Endpoint, connection: Connection) -> None:
        """Looking up a name blocks: each attempt has a thread of its own, which ends with it."""
        if connection.dialing:
            return
        connection.dialing = True

        def dial() -> None:
            made: socket.socket | Exception
            try:
                made = connection.target.dial(self._timeout_s)
            except Exception as error:  # told where it is dealt with
                made = error
            self._dialed.append((endpoint, connection, made))
            if self.closing:
                self._hang_up()
            self.wake()

        threading.Thread(target=dial, name="ids-wire-dial", daemon=True).start()

    def _connected(self, endpoint: Endpoint, connection: Connection, made: socket.socket | Exception) -> None:
        connection.dialing = False
        now = time.monotonic()
        waiting, connection.next = connection.next, None
        if isinstance(made, Exception):
            reason = why(made)
            connection.back_off(now)
            if not any(one.sock is not None or one.dialing for one in endpoint.connections):
                endpoint.up, endpoint.error = False, reason
                while endpoint.waiting:
                    self._tell(endpoint, endpoint.waiting.popleft(), RpcError(reason))
            if waiting is not None:
                self._tell(endpoint, waiting, RpcError(reason))
            return
        if waiting is None and endpoint.waiting:
            waiting = endpoint.waiting.popleft()
        try:
            with connection.lock:
                connection.sock = made
                connection.begin(waiting or self._probe(endpoint, now))
        except OSError as error:
            self._lose(endpoint, connection, why(error))
        else:
            self._watch(endpoint, connection)

    def _hang_up(self) -> None:
        """What was connected too late."""
        with suppress(IndexError):
            while True:
                _, _, made = self._dialed.popleft()
                if isinstance(made, socket.socket):
                    made.close()

    def _tell(self, endpoint: Endpoint, exchange: Exchange, content: bytes | RpcError) -> None:
        if exchange.then is None:
            return
        if isinstance(content, RpcError) and not exchange.written_at:
            content = Unreached(content.reason)
        try:
            exchange.then(endpoint.name, content)
        except Exception:
            log.exception("broadcast: what takes a reply failed")

    def _end(self) -> None:
        for endpoint in self._endpoints:
            left = [*endpoint.waiting]
            endpoint.waiting.clear()
            for connection in endpoint.connections:
                with connection.lock:
                    left += [one for one in (connection.end(), connection.next) if one is not None]
                    connection.next = None
                self._drop(connection)
            for exchange in left:
                self._tell(endpoint, exchange, RpcError("closed before it answered"))
        self._hang_up()
        self._selector.close()
        self._woken.close()
        self._waker.close()
