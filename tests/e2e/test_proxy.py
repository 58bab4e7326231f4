"""The proxy of these tests misbehaves as it says: a test of a cut is worth no more than the cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.e2e.proxy import Mode, Proxy


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_it_passes_resets_and_refuses(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
        proxy.set(Mode.REFUSE)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 5)
        reader, refused = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 5)
        for end in (writer, refused):
            end.close()


async def test_a_stall_holds_everything_back_and_then_goes_on(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.set(Mode.STALL)
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 0.3)
        proxy.set(Mode.PASS)
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
        writer.close()


async def test_a_drip_brings_a_byte_at_a_time(echo: int) -> None:
    async with Proxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.set(Mode.DRIP)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(1), 5) == b"h"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(4), 0.8)
        proxy.set(Mode.PASS)
        await asyncio.wait_for(reader.read(4), 5)
        writer.close()
