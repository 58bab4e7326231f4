"""What people must know of the defense and is no action: raised once while it lasts."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

OnAlarm = Callable[[str, str], None]
"""Takes kind and reason."""


class Alarms:
    """Raised and cleared on the loop; `soon` from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_alarm: OnAlarm | None) -> None:
        self._loop = loop
        self._on_alarm = on_alarm
        self._lasting: dict[tuple[str, str], str] = {}
        self.counts: Counter[str] = Counter()
        """By kind."""

    def tell(self, kind: str, reason: str) -> None:
        """In any case, and every time."""
        self.counts[kind] += 1
        log.error("defense: %s: %s", kind, reason)
        if self._on_alarm is not None:
            self._on_alarm(kind, reason)

    def tell_lasting(self, kind: str, reason: str, of: str = "") -> None:
        """Once for each reason, until it is `over`.

        Args:
            of: what it is the matter of, where a kind has several: an action, a builder. Counted is the kind.
        """
        if self._lasting.get((kind, of)) != reason:
            self._lasting[kind, of] = reason
            self.tell(kind, reason)

    def over(self, kind: str, of: str = "") -> None:
        if self._lasting.pop((kind, of), None) is not None:
            log.warning("defense: %s: over", f"{kind} {of}".rstrip())

    def soon(self, kind: str, reason: str) -> None:
        """`tell`, from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.tell, kind, reason)
