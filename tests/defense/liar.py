"""A node's HTTP endpoint that fails or lies when a test says so, in front of a real node."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Ask = Callable[[], Any]
"""Asks the real node the same; its whole answer."""
Lie = Callable[[list[Any], Ask], Any]
"""Takes the parameters; gives the whole answer. May raise Fault, Silence or Hangup instead."""


#: The defense's requests: those of its wire, and those of its client, which names itself.
_WIRE = frozenset({"eth_sendRawTransaction", "eth_chainId"})


class Fault(Exception):
    """The endpoint answers with this HTTP status, and with nothing that is JSON-RPC."""

    def __init__(self, status: int = 500) -> None:
        super().__init__(status)
        self.status = status


class Silence(Exception):
    """The endpoint never answers."""


class Hangup(Exception):
    """The endpoint closes the connection."""


class Liar:
    """Rules by method, `*` for all others; without one, the truth. Rules may be set at any time.

    The core is told the truth: what it makes of a node's lies is tested elsewhere.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = ""
        self.lies: dict[str, Lie] = {}
        #: Requests by method.
        self.asked: Counter[str] = Counter()
        self.over = threading.Event()

    def answer(self, body: bytes, client: str) -> bytes:
        """What it says to this request.

        Args:
            client: as the request's User-Agent says.
        """
        request = json.loads(body)
        method = request["method"]
        self.asked[method] += 1
        lie = self.lies.get(method) or self.lies.get("*")
        if lie is None or not (client or method in _WIRE):
            return self._truth(body)
        said = lie(request["params"], lambda: json.loads(self._truth(body)))
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], **said}).encode()

    def _truth(self, body: bytes) -> bytes:
        node = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            node.request("POST", "/", body, {"Content-Type": "application/json"})
            return node.getresponse().read()
        finally:
            node.close()

    def tell_truth(self) -> None:
        self.lies.clear()


def says(result: Any) -> Lie:
    return lambda _params, _ask: {"result": result}


def refuses(message: str, code: int = -32000) -> Lie:
    return lambda _params, _ask: {"error": {"code": code, "message": message}}


def fails(error: Exception) -> Lie:
    def lie(_params: list[Any], _ask: Ask) -> Any:
        raise error

    return lie


@contextmanager
def liar(port: int) -> Iterator[Liar]:
    """In front of the node at that port; gone afterwards, whoever still waits for it."""
    teller = Liar(port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                status, said = 200, teller.answer(body, self.headers.get("User-Agent", ""))
            except Fault as fault:
                status, said = fault.status, b"out of order"
            except Silence:
                teller.over.wait()
                self.close_connection = True
                return
            except (Hangup, OSError):
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, *_args: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_args: object) -> None:
            """A sensor that is gone is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    teller.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield teller
    finally:
        teller.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
