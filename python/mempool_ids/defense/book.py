"""Actions that are not over, one a contract."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from mempool_ids.defense.action import DefenseAction
from mempool_ids.defense.broadcast.replies import Answer
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.guardian import Guardian, Loaded, Protected

# Of a threat that is replaced, so long (seconds) a replacement may take to be judged.
JUDGED_S = 2.0


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

    def and_also(self, other: Cause) -> Cause:
        """Both at once: what it takes to come before either. A cheap one that joins makes no dear one look cheap."""
        ours, theirs = self.priced, other.priced
        dearer = theirs if theirs.payment >= ours.payment else ours
        known = ours.loss_wei is not None and theirs.loss_wei is not None
        return replace(
            other,
            priced=replace(
                dearer,
                gas_price=max(ours.gas_price, theirs.gas_price),
                tip=max(ours.tip, theirs.tip),
                copyable=ours.copyable or theirs.copyable,
                loss_wei=max(ours.loss_wei or 0, theirs.loss_wei or 0) if known else None,
                p=max(ours.p, theirs.p),
            ),
            max_fee=max(self.max_fee, other.max_fee),
            urgency=max(self.urgency, other.urgency, key=list(Urgency).index),
            pause_gas=max(self.pause_gas, other.pause_gas),
            grave=self.grave or other.grave,
        )


@dataclass(slots=True)
class Threat:
    """A transaction that an action answers."""

    tx_hash: str
    sender: str
    fate: Fate = Fate.PENDING
    fate_at: float = 0.0
    """Since when, seconds of time.monotonic: the clock may be set."""
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
    looked_at: Loaded | None = None
    """The last bytes that the watch has looked for on a head."""
    wanted_tip: int = 0
    """Wei a gas that the bid asked for."""
    least_fee_cap: int = 0
    """Wei a gas, where blocks are ordered by fee caps."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """To the last bytes, by endpoint."""
    decide_by: float | None = None
    """A human is asked until then, seconds of time.monotonic."""
    cancels: list[Loaded] = field(default_factory=list)
    """Transfers to oneself that were to take the nonce, the last last."""
    moved_at_head: int = -1
    """When it last went to another nonce or key."""
    withdrawn: bool = False
    """The last that went out is one of those."""
    is_stale: bool = False
    """Its cause is gone whatever became of the threats: it is from before a restart, and old or withdrawn."""
    posted_at: float = 0.0
    """When bytes last went out, seconds of time.monotonic."""
    tried_at_head: int = -1
    """The head on which a cancellation was last tried."""
    stuck: int = 0
    """Heads since there was nothing higher to bid."""
    unarmed_since: float | None = None
    """It waits for a ladder, seconds of time.monotonic."""

    @property
    def last(self) -> Loaded | None:
        return self.sent[-1] if self.sent else None

    def is_pointless(self, now: float) -> bool:
        """Whether there is nothing left to answer: what was replaced or dropped is gone. What was mined is not: who
        attacked once may do so again.

        Args:
            now: seconds of time.monotonic.
        """
        if self.is_stale:
            return True
        threats = list(self.threats.values())
        if not threats or self.more or any(threat.fate is not Fate.GONE for threat in threats):
            return False
        return now - max(threat.fate_at for threat in threats) >= JUDGED_S


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
