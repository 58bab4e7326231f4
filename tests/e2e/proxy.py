"""A TCP proxy that misbehaves on demand, between the sensor and its node."""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
from contextlib import suppress


class Mode(enum.Enum):
    PASS = "pass"
    #: Open connections stay open and nothing gets through, in either direction, not even a close.
    STALL = "stall"
    #: A byte at a time, so slowly that no frame ever completes in time; not silent, so TCP sees life.
    DRIP = "drip"
    #: New connections are closed at once with a reset; open ones go on.
    REFUSE = "refuse"


_CHUNK = 65_536
_DRIP_SECONDS = 0.5


class Proxy:
    """Forwards 127.0.0.1:`port` to a target that may change (a restarted node has a new port).

    Bytes held back by STALL and DRIP go on when the mode is PASS again, to connections that are still open,
    as TCP's retransmissions do when a network heals.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        #: Connections so far, and those of them that the sensor ended.
        self.accepted = 0
        self.abandoned = 0
        self._mode = Mode.PASS
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._pairs)

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def set(self, mode: Mode) -> None:
        """From now on; connections that are open change too."""
        self._mode = mode
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def reset(self) -> None:
        """Ends all open connections with RST, as a crashed peer or a firewall does."""
        for pair in list(self._pairs):
            for writer in pair:
                _abort(writer)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.REFUSE:
            _abort(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            _abort(writer)
            return
        pair = (writer, far_writer)
        self._pairs.add(pair)
        directions = [
            asyncio.create_task(self._from_sensor(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            self._pairs.discard(pair)
            for end in pair:
                end.close()

    async def _from_sensor(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Read ahead of what is forwarded, so that the sensor's close is seen while nothing gets through.
        waiting: asyncio.Queue[bytes] = asyncio.Queue()

        async def forward() -> None:
            while data := await waiting.get():
                await self._forward(data, writer)

        forwarding = asyncio.create_task(forward())
        try:
            with suppress(OSError):
                while data := await reader.read(_CHUNK):
                    waiting.put_nowait(data)
            self.abandoned += 1
            waiting.put_nowait(b"")
            with suppress(OSError):
                await forwarding
            await self._while_not_passing()  # a stalled network does not carry the close either
        finally:
            forwarding.cancel()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._forward(data, writer)
        await self._while_not_passing()

    async def _forward(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        while self._mode in (Mode.STALL, Mode.DRIP):
            if self._mode is Mode.STALL:
                await self._changed.wait()
                continue
            writer.write(data[:1])
            await writer.drain()
            data = data[1:]
            if not data:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _DRIP_SECONDS)
        writer.write(data)
        await writer.drain()

    async def _while_not_passing(self) -> None:
        while self._mode is not Mode.PASS:
            await self._changed.wait()


def _abort(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
