"""Actions that are not over, one a contract."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from mempool_ids.defense.action import DefenseAction
from mempool_ids.defense.armed import Key
from mempool_ids.defense.broadcast.replies import Answer
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.guardian import Guardian, Loaded, Protected
from mempool_ids.defense.refusals import SILENT

# Why, where a person asked. In the journal it tells a restart whose word a response is.
ASKED = "somebody asked for it"
# Of a threat that is replaced, so long (seconds) a replacement may take to be judged.
JUDGED_S = 2.0
# Threats that a question keeps beside those that it names. Baits cost their sender nothing: of more, the least are let
# go.
KEPT = 256


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
    """None where a human asked for it, and where it is no transaction: a contract that could attack."""
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
    contract: str | None = None
    """The new contract that it is about, where it is no transaction."""

    @property
    def subject(self) -> str | None:
        """What it is about: what one is not, another may be. None where a human asked for it and named nothing."""
        return self.tx_hash or self.contract

    @property
    def weight(self) -> tuple[bool, float]:
        """How bad it is, the worst the highest. A loss that nobody knows is any."""
        loss = self.priced.loss_wei
        return self.grave, float("inf") if loss is None else float(loss)

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
                is_supposed=ours.is_supposed and theirs.is_supposed,
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


@dataclass(slots=True)
class Question:
    """What a human is asked before anything is sent."""

    about: tuple[Cause, ...]
    """What it names: a no is to these, and to no other."""
    decide_by: float
    """Seconds of time.monotonic."""
    since: dict[str | None, Cause] = field(default_factory=dict)
    """What it does not name, each by its subject: mostly what came while it is open. A yes answers it, too; after a no
    it is asked about by itself."""
    is_cut: bool = False
    """Some of that was let go."""

    def add(self, cause: Cause) -> None:
        """One more that it does not name, or what else is known of one."""
        same = self.since.get(cause.subject)
        self.since[cause.subject] = cause if same is None else same.and_also(cause)
        if len(self.since) > 2 * KEPT:
            worst = sorted(self.since.values(), key=lambda one: one.weight, reverse=True)[:KEPT]
            self.since = {one.subject: one for one in worst}
            self.is_cut = True


@dataclass(frozen=True, slots=True)
class Heard:
    """What an endpoint says."""

    post: int
    """To which post, counted from 1."""
    answer: Answer


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
    by_person: bool = False
    """Somebody asked for it: it stands whatever becomes of the threats."""
    sent: list[Loaded] = field(default_factory=list)
    """What went out, the last last. All but the last one are of lower bids, or of other nonces."""
    sent_at_head: int = 0
    """Number of the head when the last bytes went out."""
    looked_at: Loaded | None = None
    """The last bytes that the watch has looked for on a head."""
    wanted_tip: int = 0
    """Wei a gas that the bid asked for."""
    held_up: tuple[int, ...] = ()
    """Nonces before its own, of the same key, where less is bid than it needs and no more can be."""
    least_fee_cap: int = 0
    """Wei a gas, where blocks are ordered by fee caps."""
    posts: int = 0
    """How often bytes went out at its own nonce, the same ones again too."""
    heard: dict[str, Heard] = field(default_factory=dict)
    """Answers to the last bytes since they last went out, by endpoint."""
    nowhere: set[str] = field(default_factory=set)
    """Hashes of bytes that no pool has, and that go out no more."""
    question: Question | None = None
    """A human is asked."""
    cancels: list[Loaded] = field(default_factory=list)
    """Transfers to oneself that were to take the nonce, the last last."""
    fills: list[Loaded] = field(default_factory=list)
    """Transfers to oneself at other nonces: which it waited for, or where nothing of it is to be mined any more."""
    to_builders: dict[Key, int] = field(default_factory=dict)
    """Wei of transfers to builders, by another key, that go with what it has at a nonce: by guardian and nonce."""
    paid: dict[Key, int] = field(default_factory=dict)
    """Wei for gas, by guardian and nonce, of all of these that blocks have."""
    moved_at_head: int = -1
    """When it last went to another nonce or key."""
    withdrawn: bool = False
    """The last that went out at its nonce is a transfer to oneself."""
    is_stale: bool = False
    """Its cause is gone whatever became of the threats: it is from before a restart, and old or withdrawn."""
    posted_at: float = 0.0
    """When bytes last went out, seconds of time.monotonic."""
    ends_at_head: int | None = None
    """The head on which it could have ended, but for what else of it may be mined."""
    tried: tuple[int, str | None] = (-1, None)
    """The head on which a cancellation was last tried, and the bid that waited behind it, by its hash."""
    rest_tried_at_head: int = -1
    """The same of what it has at other nonces when it could have ended."""
    stuck: int = 0
    """Heads since there was nothing higher to bid."""
    unseen_since: float | None = None
    """No node answers about it, seconds of time.monotonic."""
    unarmed_since: float | None = None
    """It waits for a ladder, seconds of time.monotonic."""

    @property
    def last(self) -> Loaded | None:
        return self.sent[-1] if self.sent else None

    @property
    def waits_for(self) -> str:
        """`held_up`, in words."""
        return f"nonce {', '.join(map(str, self.held_up))} of guardian {self.guardian.address}"

    @property
    def out(self) -> list[Loaded]:
        """All that went out for it, and may be paid for."""
        return [*self.sent, *self.cancels, *self.fills]

    def hear(self, sent: Loaded, post: int, endpoint: str, answer: Answer) -> None:
        """An answer to a post of `sent`. One that comes late, to a post of the same bytes before, stands until the
        endpoint answers the newest: who is slow is heard as well. That there was none says nothing of the newest."""
        if answer.kind in SILENT and post != self.posts:
            return
        known = self.heard.get(endpoint)
        if self.last is sent and (known is None or known.post <= post):
            self.heard[endpoint] = Heard(post, answer)

    def withdrawals(self) -> list[Loaded]:
        """Cancellations of the last that was sent. At other nonces, or of another key, they do not take its place."""
        last = self.last
        if last is None:
            return []
        return [one for one in self.cancels if one.rung.key == last.rung.key]

    @property
    def cost(self) -> int | None:
        """Wei that it cost so far, by all of its receipts; None without one."""
        return sum(self.paid.values()) if self.paid else None

    def is_pointless(self, now: float) -> bool:
        """Whether there is nothing left to answer: what was replaced or dropped is gone. What was mined is not: who
        attacked once may do so again.

        Args:
            now: seconds of time.monotonic.
        """
        if self.is_stale:
            return True
        threats = list(self.threats.values())
        if (
            not threats
            or self.more
            or self.by_person
            or any(threat.fate is not Fate.GONE for threat in threats)
        ):
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
