"""What the sensor tells of the attack, and how it is told on: each answer after the alert that it answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mempool_ids.demo.attacker import Attacker
from mempool_ids.demo.news import News
from mempool_ids.demo.result import Alert, Result
from mempool_ids.demo.scene import Action, Scene

if TYPE_CHECKING:
    from mempool_ids.demo.early.result import Foreseen

ENDS = ("confirmed", "superseded", "cancelled", "failed")
"""States of a response that nothing follows."""


class Teller(Protocol):
    """Tells the story to somebody while it happens."""

    def act(self, title: str) -> None: ...
    def note(self, text: str) -> None: ...
    def traffic(self, action: Action) -> None: ...
    def block(self, number: int, transactions: int) -> None: ...
    def attacker(self, text: str) -> None: ...
    def alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None: ...
    def alert_again(self, alert: Alert) -> None: ...
    def other_alert(self, alert: Alert, who: str) -> None: ...
    def response(self, response: Alert) -> None: ...
    def end(self, result: Result) -> None: ...
    def early_alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None: ...
    def early_end(self, result: Foreseen) -> None: ...


@dataclass(frozen=True)
class Heard:
    """An alert as it arrived."""

    event: Alert
    #: Seconds on the monotonic clock.
    at: float
    #: The node's answer, right after: no block has the attack.
    pending: bool


class Hearing:
    """Takes what an engine's callbacks are called with.

    Attributes:
        alerts: about the attack, by transaction.
        responses: `response` events, in order.
    """

    def __init__(self, scene: Scene, attacker: Attacker, teller: Teller) -> None:
        self._scene = scene
        self._attacker = attacker
        self._teller = teller
        self._told = 0
        self._news = News()
        self.alerts: dict[str, Heard] = {}
        self.responses: list[Alert] = []

    async def hear(self, event: Alert) -> None:
        """Takes one alert, in the event log's form."""
        at = time.monotonic()
        sender, began = event["tx"]["from"], self._attacker.began_at
        if sender != self._attacker.address:
            who = "its own guardian" if sender == self._scene.cast.guardian else "an honest user"
            self._teller.other_alert(event, who)
        elif began is None:
            self._teller.other_alert(event, "the attacker, before the attack")
        else:
            pending = await self._attacker.is_pending()
            if self.alerts:
                self._teller.alert_again(event)
            else:
                self._teller.alert(event, (at - began) * 1000, pending)
            self.alerts.setdefault(event["tx"]["hash"], Heard(event, at, pending))
            await self._tell()

    async def follow(self, event: Alert) -> None:
        """Takes one change of the response to the attack, in the event log's form."""
        self.responses.append(event)
        # Users look whether the vault is paused before they use it.
        self._scene.closed = self._scene.closed or event["state"] == "included"
        await self._tell()

    async def tell_the_rest(self) -> None:
        """Responses whose alerts nobody heard, too."""
        await self._tell(all_of_them=True)

    async def _tell(self, *, all_of_them: bool = False) -> None:
        """The sensor answers first and tells people after, so that an answer may arrive here before its alert."""
        while self._told < len(self.responses):
            response = self.responses[self._told]
            if not all_of_them and not self.alerts.keys() >= set(response["threats"]):
                break
            self._teller.response(response)
            self._told += 1
        await self._news.spread()

    def was_told(self, state: str) -> bool:
        """Whether people were told that a response came to this state."""
        return any(response["state"] == state for response in self.responses[: self._told])

    async def until(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Whether it comes true in time, by what is heard."""
        return await self._news.until(condition, seconds)
