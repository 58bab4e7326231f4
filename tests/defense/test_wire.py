from __future__ import annotations

import json
import os
import random
import socket
import ssl
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Self

import orjson
import pytest
from eth_account import Account

from mempool_ids.config import Url
from mempool_ids.defense.broadcast import pump
from mempool_ids.defense.broadcast.replies import Reply, read
from mempool_ids.defense.broadcast.wire import Wire, send_raw_body
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.exceptions import ConfigError
from mempool_ids.node import Refused, RpcError, Unanswered, Unreached
from tests.defense.wire_latency import certificate_in, measure

BODY = send_raw_body(b"\x02\xf8", 7)
SECONDS = 10.0


def reply(said: object, status: str = "200 OK") -> bytes:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


@dataclass
class Asked:
    """A request that came."""

    connection: int
    head: bytes
    body: bytes


Play = Callable[[Asked], bytes | None]


def echo(asked: Asked) -> bytes | None:
    return reply({"jsonrpc": "2.0", "id": orjson.loads(asked.body)["id"], "result": "0x" + "ab" * 32})


@dataclass
class Server:
    """Answers on loopback as `play` says; None closes the connection. Proofs of connections are answered by itself."""

    play: Play = echo
    proofs: Play = lambda _asked: reply({"jsonrpc": "2.0", "id": 0, "result": "0x7a69"})
    port: int = 0
    context: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    #: While it is not set, no connection is read.
    reads: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.reads.set()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> Url:
        scheme, host = ("https", "localhost") if self.context else ("http", "127.0.0.1")
        return Url(f"{scheme}://{host}:{self.port}/v2/secret-0123456789?key=secret-abcdef")

    def stop(self) -> None:
        """It and all its connections are gone."""
        # To be woken out of accept, the socket has to be shut down first.
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._follow, args=(taken, self.connections), daemon=True).start()

    def _follow(self, taken: socket.socket, number: int) -> None:
        try:
            if self.context:
                taken = self.context.wrap_socket(taken, server_side=True)
            self._open.append(taken)
            held = b""
            while True:
                self.reads.wait(SECONDS)
                if not (data := taken.recv(1 << 16)):
                    return
                held += data
                head, found, body = held.partition(b"\r\n\r\n")
                if not found or len(body) < int(head.rsplit(b"Content-Length: ")[1]):
                    continue
                held = b""
                asked = Asked(number, head, body)
                is_proof = b"eth_chainId" in body
                if not is_proof:
                    self.asked.append(asked)
                said = (self.proofs if is_proof else self.play)(asked)
                if said is None:
                    return
                taken.sendall(said)
                if b"Content-Length" not in said and b"chunked" not in said:
                    return
        except OSError:
            pass
        finally:
            taken.close()


Heard = Queue[tuple[str, bytes | RpcError]]


def ask(wire: Wire, body: bytes = BODY) -> tuple[int, bytes | RpcError]:
    """How many took it, and what the first that answers says."""
    heard: Heard = Queue()
    took = wire.post(body, lambda name, said: heard.put((name, said)))
    return took, heard.get(timeout=SECONDS)[1]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def warm(*urls: Url, **options: object) -> Wire:
    wire = Wire(urls, **options)  # type: ignore[arg-type]
    assert wire.wait_warm(SECONDS)
    return wire


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        time.sleep(0.005)


# --- what is sent


def test_a_request_goes_to_every_endpoint_and_each_tells_its_reply() -> None:
    heard: Heard = Queue()
    with Server() as first, Server() as second, warm(first.url, second.url) as wire:
        assert wire.post(BODY, lambda name, said: heard.put((name, said))) == 2
        answers = dict(heard.get(timeout=SECONDS) for _ in range(2))
        assert set(answers) == set(wire.names)
        assert all(isinstance(said, bytes) and b"0xabab" in said for said in answers.values())
        assert [one.body for one in (*first.asked, *second.asked)] == [BODY, BODY]
    (asked,) = first.asked
    assert asked.head.startswith(b"POST /v2/secret-0123456789?key=secret-abcdef HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{first.port}".encode() in asked.head


def test_the_body_is_what_a_node_takes() -> None:
    assert orjson.loads(send_raw_body(b"\x02\xab", 3)) == {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "eth_sendRawTransaction",
        "params": ["0x02ab"],
    }


def test_the_bytes_are_out_before_post_returns() -> None:
    """The thread that reads replies stands still meanwhile: it has no part in it."""
    stopped, go_on = threading.Event(), threading.Event()

    def stand_still(_name: str, _said: object) -> None:
        stopped.set()
        go_on.wait(SECONDS)

    with Server() as server, warm(server.url) as wire:
        wire.post(BODY, stand_still)
        assert stopped.wait(SECONDS)
        assert wire.post(BODY, lambda *_: None) == 1
        until(lambda: len(server.asked) == 2)
        go_on.set()


def test_a_name_and_password_of_a_url_are_sent_and_never_shown(server: Server) -> None:
    url = Url(f"http://user:pass%20word@127.0.0.1:{server.port}/")
    with warm(url) as wire:
        ask(wire)
        assert "pass" not in str(wire.names) + str(wire.health())
    assert b"Authorization: Basic dXNlcjpwYXNzIHdvcmQ=" in server.asked[0].head


def test_many_threads_post_at_once_and_each_hears_its_own_answer() -> None:
    heard: Counter[tuple[int, int]] = Counter()
    with Server() as server, warm(server.url, connections=4) as wire:

        def post(thread: int) -> None:
            for number in range(thread * 1000, thread * 1000 + 40):
                gone = threading.Event()

                def then(
                    _name: str, said: bytes | RpcError, number: int = number, gone: threading.Event = gone
                ) -> None:
                    assert isinstance(said, bytes)
                    heard[number, orjson.loads(said)["id"]] += 1
                    gone.set()

                wire.post(send_raw_body(b"\x02", number), then)
                assert gone.wait(SECONDS)

        threads = [threading.Thread(target=post, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.connections == 4
    assert len(heard) == 320
    assert all(asked == answered and count == 1 for (asked, answered), count in heard.items())


def test_a_full_socket_does_not_hold_up_the_caller() -> None:
    """The server does not read; what does not fit into the socket's buffer is sent as it does."""
    large = send_raw_body(os.urandom(8 << 20), 9)
    heard: Heard = Queue()
    with Server() as server, warm(server.url, timeout_s=30) as wire:
        server.reads.clear()
        began = time.perf_counter()
        assert wire.post(large, lambda name, said: heard.put((name, said))) == 1
        took = time.perf_counter() - began
        assert heard.empty()
        server.reads.set()
        assert isinstance(heard.get(timeout=SECONDS)[1], bytes)
    assert server.asked[0].body == large
    assert took < 1.0, "as long as it takes to copy, not as long as the other side takes"


# --- what goes wrong


def test_an_endpoint_that_is_down_does_not_hold_up_the_others() -> None:
    with Server() as gone:
        pass
    heard: Heard = Queue()
    with Server() as there, Wire([gone.url, there.url], timeout_s=2) as wire:
        until(lambda: wire.health()[1].warm == 3)
        began = time.perf_counter()
        assert wire.post(BODY, lambda name, said: heard.put((name, said))) == 1
        assert time.perf_counter() - began < 0.5
        said = dict(heard.get(timeout=SECONDS) for _ in range(2))
        down, up = wire.health()
    assert isinstance(said[wire.names[1]], bytes)
    error = said[wire.names[0]]
    assert isinstance(error, Unreached)
    assert read(error).kind is Reply.UNREACHED
    assert str(error) == "Connection refused"
    assert (down.up, down.warm, down.error) == (False, 0, "Connection refused")
    assert up.up
    assert "secret" not in f"{said} {down} {up}"


def test_a_warm_connection_that_turns_out_dead_costs_a_second_sending_on_a_fresh_one() -> None:
    first: list[int] = []

    def play(asked: Asked) -> bytes | None:
        first.append(asked.connection)
        return None if len(first) == 1 else echo(asked)

    with Server(play) as server, warm(server.url) as wire:
        took, said = ask(wire)
    assert took == 1
    assert isinstance(said, bytes)
    assert [one.body for one in server.asked] == [BODY, BODY]
    assert first[1] > 3 >= first[0], "the second time on a connection that was not there before"


def test_nothing_is_sent_a_third_time() -> None:
    with Server(lambda _asked: None) as server, warm(server.url) as wire:
        _, said = ask(wire)
        assert isinstance(said, RpcError)
        assert read(said).kind is Reply.NO_ANSWER, "it may have what it was sent"
        assert str(said) == "the connection was lost"
        until(lambda: wire.health()[0].warm == 3)
    assert len(server.asked) == 2


def test_nothing_is_sent_again_once_a_reply_has_begun() -> None:
    with Server(lambda _asked: b"HTTP/1.1 200 OK\r\nX-Cut:") as server, warm(server.url) as wire:
        _, said = ask(wire)
    assert isinstance(said, RpcError)
    assert len(server.asked) == 1


def test_a_connection_that_says_nothing_is_given_up_for_a_fresh_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "SILENT_S", 0.2)
    release = threading.Event()

    def play(asked: Asked) -> bytes | None:
        if asked.connection <= 3:
            release.wait(SECONDS)
        return echo(asked)

    with Server(play) as server, warm(server.url) as wire:
        _, said = ask(wire)
        release.set()
    assert isinstance(said, bytes)
    assert len(server.asked) == 2


def test_each_post_is_told_once_whatever_becomes_of_its_connection() -> None:
    """The server drops one request in five unanswered, and cuts connections that are busy or idle all the time."""
    dice = random.Random(7)
    told: Counter[int] = Counter()
    answered: Counter[bool] = Counter()
    everything = threading.Semaphore(0)
    done = threading.Event()

    def play(asked: Asked) -> bytes | None:
        return None if dice.random() < 0.2 else echo(asked)

    with Server(play) as server, Wire([server.url], connections=4, probe_s=0.01) as wire:

        def cut() -> None:
            while not done.is_set():
                for one in server._open[-4:]:
                    if dice.random() < 0.1:
                        with suppress(OSError):
                            one.shutdown(socket.SHUT_RDWR)
                done.wait(0.002)

        def post(thread: int) -> None:
            for number in range(thread * 1000, thread * 1000 + 150):

                def then(_name: str, said: bytes | RpcError, number: int = number) -> None:
                    told[number] += 1
                    answered[isinstance(said, bytes) and orjson.loads(said)["id"] == number] += 1
                    everything.release()

                wire.post(send_raw_body(b"\x02", number), then)
                done.wait(0.001)

        threads = [
            threading.Thread(target=cut),
            *(threading.Thread(target=post, args=(each,)) for each in range(1, 5)),
        ]
        for thread in threads:
            thread.start()
        for _ in range(600):
            assert everything.acquire(timeout=SECONDS)
        done.set()
        for thread in threads:
            thread.join()
    assert len(told) == 600
    assert set(told.values()) == {1}
    assert answered[True] > 400, "most of them at the second attempt at the latest"
    sent = Counter(one.body for one in server.asked)
    assert max(sent.values()) <= 2


def test_an_endpoint_that_never_answers_is_told_in_time() -> None:
    release = threading.Event()

    def play(_asked: Asked) -> bytes | None:
        release.wait(SECONDS)
        return None

    with Server(play) as server, warm(server.url, timeout_s=0.5) as wire:
        began = time.monotonic()
        took, said = ask(wire)
        assert time.monotonic() - began < 2
        release.set()
    assert took == 1
    assert isinstance(said, Unanswered)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (reply(b"x" * ((1 << 20) + 1)), Refused("answers with more than 1 MiB")),
        (reply(b"slow down", "429 Too Many Requests"), Refused("answered 429")),
        (b"SMTP ready\r\nContent-Length: 0\r\n\r\n", Refused("answers with something else than HTTP")),
        (reply({"error": {"message": "no key"}}, "401 Unauthorized"), b'{"error": {"message": "no key"}}'),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n", b"{}\n"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + reply({}), b"{}"),
    ],
)
def test_a_reply_is_bounded_and_framed_as_http_says(said: bytes, heard: bytes | RpcError) -> None:
    with Server(lambda _asked: said) as server, warm(server.url) as wire:
        _, content = ask(wire)
        if isinstance(heard, bytes):
            assert content == heard
        else:
            assert isinstance(content, RpcError)
            assert str(content) == str(heard)
        until(lambda: wire.health()[0].warm == 3)
    assert len(server.asked) == 1


def test_what_takes_replies_may_fail(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_name: str, _said: object) -> None:
        raise ValueError("mine")

    with warm(server.url) as wire:
        wire.post(BODY, fail)
        _, said = ask(wire)
        assert isinstance(said, bytes)
        until(lambda: "what takes a reply failed" in caplog.text)
    assert "secret" not in caplog.text


def test_who_waits_is_told_when_it_is_closed() -> None:
    release = threading.Event()

    def play(_asked: Asked) -> bytes | None:
        release.wait(SECONDS)
        return None

    heard: Heard = Queue()
    with Server(play) as server, warm(server.url) as wire:
        wire.post(BODY, lambda name, said: heard.put((name, said)))
        until(lambda: len(server.asked) == 1)
        wire.close()
        wire.close()
        _, said = heard.get(timeout=SECONDS)
        assert str(said) == "closed before it answered"
        assert wire.post(BODY, lambda *_: None) == 0
        assert not wire.health()[0].up
        release.set()


# --- staying warm


def test_connections_are_made_before_they_are_needed_and_come_back_by_themselves() -> None:
    with Server() as server, warm(server.url) as wire:
        (health,) = wire.health()
        assert (health.up, health.warm, health.chain_id, health.error) == (True, 3, 31337, None)
        assert health.rtt_s is not None
        assert 0 < health.rtt_s < 1
        server.stop()
        until(lambda: not wire.health()[0].up)
        with Server(port=server.port) as again:
            until(lambda: wire.health()[0].warm == 3)
            took, said = ask(wire)
            assert (took, isinstance(said, bytes)) == (1, True)
            assert len(again.asked) == 1


def test_an_idle_connection_is_proven_again_and_again() -> None:
    proofs: list[float] = []

    def prove(_asked: Asked) -> bytes | None:
        proofs.append(time.monotonic())
        return reply({"jsonrpc": "2.0", "id": 0, "result": "0x1"})

    with Server(proofs=prove) as server, warm(server.url, probe_s=0.1, connections=2):
        until(lambda: len(proofs) >= 10)
        assert server.connections == 2


@pytest.mark.parametrize(
    ("proof", "error"),
    [
        (
            reply({"id": 0, "error": {"message": "invalid project id"}}, "401 Unauthorized"),
            "invalid project id",
        ),
        (reply(b"<html>", "502 Bad Gateway"), "answered 502"),
        (reply({"id": 0, "result": None}), "says no chain id"),
    ],
)
def test_an_endpoint_that_is_no_node_is_not_up(proof: bytes, error: str) -> None:
    with Server(proofs=lambda _asked: proof) as server, Wire([server.url]) as wire:
        until(lambda: (wire.health()[0].error or "").endswith(error))
        assert not wire.health()[0].up


def test_an_endpoint_that_closes_after_each_reply_is_not_connected_to_without_end() -> None:
    closing = (
        b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 28\r\n\r\n{"id":0,"result":"0x1"}     '
    )
    with Server(proofs=lambda _asked: closing) as server, Wire([server.url], connections=1) as wire:
        until(lambda: wire.health()[0].up)
        until(lambda: server.connections >= 3)
        began, so_far = time.monotonic(), server.connections
        until(lambda: time.monotonic() > began + 0.5)
        assert server.connections - so_far <= 3
        _, said = ask(wire)
        assert isinstance(said, bytes)


def test_urls_that_cannot_be_asked_are_refused_without_being_told() -> None:
    for url in ("ws://127.0.0.1/secret-0123456789", "http://127.0.0.1/secret-0123456789 x"):
        with pytest.raises(ConfigError) as raised:
            Wire([Url(url)])
        assert "secret" not in str(raised.value)


def test_two_endpoints_that_look_alike_have_names_of_their_own(server: Server) -> None:
    with Wire([server.url, server.url]) as wire:
        assert len(set(wire.names)) == 2


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_in(tmp_path_factory.mktemp("tls"))


def test_https_is_spoken_to_whom_the_certificate_names(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    large = send_raw_body(os.urandom(1 << 20), 9)
    with Server(context=context) as server:
        with warm(server.url, context=trusting) as wire:
            for body in (BODY, large):
                took, said = ask(wire, body)
                assert (took, isinstance(said, bytes)) == (1, True)
        with Wire([server.url]) as wire:
            until(lambda: wire.health()[0].error == "no TLS: SSLCertVerificationError")
            took, said = ask(wire)
            assert took == 0
            assert str(said) == "no TLS: SSLCertVerificationError"
    assert [one.body for one in server.asked] == [BODY, large]


# --- speed


def test_bytes_reach_another_process_within_a_millisecond() -> None:
    """Loosely: machines of tests are busy. `python -m tests.defense.wire_latency` measures."""
    posts = measure(300)
    assert statistics.median(post.arrived for post in posts) < 1_000


def test_a_busy_thread_beside_does_not_come_in_between_two_endpoints() -> None:
    """What is sent in the clear is sent without letting go of the GIL: no thread runs until the last bytes are out."""
    stop = threading.Event()
    counted = [0]

    def spin() -> None:
        while not stop.is_set():
            counted[0] += 1

    before = sys.getswitchinterval()
    with Server() as first, Server() as second, warm(first.url, second.url) as wire:
        thread = threading.Thread(target=spin)
        thread.start()
        try:
            sys.setswitchinterval(1.0)  # who lets go of the GIL now has it back a second later
            began = time.perf_counter()
            assert wire.post(BODY, lambda *_: None) == 2
            took = time.perf_counter() - began
        finally:
            sys.setswitchinterval(before)
            stop.set()
            thread.join()
        until(lambda: len(first.asked) == len(second.asked) == 1)
    assert took < 0.5


# --- a real node


def test_a_real_node_takes_a_transaction_and_then_knows_it(anvil_binary: Path) -> None:
    with Anvil(anvil_binary, AnvilOptions()) as node, Wire([Url(node.http_url)]) as wire:
        assert wire.wait_warm(SECONDS)
        assert wire.health()[0].chain_id == 31337
        # The first of the accounts that anvil gives ether to.
        key = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
        signed = key.sign_transaction(
            {"chainId": 31337, "nonce": 0, "to": key.address, "value": 1, "gas": 21_000, "gasPrice": 10**10}
        )
        heard: Queue[tuple[str, bytes | RpcError]] = Queue()
        for number, kind in ((1, Reply.ACCEPTED), (2, Reply.ALREADY_KNOWN)):
            wire.post(send_raw_body(bytes(signed.raw_transaction), number), lambda *told: heard.put(told))
            name, said = heard.get(timeout=SECONDS)
            answer = read(said)
            assert (name, answer.kind, answer.is_held) == (wire.names[0], kind, True)
            assert answer.tx_hash in (signed.hash.to_0x_hex(), None)
