"""The hot half: from a detection to bytes on the wire, on what is in memory.

Runs on the thread that hands detections over, before storage, event log and callbacks. It waits for no disk, no signer
and no other task; the lock is held for microseconds by anybody.
"""

from __future__ import annotations

import functools
import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mempool_ids.defense import practice
from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.book import Cause, Fate, Live, Question, Threat
from mempool_ids.defense.declined import Declined
from mempool_ids.defense.evidence import price
from mempool_ids.defense.guardian import Protected
from mempool_ids.defense.policy import Decision, Policy
from mempool_ids.defense.rails import Refused
from mempool_ids.defense.state import State
from mempool_ids.exceptions import MempoolIdsError

log = logging.getLogger(__name__)

# Transactions that one action follows, and a question names. Baits cost their sender nothing: what is beyond is
# answered, and not followed; and asked about after these.
THREATS = 64
_DECLINED = "not paused because a human declined it"
_CUT = "more came than can be asked about"


@dataclass(frozen=True, slots=True)
class Note:
    """What an alert says of the response to it."""

    action_id: str | None
    decision: str
    tell: bool = False
    """People should know at once: a threat goes unanswered."""
    sent_at: float | None = None
    """When its last bytes were written to sockets, Unix seconds; None where nothing went out."""


class Trigger:
    """Decides what is answered.

    Args:
        confirm_s: how long a human is asked, 0 asks nobody.
    """

    def __init__(
        self,
        state: State,
        bids: Bids,
        policy: Policy,
        *,
        confirm_s: float = 0.0,
    ) -> None:
        self._state = state
        self._bids = bids
        self._policy = policy
        self._confirm_s = confirm_s
        self._declined = Declined(state.rails.cooldown_s)
        self._numbers = itertools.count(1)
        self.is_stopped = False

    def stop(self) -> None:
        """Answers nothing from here on: nobody would journal or follow it."""
        with self._state.lock:
            self.is_stopped = True

    def _check_running(self) -> None:
        """Under the lock."""
        if self.is_stopped:
            raise MempoolIdsError("the defense is not running")

    def fire(self, alert: Mapping[str, Any]) -> Note:
        """Answers an alert. Never raises for what is in it.

        Raises:
            MempoolIdsError: it is stopped.
        """
        decision = self._policy.decide(alert)
        if not decision.act:
            return Note(None, decision.words, decision.tell)
        with self._state.lock:
            self._check_running()
            self._bids.sent_at = None
            notes = [self._answer(alert, decision, name) for name in decision.targets]
            sent_at = self._bids.sent_at
        ids = [note.action_id for note in notes if note.action_id]
        tell = any(note.tell for note in notes)
        return Note(ids[0] if ids else None, "; ".join(note.decision for note in notes), tell, sent_at)

    def _answer(self, alert: Mapping[str, Any], decision: Decision, name: str) -> Note:
        """Under the lock: for one contract. A mistake of ours there leaves no other one unanswered."""
        try:
            return self._respond(name, _cause(alert, decision, name))
        except Exception as error:
            log.exception("defense: %s could not be answered for", name)
            reason = f"of a mistake of ours ({type(error).__name__})"
            return Note(None, f"{name} is not paused because {reason}", tell=True)

    def practise(self) -> bool:
        """The whole way with a twin, on what is armed now: sends and changes nothing. Whether it would have sent."""
        alert = practice.alert(next(iter(self._state.targets)))
        with self._state.lock:
            blank = self._state.blank()
            twin = Trigger(blank, self._bids.blank(blank), self._policy)
            return twin.fire(alert).sent_at is not None

    def by_hand(self, name: str, cause: Cause, *, is_paused: bool = False) -> Note:
        """Answers what a person says is a threat.

        Args:
            is_paused: as the contract says: then there is nothing to send.

        Raises:
            MempoolIdsError: it is stopped.
        """
        with self._state.lock:
            self._check_running()
            live = self._state.book.by_target.get(name)
            if live is not None:
                return self._ordered(live, cause)
            if is_paused and name in self._state.targets:
                live = self._open(self._state.targets[name], [cause], by_person=True)
                self._state.change(live, ActionState.INTENT, cause.reason)
                self._state.change(live, ActionState.SUPERSEDED, "it is paused already")
                self._state.close(live)
                return Note(live.action.action_id, f"{name} is paused already")
            return self._respond(name, cause, by_person=True)

    def _ordered(self, live: Live, cause: Cause) -> Note:
        """Under the lock: a person wants what is under way, whatever becomes of the threats."""
        live.by_person = True
        note = self._join(live, cause)
        if live.question is not None:
            # Who asks for it has answered, too.
            note = Note(note.action_id, self._bids.begin(live))
        if not live.action.is_over:
            # Whose word it is must outlast the process, wherever it stands.
            self._state.change(live, live.action.state, cause.reason, tx_hash=live.action.tx_hash)
        return note

    def _respond(self, name: str, cause: Cause, *, by_person: bool = False) -> Note:
        """Under the lock."""
        target = self._state.targets.get(name)
        if target is None:
            return Note(None, f"not paused because {name} has no pause", tell=True)
        live = self._state.book.by_target.get(name)
        if live is not None:
            return self._join(live, cause)
        if self._confirm_s > 0 and not by_person:
            return self._ask(target, [cause])
        if (refused := self._refused(name, cause, self._state.lowest_cost(name))) is not None:
            return refused
        live = self._open(target, [cause], by_person=by_person)
        self._state.change(live, ActionState.INTENT, cause.reason)
        words = self._bids.begin(live)
        return Note(live.action.action_id, words, live.action.state is ActionState.FAILED)

    def _refused(self, name: str, cause: Cause, cost: int) -> Note | None:
        """Under the lock: where the rails do not allow an answer to this for so many wei."""
        allowed = self._state.rails.allow(self._state.steady(), name, cause.sender, cost, grave=cause.grave)
        if isinstance(allowed, Refused):
            return Note(None, f"not paused because {allowed.reason}", tell=True)
        return None

    def _ask(self, target: Protected, causes: Sequence[Cause]) -> Note:
        """Under the lock: a human is asked about the worst of these at once, and about others after a no; but for what
        was declined and what the rails refuse: each by its own sender, none for another's."""
        now, name, cost = self._state.steady(), target.name, self._state.lowest_cost(target.name)
        about: list[Cause] = []
        notes: list[Note] = []
        rest = sorted(causes, key=lambda cause: cause.weight)
        while rest and len(about) < THREATS:
            cause = rest.pop()
            if self._declined.holds(now, name, cause):
                notes.append(Note(None, _DECLINED, tell=cause.grave))
            elif (refused := self._refused(name, cause, cost)) is not None:
                notes.append(refused)
            else:
                about.append(cause)
        if about:
            notes.insert(0, self._begin_question(target, about, rest))
        words = "; ".join(dict.fromkeys(note.decision for note in notes))
        return Note(notes[0].action_id, words, tell=any(note.tell for note in notes))

    def _begin_question(self, target: Protected, about: Sequence[Cause], rest: Sequence[Cause]) -> Note:
        """Under the lock: it names `about`, the worst first. `rest` is as if it came since."""
        live = self._open(target, about)
        action_id = live.action.action_id
        self._state.rails.asked(self._state.steady(), [cause.sender for cause in about], action_id)
        live.question = Question(tuple(about), time.monotonic() + self._confirm_s)
        for cause in rest:
            live.question.add(cause)
        live.more = bool(rest)
        live.cause = functools.reduce(Cause.and_also, [*rest, live.cause])
        command = f"mempool-ids defend answer {action_id} yes|no"
        asked = f"a human is asked for {self._confirm_s:g} s ({command})"
        reason = f"{about[0].reason}, and {len(about) - 1} more" if len(about) > 1 else about[0].reason
        self._state.change(live, ActionState.INTENT, f"{reason}; {asked}")
        return Note(action_id, f"{asked}: {reason}")

    def _open(self, target: Protected, causes: Sequence[Cause], *, by_person: bool = False) -> Live:
        """Under the lock: against `causes`, the worst first."""
        cause = functools.reduce(Cause.and_also, reversed(causes))
        senders = {one.tx_hash: one.sender for one in causes if one.tx_hash is not None}
        guardian = self._state.guardian_for(target.name)
        now = time.time()
        action = DefenseAction(
            action_id=f"{int(now * 1000):x}-{next(self._numbers):x}",
            strategy=target.strategy,
            target=target.name,
            target_address=target.address,
            created=now,
            threats=tuple(senders),
            contract=next((one.contract for one in causes if one.contract is not None), None),
            grade=cause.grade,
            urgency=cause.urgency,
            guardian=guardian.address,
            shadow=self._bids.shadow,
            loss_wei=cause.priced.loss_wei,
            grave=cause.grave,
            p=cause.priced.p,
        )
        threats = {tx_hash: Threat(tx_hash, sender) for tx_hash, sender in senders.items()}
        live = Live(action, target, guardian, cause, threats, by_person=by_person)
        self._state.book.open(live)
        return live

    def _join(self, live: Live, cause: Cause) -> Note:
        """Another alert for what is being paused: the same action answers it, with a higher bid where it needs one."""
        action = live.action
        is_new = cause.tx_hash is not None and cause.tx_hash not in live.threats
        if live.is_stale and not live.withdrawn and action.state is ActionState.SENT:
            # A restart did not send it again: it may be in no pool.
            self._bids.post(live, live.sent[-1])
        live.is_stale = False
        if cause.tx_hash is not None and not is_new:
            live.threats[cause.tx_hash].fate = Fate.PENDING
        if is_new and len(live.threats) >= THREATS:
            live.more = True
        elif cause.tx_hash is not None and is_new:
            live.threats[cause.tx_hash] = Threat(cause.tx_hash, cause.sender)
            action.threats = (*action.threats, cause.tx_hash)
            self._state.note(live, None)
        words = f"joins response {action.action_id}, which is {action.state}"
        if live.question is not None:
            live.question.add(cause)
            words = f"{words}: a human is asked, and about this by itself after a no"
        live.cause = live.cause.and_also(cause)
        # A restart has the same caps by it. A person's order says nothing of a loss, and has none in any case.
        action.grave, action.p = live.cause.grave, live.cause.priced.p
        action.contract = action.contract or cause.contract
        if not live.by_person:
            action.loss_wei = live.cause.priced.loss_wei
        if action.state is ActionState.SENT and live.guardian.is_retired:
            # It cannot be raised; what it answered before, its bid is for.
            if is_new and self._bids.move(
                live, self._state.guardian_for(live.target.name), "its key is not configured any more"
            ):
                words = f"{words}; sent by guardian {live.guardian.address} as well"
        elif action.state is ActionState.SENT:
            words = f"{words}; {self._bids.bid(live)}"
        return Note(action.action_id, words)

    def refuse(self, live: Live, reason: str, *, by_human: bool) -> Note | None:
        """Nothing is sent for what a human was asked about. What came since is no part of that, and asked about by
        itself.

        Args:
            by_human: somebody said no: the same is not asked about again so soon.

        Returns:
            What becomes of what came since; None where nothing did.
        """
        with self._state.lock:
            question, live.question = live.question, None
            if question is None:
                return None  # somebody ordered it meanwhile
            name = live.target.name
            if by_human:
                for cause in question.about:
                    self._declined.add(self._state.steady(), name, cause)
            self._state.change(live, ActionState.CANCELLED, reason)
            self._state.close(live)
            gone = {threat.tx_hash for threat in live.threats.values() if threat.fate is Fate.GONE}
            causes = [cause for cause in question.since.values() if cause.tx_hash not in gone]
            note = self._ask(live.target, causes) if causes else None
            if note is not None and question.is_cut:
                return replace(note, decision=f"{note.decision}; {_CUT}", tell=True)
            return note


def _cause(alert: Mapping[str, Any], decision: Decision, name: str) -> Cause:
    """Of one contract's response. What the policy has looked at is there; the rest is read with care."""
    tx = alert["tx"]
    gas = {one["contract"]: one["gas"] for one in alert["response"].get("pauses") or ()}.get(name)
    return Cause(
        # The creation of a contract is not its attack: there is nothing that lands, or is withdrawn.
        tx_hash=None if alert.get("early") else tx["hash"],
        sender=tx["from"],
        priced=price(alert, decision.loss_wei),
        max_fee=int(alert["response"].get("attack_max_fee") or 0),
        grade=decision.grade,
        urgency=decision.urgency,
        pause_gas=int(gas) if gas else 0,
        grave=decision.grave,
        reason=decision.words.partition(" because ")[2],
        contract=alert["early"]["contract"]["address"] if alert.get("early") else None,
    )
