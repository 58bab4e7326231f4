"""Pulls events out of the core on a thread of its own and hands them to the event loop in batches."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

import orjson

from mempool_ids.exceptions import MempoolIdsError, NodeError

Batch = list[tuple[str, bytes]]
"""(kind, JSON) in the order the core emitted them."""

POLL_S = 0.1
BATCH = 1024

# Once a suspect is being simulated: how long its alert is looked out for (as long as a simulation may take by default),
# and how often its answer is practised meanwhile. Code that did not run for some ten milliseconds has left the caches,
# and takes five times as long; what is practised takes a tenth of a millisecond.
ALERT_S = 0.25
ALERT_POLL_S = 0.005

# Bound of what waits for the event loop. A live core counts what finds no room after that (`dropped_events`); a
# replay waits for room.
BACKLOG_EVENTS = 1 << 15
BACKLOG_BYTES = 64 << 20


def unasked_end(anomaly: bytes | None) -> NodeError:
    """For a live sensor that ended and was not stopped. `anomaly` is the last that it reported, its reason."""
    reason = orjson.loads(anomaly)["reason"] if anomaly else "the sensor ended by itself"
    return NodeError(reason)


def broken_down(breakdown: bytes) -> MempoolIdsError:
    """For a sensor whose own code failed; `breakdown` is the event that says so."""
    event = orjson.loads(breakdown)
    return MempoolIdsError(
        f"the sensor failed in {event['thread']}: {event['reason']}. "
        "This is a mistake of mempool-ids itself, please report it; nothing after it was judged"
    )


class Source(Protocol):
    """What a receiver needs of a `_core.Sensor`."""

    def recv(self, timeout: float, limit: int = ..., /) -> Batch: ...


class Responder(Protocol):
    """Answers what the core tells. Neither method may raise or wait: nothing else is received meanwhile."""

    def receive(self, kind: str, raw: bytes, /) -> bytes:
        """Takes an event as the core wrote it; returns it, an alert with what was decided."""

    def practise(self) -> None:
        """Nothing arrived for a while, or an alert may arrive soon."""


class Receiver:
    """Iterate `batches()` on the loop that made it; it ends after the sensor's `end`.

    The thread takes events whatever the loop is doing, so that a busy loop does not fill the core's channel.

    Args:
        source: the sensor.
        responder: is given each event on that thread, in order, before anybody else sees it.
    """

    def __init__(self, source: Source, responder: Responder | None = None) -> None:
        self._source = source
        self._responder = responder
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._room = threading.Condition()
        self._waiting: deque[Batch] = deque()
        self._events = 0
        self._bytes = 0
        self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._pull, name="ids-receiver", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _pull(self) -> None:
        awake_until = 0.0
        try:
            while not self._over:
                is_awake = time.monotonic() < awake_until
                batch = self._source.recv(ALERT_POLL_S if is_awake else POLL_S, BATCH)
                events = [event for event in batch if event[0] != "stir"]
                if len(events) < len(batch):
                    awake_until = time.monotonic() + ALERT_S
                if events:
                    self._hand_over(self._responded(events))
                    if events[-1][0] == "end":
                        break
                elif self._responder is not None:
                    self._responder.practise()
        except BaseException as error:  # it must reach the loop, whatever it is
            self._error = error
        finally:
            self._over = True
            self._notify()

    def _responded(self, batch: Batch) -> Batch:
        responder = self._responder
        if responder is None:
            return batch
        return [(kind, responder.receive(kind, raw)) for kind, raw in batch]

    def _hand_over(self, batch: Batch) -> None:
        with self._room:
            self._room.wait_for(self._has_room)
            self._waiting.append(batch)
            self._events += len(batch)
            self._bytes += sum(len(raw) for _, raw in batch)
        self._notify()

    def _has_room(self) -> bool:
        return self._over or (self._events < BACKLOG_EVENTS and self._bytes < BACKLOG_BYTES)

    def _notify(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:
            self._over = True  # the loop is closed: nobody is left to read

    def _take(self) -> list[Batch]:
        with self._room:
            taken = list(self._waiting)
            self._waiting.clear()
            self._events = self._bytes = 0
            self._room.notify()
        return taken

    async def batches(self) -> AsyncIterator[Batch]:
        """Batches in order, without the final `end`.

        Raises:
            MempoolIdsError: after the last batch, where the sensor failed in its own code.
        """
        breakdown: bytes | None = None
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            over = self._over
            for batch in self._take():
                events = [event for event in batch if event[0] != "end"]
                breakdown = next((raw for kind, raw in events if kind == "breakdown"), breakdown)
                if events:
                    yield events
            if over:
                break
        if self._error is not None:
            raise self._error
        if breakdown is not None:
            raise broken_down(breakdown)

    def abandon(self) -> None:
        """Stops pulling; what is left in the core is dropped with it."""
        with self._room:
            self._over = True
            self._room.notify()
