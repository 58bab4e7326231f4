"""What speaks against a pause: the rules in their order, each with its reason in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mempool_ids.config import IDSMode
from mempool_ids.defense.amounts import in_ether
from mempool_ids.defense.evidence import MalformedAlert, amount, entries, flag, number, section, text
from mempool_ids.defense.terms import Case
from mempool_ids.records.classification import ThreatLevel

GRAVE_SHARE = 0.1
"""Of an asset of the victim: a proved loss from here on is grave (rails.py)."""
_GRADES = {"suspected": 0, "likely": 1, "proved": 2}
_LEVELS = {level.name: int(level) for level in ThreatLevel}
# What these lose is not an amount, whatever else goes with it.
_BEYOND_MONEY = frozenset({"takeover", "governance"})
_SURE = {
    "proved": "its simulation proves that {}",
    "likely": "by its simulation it is likely that {}",
    "suspected": "it is suspected that {}",
}


Rule = Callable[[Case], str | None]
"""Why not to pause; None where it does not speak against it."""


def _mode(case: Case) -> str | None:
    if case.terms.mode is not IDSMode.ACTIVE_DEFENSE:
        return f"operational_mode is {case.terms.mode.value}"
    return None


def _armed(case: Case) -> str | None:
    if not case.terms.sends and not case.terms.rehearses:
        return "the defense is neither armed nor in shadow mode"
    return None


def _muted(case: Case) -> str | None:
    return None if flag(case.alert, "notify") else "the alert is muted by a threshold or a suppression"


def _contradicted(case: Case) -> str | None:
    if section(case.alert, "tx").get("authenticity") == "contradicted":
        return "the transaction is not what its hash says: the node lies, or tells it in an unknown way"
    return None


def _score(case: Case) -> str | None:
    case.score = number(case.alert, "score")
    if case.alert.get("early"):
        return None  # judged by its proof, or by its model's own threshold
    threshold = case.terms.threshold
    if threshold is None:
        # The model's own, by which it became an alert.
        threshold = number(section(case.alert, "classification"), "threshold")
    if case.score < threshold:
        return f"its score {case.score:.3g} is below the threshold {threshold:.3g}"
    return None


def _level(case: Case) -> str | None:
    name = text(case.alert, "threat_level")
    level = _LEVELS.get(name)
    if level is None:
        raise MalformedAlert(f"its threat level {name} is none")
    case.level = level
    if level < _LEVELS[case.terms.level]:
        return f"its threat level {name} is below {case.terms.level}"
    return None


def _grade(case: Case) -> str | None:
    grade = text(case.alert, "grade")
    if grade not in _GRADES:
        raise MalformedAlert(f"its grade {grade} is none")
    case.grade = grade
    if _GRADES[grade] < _GRADES[case.terms.act_on]:
        return f"it is {grade}, and the defense acts on what is {case.terms.act_on}"
    return None


def _failed(case: Case) -> str | None:
    simulation = section(case.alert, "simulation")
    why = f"its simulation failed ({text(simulation, 'failure')}: {text(simulation, 'reason')})"
    return _untested(case, why)


def _unanswered(case: Case) -> str | None:
    why = section(case.alert, "response").get("why")
    said = text({"why": why}, "why") if why is not None else "no reason is given"
    return _untested(case, f"the pause was not tried in its simulation ({said})")


def _untested(case: Case, why: str) -> str | None:
    if not case.terms.acts_unsimulated:
        return f"{why}: people are to decide"
    case.because = f"it has score {case.score:.3g} and on_failed_simulation is act; {why}"
    return None


def _by_score(case: Case) -> str | None:
    early = section(case.alert, "early")
    why = f"nothing is proved of the new contract {text(section(early, 'contract'), 'address')}"
    if text(early, "reason") != "high_precision":
        return f"{why}, and its score is not above the threshold of high precision"
    if not case.terms.acts_on_score:
        return f"{why}: people are to decide (defense.act_on_early_score)"
    case.because = f"it has score {case.score:.3g} and act_on_early_score is true; {why}"
    return None


def _victims(case: Case) -> str | None:
    """What is harmed, and of that what the pause was tried for. What no simulation says is harmed is paused only where
    `act_on` is `suspected`, or `on_failed_simulation` is `act`: then it is what the transaction touches."""
    victims = entries(case.alert, "victims")
    if not all(isinstance(victim, Mapping) for victim in victims):
        raise MalformedAlert("a victim of the alert cannot be read")
    harmed = [text(victim, "contract") for victim in victims]
    _measure(case, victims)
    if not harmed and case.grade != "suspected":
        return "it names no victim"
    tried = case.answer.get("targets")
    if tried is None:
        chosen = harmed or entries(case.alert, "contracts")
    else:
        chosen = [name for name in entries(case.answer, "targets") if name in harmed or not harmed]
    case.targets = tuple(dict.fromkeys(name for name in chosen if name in case.terms.values))
    if not case.targets:
        concerned = harmed or entries(case.alert, "contracts")
        which = ", ".join(str(name) for name in dict.fromkeys(concerned)) or "no contract"
        return f"there is no pause for what it concerns, which is {which}"
    return None


def _measure(case: Case, victims: list[Mapping[str, Any]]) -> None:
    """What is lost: in ether where all of it is known so, and whether it is grave."""
    native = 0
    by_share: dict[str, int] = {}
    known = bool(victims)
    grave = False
    for victim in victims:
        name, asset = text(victim, "contract"), victim.get("asset")
        share = None if victim.get("share") is None else number(victim, "share")
        beyond_money = asset is None or not _BEYOND_MONEY.isdisjoint(entries(victim, "invariants"))
        grave = grave or beyond_money or (share is not None and share >= GRAVE_SHARE)
        value = case.terms.values.get(name)
        if asset == "native":
            native += amount(victim, "amount")
        elif value is not None and share is not None:
            # Two assets of one contract are not lost beyond what it holds.
            part, whole = share.as_integer_ratio()
            by_share[name] = min(value, by_share.get(name, 0) + value * part // whole)
        else:
            known = False
        known = known and not beyond_money
    lost = native + sum(by_share.values())
    case.loss_wei = lost if known else None
    case.grave = case.grade == "proved" and (grave or lost >= case.terms.budget)


def _already_paused(case: Case) -> str | None:
    if flag(case.answer, "already_paused"):
        return f"{case.names} is paused already"
    return None


def _includable(case: Case) -> str | None:
    if flag(case.answer, "includable"):
        return None
    why = case.answer.get("includable_reason")
    said = f": {text(case.answer, 'includable_reason')}" if why is not None else ""
    return f"the next block cannot have the attack{said}"


def _pause_succeeds(case: Case) -> str | None:
    if not flag(case.answer, "pause_succeeds"):
        return f"the pause of {case.names} fails"
    return None


def _harm_left(case: Case) -> str | None:
    left = number(case.answer, "harm_left")
    if left > case.terms.harm_left:
        return f"the pause leaves {left:.0%} of the harm, more than {case.terms.harm_left:.0%}"
    return None


def _worth(case: Case) -> str | None:
    lowest = amount(case.answer, "pause_gas") * (amount(case.answer, "base_fee") + case.terms.min_tip)
    left = number(case.answer, "harm_left")
    if case.loss_wei is not None and not case.terms.is_worth(case.score, left, case.loss_wei, lowest):
        return (
            f"the loss of {in_ether(case.loss_wei)} by score {case.score:.3g} does not outweigh a pause for "
            f"{in_ether(lowest)} and what a false one costs, {in_ether(case.terms.false_pause_cost)}"
        )
    harm = f"loses {in_ether(case.loss_wei)}" if case.loss_wei is not None else "is harmed"
    sure = _SURE[case.grade].format(f"{case.names} {harm}")
    case.because = f"{sure} (score {case.score:.3g}), and the pause leaves {left:.0%} of that"
    return None


def against(case: Case) -> tuple[str, bool] | None:
    """The first reason not to pause, and whether people should be told at once; None where there is none.

    Raises:
        MalformedAlert: the alert lacks what a rule needs; other errors of reading where it is stranger still.
    """
    return _first(_FIRST, case) or _first(_then(case), case)


def _first(rules: tuple[tuple[Rule, bool], ...], case: Case) -> tuple[str, bool] | None:
    for rule, tell in rules:
        reason = rule(case)
        if reason is not None:
            return reason, tell or (rule in _MATTERS and _is_critical(case))
    return None


def _is_critical(case: Case) -> bool:
    """A monitored contract is harmed, by all that is known."""
    return case.level >= ThreatLevel.CRITICAL and bool(case.alert.get("victims"))


def _then(case: Case) -> tuple[tuple[Rule, bool], ...]:
    """The rules that follow the first ones."""
    if case.alert.get("early") and text(section(case.alert, "simulation"), "status") == "not_run":
        return _WITHOUT_PROOF
    if text(section(case.alert, "simulation"), "status") == "failed":
        return _WITHOUT_SIMULATION
    response = section(case.alert, "response")
    if not flag(response, "asked"):
        return _WITHOUT_ANSWER
    case.answer = response
    return _WITH_ANSWER


_FIRST: tuple[tuple[Rule, bool], ...] = (
    (_mode, False),
    (_armed, False),
    (_muted, False),
    (_contradicted, True),
    (_score, False),
    (_level, False),
)
_MATTERS = (_grade, _includable, _worth)
"""Why a critical alert with a victim is not answered, which people should hear of at once."""
_WITH_ANSWER: tuple[tuple[Rule, bool], ...] = (
    (_grade, False),
    (_victims, True),
    (_already_paused, False),
    (_includable, False),
    (_pause_succeeds, True),
    (_harm_left, True),
    (_worth, False),
)
_WITHOUT_ANSWER: tuple[tuple[Rule, bool], ...] = ((_grade, False), (_unanswered, True), (_victims, True))
# A new contract that nobody has called, or that did nothing: what it holds is what is paused.
_WITHOUT_PROOF: tuple[tuple[Rule, bool], ...] = ((_by_score, False), (_victims, True))
# Without a simulation every grade is `suspected`: what is asked is what to do then.
_WITHOUT_SIMULATION: tuple[tuple[Rule, bool], ...] = ((_failed, True), (_victims, True))
