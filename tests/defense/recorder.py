"""A node behind something that writes down all it is asked."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from tests.e2e.proxy import Proxy

_METHOD = re.compile(rb'"method"\s*:\s*"(\w+)"')


class Recorder(Proxy):
    """Between whoever asks and a node; over HTTP and WebSocket."""

    def __init__(self, node_url: str) -> None:
        port = urlsplit(node_url).port
        assert port is not None
        super().__init__(port)
        self._seen = bytearray()

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def methods(self) -> set[str]:
        """Every JSON-RPC method that was asked."""
        return {name.decode() for name in _METHOD.findall(self._seen)}

    def says(self, text: str) -> bool:
        """Whether anything of this text went through, in either direction."""
        return text.encode() in self._seen

    async def _forward(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        self._seen += data
        await super()._forward(data, writer)
