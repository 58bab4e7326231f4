"""Runs the user's callbacks, after everything else and at their own pace."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from mempool_ids.detection import ThreatDetection

log = logging.getLogger(__name__)

Callback = Callable[[ThreatDetection], Awaitable[None] | None]

# Detections that wait for slow callbacks. What finds no room is counted; the storage has it all the same.
WAITING = 1 << 14


class Callbacks:
    """Calls each callback for each detection, in order, one at a time."""

    def __init__(self) -> None:
        self._callbacks: list[Callback] = []
        self._waiting: asyncio.Queue[ThreatDetection] = asyncio.Queue(WAITING)
        self.failures = 0
        self.dropped = 0

    def add(self, callback: Callback) -> None:
        self._callbacks.append(callback)

    def put(self, detection: ThreatDetection) -> None:
        if not self._callbacks:
            return
        try:
            self._waiting.put_nowait(detection)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            detection = await self._waiting.get()
            for callback in tuple(self._callbacks):
                await self._call(callback, detection)
            self._waiting.task_done()

    async def idle(self) -> None:
        """Returns once every callback for every detection so far has returned."""
        await self._waiting.join()

    async def _call(self, callback: Callback, detection: ThreatDetection) -> None:
        try:
            if inspect.iscoroutinefunction(callback):
                await callback(detection)
                return
            # On a thread: a callback that sleeps must not stop the loop.
            answer = await asyncio.to_thread(callback, detection)
            if inspect.isawaitable(answer):
                await answer
        except Exception:
            self.failures += 1
            log.exception("callback %r failed for alert %s", callback, detection.alert_id)
