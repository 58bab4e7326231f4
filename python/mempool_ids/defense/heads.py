"""The freshest head wins: of several endpoints, which have it, and which are behind.

An endpoint that answers at once and stands still is worse than one that is down: nonces and receipts of an old block
are wrong ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

# Blocks behind the freshest head, beyond which an endpoint is asked nothing but its head.
BEHIND = 3
# After the first answer the others have so long (seconds) to tell of a fresher head.
_GRACE_S = 0.25
# What an endpoint said before counts for so long while it does not answer.
_SLOW_S = 1.0


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


E = TypeVar("E", bound=Hashable)
H = TypeVar("H", bound=Numbered)


class Heads(Generic[E, H]):
    """What each endpoint says is the last block.

    Args:
        ask: one endpoint for its head.
    """

    def __init__(self, ask: Callable[[E], Awaitable[H]]) -> None:
        self._ask = ask
        self._known: dict[E, H] = {}
        self._looks: dict[E, asyncio.Task[Exception | None]] = {}
        self._since: dict[E, float] = {}
        self.behind: frozenset[E] = frozenset()
        """Those whose head was too old at the last look."""

    def close(self) -> None:
        for look in self._looks.values():
            look.cancel()

    async def freshest(self, endpoints: Sequence[E]) -> tuple[H, list[E]]:
        """The freshest head, and the endpoints, those that have it first.

        One that hangs holds up nothing: what it says counts once it does.

        Args:
            endpoints: one at least, the preferred first.

        Raises:
            Exception: what the last one failed with, where none answers.
        """
        now = time.monotonic()
        for one in endpoints:
            if one not in self._looks:
                self._since[one] = now
                self._looks[one] = asyncio.create_task(self._look(one))
        failure = await self._answered([self._looks[one] for one in endpoints])
        fresh = [self._looks[one] for one in endpoints if one in self._looks and self._since[one] == now]
        if fresh and failure is None:
            await asyncio.wait(fresh, timeout=_GRACE_S)
        late = {one for one in self._looks if time.monotonic() > self._since[one] + _SLOW_S}
        known = {one: self._known[one] for one in endpoints if one in self._known and one not in late}
        if not known:
            raise failure or TimeoutError("no answer in time")
        best = max(known.values(), key=lambda head: head.number)
        self.behind = frozenset(one for one, head in known.items() if head.number < best.number - BEHIND)
        return best, sorted(
            endpoints,
            key=lambda one: (one not in known, best.number - known.get(one, best).number, one in self._looks),
        )

    async def _look(self, one: E) -> Exception | None:
        try:
            self._known[one] = await self._ask(one)
        except Exception as error:
            # Whatever: of a node's nonsense any kind of them is made.
            self._known.pop(one, None)
            return error
        finally:
            del self._looks[one]
        return None

    async def _answered(self, looks: Sequence[asyncio.Task[Exception | None]]) -> Exception | None:
        """Returns with the first head, or with the last failure."""
        failure: Exception | None = None
        waiting = set(looks)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for look in done:
                failure = look.result()
                if failure is None:
                    return None
        return failure
