"""An HTTP server on loopback that answers as a test says, or never."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Headers = dict[str, str]


class Never(Exception):
    """Raised by an answer that never comes."""


@dataclass
class Asked:
    """One request."""

    path: str
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Asked], tuple[int, Any]]
"""Gives the status and the body, bytes or what is made JSON."""


@dataclass
class Answering:
    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def answering(answer: Answer) -> Iterator[Answering]:
    """The server, gone afterwards, whoever still waits for it."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            found.asked.append(request)
            try:
                status, content = answer(request)
            except Never:
                over.wait()
                self.close_connection = True
                return
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            if 300 <= status < 400:
                self.send_header("Location", raw.decode())
            self.end_headers()
            with suppress(ConnectionError):  # who asked may be gone
                self.wfile.write(raw)

        do_GET = do_POST

        def log_message(self, *_args: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        # Of many at once, none is turned away.
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    found = Answering(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
