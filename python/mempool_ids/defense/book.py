"""Actions that are not over, one a contract."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from mempool_ids.defense.action import DefenseAction
from mempool_ids.defense.broadcast.replies import Answer
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.guardian import Guardian, Loaded, Protected


class Fate(enum.StrEnum):
    """What became of a threat, as far as it is known."""

    PENDING = "pending"
    MINED = "mined"
    GONE = "gone"
    """Replaced by something else, or not heard of any more."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is to be paused: the threat, and what is known of its price."""

    tx_hash: str | None
    """None where a human asked for it."""
    sender: str
    priced: Priced
    max_fee: int
    """Of the threat, wei a gas; 0 where it is not known."""
    grade: str
    urgency: Urgency
    pause_gas: int
    """By simulation; 0 where it is not known."""
    grave: bool
    """See rails.py."""
    reason: str


@dataclass(slots=True)
class Threat:
    """A transaction that an action answers."""

    tx_hash: str
    sender: str
    fate: Fate = Fate.PENDING
    fate_at: float = 0.0
    block: int | None = None
    position: int | None = None


@dataclass(slots=True)
class Live:
    """An action that is not over, with what only matters until then."""

    action: DefenseAction
    target: Protected
    guardian: Guardian
    cause: Cause
    """Of the last bid."""
    threats: dict[str, Threat] = field(default_factory=dict)
    more: bool = False
    """It answers more threats than are followed: whether its cause is gone cannot be told."""
    sent: list[Loaded] = field(default_factory=list)
    """What went out, the last last. All but the last one are of lower bids, or of other nonces."""
    sent_at_head: int = 0
    """Number of the head when the last bytes went out."""
    wanted_tip: int = 0
    """Wei a gas that the bid asked for."""
    least_fee_cap: int = 0
    """Wei a gas, where blocks are ordered by fee caps."""
    allowed: int = 0
    """Wei that it may cost at the most, gas limit × fee cap, by all caps."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """To the last bytes, by endpoint."""
    decide_by: float | None = None
    """A human is asked until then (Unix seconds)."""
    cancel: Loaded | None = None
    """A transfer to oneself that takes the nonce, once it is out."""
    stuck: int = 0
    """Heads since there was nothing higher to bid."""

    @property
    def last(self) -> Loaded | None:
        return self.sent[-1] if self.sent else None


class Book:
    """Changed under the trigger's lock alone."""

    def __init__(self) -> None:
        self.by_target: dict[str, Live] = {}

    def open(self, live: Live) -> None:
        self.by_target[live.target.name] = live

    def close(self, live: Live) -> None:
        if self.by_target.get(live.target.name) is live:
            del self.by_target[live.target.name]

    def all(self) -> list[Live]:
        return list(self.by_target.values())

    def answering(self, tx_hash: str) -> list[Live]:
        """Actions that answer this transaction."""
        return [live for live in self.by_target.values() if tx_hash in live.threats]
