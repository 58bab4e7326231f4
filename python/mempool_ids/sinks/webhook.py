"""Webhooks: alerts, changes of responses and alarms of the defense, each as a signed POST, from a durable outbox.

Headers of a request:

- `Content-Type: application/json`; the body is the event, the same bytes in every attempt.
- `Idempotency-Key`: the alert's or response's id, or one of the alarm. A receiver that knows it already answers 2xx and
  does nothing.
- `X-Mempool-Ids-Timestamp`: Unix seconds of this attempt. Refuse what is older than some minutes.
- `X-Mempool-Ids-Signature`: `v1=` and the hexadecimal HMAC-SHA256, by the shared secret, over the timestamp, a full
  stop and the body.
- `X-Mempool-Ids-Ask-Url`: where to answer, of a `response` in the state `intent` that a human is asked about. Whoever
  has the link can answer: it is in no body, and so in no storage and no log.

What the body is, its `event_type` says: `alert`, `response`, or `anomaly` (of the kind `defense`: an alarm).

A `response` is an action as it was after one change of its `state`, so each makes sense alone. All changes of an action
have its `action_id`; `response_id` is that and, after the last hyphen, the number of the change, from 0. `threats` has
the hashes that alerts have in `tx.hash`. Requests begin in order, but one that is repeated comes late: what has a lower
number than what came before is old. An action is over when it is `confirmed`, `superseded`, `cancelled` or `failed`.

2xx is received. 400, 413 and 422 say that this event is not wanted: given up. Everything else (redirects too, which
are not followed) is tried again with exponential backoff and full jitter, until `max_age_h` has passed.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import hmac
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import httpx2

from mempool_ids import http
from mempool_ids.config.models import Webhook
from mempool_ids.exceptions import ConfigError
from mempool_ids.storage.store import Delivery, Store, sink_id

log = logging.getLogger(__name__)

T = TypeVar("T")

TIMESTAMP_HEADER = "X-Mempool-Ids-Timestamp"
SIGNATURE_HEADER = "X-Mempool-Ids-Signature"
ASK_HEADER = "X-Mempool-Ids-Ask-Url"
IN_FLIGHT = 8
# Where the storage fails, events are sent from memory: so many are kept, and tried so often.
UNSTORED = 1024
UNSTORED_ATTEMPTS = 8
BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 300.0
_UNWANTED = frozenset({400, 413, 422})


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature header's value: `v1=` and HMAC-SHA256 over timestamp, ".", body."""
    message = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def verify(secret: str, timestamp: str, body: bytes, signature: str, *, max_age_s: float = 300.0) -> bool:
    """For receivers: whether the request is genuine and not older than `max_age_s` seconds."""
    if not hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode()):
        return False
    return timestamp.isdecimal() and abs(time.time() - int(timestamp)) <= max_age_s


def backoff(attempts: int) -> float:
    """Seconds until the next attempt after `attempts` failures (full jitter, at least half a second)."""
    ceiling = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(attempts, 16))
    return max(0.5, random.uniform(0.0, ceiling))  # noqa: S311  (jitter, not a secret)


class InStorage(Protocol):
    """Runs a function of the store on the storage's thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


class Outbox:
    """Delivers one webhook's pending rows. The schedule is in the storage, so a restart goes on where this stopped.

    Args:
        hook: where to, and the secret.
        store: through `in_storage` only.
        in_storage: runs a function of the store on the storage's thread.
        transport: instead of the network, for tests.
        ask_url: where a human can answer what an event asks, None where it asks nothing.

    Raises:
        ConfigError: the URL, or the environment's proxy or certificates, cannot be used.
    """

    def __init__(
        self,
        hook: Webhook,
        store: Store,
        in_storage: InStorage,
        transport: httpx2.AsyncBaseTransport | None = None,
        ask_url: Callable[[bytes], str | None] = lambda _: None,
    ) -> None:
        self._hook = hook
        self._ask_url = ask_url
        self._store = store
        self._in_storage = in_storage
        try:
            self._client = http.client(hook.url, hook.timeout_s, transport=transport)
        except ConfigError as error:
            raise ConfigError(f"webhook {hook.url}: {error}") from None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._unstored: deque[Delivery] = deque(maxlen=UNSTORED)
        self.sink = sink_id(hook.url.full)
        self.counts = {"delivered": 0, "retried": 0, "failed": 0}

    def wake(self) -> None:
        """There may be something due."""
        self._idle.clear()
        self._wake.set()

    def send_unstored(self, key: str, body: bytes) -> None:
        """Sends an event that could not be stored: an unwritable disk must not silence the sensor."""
        self._keep(Delivery(None, key, 0, time.time(), body))
        self.wake()

    def _keep(self, delivery: Delivery) -> None:
        if len(self._unstored) == UNSTORED:
            self._give_up(self._unstored.popleft(), "too many events are unstored")
        self._unstored.append(delivery)

    async def idle(self) -> None:
        """Returns once every due delivery was attempted."""
        await self._idle.wait()

    async def run(self) -> None:
        """Delivers until cancelled."""
        while True:
            try:
                await self._send_unstored()
                await self._round()
            except Exception:
                # The storage failed (disk full, locked): the rows stay pending.
                log.exception("webhook %s: outbox", self._hook.url)
                await asyncio.sleep(BACKOFF_FIRST_S)

    async def close(self) -> None:
        """Closes the connections. Nothing is delivered afterwards; what is not stored is counted as failed."""
        while self._unstored:
            self._give_up(self._unstored.popleft(), "the sensor ends")
        await self._client.aclose()

    async def _send_unstored(self) -> None:
        """The longest waiting first; as soon as one fails, the rest waits for the next turn."""
        received = True
        while self._unstored and received:
            first = [self._unstored.popleft() for _ in range(min(IN_FLIGHT, len(self._unstored)))]
            received = all(await asyncio.gather(*map(self._deliver_unstored, first)))

    async def _deliver_unstored(self, delivery: Delivery) -> bool:
        error, final = await self._attempt(delivery)
        if error is None:
            self.counts["delivered"] += 1
        elif final or delivery.attempts >= UNSTORED_ATTEMPTS:
            self._give_up(delivery, error)
        else:
            self.counts["retried"] += 1
            self._keep(dataclasses.replace(delivery, attempts=delivery.attempts + 1))
        return error is None

    def _give_up(self, delivery: Delivery, error: str) -> None:
        self.counts["failed"] += 1
        log.error("webhook %s: %s given up: %s", self._hook.url, delivery.key, error)

    async def _round(self) -> None:
        """Delivers what is due, else waits until something is."""
        self._wake.clear()
        due = await self._in_storage(lambda: self._store.due(self.sink, time.time(), IN_FLIGHT))
        if due:
            self._idle.clear()
            # All of them, before the next are looked for: one whose result cannot be stored must not be sent twice.
            results = await asyncio.gather(*map(self._deliver, due), return_exceptions=True)
            for failure in results:
                if failure is not None:
                    raise failure
            return
        following = await self._in_storage(lambda: self._store.next_due(self.sink))
        if self._wake.is_set():
            return
        wait = None if following is None else max(0.0, following - time.time())
        if self._unstored:
            wait = min(wait or BACKOFF_FIRST_S, BACKOFF_FIRST_S)
        else:
            self._idle.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), wait)

    async def _deliver(self, delivery: Delivery) -> None:
        error, final = await self._attempt(delivery)
        now = time.time()
        due = 0.0
        if error is None:
            state, count = "delivered", "delivered"
        elif final or now - delivery.created > self._hook.max_age_h * 3600:
            state, count = "failed", "failed"
            log.error("webhook %s: %s given up: %s", self._hook.url, delivery.key, error)
        else:
            state, count, due = "pending", "retried", now + backoff(delivery.attempts)
            log.warning("webhook %s: %s; again in %.0f s", self._hook.url, error, due - now)
        await self._in_storage(lambda: self._store.settle(delivery.id, state, due=due, error=error))
        self.counts[count] += 1

    async def _attempt(self, delivery: Delivery) -> tuple[str | None, bool]:
        """What went wrong (None: nothing), and whether another attempt is pointless."""
        timestamp = str(int(time.time()))
        try:
            headers = {
                "Content-Type": "application/json",
                "Idempotency-Key": delivery.key,
                TIMESTAMP_HEADER: timestamp,
                SIGNATURE_HEADER: sign(self._hook.secret.reveal(), timestamp, delivery.body),
            }
            if (url := self._ask_url(delivery.body)) is not None:
                headers[ASK_HEADER] = url
            # httpx2 limits each read: a receiver that drips would hold its batch for ever.
            status = await asyncio.wait_for(self._post(delivery.body, headers), self._hook.timeout_s)
        except ConfigError as error:
            return str(error), False
        except Exception as error:  # whatever it is, the event stays and is tried again at its time
            return type(error).__name__, False
        if 200 <= status < 300:
            return None, False
        return f"answered {status}", status in _UNWANTED

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        # Only the head of the answer matters: its body is not read, however long.
        async with self._client.stream("POST", self._hook.url.full, content=body, headers=headers) as answer:
            return answer.status_code
