"""A drill in words: the lines of its timeline, the verdict, and what should be known besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mempool_ids.defense.amounts import in_ether, in_gwei
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.drill.blanks import Fired, Shot
from mempool_ids.defense.drill.place import Place
from mempool_ids.defense.drill.result import Choice, Drilled, Moment
from mempool_ids.defense.gas import Bid, gas_limit
from mempool_ids.defense.rehearsal import Attempt, is_module

_SUPPOSED = "if an attack on it is proved"


def drilled(
    place: Place,
    name: str,
    attempt: Attempt,
    fired: Fired,
    simulated: Sequence[Moment],
    *,
    is_supposed: bool = False,
) -> Drilled:
    """Of one contract.

    Args:
        simulated: the lines before the decision.
        is_supposed: there is no attack.
    """
    shot = fired.shots.get(name)
    choice = None if shot is None or shot.rung is None else _choice(place, attempt, shot, shot.rung)
    against = _against(place, name, attempt, fired, choice)
    because = _SUPPOSED if is_supposed else reason(fired.decision.words)
    bid = shot.bid if shot is not None and isinstance(shot.bid, Bid) else None
    return Drilled(
        contract=name,
        address=place.targets[name].address,
        would_be_paused=against is None,
        verdict=f"would NOT be paused: {against}" if against else f"would be paused: {because}",
        timeline=(*simulated, policy(fired, is_supposed), *_sent(place, shot, choice)),
        choice=choice,
        wanted_tip_wei=None if bid is None else bid.wanted_tip,
        notes=tuple(_notes(place, name, bid, is_held=against is not None)),
    )


def reason(words: str) -> str:
    """Of a decision in words."""
    return words.partition(" because ")[2] or words


def paused(place: Place, name: str, attempt: Attempt) -> Moment:
    step, took, target = "pause simulated", attempt.took_us, place.targets[name]
    if attempt.paused_before:
        return Moment(step, took, "it says that it is paused already", is_fine=False)
    if not attempt.succeeds:
        return Moment(step, took, attempt.why_not or "fails", is_fine=False)
    limit = gas_limit(attempt.gas, target.gas)
    says = "it says that it is paused then" if attempt.paused_after else "no `check`: only a receipt can tell"
    return Moment(step, took, f"{attempt.gas:,} gas, limit {limit:,}; {says}")


def attacked(report: Mapping[str, Any], took_us: float) -> Moment:
    """The attack alone."""
    outcome, victims = report["simulation"]["outcome"], report["victims"]
    if victims:
        words = f"{outcome}; {report['grade']}: {_losses(victims)}"
    else:
        words = f"{outcome}; no contract is known to be harmed ({report['grade']})"
    return Moment("attack simulated", took_us, words)


def left(name: str, attempt: Attempt, response: Mapping[str, Any]) -> Moment:
    """The attack, directly after the pause."""
    step = attempt.then[0]
    victims = [] if attempt.report is None else attempt.report["victims"]
    words = f"{step.outcome}; {_losses(victims) if victims else 'nobody is harmed'}"
    if response["asked"] and name in response["targets"]:
        words += f" ({response['harm_left']:.0%} of the harm is left)"
    return Moment("attack after it", step.took_us, words, is_fine=not victims)


def policy(fired: Fired, is_supposed: bool = False) -> Moment:
    decision = fired.decision
    if decision.act:
        because = _SUPPOSED if is_supposed else reason(decision.words)
        words = f"pause {', '.join(decision.targets)}: {because}"
    else:
        words = f"no: {reason(decision.words)}"
    return Moment("policy", fired.policy_us, words, is_fine=decision.act)


def _losses(victims: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(map(_loss, victims))


def _loss(victim: Mapping[str, Any]) -> str:
    name, broken = victim["contract"], ", ".join(victim["invariants"])
    if victim["amount"] is None:
        return f"{name} is harmed ({broken})"
    amount = int(victim["amount"])
    what = in_ether(amount) if victim["asset"] == "native" else f"{amount:,} of {victim['asset']}"
    share = "" if victim["share"] is None else f", {victim['share']:.0%} of it"
    return f"{name} loses {what}{share} ({broken})"


def _sent(place: Place, shot: Shot | None, choice: Choice | None) -> list[Moment]:
    """What follows a decision to pause."""
    if shot is None:
        return []
    moments = []
    if shot.bid is not None:
        words = shot.bid.reason
        if isinstance(shot.bid, Bid):
            words = f"{words}; fee cap {in_gwei(shot.bid.fees.max_fee)} ({shot.bid.strategy})"
        moments.append(Moment("bid", shot.bid_us, words, is_fine=isinstance(shot.bid, Bid)))
    if choice is None:
        # What the rails hold back is not bid for.
        step = "rails" if shot.bid is None else "rung"
        return [*moments, Moment(step, shot.rung_us, shot.failure or "none", is_fine=False)]
    words = (
        f"{choice.rung + 1} of {choice.of} at nonce {choice.nonce}: tip {in_gwei(choice.tip_wei)}, fee cap "
        f"{in_gwei(choice.max_fee_wei)}; costs {in_ether(choice.likely_cost_wei)} likely, "
        f"{in_ether(choice.worst_cost_wei)} at the most"
    )
    if place.ground.by_fee_cap and shot.threat is not None and shot.threat.gas_price:
        words += " (this node orders its blocks by fee caps)"
    return [*moments, Moment("rung", shot.rung_us, words)]


def _choice(place: Place, attempt: Attempt, shot: Shot, rung: Rung) -> Choice:
    price = min(rung.fees.max_fee, place.ground.base_fee + rung.fees.tip)
    return Choice(
        guardian=rung.guardian,
        nonce=rung.nonce,
        rung=rung.rung,
        of=shot.rungs,
        gas_limit=rung.gas_limit,
        max_fee_wei=rung.fees.max_fee,
        tip_wei=rung.fees.tip,
        likely_cost_wei=attempt.gas * price + rung.call.value,
        worst_cost_wei=rung.gas_limit * rung.fees.max_fee + rung.call.value,
    )


def _against(place: Place, name: str, attempt: Attempt, fired: Fired, choice: Choice | None) -> str | None:
    """The first reason that it would not be paused."""
    decision = fired.decision
    if not attempt.succeeds and not attempt.paused_before:
        return f"its pause by {place.ground.guardians[0].address} fails ({attempt.why_not})"
    if not decision.act:
        return reason(decision.words)
    if name not in decision.targets:
        return f"the policy pauses {', '.join(decision.targets)} instead"
    if not fired.as_configured.act:
        return reason(fired.as_configured.words)
    if place.config.defense.armed and place.config.defense.signer is None:
        return "defense.armed without defense.signer: nobody signs"
    if place.obstacles:
        return "; ".join(place.obstacles)
    return _too_late(place, fired.shots[name], choice)


def _too_late(place: Place, shot: Shot, choice: Choice | None) -> str | None:
    """What is decided, and does not come first."""
    if choice is None:
        return shot.failure or "there is nothing to send"
    tip = min(choice.tip_wei, choice.max_fee_wei - place.ground.base_fee)
    theirs = 0 if shot.threat is None else shot.threat.tip
    if tip <= theirs and theirs:
        return f"the bid comes too late: its tip is {in_gwei(tip)}, the attack's {in_gwei(theirs)}"
    confirm = place.config.defense.confirm
    if confirm.seconds and confirm.default == "refuse":
        return f"only if a human agrees within {confirm.seconds:g} s (defense.confirm)"
    return None


def _notes(place: Place, name: str, bid: Bid | None, *, is_held: bool) -> list[str]:
    target, defense = place.targets[name], place.config.defense
    notes = []
    if defense.shadow and not is_held:
        notes.append("defense.shadow: it would be written down, and not sent")
    if defense.confirm.seconds and defense.confirm.default == "act":
        notes.append(f"a human is asked first, for {defense.confirm.seconds:g} s: blocks do not wait")
    if target.check is None and is_module(target):
        notes.append(
            "a Safe does not revert where its module's call fails: without a `check` nobody sees that"
        )
    if bid is not None and bid.capped_by is not None:
        notes.append(f"the bid is CUT SHORT by {bid.capped_by}; {in_gwei(bid.wanted_tip)} were wanted")
    if bid is not None and bid.likely_lost:
        notes.append("anybody can copy the attack, and may bid more: likely lost")
    return notes
