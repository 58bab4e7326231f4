"""What the sensor tells of a new contract, and how it is told on: each answer after the alert that it answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from mempool_ids.demo.attacker import Attacker
from mempool_ids.demo.hearing import ENDS, Heard, Teller
from mempool_ids.demo.news import News
from mempool_ids.demo.result import Alert
from mempool_ids.demo.scene import Scene


class EarlyHearing:
    """Takes what an engine's callbacks are called with.

    Attributes:
        proof: the first alert that calling the attacker's contract proves.
        responses: `response` events, in order.
    """

    def __init__(self, scene: Scene, attacker: Attacker, teller: Teller) -> None:
        self._scene = scene
        self._attacker = attacker
        self._teller = teller
        self._began = 0.0
        self._told = 0
        self._news = News()
        self.proof: Heard | None = None
        self.responses: list[Alert] = []

    @property
    def began(self) -> float:
        """Seconds on the monotonic clock, right before the contract's creation was handed to the node."""
        return self._began

    def begin(self) -> None:
        """The contract's creation is handed to the node now."""
        self._began = time.monotonic()

    async def hear(self, event: Alert) -> None:
        """Takes one alert, in the event log's form."""
        at = time.monotonic()
        if event["tx"]["from"] != self._attacker.address:
            self._teller.other_alert(event, "somebody else")
        elif not event.get("early"):
            self._teller.other_alert(event, "what the attacker sends")
        else:
            pending = await self._scene.rpc.find_receipt(event["tx"]["hash"]) is None
            self._teller.early_alert(event, (at - self._began) * 1000, pending)
            if self.proof is None and event["early"]["reason"] == "proof":
                self.proof = Heard(event, at, pending)
        await self._tell()

    async def follow(self, event: Alert) -> None:
        """Takes one change of the response, in the event log's form."""
        self.responses.append(event)
        self._scene.closed = self._scene.closed or event["state"] == "included"
        await self._tell()

    async def _tell(self, *, all_of_them: bool = False) -> None:
        if self.proof is not None or all_of_them:
            for response in self.responses[self._told :]:
                self._teller.response(response)
            self._told = len(self.responses)
        await self._news.spread()

    async def tell_the_rest(self) -> None:
        """Responses whose alert nobody heard, too."""
        await self._tell(all_of_them=True)

    def is_over(self) -> bool:
        """Whether nothing follows the last response."""
        return bool(self.responses) and self.responses[-1]["state"] in ENDS

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether it comes true in time, by what is heard."""
        return await self._news.until(condition, seconds)
