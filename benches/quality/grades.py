"""What a grade is worth: of alerts with it, how many are attacks, beside the probability that they say."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benches.quality.blocks import GRADES, Result
from benches.quality.rates import per_thousand
from benches.quality.run import Outcome
from mempool_ids.defense.report import wilson

PREVALENCE = 0.04
"""Share of attacks among what touches a monitored contract, for which the models' probabilities are stated, too."""


def section(outcomes: Sequence[Outcome], blocks: Sequence[Result]) -> list[str]:
    """The table, in Markdown."""
    judged = [(one.case.kind, one.judged) for one in outcomes if one.judged]
    attacks = [said for kind, said in judged if kind == "attack"]
    honest = [said for kind, said in judged if kind == "honest"]
    contacts = len(honest) + sum(block["contacts"] for block in blocks)
    alerts = [alert for block in blocks for alert in block["alerts"]]
    rows = []
    for grade in GRADES:
        true = [said.score for said in attacks if said.alerted and said.grade == grade]
        false = [said.score for said in honest if said.alerted and said.grade == grade]
        false += [float(alert["score"]) for alert in alerts if alert["grade"] == grade]
        share = _share(len(true), len(attacks), len(false), contacts)
        rows.append(
            f"| {grade} | {len(true)} of {len(attacks)} | {per_thousand(len(false), contacts)} "
            f"| {_scores(true)} | {_scores(false)} | {share} |"
        )
    return [
        "## What a grade is worth",
        "",
        (
            f"Share of attacks among alerts of a grade, if {PREVALENCE:.0%} of what calls a monitored contract were "
            "attacks: by the attacks above, and by honest uses and recorded blocks together. In brackets for the upper "
            "and lower ends of Wilson's 95 % intervals of both. A score says what it means where it lies within."
        ),
        "",
        (
            f"| grade | attacks | others, per 1,000 of {contacts:,} | scores of attacks: least, median, most "
            "| of others | attacks among its alerts |"
        ),
        "|---|---:|---:|---|---|---|",
        *rows,
    ]


def _scores(scores: Sequence[float]) -> str:
    return f"{min(scores):.2f}, {median(scores):.2f}, {max(scores):.2f}" if scores else "–"


def _share(true: int, attacks: int, false: int, others: int) -> str:
    """By Bayes' rule."""
    if not attacks or not others:
        return "–"
    found, wrong = wilson(true, attacks), wilson(false, others)

    def of(recall: float, rate: float) -> str:
        right = PREVALENCE * recall
        return f"{right / (right + (1 - PREVALENCE) * rate):.2f}" if right or rate else "–"

    return f"{of(found.share, wrong.share)} [{of(found.low, wrong.high)}, {of(found.high, wrong.low)}]"
