"""How long a post takes until its bytes are in another process: `python -m tests.defense.wire_latency [posts]`.

A server of one thread answers on loopback. Idle, and beside a thread that only runs Python.
"""

from __future__ import annotations

import json
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

from mempool_ids.config import Url
from mempool_ids.defense.broadcast import connection
from mempool_ids.defense.broadcast.wire import Wire, send_raw_body

POSTS = 5_000
#: A pause's size; the bodies carry their number instead of a real transaction.
RAW = bytes(180)


def serve(certificate: str | None) -> None:
    """In a process of its own: answers requests, and at the end of its input prints when each came, by its number."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    came: dict[int, int] = {}
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def answer(plain: socket.socket) -> None:
        with suppress(OSError):
            follow(plain)

    def follow(plain: socket.socket) -> None:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        taken = context.wrap_socket(plain, server_side=True) if context else plain
        held = b""
        while data := taken.recv(65536):
            at = time.monotonic_ns()
            held += data
            head, found, body = held.partition(b"\r\n\r\n")
            if not found or len(body) < int(head.rsplit(b"Content-Length: ")[1]):
                continue
            held = b""
            number = json.loads(body)["id"]
            came[number] = at
            said = b'{"jsonrpc":"2.0","id":%d,"result":"0x1"}' % number
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))

    def accept() -> None:
        while True:
            threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    sys.stdout.buffer.write(b"".join(struct.pack("<qq", *pair) for pair in sorted(came.items())))


class Server:
    def __init__(self, certificate: Path | None = None) -> None:
        arguments = [str(certificate)] if certificate else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.defense.wire_latency", "serve", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        scheme, host = ("https", "localhost") if certificate else ("http", "127.0.0.1")
        self.url = Url(f"{scheme}://{host}:{int(self._process.stdout.readline())}")

    def came(self) -> dict[int, int]:
        """When each request came, ns of the monotonic clock; ends the server."""
        said, _ = self._process.communicate()
        return dict(struct.iter_unpack("<qq", said))


@contextmanager
def busy() -> Iterator[None]:
    """A thread beside that only runs Python."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True)
class Post:
    """Microseconds from the call on."""

    #: Until the bytes are in the first endpoint's process, which had to be woken.
    first: float
    #: And in the last one's.
    arrived: float
    #: Until post returned: all bytes are in sockets, and the caller goes on.
    returned: float


def measure(posts: int, endpoints: int = 1, certificate: Path | None = None) -> list[Post]:
    """Posts one after the other, each after the replies to the one before."""
    servers = [Server(certificate) for _ in range(endpoints)]
    context = ssl.create_default_context(cafile=str(certificate)) if certificate else None
    called: dict[int, int] = {}
    returned: dict[int, int] = {}
    answered = threading.Semaphore(0)
    with Wire([server.url for server in servers], context=context) as wire:
        assert wire.wait_warm(10)
        for number in range(1, posts + 1):
            body = send_raw_body(RAW, number)
            called[number] = time.monotonic_ns()
            took = wire.post(body, lambda _endpoint, _reply: answered.release())
            returned[number] = time.monotonic_ns()
            assert took == endpoints, f"{took} of {endpoints} took it"
            for _ in range(endpoints):
                assert answered.acquire(timeout=10)
            time.sleep(0.0002)  # as far apart as alerts never are
    came = [server.came() for server in servers]
    return [
        Post(*((when - at) / 1_000 for when in (min(each), max(each), returned[number])))
        for number, at in called.items()
        for each in [[one[number] for one in came]]
    ]


def certificate_in(folder: Path) -> Path:
    """A self-signed one for localhost, with its key."""
    made = folder / "server.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *name]
    subprocess.run([*command, "-keyout", made, "-out", folder / "cert.pem"], check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + (folder / "cert.pem").read_bytes())
    return made


def shown(posts: list[Post]) -> str:
    lines = []
    for what in fields(Post):
        each = [float(getattr(post, what.name)) for post in posts]
        cuts = statistics.quantiles(each, n=100)
        lines.append(
            f"  {what.name:9} p50 {cuts[49]:6.0f} µs   p95 {cuts[94]:6.0f} µs   p99 {cuts[98]:6.0f} µs"
            f"   max {max(each):6.0f} µs"
        )
    return "\n".join(lines)


def main(posts: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        certificate = certificate_in(Path(folder))
        runs = [
            (f"{count} × {kind}", count, pem)
            for kind, pem in (("http", None), ("https", certificate))
            for count in (1, 3)
        ]
        for name, endpoints, pem in runs:
            print(f"{name}: idle\n{shown(measure(posts, endpoints, pem))}")
            for interval in (0.005, 0.0005):
                sys.setswitchinterval(interval)
                with busy():
                    print(f"{name}: beside a busy thread, switch interval {interval * 1000:g} ms")
                    print(shown(measure(posts, endpoints, pem)))
            sys.setswitchinterval(0.005)
        connection.send_now = lambda to, data: to.send(data)  # what it would be with socket.send
        with busy():
            print("3 × http, with socket.send: beside a busy thread, switch interval 5 ms")
            print(shown(measure(posts, 3)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2] if len(sys.argv) > 2 else None)
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else POSTS)
