"""The hot half: from a detection to bytes on the wire, on what is in memory.

Runs on the thread that hands detections over, before storage, event log and callbacks. It waits for no disk, no signer
and no other task; the lock is held for microseconds by anybody.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mempool_ids.defense import practice
from mempool_ids.defense.action import ENDS, ActionState, DefenseAction, Transition
from mempool_ids.defense.armed import Fees, Rung
from mempool_ids.defense.book import Book, Cause, Fate, Live, Threat
from mempool_ids.defense.evidence import price
from mempool_ids.defense.exact import EXACT, Exact
from mempool_ids.defense.gas import Bid, GasStrategy, Situation, Unaffordable, replacement
from mempool_ids.defense.gas import gas_limit as limit_of
from mempool_ids.defense.guardian import Guardian, Loaded, Protected
from mempool_ids.defense.journal import Marks
from mempool_ids.defense.ladder import choose
from mempool_ids.defense.policy import Decision, Policy
from mempool_ids.defense.rails import Rails, Refused

# Transactions that one action follows. Baits cost their sender nothing: what is beyond is answered, and not followed.
THREATS = 64
# How long a response waits to be armed, where more contracts are attacked at once than nonces are armed.
ARMED_S = 10.0
# Of a transfer to oneself.
CANCEL_GAS = 21_000


@dataclass(frozen=True, slots=True)
class Note:
    """What an alert says of the response to it."""

    action_id: str | None
    decision: str
    tell: bool = False
    """People should know at once: a threat goes unanswered."""
    sent_at: float | None = None
    """When its last bytes were written to sockets, Unix seconds; None where nothing went out."""


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


class _Lock:
    """Held for microseconds. What changed is told when it is let go, after bytes went out: whoever is told wakes up,
    and would take the interpreter from us."""

    def __init__(self, tell_all: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._tell_all = tell_all

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        try:
            self._tell_all()
        finally:
            self._lock.release()


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
        always_exact: bool,
        confirm_s: float,
        link: Callable[[str], str] | None,
        by_fee_cap: bool,
        legacy: bool,
        tell: Callable[[Change], None],
        answered: Callable[[Live, Loaded, str, Any], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._practice = practice.alert(next(iter(targets)))
        self._twin: Trigger | None = None
        self._untold: list[Change] = []
        self.lock = _Lock(self._tell_all)
        self.book = Book()
        self.rails = rails
        self.gas = gas
        self.guardians = tuple(guardians)
        self.targets = targets
        self._policy = policy
        self._marks = marks
        self._wire = wire
        self._exact = exact
        self._always_exact = always_exact
        self._confirm_s = confirm_s
        self._link = link
        self._by_fee_cap = by_fee_cap
        self._legacy = legacy
        self._tell = tell
        self._answered = answered
        self._clock = clock
        self._steps = clock() - time.monotonic()
        self._numbers = itertools.count(1)
        self._sent_at: float | None = None
        self.base_fee = 0
        self.head = 0

    def steady(self) -> float:
        """Unix seconds by a clock that nobody sets: what was spent within a day is not forgotten with a step of it."""
        return self._steps + time.monotonic()

    @property
    def shadow(self) -> bool:
        """Whether nothing is sent."""
        return self._wire is None

    def fire(self, alert: Mapping[str, Any]) -> Note:
        """Answers an alert. Never raises for what is in it."""
        decision = self._policy.decide(alert)
        if not decision.act:
            return Note(None, decision.words, decision.tell)
        with self.lock:
            self._sent_at = None
            notes = [
                self._respond(name, _cause(alert, decision, name), decision.loss_wei)
                for name in decision.targets
            ]
        ids = [note.action_id for note in notes if note.action_id]
        tell = any(note.tell or note.action_id is None for note in notes)
        return Note(ids[0] if ids else None, "; ".join(note.decision for note in notes), tell, self._sent_at)

    def _blank(self) -> Trigger:
        """The same with blanks: it decides, chooses and writes to nobody."""
        return Trigger(
            policy=self._policy,
            gas=self.gas,
            rails=self.rails.blank(),
            targets=self.targets,
            guardians=[guardian.blank() for guardian in self.guardians],
            marks=None,
            wire=None,
            exact=None,
            always_exact=False,
            confirm_s=0.0,
            link=None,
            by_fee_cap=self._by_fee_cap,
            legacy=self._legacy,
            tell=lambda _: None,
            answered=lambda *_: None,
        )

    def practise(self) -> bool:
        """The whole way with a twin, on what is armed now: sends and changes nothing. Whether it would have sent."""
        twin = self._twin = self._twin or self._blank()
        with self.lock:
            twin.base_fee, twin.head = self.base_fee, self.head
            twin.guardians = tuple(guardian.blank() for guardian in self.guardians)
            note = twin.fire(self._practice)
        twin.book, twin.rails = Book(), self.rails.blank()
        return note.sent_at is not None

    def by_hand(self, name: str, cause: Cause, *, is_paused: bool = False) -> Note:
        """Answers what a person says is a threat.

        Args:
            is_paused: as the contract says: then there is nothing to send.
        """
        with self.lock:
            live = self.book.by_target.get(name)
            if live is not None and live.decide_by is not None:
                # Who asks for it has answered, too.
                note = self._join(live, cause)
                return Note(note.action_id, self._act(live))
            if live is None and is_paused and name in self.targets:
                live = self._open(self.targets[name], cause, None)
                self._advance(live, ActionState.INTENT, cause.reason)
                self._advance(live, ActionState.SUPERSEDED, "it is paused already")
                self._close(live)
                return Note(live.action.action_id, f"{name} is paused already")
            return self._respond(name, cause, None, ask=False)

    def _respond(self, name: str, cause: Cause, loss_wei: int | None, *, ask: bool = True) -> Note:
        target = self.targets.get(name)
        if target is None:
            return Note(None, f"not paused because {name} has no pause")
        live = self.book.by_target.get(name)
        if live is not None:
            return self._join(live, cause)
        allowed = self.rails.allow(
            self.steady(), name, cause.sender, self._lowest_cost(name), grave=cause.grave
        )
        if isinstance(allowed, Refused):
            return Note(None, f"not paused because {allowed.reason}")
        live = self._open(target, cause, loss_wei)
        if ask and self._confirm_s > 0:
            live.decide_by = time.monotonic() + self._confirm_s
            command = f"mempool-ids defend answer {live.action.action_id} yes|no"
            asked = f"a human is asked for {self._confirm_s:g} s ({command})"
            where = "" if self._link is None else f": {self._link(live.action.action_id)}"
            self._advance(live, ActionState.INTENT, f"{cause.reason}; {asked}{where}")
            return Note(live.action.action_id, f"{asked}: {cause.reason}")
        self._advance(live, ActionState.INTENT, cause.reason)
        try:
            words = self._bid_and_send(live)
        except Exception as error:
            # Our own mistake: the next alert for this contract must not find it in the way.
            self._cannot(live, f"of a mistake of ours ({type(error).__name__})")
            raise
        return Note(live.action.action_id, words, live.action.state is ActionState.FAILED)

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
        able = (guardian for guardian in self.guardians if self._is_able(guardian, name))
        return next(able, self.guardians[0])

    def _is_able(self, guardian: Guardian, name: str) -> bool:
        ladder = guardian.ladder(name, guardian.next_nonce())
        return bool(ladder) and self._funds(guardian, name) - self.gas.reserve >= _worst(ladder[0])

    def _funds(self, guardian: Guardian, name: str) -> int:
        """Of its balance, what is not promised to responses for other contracts: pools add them up."""
        others = (live for live in self.book.by_target.values() if live.target.name != name)
        sent = [
            live for live in others if live.guardian is guardian and live.action.state is ActionState.SENT
        ]
        return guardian.balance - sum(_worst(live.last) for live in sent if live.last is not None)

    def _lowest_cost(self, name: str) -> int:
        guardian = self._guardian(name)
        ladder = guardian.ladder(name, guardian.next_nonce())
        return _worst(ladder[0]) if ladder else 0

    def _join(self, live: Live, cause: Cause) -> Note:
        """Another alert for what is being paused: the same action answers it, with a higher bid where it needs one."""
        action = live.action
        is_new = cause.tx_hash is not None and cause.tx_hash not in live.threats
        live.is_stale = False
        if cause.tx_hash is None:
            live.more = True  # a person wants it, whatever becomes of the threats
        elif not is_new:
            live.threats[cause.tx_hash].fate = Fate.PENDING
        if is_new and len(live.threats) >= THREATS:
            live.more = True
        elif cause.tx_hash is not None and is_new:
            live.threats[cause.tx_hash] = Threat(cause.tx_hash, cause.sender)
            action.threats = (*action.threats, cause.tx_hash)
            self._note(live, None)
        words = f"joins response {action.action_id}, which is {action.state}"
        live.cause = live.cause.and_also(cause)
        if action.state is ActionState.SENT:
            words = f"{words}; {self._bid_and_send(live)}"
        return Note(action.action_id, words)

    def act(self, live: Live) -> str:
        """A human agreed, or nobody answered and the default is to act; or what was not armed may be now."""
        with self.lock:
            return self._act(live)

    def _act(self, live: Live) -> str:
        live.decide_by = None
        live.guardian = self._guardian(live.target.name)
        return self._bid_and_send(live)

    def _bid(self, live: Live, gas_limit: int) -> Bid | Unaffordable:
        cause = live.cause
        own = live.action.action_id if live.sent else None
        left = self.rails.left(self.steady(), live.target.name, grave=cause.grave, action=own)
        situation = Situation(
            base_fee=self.base_fee,
            pause_gas=cause.pause_gas,
            gas_limit=gas_limit,
            # What is left for this threat, as the rails have it: none may take what is kept back for another.
            spent_today=self.gas.daily_budget - left,
            balance=self._funds(live.guardian, live.target.name),
            urgency=cause.urgency,
            legacy=self._legacy,
        )
        return self.gas.bid(cause.priced, situation)

    def _bid_and_send(self, live: Live, *, nonce: int | None = None, because: str = "") -> str:
        """Chooses the rung that the bid asks for, and sends it unless one as high is out.

        Args:
            nonce: another one than the action has.
        """
        action, guardian, cause = live.action, live.guardian, live.cause
        if nonce is None:
            nonce = guardian.next_nonce() if action.nonce is None else action.nonce
        ladder = guardian.ladder(live.target.name, nonce)
        if not ladder:
            return self._unarmed(live, nonce)
        gas_limit = ladder[0].rung.gas_limit
        bid = self._bid(live, gas_limit)
        if isinstance(bid, Unaffordable):
            return self._cannot(live, bid.reason)
        live.wanted_tip = max(live.wanted_tip, bid.wanted_tip)
        least = cause.max_fee + 1 if self._by_fee_cap and cause.max_fee else 0
        live.least_fee_cap = max(live.least_fee_cap, least)
        own = live.last.rung if live.last is not None and not live.withdrawn else None
        if own is not None and (own.nonce, own.guardian) == (nonce, guardian.address):
            enough = own.fees.max_fee >= live.least_fee_cap
            if enough and _effective(own.fees, self.base_fee) >= bid.tip:
                return "the bid that is out is high enough"
        above = guardian.out.get(nonce)
        room = bid.allowed_wei - self._elsewhere(live, guardian, nonce)
        fees = [loaded.rung.fees for loaded in ladder]
        chosen, _ = choose(
            fees, bid.tip, self.base_fee, room, gas_limit, above, least_fee_cap=live.least_fee_cap
        )
        if chosen is None and live.withdrawn and nonce == action.nonce:
            # Behind the cancellation, in the same block.
            return self._bid_and_send(live, nonce=guardian.next_nonce(), because=because)
        if chosen is None:
            return self._cannot(
                live, "no rung that is armed replaces what is out" if above else "no rung can be paid for"
            )
        loaded = ladder[chosen]
        needed = limit_of(cause.pause_gas) if cause.pause_gas and live.target.gas is None else 0
        is_short = cause.pause_gas * 10 > gas_limit * 9
        if self._exact is not None and (is_short or (self._always_exact and not self._by_fee_cap)):
            fees_now = loaded.rung.fees if is_short else bid.fees
            exact = self._exact.sign(guardian, live.target, nonce, max(needed, gas_limit), fees_now, above)
            fits = exact is not None and exact.rung.fees.max_fee <= self.gas.max_fee
            if exact is not None and fits and _worst(exact) <= room:
                loaded = exact
        if live.sent and (refused := self._refused(live, loaded)):
            return refused
        short = _effective(loaded.rung.fees, self.base_fee) < bid.wanted_tip
        action.capped = short or bid.capped_by is not None
        words = (
            bid.reason
            if not action.capped
            else f"{bid.reason}; CUT SHORT by {bid.capped_by or 'the highest rung'}"
        )
        if bid.likely_lost:
            words = f"{words}; LIKELY LOST: others can copy the attack, and may bid most of the loot"
        self._send(live, loaded, f"{because}; {words}" if because else words)
        return f"{'would be paused' if self.shadow else 'paused'} because {cause.reason}: {words}"

    def _refused(self, live: Live, loaded: Loaded) -> str | None:
        """Why the rails do not allow that it goes out as well."""
        cost = self._promised(live, loaded)
        allowed = self.rails.may_raise(self.steady(), live.action.action_id, cost, grave=live.cause.grave)
        return allowed.reason if isinstance(allowed, Refused) else None

    def _promised(self, live: Live, loaded: Loaded) -> int:
        """Wei that it may cost with this: of each nonce that is not used, one transaction can be mined."""
        return sum(self._worst_by_nonce((*live.sent, loaded)).values())

    def _elsewhere(self, live: Live, guardian: Guardian, nonce: int) -> int:
        """Wei that it may cost at other nonces, or by another key, than this."""
        worst = self._worst_by_nonce(live.sent)
        return sum(cost for key, cost in worst.items() if key != (guardian.address, nonce))

    def _worst_by_nonce(self, sent: Iterable[Loaded]) -> dict[tuple[str, int], int]:
        latest = {guardian.address: guardian.latest for guardian in self.guardians}
        worst: dict[tuple[str, int], int] = {}
        for one in sent:
            key = (one.rung.guardian, one.rung.nonce)
            if one.rung.nonce >= latest.get(one.rung.guardian, 0):
                worst[key] = max(worst.get(key, 0), _worst(one))
        return worst

    def _unarmed(self, live: Live, nonce: int) -> str:
        """More victims than armed nonces: the next ones are being signed, and the watch tries again."""
        reason = f"nothing is armed for {live.target.name} at nonce {nonce}"
        now = time.monotonic()
        if live.action.state is not ActionState.INTENT:
            return reason
        if self.shadow or (live.unarmed_since is not None and now > live.unarmed_since + ARMED_S):
            return self._cannot(live, reason)
        live.unarmed_since = live.unarmed_since or now
        return f"{reason} yet: it is tried again"

    def _cannot(self, live: Live, reason: str) -> str:
        """What is out stays out; with nothing out the action is over."""
        if live.action.state is ActionState.SENT:
            return reason
        self._advance(live, ActionState.FAILED, reason)
        self._close(live)
        return f"not paused because {reason}"

    def _close(self, live: Live) -> None:
        action = live.action
        self.book.close(live)
        for guardian in self.guardians:
            guardian.release(live.target.name)
        cost = action.cost_wei
        if cost is not None:
            self._is_used(live)
        else:
            # Without a receipt it counts as paid at its worst: its bytes may still be mined.
            sent = action.attempt and not action.shadow
            cost = (action.gas_limit or 0) * (action.max_fee_per_gas or 0) if sent else 0
        self.rails.settled(self.steady(), action.action_id, cost)

    def _is_used(self, live: Live) -> None:
        """By a receipt, of a block that may not have been looked at: the next response must not take its nonce."""
        by_address = {guardian.address: guardian for guardian in self.guardians}
        for one in (*live.sent, *live.cancels):
            guardian = by_address.get(one.rung.guardian)
            if guardian is not None and one.rung.tx_hash and one.rung.tx_hash == live.action.tx_hash:
                guardian.latest = max(guardian.latest, one.rung.nonce + 1)

    def _send(self, live: Live, loaded: Loaded, reason: str) -> None:
        """Mark, send, and only then say so."""
        action, rung = live.action, loaded.rung
        decided_at = self._clock()
        if self._marks is not None:
            self._marks.put(bytes.fromhex(rung.tx_hash[2:]), decided_at)
        took = 0
        live.answers.clear()
        promised = self._promised(live, loaded)
        # Before it goes out: an answer may be faster than we are.
        live.sent.append(loaded)
        if self._wire is not None:
            took = self._wire.post(
                loaded.body, lambda endpoint, reply: self._answered(live, loaded, endpoint, reply)
            )
        sent_at = self._sent_at = self._clock()
        first = action.state is ActionState.INTENT
        if not self.shadow:
            live.guardian.taken[rung.nonce] = live.target.name
            live.guardian.went_out(rung.nonce, rung.fees)
        live.withdrawn, live.unarmed_since = False, None
        live.sent_at_head, live.posted_at = self.head, time.monotonic()
        action.guardian, action.nonce, action.tx_hash = (
            live.guardian.address,
            rung.nonce,
            rung.tx_hash or None,
        )
        action.gas_limit = rung.gas_limit
        action.max_fee_per_gas, action.max_priority_fee_per_gas = rung.fees.max_fee, rung.fees.tip
        self.rails.sent(self.steady(), live.target.name, live.cause.sender, promised, action.action_id)
        if first:
            self._advance(live, ActionState.VERIFIED, reason, at=decided_at)
        action.attempt += 1
        what = "exact" if rung.rung == EXACT else f"rung {rung.rung}"
        where = "would be sent" if self.shadow else f"sent to {took} endpoints"
        self._advance(
            live, ActionState.SENT, f"{what}: {where}; {reason}", at=sent_at, tx_hash=action.tx_hash
        )

    def escalate(self, live: Live, reason: str) -> bool:
        """The next higher rung at the same nonce. False where there is none that can be paid for."""
        with self.lock:
            nonce = live.action.nonce
            if live.last is None or nonce is None or live.action.state is not ActionState.SENT:
                return False
            ladder = live.guardian.ladder(live.target.name, nonce)
            bid = self._bid(live, ladder[0].rung.gas_limit) if ladder else None
            if bid is None or isinstance(bid, Unaffordable):
                return False
            chosen, _ = choose(
                [loaded.rung.fees for loaded in ladder],
                live.wanted_tip,
                self.base_fee,
                bid.allowed_wei,
                ladder[0].rung.gas_limit,
                live.guardian.out.get(nonce),
                least_fee_cap=live.least_fee_cap,
            )
            if chosen is None or self._refused(live, ladder[chosen]):
                return False
            self._send(live, ladder[chosen], reason)
            return True

    def next_nonce(self, live: Live, reason: str) -> bool:
        """The same intent once more, as its nonce is used by something else. False where it could not be sent."""
        with self.lock:
            return self._move(live, self._guardian(live.target.name), reason)

    def change_guardian(self, live: Live, reason: str) -> bool:
        """The same intent with another key. False where no other one is armed for it and can pay."""
        with self.lock:
            others = (other for other in self.guardians if other is not live.guardian)
            able = next((other for other in others if self._is_able(other, live.target.name)), None)
            return able is not None and self._move(live, able, reason)

    def _move(self, live: Live, guardian: Guardian, reason: str) -> bool:
        before, sent = live.guardian, len(live.sent)
        live.guardian = guardian
        self._bid_and_send(live, nonce=guardian.next_nonce(), because=reason)
        if len(live.sent) == sent:
            live.guardian = before
        return len(live.sent) > sent

    def rebroadcast(self, live: Live) -> None:
        """The same bytes: harmless where they are known."""
        with self.lock:
            last = live.cancels[-1] if live.withdrawn else live.last
            if last is not None:
                self._post(live, last)

    def _post(self, live: Live, loaded: Loaded) -> None:
        if self._wire is not None:
            live.answers.clear()
            self._wire.post(
                loaded.body, lambda endpoint, reply: self._answered(live, loaded, endpoint, reply)
            )
        live.sent_at_head, live.posted_at = self.head, time.monotonic()

    def withdraw(self, live: Live, transfer: Loaded, above: Fees, *, is_done: bool = False) -> bool:
        """Sends a transfer to oneself in the place of a response that has no cause any more, or that somebody else did
        (`is_done`). False where there is a cause again, or more was bid since `above`."""
        with self.lock:
            guardian, nonce = live.guardian, live.action.nonce
            if live.action.state is not ActionState.SENT or nonce is None or nonce != transfer.rung.nonce:
                return False
            if guardian.out.get(nonce, above) != above:
                return False
            if not is_done and not live.is_pointless(time.monotonic()):
                return False
            live.cancels.append(transfer)
            live.withdrawn = True
            guardian.went_out(nonce, transfer.rung.fees)
            self._post(live, transfer)
            return True

    def promise(self, live: Live, value: int, gas_cost: int) -> int:
        """Wei of a transfer that goes with a response: as much of `value` as the caps of the response leave, or 0.
        What it costs is promised, and stays so: it is in no receipt of the guardian's."""
        with self.lock:
            last = live.last
            if last is None or live.action.state is not ActionState.SENT:
                return 0
            now, own = self.steady(), live.action.action_id
            name = f"{own} transfer"
            bid = self._bid(live, last.rung.gas_limit)
            allowed = 0 if isinstance(bid, Unaffordable) else bid.allowed_wei
            left = self.rails.left(now, live.target.name, grave=live.cause.grave)
            spare = min(allowed - self._promised(live, last), left)
            value = min(value, max(0, spare - gas_cost))
            if value > 0:
                self.rails.sent(now, live.target.name, live.cause.sender, value + gas_cost, name)
                self.rails.settled(now, name, value + gas_cost)
            return value

    def could_answer(self, live: Live, nonce: int, fees: Fees) -> bool:
        """Whether a response could still replace what has these fees: only then it may go out in the place of one."""
        with self.lock:
            ladder = live.guardian.ladder(live.target.name, nonce)
            least = replacement(fees)
            higher = (loaded.rung.fees for loaded in ladder)
            within = fees.max_fee <= self.gas.max_fee
            return within and any(one.max_fee >= least.max_fee and one.tip >= least.tip for one in higher)

    def may_fill(self, live: Live, fees: Fees) -> str | None:
        """Why a transfer with these fees may not fill a nonce; None where it may."""
        cost = CANCEL_GAS * fees.max_fee
        with self.lock:
            if fees.max_fee > self.gas.max_fee or cost > self.gas.max_cost:
                return "filling it would be above the caps"
            left = self.rails.left(self.steady(), live.target.name, grave=live.cause.grave)
            return "filling it is beyond what is left for today" if cost > left else None

    def may_take_back(self, live: Live) -> bool:
        """Whether there is money for the dearest response afterwards, or half of what a contract has: who lays baits
        shall not find it without."""
        with self.lock:
            last = live.last
            if last is None or live.withdrawn or live.is_stale:
                return True
            cost = CANCEL_GAS * replacement(last.rung.fees).max_fee
            left = self.rails.left_after(self.steady(), live.target.name, live.action.action_id, cost)
            ladder = live.guardian.ladder(live.target.name, last.rung.nonce) or (last,)
            return left >= min(_worst(ladder[-1]), self.rails.budget * 3 // 8)

    def blocked_by(self, live: Live) -> list[int]:
        """Nonces before its own that no response holds, where nothing may be pending that is ever mined."""
        with self.lock:
            last, guardian = live.last, live.guardian
            if last is None:
                return []
            own = live.target.name
            # Its own bids of before wait there to be mined, and pause as well.
            waiting = {one.rung.nonce for one in live.sent if one.rung.guardian == guardian.address}
            before = range(guardian.latest, last.rung.nonce)
            free = [nonce for nonce in before if guardian.taken.get(nonce, own) == own]
            return [nonce for nonce in free if nonce not in waiting or nonce >= guardian.pending]

    def fill(self, live: Live, transfer: Loaded) -> None:
        """Sends a transfer to oneself at a nonce before a response that waits for it."""
        with self.lock:
            now, rung = self.steady(), transfer.rung
            live.guardian.filled[rung.nonce] = self.head
            name = f"{live.action.action_id} nonce {rung.nonce}"
            live.guardian.went_out(rung.nonce, rung.fees)
            self.rails.sent(now, live.target.name, live.cause.sender, _worst(transfer), name)
            self.rails.settled(now, name, _worst(transfer))
            if self._wire is not None:
                self._wire.post(transfer.body, lambda *_: None)

    def close_unsent(self, live: Live, reason: str) -> None:
        """Under the lock: nothing of it went out, and nothing will."""
        if not live.action.history:
            self._advance(live, ActionState.INTENT, reason)
        # What was rehearsed ends in two steps; here it ended between them.
        won = live.action.state is ActionState.INCLUDED and live.action.won
        lost = ActionState.FAILED if live.action.state is ActionState.INCLUDED else ActionState.CANCELLED
        self._advance(live, ActionState.CONFIRMED if won else lost, reason)

    def resume(self, live: Live, adopted: Sequence[Rung]) -> None:
        """Under the lock: takes up what a former process sent, or was about to (`adopted`)."""
        action = live.action
        by_address = {guardian.address: guardian for guardian in self.guardians}
        for loaded in (*live.sent, *live.cancels):
            guardian = by_address.get(loaded.rung.guardian, live.guardian)
            guardian.taken[loaded.rung.nonce] = live.target.name
            guardian.went_out(loaded.rung.nonce, loaded.rung.fees)
        self.book.open(live)
        reason = "its bytes were about to go out when the process ended"
        if adopted and not action.history:
            self._advance(live, ActionState.INTENT, reason)
        if adopted and action.state is ActionState.INTENT:
            self._advance(live, ActionState.VERIFIED, reason)
        for rung in adopted:
            action.nonce, action.tx_hash, action.gas_limit = rung.nonce, rung.tx_hash, rung.gas_limit
            action.max_fee_per_gas, action.max_priority_fee_per_gas = rung.fees.max_fee, rung.fees.tip
            action.attempt += 1
            self._advance(live, ActionState.SENT, f"rung {rung.rung}: {reason}", tx_hash=rung.tx_hash)
        live.wanted_tip = action.max_priority_fee_per_gas or 0
        last = live.sent[-1]
        live.withdrawn = any(one.rung.fees.max_fee > last.rung.fees.max_fee for one in live.cancels)
        live.is_stale = live.is_stale or live.withdrawn
        self.rails.sent(
            self.steady(), live.target.name, live.cause.sender, self._promised(live, last), action.action_id
        )
        if action.state is ActionState.SENT:
            self._post(live, live.cancels[-1] if live.withdrawn else last)

    def advance(self, live: Live, state: ActionState, reason: str, **details: Any) -> None:
        """A change that the slow half saw."""
        with self.lock:
            is_back = live.action.state is ActionState.SENT and not live.is_pointless(time.monotonic())
            if state is ActionState.CANCELLED and is_back:
                return  # a threat came since it looked
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

    def _tell_all(self) -> None:
        changes, self._untold = self._untold, []
        for change in changes:
            self._tell(change)

    def _note(self, live: Live, transition: Transition | None) -> None:
        action = copy.copy(live.action)
        action.history = list(action.history)
        self._untold.append(
            Change(action, transition, tuple(live.threats[one].sender for one in action.threats))
        )


def _worst(loaded: Loaded) -> int:
    """Wei that it costs at the most."""
    return loaded.rung.gas_limit * loaded.rung.fees.max_fee + loaded.rung.call.value


def _effective(fees: Fees, base_fee: int) -> int:
    """Wei a gas that whoever builds the block gets."""
    return min(fees.tip, fees.max_fee - base_fee)


def _cause(alert: Mapping[str, Any], decision: Decision, name: str) -> Cause:
    """Of one contract's response. What the policy has looked at is there; the rest is read with care."""
    tx = alert["tx"]
    gas = {one["contract"]: one["gas"] for one in alert["response"].get("pauses") or ()}.get(name)
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
