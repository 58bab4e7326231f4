"""The figures of the incidents as JSON and as a table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benches.quality.run import Outcome

_SURE = ("proved", "likely")


@dataclass(frozen=True)
class Tally:
    """What was judged, counted."""

    attacks: int
    sure: int
    """Of the attacks, those proved or likely."""
    caught: int
    """Of the attacks, those of any grade."""
    honest: int
    proved: int
    """Of the honest uses."""
    alarms: int
    """Of the honest uses, of any grade."""

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Tally:
        attacks = [each.judged for each in outcomes if each.case.kind == "attack" and each.judged]
        honest = [each.judged for each in outcomes if each.case.kind == "honest" and each.judged]
        return cls(
            attacks=len(attacks),
            sure=sum(said.grade in _SURE for said in attacks),
            caught=sum(said.alerted for said in attacks),
            honest=len(honest),
            proved=sum(said.grade == "proved" for said in honest),
            alarms=sum(said.alerted for said in honest),
        )


def record(outcome: Outcome, aside: Collection[str]) -> dict[str, Any]:
    """One case, as JSON has it."""
    case = outcome.case
    return {
        "incident": outcome.incident.name,
        "aside": outcome.incident.name in aside,
        "kind": case.kind,
        "note": outcome.incident.note or None,
        "case": case.name,
        "by": case.by,
        "unknown_slots": outcome.unknown,
        "failure": outcome.failure or None,
        "judged": None if outcome.judged is None else asdict(outcome.judged),
    }


def markdown(outcomes: Sequence[Outcome], aside: Collection[str]) -> str:
    """Attacks, honest uses that alarm, and both counted, the part kept aside apart; then the incidents' notes."""
    judged = [outcome for outcome in outcomes if outcome.judged is not None]
    parts = {
        "tuned on": [outcome for outcome in judged if outcome.incident.name not in aside],
        "kept aside": [outcome for outcome in judged if outcome.incident.name in aside],
    }
    tables = [_attacks(judged, aside), _alarms(judged), _failures(outcomes), _counts(parts), _notes(outcomes)]
    return "\n\n".join("\n".join(table) for table in tables if table)


def _attacks(outcomes: Sequence[Outcome], aside: Collection[str]) -> list[str]:
    rows = ["| incident | caught | grade | by | score | ms |", "|---|---|---|---|---|---|"]
    for outcome in outcomes:
        said = outcome.judged
        if outcome.case.kind != "attack" or said is None:
            continue
        name = outcome.incident.name + (" (aside)" if outcome.incident.name in aside else "")
        name += "" if outcome.case.name == "attack" else f": {outcome.case.name}"
        by = ", ".join(said.invariants) or ("model" if said.alerted else "")
        figures = f"{said.grade} | {by} | {said.score:.3f} | {said.ms:.0f}" if said.alerted else " | | | "
        rows.append(f"| {name} | {'yes' if said.alerted else '**no**'} | {figures} |")
    return rows


def _alarms(outcomes: Sequence[Outcome]) -> list[str]:
    rows = ["| honest use that alarms | by | grade | score |", "|---|---|---|---|"]
    for outcome in outcomes:
        said = outcome.judged
        if outcome.case.kind == "honest" and said is not None and said.alerted:
            by = ", ".join(said.invariants) or "model"
            rows.append(
                f"| {outcome.incident.name}: {outcome.case.name} | {by} | {said.grade} | {said.score:.3f} |"
            )
    return rows if len(rows) > 2 else []


def _failures(outcomes: Sequence[Outcome]) -> list[str]:
    """Cases that do not do what they say: they were not judged."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    rows = [f"| {each.incident.name}: {each.case.name} | {each.failure.splitlines()[0]} |" for each in failed]
    return ["| not judged | because |", "|---|---|", *rows] if rows else []


def _notes(outcomes: Sequence[Outcome]) -> list[str]:
    """What differs from what happened then, of each incident."""
    notes = {outcome.incident.name: outcome.incident.note for outcome in outcomes if outcome.incident.note}
    return [f"- {name}: {note}." for name, note in notes.items()]


def _counts(parts: dict[str, list[Outcome]]) -> list[str]:
    rows = [
        "| | attacks | proved or likely | any alert | honest uses | proved | any alarm |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, outcomes in (*parts.items(), ("all", [each for part in parts.values() for each in part])):
        found = Tally.of(outcomes)
        attacks = f"{found.attacks} | {found.sure} | {found.caught}"
        rows.append(f"| {name} | {attacks} | {found.honest} | {found.proved} | {found.alarms} |")
    return rows
