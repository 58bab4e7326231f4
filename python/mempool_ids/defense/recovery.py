"""After a restart: what was decided before it is resumed or closed, by the chain and the journal's signed bytes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.arming import load
from mempool_ids.defense.book import Cause, Live, Threat
from mempool_ids.defense.exact import Exact
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.journal import Journal, Marks
from mempool_ids.defense.rails import DAY, Past
from mempool_ids.defense.trigger import Trigger

log = logging.getLogger(__name__)

# What is older is not resumed: a pause long after its cause is a false one.
RESUME_S = 600.0


@dataclass(frozen=True, slots=True)
class Found:
    """An action to go on with, and what of it may be out."""

    action: DefenseAction
    sent: tuple[Rung, ...]
    adopted: tuple[Rung, ...] = ()
    """Of these, what the journal has and not that it went out: the process ended in between."""
    cancels: tuple[Rung, ...] = ()
    """Transfers to oneself at its nonce that were signed, and may be out."""

    @property
    def is_adopted(self) -> bool:
        return bool(self.adopted)


@dataclass(frozen=True, slots=True)
class Left:
    """What a journal has of before."""

    recent: list[DefenseAction]
    """Of the last day, over or not."""
    past: list[Past]
    """The same for the rails."""
    found: list[Found]


def read(journal: Journal, marks: Marks | None, exact: Exact | None = None) -> Left:
    """On the journal's thread. What was signed for a single bid is taken into the journal first."""
    if exact is not None and (left := exact.left()):
        journal.arm(left)
        exact.forget()
    recent = journal.actions(time.time() - DAY)
    opened = journal.open_actions()
    hashes = {one.tx_hash for action in opened for one in action.history if one.tx_hash}
    rungs = {tx_hash: rung for tx_hash in hashes if (rung := journal.rung(tx_hash)) is not None}
    put = [] if marks is None else marks.read()
    when = {"0x" + tx_hash.hex(): at for tx_hash, at in put}
    unrecorded = [(rung, when[rung.tx_hash.lower()]) for rung in journal.unrecorded(put)]
    known = {action.action_id: action for action in (*recent, *opened)}
    past = [one for action in known.values() if (one := _past(journal, action)) is not None]
    found = [replace(one, cancels=_cancels(journal, one)) for one in find(opened, rungs, unrecorded)]
    return Left(recent, past, found)


def _cancels(journal: Journal, found: Found) -> tuple[Rung, ...]:
    if not found.sent:
        return ()
    last = found.sent[-1]
    return tuple(rung for rung in journal.armed(last.guardian, last.nonce) if not rung.target)


def _past(journal: Journal, action: DefenseAction) -> Past | None:
    sent = [one.at for one in action.history if one.state is ActionState.SENT]
    if not sent or action.shadow:
        return None
    threats = journal.threats(action.action_id)
    worst = (action.gas_limit or 0) * (action.max_fee_per_gas or 0)
    return Past(
        action=action.action_id,
        target=action.target,
        sender=(threats[0][1] if threats else None) or "",
        at=sent[0],
        cost_wei=worst if action.cost_wei is None else action.cost_wei,
        ended=action.history[-1].at if action.is_over else None,
    )


def find(
    open_actions: Sequence[DefenseAction],
    rungs: Mapping[str, Rung],
    unrecorded: Sequence[tuple[Rung, float]],
) -> list[Found]:
    """What is to be resumed or closed.

    Args:
        open_actions: of the journal.
        rungs: signed bytes of their transactions, by hash.
        unrecorded: bytes that were about to go out, and when, of which the journal has no `sent`.
    """
    found: list[Found] = []
    left = list(unrecorded)
    for action in open_actions:
        hashes = dict.fromkeys(one.tx_hash for one in action.history if one.tx_hash)
        sent = [rungs[tx_hash] for tx_hash in hashes if tx_hash in rungs]
        # One contract has one response: whatever went out for it is its.
        own = [one for one in left if one[0].target == action.target]
        left = [one for one in left if one not in own]
        sent += [rung for rung, _ in own]
        found.append(Found(action, tuple(sent), tuple(rung for rung, _ in own)))
    # Bytes went out before even the intent was written.
    by_target: dict[str, list[tuple[Rung, float]]] = {}
    for rung, at in left:
        if rung.target:
            by_target.setdefault(rung.target, []).append((rung, at))
    for target, marked in by_target.items():
        marked.sort(key=lambda one: one[1])
        rung, at = marked[-1]
        action = DefenseAction(
            action_id=f"{int(at * 1000):x}-{rung.tx_hash[2:10]}",
            strategy="pause",
            target=target,
            target_address=rung.call.to,
            created=at,
            guardian=rung.guardian,
        )
        rungs_of = tuple(one for one, _ in marked)
        found.append(Found(action, rungs_of, rungs_of))
    return found


def resume(found: Found, trigger: Trigger, now: float) -> None:
    """Takes up an action of before: what may be out is followed, what never went out is closed.

    What is older than `RESUME_S` has no cause any more, and is taken back like any other.
    """
    action = found.action
    target = trigger.targets.get(action.target) or _gone(found)
    if target is None:
        log.error(
            "response %s: there is no contract %s any more, and no bytes of it",
            action.action_id,
            action.target,
        )
        return
    cause = Cause(
        tx_hash=action.threats[0] if action.threats else None,
        sender="",
        priced=Priced(tip=action.max_priority_fee_per_gas or 0),
        max_fee=0,
        grade=action.grade,
        urgency=Urgency(action.urgency),
        pause_gas=0,
        grave=True,
        reason="resumed after a restart",
    )
    threats = {tx_hash: Threat(tx_hash, "") for tx_hash in action.threats}
    live = Live(action, target, _guardian(trigger, found), cause, threats, sent=load(found.sent))
    live.cancels = load(found.cancels)
    age = now - max([action.created, *(one.at for one in action.history)])
    with trigger.lock:
        if not found.sent or action.shadow:
            trigger.close_unsent(live, "the sensor was restarted before anything was sent")
            return
        live.is_stale = age > RESUME_S
        trigger.resume(live, found.adopted)
    log.warning("response %s for %s is resumed, %.0f s old", action.action_id, action.target, age)


def _guardian(trigger: Trigger, found: Found) -> Guardian:
    by_address = {guardian.address: guardian for guardian in trigger.guardians}
    whose = found.sent[-1].guardian if found.sent else found.action.guardian
    return by_address.get(whose or "", trigger.guardians[0])


def _gone(found: Found) -> Protected | None:
    """A contract that is not configured any more: its bytes say what was called."""
    if not found.sent:
        return None
    action = found.action
    return Protected(action.target, action.target_address, found.sent[-1].call, None, None)
