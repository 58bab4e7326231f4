"""After a restart: what was decided before it is resumed or closed, by the chain and the journal's signed bytes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.alarms import OnAlarm
from mempool_ids.defense.armed import Call, Rung, worst_by_nonce
from mempool_ids.defense.arming import load
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.book import ASKED, Cause, Live, Threat
from mempool_ids.defense.exact import Exact
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.journal import Journal, Marks
from mempool_ids.defense.rails import DAY, Past
from mempool_ids.defense.state import State

log = logging.getLogger(__name__)

# What is older is not resumed: a pause long after its cause is a false one.
RESUME_S = 600.0
_NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """An action to go on with, and what of it may be out."""

    action: DefenseAction
    sent: tuple[Rung, ...]
    adopted: tuple[Rung, ...] = ()
    """Of these, what the journal has and not that it went out: the process ended in between."""
    cancels: tuple[Rung, ...] = ()
    """Transfers to oneself at its last nonce that went out, by their marks. One that was only signed did not: the pause
    that it was to replace stands."""
    fills: tuple[Rung, ...] = ()
    """The same at its other nonces, or at those before, which it waited for."""
    payments: tuple[Rung, ...] = ()
    """Transfers to builders that were signed to go with it."""

    since: float = math.inf
    """When its first bytes went out, or it was wanted: Unix seconds."""

    def above(self, transfer: Rung) -> float:
        """Its lowest nonce that is the transfer's, or waits for what is there; infinite where none does."""
        own = [rung.nonce for rung in self.sent if rung.guardian == transfer.guardian]
        return min((nonce for nonce in own if nonce >= transfer.nonce), default=math.inf)


@dataclass(frozen=True, slots=True)
class Left:
    """What a journal has of before."""

    recent: list[DefenseAction]
    """Of the last day, over or not."""
    past: list[Past]
    """The same for the rails."""
    found: list[Found]
    out: list[Rung]
    """All that went out and may wait in a pool, whatever became of its action: no stranger's."""


def unsettled(journal: Journal) -> list[Rung]:
    """On the journal's thread: what responses of the last day that are over sent at nonces that the journal has no
    cost of. What became of it since the chain alone knows."""
    recent = journal.actions(time.time() - DAY)
    over = [action for action in recent if action.is_over and not action.shadow]
    return [rung for action in over for rung in _unpaid(action, _rungs(journal, [action]))]


def read(
    journal: Journal, marks: Marks | None, exact: Exact | None = None, spent: Mapping[str, int] = _NOTHING
) -> Left:
    """On the journal's thread. What was signed for a single bid is taken into the journal first.

    Args:
        spent: wei, by hash, that blocks have of what is `unsettled`, as far as that is known.
    """
    if exact is not None and (left := exact.left()):
        journal.arm(left)
        exact.forget()
    recent = journal.actions(time.time() - DAY)
    opened = journal.open_actions()
    known = {action.action_id: action for action in (*recent, *opened)}
    sent = [action for action in known.values() if not action.shadow]
    rungs = _rungs(journal, sent)
    put = [] if marks is None else marks.read()
    when = {"0x" + tx_hash.hex(): at for tx_hash, at in put}
    unrecorded = [(rung, when[rung.tx_hash.lower()]) for rung in journal.unrecorded(put)]
    payments = journal.payments(min((action.created for action in sent), default=0.0))
    past = [
        one
        for action in sent
        if (one := _past(journal, action, rungs, _payments(action, payments), spent)) is not None
    ]
    found = [
        replace(one, payments=_payments(one.action, payments)) for one in find(opened, rungs, unrecorded)
    ]
    return Left(recent, past, found, [*rungs.values(), *(rung for rung, _ in unrecorded)])


def _rungs(journal: Journal, actions: Sequence[DefenseAction]) -> dict[str, Rung]:
    """What they sent, and what blocks have of it, by hash."""
    hashes = {one.tx_hash for action in actions for one in action.history if one.tx_hash}
    return {tx_hash: rung for tx_hash in hashes if (rung := journal.rung(tx_hash)) is not None}


def _unpaid(action: DefenseAction, rungs: Mapping[str, Rung]) -> list[Rung]:
    """What it sent, but for the nonce of what a block has, whose cost is the action's."""
    sent = dict.fromkeys(one.tx_hash or "" for one in action.history if one.state is ActionState.SENT)
    # A reorg, after which it is sent again, makes a cost unknown.
    since = takewhile(lambda one: one.state is not ActionState.SENT, reversed(action.history))
    mined = {one.tx_hash or "" for one in since if one.cost_wei is not None}
    paid = {rungs[tx_hash].key for tx_hash in mined if tx_hash in rungs}
    return [rungs[tx_hash] for tx_hash in sent if tx_hash in rungs and rungs[tx_hash].key not in paid]


def _payments(action: DefenseAction, payments: Sequence[tuple[Rung, float]]) -> tuple[Rung, ...]:
    """A contract has one response at a time: what was signed while it was not over."""
    until = action.history[-1].at if action.is_over else math.inf
    return tuple(
        rung for rung, at in payments if rung.target == action.target and action.created <= at <= until
    )


def _past(
    journal: Journal,
    action: DefenseAction,
    rungs: Mapping[str, Rung],
    payments: Sequence[Rung],
    spent: Mapping[str, int],
) -> Past | None:
    sent = [one for one in action.history if one.state is ActionState.SENT]
    if not sent:
        return None
    threats = journal.threats(action.action_id)
    cost = (action.cost_wei or 0) + sum(worst_by_nonce(_unpaid(action, rungs), spent).values())
    if action.cost_wei is None:
        # What has no receipt counts as paid at its worst.
        cost = max(cost, (action.gas_limit or 0) * (action.max_fee_per_gas or 0))
    return Past(
        action=action.action_id,
        target=action.target,
        sender=(threats[0][1] if threats else None) or "",
        at=sent[0].at,
        cost_wei=cost + max((rung.worst_cost for rung in payments), default=0),
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
    found = [Found(action, ()) for action in open_actions if action.shadow]
    left = [one for one in unrecorded if one[0].target]
    for action in open_actions:
        if action.shadow:
            continue  # nothing went out for it, whatever was marked
        hashes = dict.fromkeys(one.tx_hash for one in action.history if one.tx_hash)
        sent = [rungs[tx_hash] for tx_hash in hashes if tx_hash in rungs]
        # One contract has one response: whatever went out for it is its. By another call it was another contract.
        call = sent[-1].call if sent else None
        own = [one for one in left if one[0].target == action.target and call in (None, one[0].call)]
        left = [one for one in left if one not in own]
        sent += [rung for rung, _ in own]
        since = min([action.created, *(at for _, at in own)])
        found.append(Found(action, tuple(sent), tuple(rung for rung, _ in own), since=since))
    # Bytes went out before even the intent was written.
    by_target: dict[tuple[str, Call], list[tuple[Rung, float]]] = {}
    for rung, at in left:
        by_target.setdefault((rung.target, rung.call), []).append((rung, at))
    for (target, _), marked in by_target.items():
        marked.sort(key=lambda one: one[1])
        rung, at = marked[-1]
        action = DefenseAction(
            action_id=f"{int(at * 1000):x}-{rung.tx_hash[2:10]}",
            strategy="pause",
            target=target,
            target_address=rung.call.to,
            created=at,
            guardian=rung.guardian,
            # What made it go out is not known: it may be raised as the gravest may.
            grave=True,
        )
        rungs_of = tuple(one for one, _ in marked)
        found.append(Found(action, rungs_of, rungs_of, since=marked[0][1]))
    transfers = [one for one in unrecorded if not one[0].target]
    found = [replace(one, cancels=_cancels(one, [rung for rung, _ in transfers])) for one in found]
    others = [one for one in transfers if not any(one[0] in each.cancels for each in found)]
    return [replace(one, fills=_fills(one, found, others)) for one in found]


def _cancels(found: Found, transfers: Sequence[Rung]) -> tuple[Rung, ...]:
    last = {rung.key for rung in found.sent[-1:]}
    return tuple(rung for rung in transfers if rung.key in last)


def _fills(
    found: Found, all_found: Sequence[Found], transfers: Sequence[tuple[Rung, float]]
) -> tuple[Rung, ...]:
    """Those that went out for it: of the response with the lowest nonce above."""
    return tuple(
        rung
        for rung, at in transfers
        if at >= found.since
        and (own := found.above(rung)) < math.inf
        # Each nonce is of one response.
        and own == min(one.above(rung) for one in all_found)
    )


def resume(
    found: Found, state: State, bids: Bids, now: float, tell: OnAlarm = lambda _kind, _reason: None
) -> None:
    """Takes up an action of before: what may be out is followed, what never went out is closed.

    What is older than `RESUME_S` has no cause any more: it is not sent again, and is taken back, whatever the
    configuration says of threats that are withdrawn. What the configuration has changed of is followed, and nothing
    more is bid for it.
    """
    action = found.action
    target = _configured(found, state) or _former(found)
    by_person = any(one.reason == ASKED for one in action.history)
    cause = Cause(
        tx_hash=action.threats[0] if action.threats else None,
        sender="",
        priced=Priced(
            tip=action.max_priority_fee_per_gas or 0,
            loss_wei=None if by_person else action.loss_wei,
            p=action.p,
        ),
        max_fee=0,
        grade=action.grade,
        urgency=Urgency(action.urgency),
        pause_gas=0,
        grave=action.grave or by_person,
        reason="resumed after a restart",
        contract=action.contract,
    )
    threats = {tx_hash: Threat(tx_hash, "") for tx_hash in action.threats}
    live = Live(
        action, target, _guardian(state, found), cause, threats, by_person=by_person, sent=load(found.sent)
    )
    live.cancels, live.fills = load(found.cancels), load(found.fills)
    if found.sent and found.payments:
        last = found.sent[-1]
        live.to_builders[last.guardian, last.nonce] = max(rung.worst_cost for rung in found.payments)
    age = now - max([action.created, *(one.at for one in action.history)])
    with state.lock:
        if not found.sent:
            why = "it was in shadow" if action.shadow else "nothing was sent"
            _close_unsent(state, live, f"{why} when the sensor was restarted")
            return
        live.is_stale = age > RESUME_S
        _take_up(state, bids, live, found.adopted)
    log.warning("response %s for %s is resumed, %.0f s old", action.action_id, action.target, age)
    if target.name not in state.targets:
        reason = "it was sent for what is not configured so any more: it is followed, and nothing more is bid for it"
        tell("response of before", f"{target.name}: {reason}")


def _close_unsent(state: State, live: Live, reason: str) -> None:
    """Under the lock: nothing of it went out, and nothing will."""
    if not live.action.history:
        state.change(live, ActionState.INTENT, reason)
    # What was rehearsed ends in two steps; here it ended between them.
    won = live.action.state is ActionState.INCLUDED and live.action.won
    lost = ActionState.FAILED if live.action.state is ActionState.INCLUDED else ActionState.CANCELLED
    state.change(live, ActionState.CONFIRMED if won else lost, reason)


def _take_up(state: State, bids: Bids, live: Live, adopted: Sequence[Rung]) -> None:
    """Under the lock: goes on with what a former process sent, or was about to (`adopted`)."""
    action = live.action
    by_address = {**state.by_address, live.guardian.address: live.guardian}
    for loaded in (*live.sent, *live.cancels):
        guardian = by_address.get(loaded.rung.guardian)
        if guardian is not None:  # else a former key's
            guardian.taken[loaded.rung.nonce] = live.target.name
            guardian.went_out(loaded.rung.nonce, loaded.rung.fees)
    state.book.open(live)
    reason = "its bytes were about to go out when the process ended"
    if adopted and not action.history:
        state.change(live, ActionState.INTENT, reason)
    if adopted and action.state is ActionState.INTENT:
        state.change(live, ActionState.VERIFIED, reason)
    for rung in adopted:
        action.nonce, action.tx_hash, action.gas_limit = rung.nonce, rung.tx_hash, rung.gas_limit
        action.max_fee_per_gas, action.max_priority_fee_per_gas = rung.fees.max_fee, rung.fees.tip
        action.attempt += 1
        state.change(live, ActionState.SENT, f"rung {rung.rung}: {reason}", tx_hash=rung.tx_hash)
    live.wanted_tip = action.max_priority_fee_per_gas or 0
    last = live.sent[-1]
    live.withdrawn = any(one.rung.fees.max_fee > last.rung.fees.max_fee for one in live.withdrawals())
    live.is_stale = live.is_stale or live.withdrawn
    state.hold(live)
    if action.state is ActionState.SENT and (live.withdrawn or not live.is_stale):
        bids.post(live, live.cancels[-1] if live.withdrawn else last)


def _guardian(state: State, found: Found) -> Guardian:
    """Who sent it. A key that is not configured any more is nobody's whose nonces we use."""
    if not found.sent:
        return state.guardians[0]
    whose = found.sent[-1].guardian
    return state.by_address.get(whose) or Guardian(whose, None, is_retired=True)


def _configured(found: Found, state: State) -> Protected | None:
    """The contract, where its pause is still what was sent: the call has the contract's address."""
    target = state.targets.get(found.action.target)
    return target if target is None or not found.sent or found.sent[-1].call == target.call else None


def _former(found: Found) -> Protected:
    """A contract that is not configured any more, or not so: its bytes say what was called. Its name is no other's:
    ladders, and the answer to the next threat, are of the contract that is configured by the name that it had."""
    action = found.action
    call = found.sent[-1].call if found.sent else Call(action.target_address, b"")
    return Protected(f"{action.target} at {action.target_address}", action.target_address, call, None, None)
