"""A node, some of whose answers are others than it gives."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from mempool_ids.demo.node import Node

KEY = "0123456789abcdef"

Change = Callable[[dict[str, Any]], dict[str, Any] | int | None]


@contextmanager
def through(node: Node, change: Change) -> Iterator[str]:
    """A node's URL, with a key, where `change` may answer a request instead: fields of an answer, or a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(body)
            instead = change(request)
            if isinstance(instead, dict):
                answer = json.dumps({"jsonrpc": "2.0", "id": request["id"], **instead}).encode()
            elif instead is None:
                json_type = {"Content-Type": "application/json"}
                answer = httpx2.post(node.http_url, content=body, headers=json_type).content
            else:
                answer = b""
            self.send_response(instead if isinstance(instead, int) else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v3/{KEY}"
        finally:
            server.shutdown()


@asynccontextmanager
async def through_socket(node: Node, change: Change) -> AsyncIterator[str]:
    """The same over a WebSocket, by fields of an answer alone."""

    async def serve_one(client: ServerConnection) -> None:
        async with connect(node.websocket_url, max_size=None) as upstream:

            async def answers() -> None:
                async for message in upstream:
                    await client.send(message)

            answering = asyncio.create_task(answers())
            async for message in client:
                request = json.loads(message)
                if isinstance(instead := change(request), dict):
                    await client.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], **instead}))
                else:
                    await upstream.send(message)
            answering.cancel()

    async with serve(serve_one, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def without_debug(request: dict[str, Any]) -> dict[str, Any] | None:
    """No debug_ methods, as with most hosted nodes."""
    error = {"code": -32601, "message": "the method does not exist/is not available"}
    return {"error": error} if request["method"].startswith("debug_") else None
