"""Runs the user's callbacks, after everything else and each at its own pace."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, copy_context
from typing import Any, Generic, Protocol, TypeVar

from mempool_ids.records.deployment import Deployment
from mempool_ids.records.detection import ThreatDetection
from mempool_ids.records.response import Response
from mempool_ids.runtime.background import settled

log = logging.getLogger(__name__)

Answer = Awaitable[None] | None
Callback = Callable[[ThreatDetection], Answer]
ResponseCallback = Callable[[Response], Answer]
DeploymentCallback = Callable[[Deployment], Answer]

# Records that wait for each callback. What finds no room is counted; the storage has it all the same.
WAITING = 1 << 14


class Record(Protocol):
    """What callbacks are called with: a detection, a response."""

    @property
    def event(self) -> Mapping[str, Any]: ...


T = TypeVar("T", bound=Record)


class Callbacks(Generic[T]):
    """Calls each callback for each record, in order, one at a time. None waits for another."""

    def __init__(self) -> None:
        self._workers: list[_Worker[T]] = []
        self._running = False

    @property
    def failures(self) -> int:
        """Calls that raised."""
        return sum(worker.failures for worker in self._workers)

    @property
    def dropped(self) -> int:
        """Calls that were not made for want of room, or before the end."""
        return sum(worker.dropped for worker in self._workers)

    def add(self, callback: Callable[[T], Answer]) -> None:
        worker = _Worker(callback)
        self._workers.append(worker)
        if self._running:
            worker.start()

    def start(self) -> None:
        self._running = True
        for worker in self._workers:
            worker.start()

    def put(self, record: T) -> None:
        for worker in self._workers:
            worker.put(record)

    def leave_out_caller(self) -> None:
        """If a callback is calling: it is not waited for any more, its call is its last."""
        caller = _caller.get()
        if caller in self._workers and caller is not None:
            caller.leave()

    async def idle(self) -> None:
        """Returns once every callback for every record so far has returned."""
        await asyncio.gather(*(worker.idle.wait() for worker in self._workers))

    async def close(self) -> None:
        """Cancels what has not returned. What was not called is counted as dropped."""
        self._running = False
        await asyncio.gather(*(worker.close() for worker in self._workers))


class _Worker(Generic[T]):
    """One callback, its queue and its task."""

    def __init__(self, callback: Callable[[T], Answer]) -> None:
        self._callback = callback
        self._waiting: asyncio.Queue[T] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None
        self._left = False
        self.idle = asyncio.Event()
        self.idle.set()
        self.failures = self.dropped = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def put(self, record: T) -> None:
        if self._left or self._waiting.full():
            self.dropped += 1
            return
        self._waiting.put_nowait(record)
        self.idle.clear()

    def leave(self) -> None:
        self._left = True
        self.idle.set()

    async def close(self) -> None:
        if self._task is not None and not self._left:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._left = True
        self.dropped += self._waiting.qsize()

    async def _run(self) -> None:
        while not self._left:
            await self._call(await self._waiting.get())
            if self._waiting.empty():
                self.idle.set()

    async def _call(self, record: T) -> None:
        error = await settled(self._answer(record))
        if error is not None:
            self.failures += 1
            log.error("callback %r failed for %s", self._callback, _name(record), exc_info=error)

    async def _answer(self, record: T) -> None:
        _caller.set(self)
        if inspect.iscoroutinefunction(self._callback):
            await self._callback(record)
            return
        # On a thread: a callback that sleeps must not stop the loop.
        answer = await _on_thread(self._callback, record)
        if inspect.isawaitable(answer):
            await answer


# The worker whose callback is running, for what that calls in its turn.
_caller: ContextVar[_Worker[Any] | None] = ContextVar("caller", default=None)


def _name(record: Record) -> str:
    event = record.event
    return f"{event['event_type']} {event.get('response_id') or event.get('alert_id')}"


async def _on_thread(callback: Callable[[T], Answer], record: T) -> Answer:
    """As `asyncio.to_thread`, but the process does not wait at its end for a callback that never returns."""
    loop, context = asyncio.get_running_loop(), copy_context()
    returned: asyncio.Future[tuple[Answer, BaseException | None]] = loop.create_future()

    def tell(answer: Answer, error: BaseException | None) -> None:
        if not returned.done():
            returned.set_result((answer, error))

    def work() -> None:
        answer, failure = None, None
        try:
            answer = context.run(callback, record)
        except BaseException as error:  # it is the caller's, whatever it is
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, answer, failure)

    threading.Thread(target=work, name="ids-callback", daemon=True).start()
    answer, failure = await returned
    if failure is not None:
        raise failure
    return answer
