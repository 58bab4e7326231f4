"""The hot half: from a detection to bytes on the wire, on what is in memory.

Runs on the thread that hands detections over, before storage, event log and callbacks. It waits for no disk, no signer
and no other task; the lock is held for microseconds by anybody.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mempool_ids.defense.action import ENDS, ActionState, DefenseAction, Transition
from mempool_ids.defense.armed import Fees
from mempool_ids.defense.book import Book, Cause, Live, Threat
from mempool_ids.defense.evidence import price
from mempool_ids.defense.exact import EXACT, Exact
from mempool_ids.defense.gas import GasStrategy, Situation, Unaffordable
from mempool_ids.defense.guardian import Guardian, Loaded, Protected
from mempool_ids.defense.journal import Marks
from mempool_ids.defense.ladder import choose
from mempool_ids.defense.policy import Decision, Policy
from mempool_ids.defense.rails import Rails, Refused

# Transactions that one action follows. Baits cost their sender nothing: what is beyond is answered, and not followed.
THREATS = 64


@dataclass(frozen=True, slots=True)
class Note:
    """What an alert says of the response to it."""

    action_id: str | None
    decision: str
    tell: bool = False
    """People should know at once: a threat goes unanswered."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an action, with the action as it was then."""

    action: DefenseAction
    transition: Transition | None
    """None where another threat joined it."""
    senders: tuple[str, ...]
    """Of the action's threats."""


class Wire(Protocol):
    """What sends bytes at once, from any thread."""

    def post(self, body: bytes, then: Callable[[str, Any], None]) -> int: ...


class Trigger:
    """Decides and sends.

    Args:
        confirm_s: how long a human is asked, 0 asks nobody.
        link: where a human can answer, by action.
        by_fee_cap: the node orders its blocks by fee caps and not by tips.
        tell: takes every change of state, in order, from any thread, and returns at once.
        answered: takes an endpoint's reply to what was sent.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        gas: GasStrategy,
        rails: Rails,
        targets: Mapping[str, Protected],
        guardians: Sequence[Guardian],
        marks: Marks | None,
        wire: Wire | None,
        exact: Exact | None,
        confirm_s: float,
        link: Callable[[str], str] | None,
        by_fee_cap: bool,
        legacy: bool,
        tell: Callable[[Change], None],
        answered: Callable[[Live, Loaded, str, Any], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.Lock()
        self.book = Book()
        self.rails = rails
        self.gas = gas
        self.guardians = tuple(guardians)
        self.targets = targets
        self._policy = policy
        self._marks = marks
        self._wire = wire
        self._exact = exact
        self._confirm_s = confirm_s
        self._link = link
        self._by_fee_cap = by_fee_cap
        self._legacy = legacy
        self._tell = tell
        self._answered = answered
        self._clock = clock
        self._numbers = itertools.count(1)
        self.base_fee = 0
        self.head = 0

    @property
    def shadow(self) -> bool:
        """Whether nothing is sent."""
        return self._wire is None

    def fire(self, alert: Mapping[str, Any]) -> Note:
        """Answers an alert. Never raises for what is in it."""
        decision = self._policy.decide(alert)
        if not decision.act:
            return Note(None, decision.words, decision.tell)
        cause = _cause(alert, decision)
        with self.lock:
            notes = [self._respond(name, cause, decision.loss_wei) for name in decision.targets]
        ids = [note.action_id for note in notes if note.action_id]
        tell = any(note.action_id is None for note in notes)
        return Note(ids[0] if ids else None, "; ".join(note.decision for note in notes), tell)

    def by_hand(self, name: str, cause: Cause) -> Note:
        """Answers what a person says is a threat."""
        with self.lock:
            return self._respond(name, cause, None, ask=False)

    def _respond(self, name: str, cause: Cause, loss_wei: int | None, *, ask: bool = True) -> Note:
        target = self.targets.get(name)
        if target is None:
            return Note(None, f"not paused because {name} has no pause")
        live = self.book.by_target.get(name)
        if live is not None:
            return self._join(live, cause)
        allowed = self.rails.allow(
            self._clock(), name, cause.sender, self._lowest_cost(name), grave=cause.grave
        )
        if isinstance(allowed, Refused):
            return Note(None, f"not paused because {allowed.reason}")
        live = self._open(target, cause, loss_wei)
        if ask and self._confirm_s > 0:
            live.decide_by = self._clock() + self._confirm_s
            asked = f"a human is asked for {self._confirm_s:g} s"
            where = "" if self._link is None else f": {self._link(live.action.action_id)}"
            self._advance(live, ActionState.INTENT, f"{cause.reason}; {asked}{where}")
            return Note(live.action.action_id, f"{asked}: {cause.reason}")
        self._advance(live, ActionState.INTENT, cause.reason)
        return Note(live.action.action_id, self._bid_and_send(live, cause))

    def _open(self, target: Protected, cause: Cause, loss_wei: int | None) -> Live:
        guardian = self._guardian(target.name)
        now = self._clock()
        action = DefenseAction(
            action_id=f"{int(now * 1000):x}-{next(self._numbers):x}",
            strategy=target.strategy,
            target=target.name,
            target_address=target.address,
            created=now,
            threats=() if cause.tx_hash is None else (cause.tx_hash,),
            grade=cause.grade,
            urgency=cause.urgency,
            guardian=guardian.address,
            shadow=self.shadow,
            loss_wei=loss_wei,
        )
        threats = {tx_hash: Threat(tx_hash, cause.sender) for tx_hash in action.threats}
        live = Live(action, target, guardian, cause, threats)
        self.book.open(live)
        return live

    def _guardian(self, name: str) -> Guardian:
        """The first that can: armed for the next nonce, with a balance for the lowest rung."""
        for guardian in self.guardians:
            ladder = guardian.ladder(name, guardian.next_nonce())
            if ladder and guardian.balance >= _worst(ladder[0]):
                return guardian
        return self.guardians[0]

    def _lowest_cost(self, name: str) -> int:
        guardian = self._guardian(name)
        ladder = guardian.ladder(name, guardian.next_nonce())
        return _worst(ladder[0]) if ladder else 0

    def _join(self, live: Live, cause: Cause) -> Note:
        """Another alert for what is being paused: the same action answers it, with a higher bid where it needs one."""
        action = live.action
        is_new = cause.tx_hash is not None and cause.tx_hash not in live.threats
        if is_new and len(live.threats) >= THREATS:
            live.more = True
        elif cause.tx_hash is not None and is_new:
            live.threats[cause.tx_hash] = Threat(cause.tx_hash, cause.sender)
            action.threats = (*action.threats, cause.tx_hash)
            self._note(live, None)
        words = f"joins response {action.action_id}, which is {action.state}"
        if action.state is ActionState.SENT:
            live.cause = cause
            raised = self._bid_and_send(live, cause)
            words = f"{words}; {raised}"
        return Note(action.action_id, words)

    def act(self, live: Live) -> str:
        """A human agreed, or nobody answered and the default is to act."""
        with self.lock:
            live.decide_by = None
            return self._bid_and_send(live, live.cause)

    def _bid_and_send(self, live: Live, cause: Cause, *, because: str = "") -> str:
        """Chooses the rung that the bid asks for, and sends it unless one as high is out."""
        action, guardian = live.action, live.guardian
        nonce = guardian.next_nonce() if action.nonce is None else action.nonce
        ladder = guardian.ladder(live.target.name, nonce)
        if not ladder:
            return self._cannot(live, f"nothing is armed for {live.target.name} at nonce {nonce}")
        gas_limit = ladder[0].rung.gas_limit
        own = action.action_id if live.sent else None
        left = self.rails.left(self._clock(), live.target.name, grave=cause.grave, action=own)
        bid = self.gas.bid(
            cause.priced,
            Situation(
                base_fee=self.base_fee,
                pause_gas=cause.pause_gas,
                gas_limit=gas_limit,
                # What is left for this threat, as the rails have it: none may take what is kept back for another.
                spent_today=self.gas.daily_budget - left,
                balance=guardian.balance,
                urgency=cause.urgency,
                legacy=self._legacy,
            ),
        )
        if isinstance(bid, Unaffordable):
            return self._cannot(live, bid.reason)
        live.wanted_tip, live.allowed = max(live.wanted_tip, bid.wanted_tip), bid.allowed_wei
        above = live.last.rung.fees if live.last is not None and live.last.rung.nonce == nonce else None
        least = cause.max_fee + 1 if self._by_fee_cap and cause.max_fee else 0
        live.least_fee_cap = max(live.least_fee_cap, least)
        enough = above is not None and above.max_fee >= live.least_fee_cap
        if above is not None and enough and _effective(above, self.base_fee) >= bid.tip:
            return "the bid that is out is high enough"
        fees = [loaded.rung.fees for loaded in ladder]
        chosen, _ = choose(
            fees, bid.tip, self.base_fee, bid.allowed_wei, gas_limit, above, least_fee_cap=live.least_fee_cap
        )
        if chosen is None:
            return self._cannot(
                live, "no rung that is armed replaces what is out" if above else "no rung can be paid for"
            )
        loaded = ladder[chosen]
        if self._exact is not None and not self._by_fee_cap:
            exact = self._exact.sign(guardian, live.target, nonce, gas_limit, bid.fees, above)
            if exact is not None and _worst(exact) <= bid.allowed_wei:
                loaded = exact
        if above is not None:
            raised = self.rails.may_raise(self._clock(), action.action_id, _worst(loaded), grave=cause.grave)
            if isinstance(raised, Refused):
                return raised.reason
        short = _effective(loaded.rung.fees, self.base_fee) < bid.wanted_tip
        action.capped = short or bid.capped_by is not None
        words = (
            bid.reason
            if not action.capped
            else f"{bid.reason}; CUT SHORT by {bid.capped_by or 'the highest rung'}"
        )
        self._send(live, loaded, f"{because}; {words}" if because else words)
        return f"{'would be paused' if self.shadow else 'paused'} because {cause.reason}: {words}"

    def _cannot(self, live: Live, reason: str) -> str:
        """What is out stays out; with nothing out the action is over."""
        if live.action.state is ActionState.SENT:
            return reason
        self._advance(live, ActionState.FAILED, reason)
        self._close(live)
        return f"not paused because {reason}"

    def _close(self, live: Live) -> None:
        self.book.close(live)
        if live.action.attempt and not live.action.shadow:
            # Without a receipt the worst case stays promised: its bytes may still be mined.
            if live.action.cost_wei is not None:
                self.rails.settled(self._clock(), live.action.action_id, live.action.cost_wei)
        else:
            self.rails.settled(self._clock(), live.action.action_id, 0)

    def _send(self, live: Live, loaded: Loaded, reason: str) -> None:
        """Mark, send, and only then say so."""
        action, rung = live.action, loaded.rung
        if self._marks is not None:
            self._marks.put(bytes.fromhex(rung.tx_hash[2:]), self._clock())
        took = 0
        live.answers.clear()
        if self._wire is not None:
            took = self._wire.post(
                loaded.body, lambda endpoint, reply: self._answered(live, loaded, endpoint, reply)
            )
        sent_at = self._clock()
        first = action.state is ActionState.INTENT
        if not self.shadow:
            live.guardian.taken[rung.nonce] = live.target.name
        live.sent.append(loaded)
        live.sent_at_head = self.head
        action.guardian, action.nonce, action.tx_hash = (
            live.guardian.address,
            rung.nonce,
            rung.tx_hash or None,
        )
        action.gas_limit = rung.gas_limit
        action.max_fee_per_gas, action.max_priority_fee_per_gas = rung.fees.max_fee, rung.fees.tip
        self.rails.sent(sent_at, live.target.name, live.cause.sender, _worst(loaded), action.action_id)
        if first:
            self._advance(live, ActionState.VERIFIED, reason)
        action.attempt += 1
        what = "exact" if rung.rung == EXACT else f"rung {rung.rung}"
        where = "would be sent" if self.shadow else f"sent to {took} endpoints"
        self._advance(
            live, ActionState.SENT, f"{what}: {where}; {reason}", at=sent_at, tx_hash=action.tx_hash
        )

    def escalate(self, live: Live, reason: str) -> bool:
        """The next higher rung at the same nonce. False where there is none that can be paid for."""
        with self.lock:
            last = live.last
            if last is None or live.action.state is not ActionState.SENT:
                return False
            ladder = live.guardian.ladder(live.target.name, last.rung.nonce)
            fees = [loaded.rung.fees for loaded in ladder]
            allowed = min(live.guardian.balance - self.gas.reserve, live.allowed)
            chosen, _ = choose(
                fees, live.wanted_tip, self.base_fee, allowed, last.rung.gas_limit, last.rung.fees
            )
            if chosen is None:
                return False
            cost = _worst(ladder[chosen])
            raised = self.rails.may_raise(self._clock(), live.action.action_id, cost, grave=live.cause.grave)
            if isinstance(raised, Refused):
                return False
            self._send(live, ladder[chosen], reason)
            return True

    def next_nonce(self, live: Live, reason: str) -> None:
        """The same intent once more, as its nonce is used by something else."""
        with self.lock:
            live.action.nonce = None
            live.guardian = self._guardian(live.target.name)
            self._bid_and_send(live, live.cause, because=reason)

    def change_guardian(self, live: Live, reason: str) -> bool:
        """The same intent with another key. False where no other one is armed for it and can pay."""
        with self.lock:
            name = live.target.name
            others = [other for other in self.guardians if other is not live.guardian]
            able = [other for other in others if other.ladder(name, other.next_nonce())]
            if not able:
                return False
            live.guardian, live.action.nonce = able[0], None
            self._bid_and_send(live, live.cause, because=reason)
            return True

    def rebroadcast(self, live: Live) -> None:
        """The same bytes: harmless where they are known."""
        with self.lock:
            last = live.last
            if last is not None and self._wire is not None:
                self._wire.post(
                    last.body, lambda endpoint, reply: self._answered(live, last, endpoint, reply)
                )
                live.sent_at_head = self.head

    def close_unsent(self, live: Live, reason: str) -> None:
        """Under the lock: nothing of it went out, and nothing will."""
        if not live.action.history:
            self._advance(live, ActionState.INTENT, reason)
        self._advance(live, ActionState.CANCELLED, reason)

    def resume(self, live: Live, is_adopted: bool) -> None:
        """Under the lock: takes up what a former process sent, or was about to."""
        action = live.action
        for loaded in live.sent:
            live.guardian.taken[loaded.rung.nonce] = live.target.name
        self.book.open(live)
        if is_adopted:
            last = live.sent[-1].rung
            reason = "its bytes were about to go out when the process ended"
            if not action.history:
                self._advance(live, ActionState.INTENT, reason)
            if action.state is ActionState.INTENT:
                self._advance(live, ActionState.VERIFIED, reason)
            action.nonce, action.tx_hash, action.gas_limit = last.nonce, last.tx_hash, last.gas_limit
            action.max_fee_per_gas, action.max_priority_fee_per_gas = last.fees.max_fee, last.fees.tip
            action.attempt += 1
            self._advance(live, ActionState.SENT, f"rung {last.rung}: {reason}", tx_hash=last.tx_hash)
        live.wanted_tip = action.max_priority_fee_per_gas or 0

    def advance(self, live: Live, state: ActionState, reason: str, **details: Any) -> None:
        """A change that the slow half saw."""
        with self.lock:
            self._advance(live, state, reason, **details)
            if live.action.is_over:
                self._close(live)

    def _advance(
        self, live: Live, state: ActionState, reason: str, *, at: float | None = None, **details: Any
    ) -> None:
        if state in ENDS and live.action.attempt == 0:
            details.setdefault("cost_wei", 0)  # nothing went out
        transition = live.action.advance(state, self._clock() if at is None else at, reason, **details)
        self._note(live, transition)

    def _note(self, live: Live, transition: Transition | None) -> None:
        action = copy.copy(live.action)
        action.history = list(action.history)
        self._tell(Change(action, transition, tuple(live.threats[one].sender for one in action.threats)))


def _worst(loaded: Loaded) -> int:
    """Wei that it costs at the most."""
    return loaded.rung.gas_limit * loaded.rung.fees.max_fee + loaded.rung.call.value


def _effective(fees: Fees, base_fee: int) -> int:
    """Wei a gas that whoever builds the block gets."""
    return min(fees.tip, fees.max_fee - base_fee)


def _cause(alert: Mapping[str, Any], decision: Decision) -> Cause:
    """What the policy has looked at, so that what matters is there."""
    tx, gas = alert["tx"], alert["response"].get("pause_gas")
    return Cause(
        tx_hash=tx["hash"],
        sender=tx["from"],
        priced=price(alert, decision.loss_wei),
        max_fee=int(alert["response"].get("attack_max_fee") or 0),
        grade=decision.grade,
        urgency=decision.urgency,
        pause_gas=int(gas) if gas else 0,
        grave=decision.grave,
        reason=decision.words.partition(" because ")[2],
    )
