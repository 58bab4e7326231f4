"""Waiting for something to come true by what is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress


class News:
    """Whoever hears something says so by `spread`; whoever waits looks anew then."""

    def __init__(self) -> None:
        self._heard = asyncio.Condition()

    async def spread(self) -> None:
        async with self._heard:
            self._heard.notify_all()

    async def until(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Whether it comes true in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._heard:
                await self._heard.wait_for(condition)
        return condition()
