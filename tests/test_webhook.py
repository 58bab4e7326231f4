import asyncio
import contextlib
import hashlib
import hmac
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import orjson
import pytest

from mempool_ids.config import Webhook
from mempool_ids.records.events import ALARM, anomaly_event, key_of
from mempool_ids.sinks import webhook
from mempool_ids.sinks.webhook import Outbox, backoff, sign, verify
from mempool_ids.storage import Store
from mempool_ids.storage.store import sink_id
from tests.responses import encode, response
from tests.support import alert, eventually

SECRET = "s3cret"


class Receiver(httpx2.AsyncBaseTransport):
    """Answers with the given status codes in turn, the last for ever."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer)


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "ids.db", 1)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setattr(webhook, "backoff", lambda attempts: 0.01)


async def deliver(
    store: Store,
    transport: httpx2.AsyncBaseTransport | None,
    until: Callable[[Outbox], bool],
    url: str = "https://hooks.test/alerts",
    **options: float,
) -> Outbox:
    """Stores two alerts and runs an outbox until a condition holds."""
    hook = Webhook(url=url, secret="env:HOOK_SECRET", **options)
    thread = ThreadPoolExecutor(1)

    async def in_storage(work):
        return await asyncio.get_running_loop().run_in_executor(thread, work)

    outbox = Outbox(hook, store, in_storage, transport)
    alerts = [(event, orjson.dumps(event)) for event in (alert(1), alert(2))]
    store.add_detections(alerts, [outbox.sink], logged=True)
    task = asyncio.create_task(outbox.run())
    try:
        await eventually(lambda: until(outbox))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
        thread.shutdown()
    return outbox


def test_the_signature_is_hmac_sha256_over_timestamp_stop_body() -> None:
    expected = hmac.new(b"k", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert sign("k", "1700000000", b'{"a":1}') == f"v1={expected}"


def test_receivers_can_verify_and_refuse() -> None:
    now = str(int(time.time()))
    good = sign("k", now, b"body")
    assert verify("k", now, b"body", good)
    assert not verify("k", now, b"bodY", good)
    assert not verify("other", now, b"body", good)
    assert not verify("k", now, b"body", "v1=é")
    old = str(int(time.time()) - 3600)
    assert not verify("k", old, b"body", sign("k", old, b"body"))


async def test_each_alert_arrives_signed_with_its_own_key(store: Store) -> None:
    receiver = Receiver(204)
    await deliver(store, receiver, lambda outbox: outbox.counts["delivered"] == 2)
    assert {request.headers["Idempotency-Key"] for request in receiver.requests} == {"alert-1", "alert-2"}
    for request in receiver.requests:
        timestamp, signature = (
            request.headers["X-Mempool-Ids-Timestamp"],
            request.headers["X-Mempool-Ids-Signature"],
        )
        assert verify(SECRET, timestamp, request.content, signature)
        assert orjson.loads(request.content)["alert_id"] == request.headers["Idempotency-Key"]
    assert store.delivery_counts() == {"delivered": 2}


@pytest.mark.parametrize(
    "failure", [500, 404, 302, 429, httpx2.ConnectError("x"), RuntimeError("unforeseen")]
)
async def test_failures_are_tried_again_with_the_same_key_and_body(
    store: Store, failure: int | Exception
) -> None:
    receiver = Receiver(failure, failure, failure, 200)
    await deliver(store, receiver, lambda outbox: outbox.counts["delivered"] == 2)
    first = [request for request in receiver.requests if request.headers["Idempotency-Key"] == "alert-1"]
    assert len(receiver.requests) == 5
    assert len({request.content for request in first}) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_an_alert_that_is_not_wanted_is_given_up(store: Store, status: int) -> None:
    receiver = Receiver(status)
    await deliver(store, receiver, lambda outbox: outbox.counts["failed"] == 2)
    assert len(receiver.requests) == 2
    assert store.delivery_counts() == {"failed": 2}


@pytest.mark.parametrize("failure", [503, RuntimeError("unforeseen")])
async def test_deliveries_are_given_up_when_they_are_too_old(store: Store, failure: int | Exception) -> None:
    await deliver(store, Receiver(failure), lambda outbox: outbox.counts["failed"] == 2, max_age_h=1e-6)
    assert store.delivery_counts() == {"failed": 2}


async def test_a_restart_goes_on_where_the_last_run_stopped(store: Store) -> None:
    await deliver(store, Receiver(503), lambda outbox: outbox.counts["retried"] >= 4)
    assert store.delivery_counts() == {"pending": 2}
    receiver = Receiver(200)
    await deliver(store, receiver, lambda outbox: outbox.counts["delivered"] == 2)
    assert sorted(request.headers["Idempotency-Key"] for request in receiver.requests) == [
        "alert-1",
        "alert-2",
    ]


async def test_a_missing_secret_keeps_alerts_until_it_is_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK_SECRET")
    receiver = Receiver(200)
    await deliver(store, receiver, lambda outbox: outbox.counts["retried"] >= 2)
    assert receiver.requests == []
    assert store.delivery_counts() == {"pending": 2}


async def test_alerts_that_could_not_be_stored_are_sent_from_memory(store: Store) -> None:
    receiver = Receiver(500, 200)
    body = orjson.dumps(alert(7))

    def until(outbox: Outbox) -> bool:
        if not receiver.requests:
            outbox.send_unstored("alert-7", body)
        return outbox.counts["delivered"] == 3

    await deliver(store, receiver, until)
    assert any(request.content == body for request in receiver.requests)


RESPONSES = [
    encode(response(number, state=state))
    for number, state in enumerate(("intent", "verified", "sent", "failed"))
]


async def test_each_change_of_a_response_and_each_alarm_arrives_signed_with_its_own_key(store: Store) -> None:
    alarm = anomaly_event("test", 1, ALARM, "readiness Vault", "the guardian has lost its role")
    kept = [*RESPONSES, alarm]
    store.add_responses(kept, [sink_id("https://hooks.test/alerts")], logged=True)
    receiver = Receiver(204)
    await deliver(store, receiver, lambda outbox: outbox.counts["delivered"] == 7)
    got = {request.headers["Idempotency-Key"]: request for request in receiver.requests}
    assert {"alert-1", "alert-2"} <= got.keys()
    for event in kept:
        _, key = key_of(event)
        request = got[key]
        assert request.content == event[1]
        timestamp = request.headers["X-Mempool-Ids-Timestamp"]
        assert verify(SECRET, timestamp, request.content, request.headers["X-Mempool-Ids-Signature"])
    told = [orjson.loads(request.content) for request in got.values()]
    assert sorted({event["event_type"] for event in told}) == ["alert", "anomaly", "response"]
    assert store.delivery_counts() == {"delivered": 7}


async def test_requests_begin_in_the_order_of_the_events(store: Store) -> None:
    more = [encode(response(number)) for number in range(20)]
    store.add_responses(more, [sink_id("https://hooks.test/alerts")], logged=True)
    receiver = Receiver(204)
    await deliver(store, receiver, lambda outbox: outbox.counts["delivered"] == 22)
    keys = [request.headers["Idempotency-Key"] for request in receiver.requests]
    assert keys == [*(f"a-{number}" for number in range(20)), "alert-1", "alert-2"]


async def test_a_response_is_tried_again_through_a_restart_with_the_same_key_and_body(store: Store) -> None:
    store.add_responses(RESPONSES, [sink_id("https://hooks.test/alerts")], logged=True)
    refusing, receiver = Receiver(503), Receiver(200)
    await deliver(store, refusing, lambda outbox: outbox.counts["retried"] >= 8)
    assert store.delivery_counts() == {"pending": 6}
    await deliver(store, receiver, lambda outbox: outbox.counts["delivered"] == 6)
    refused = {(each.headers["Idempotency-Key"], each.content) for each in refusing.requests}
    assert refused == {(each.headers["Idempotency-Key"], each.content) for each in receiver.requests}
    assert {("a-0", RESPONSES[0][1]), ("a-3", RESPONSES[3][1])} <= refused


async def test_a_response_that_could_not_be_stored_is_sent_from_memory_and_given_up_by_its_name(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(422)

    def until(outbox: Outbox) -> bool:
        if not receiver.requests:
            outbox.send_unstored("a-0", RESPONSES[0][1])
        return outbox.counts["failed"] >= 3

    await deliver(store, receiver, until)
    assert RESPONSES[0][1] in [request.content for request in receiver.requests]
    assert "a-0 given up: answered 422" in caplog.text


async def test_unstored_alerts_that_find_no_room_are_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "UNSTORED", 3)
    sent = False

    def until(outbox: Outbox) -> bool:
        nonlocal sent
        if not sent:
            sent = True
            for number in range(5):
                outbox.send_unstored(f"alert-{number}", b"{}")
        return outbox.counts["delivered"] == 5  # three of memory, two of the storage

    outbox = await deliver(store, Receiver(200), until)
    assert outbox.counts["failed"] == 2


@asynccontextmanager
async def answering(answer: bytes, pause: float = 0.0) -> AsyncIterator[str]:
    """The URL of a receiver that sends `answer`, byte by byte where there is a pause (seconds) between them."""

    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for start in range(0, len(answer), 1 if pause else len(answer)):
                writer.write(answer[start : start + (1 if pause else len(answer))])
                await writer.drain()
                await asyncio.sleep(pause)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/services/0123456789abcdef"
    finally:
        server.close()
        await asyncio.gather(*served)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def test_a_receiver_that_drips_is_given_its_time_and_no_more(store: Store) -> None:
    started = time.monotonic()
    async with answering(OK, pause=0.1) as url:
        await deliver(store, None, lambda outbox: outbox.counts["retried"] >= 2, url, timeout_s=0.3)
    assert time.monotonic() - started < 3


async def test_no_log_has_the_secret_part_of_a_url(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    for logger in ("", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger)
    async with answering(OK) as url:
        await deliver(store, None, lambda outbox: outbox.counts["delivered"] == 2, url)
    assert "HTTP Request: POST http://127.0.0.1:" in caplog.text
    assert "0123456789abcdef" not in caplog.text


def test_backoff_grows_is_jittered_and_bounded() -> None:
    early = [backoff(0) for _ in range(200)]
    late = [backoff(50) for _ in range(200)]
    assert all(0.5 <= wait <= 1.0 for wait in early)
    assert all(0.5 <= wait <= 300.0 for wait in late)
    assert max(late) > 100
    assert len(set(late)) > 100
