"""What a human said no to: who lays baits, or bids once more for the same, does not get asked about again.

A no holds for its transaction, unless that turns out to be grave and was not; and for what else its sender does to that
contract, unless that is worse: who had a small threat waved through is asked about for a larger one.

Pure: `now` is an argument (seconds).
"""

from __future__ import annotations

from dataclasses import dataclass

from mempool_ids.defense.book import Cause
from mempool_ids.defense.rails import REMEMBERED


@dataclass(frozen=True, slots=True)
class _No:
    until: float
    cause: Cause

    def is_worse(self, other: Cause) -> bool:
        """Whether the other one is worse than what was declined, as far as is known."""
        ours, theirs = self.cause.priced.loss_wei, other.priced.loss_wei
        if self.turns_grave(other):
            return True
        return ours != theirs and (ours is None or theirs is None or theirs > ours)

    def turns_grave(self, other: Cause) -> bool:
        return other.grave and not self.cause.grave


class Declined:
    """For `cooldown_s` each."""

    def __init__(self, cooldown_s: float) -> None:
        self._cooldown_s = cooldown_s
        self._noes: dict[tuple[str, str], _No] = {}

    def add(self, now: float, target: str, cause: Cause) -> None:
        """A human declined to answer this with a pause of `target`."""
        no = _No(now + self._cooldown_s, cause)
        for whose in (cause.subject or "", cause.sender):
            self._noes.pop((target, whose), None)
            self._noes[target, whose] = no
        while len(self._noes) > REMEMBERED:
            del self._noes[next(iter(self._noes))]

    def holds(self, now: float, target: str, cause: Cause) -> bool:
        """Whether it was declined already."""
        same = self._noes.get((target, cause.subject or ""))
        if same is not None and now < same.until and not same.turns_grave(cause):
            return True
        no = self._noes.get((target, cause.sender))
        return no is not None and now < no.until and not no.is_worse(cause)
