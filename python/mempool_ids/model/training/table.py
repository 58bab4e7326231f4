"""Tables and figures of the model card."""

from collections.abc import Iterable
from typing import Any

RANKING = [
    "rows / exploits",
    "average precision",
    "AUC",
    "recall at FPR 0.1 %",
    "at 1 %",
    "at 5 %",
    "at 10 %",
]


def with_interval(value: float, interval: list[float], digits: int = 2) -> str:
    """`value [low, high]`."""
    low, high = interval
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def or_none(value: float | None, form: str = ".2f") -> str:
    """Nothing for None."""
    return "" if value is None else format(value, form)


def table(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def reliability(levels: list[dict[str, Any]]) -> str:
    """A Markdown table: how often what was given a probability was an exploit, by level."""
    lines = [
        [
            f"from {level['from']:.1f}",
            f"{level['rows']:,}",
            str(level["exploits"]),
            or_none(level["mean_probability"]),
            or_none(level["observed_share"]),
        ]
        for level in levels
    ]
    head = ["probability", "rows", "exploits", "mean probability", "share of exploits, at that prevalence"]
    return table(head, lines)


def evaluations(result: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any] | None]]:
    """What was evaluated, by its name in the card."""
    yield "time-ordered, all", result["time_ordered"]
    for start, part in result["time_windows"].items():
        yield f"time-ordered, from {start}", part
    yield "grouped folds", result["grouped_folds"]


def ranking(part: dict[str, Any]) -> list[str]:
    """How well a model ranks, in the columns of `RANKING`."""
    recalls = [with_interval(p["recall"], p["recall_interval"]) for p in part["at_fpr"]]
    return [
        f"{part['rows']:,} / {part['exploits']}",
        with_interval(part["average_precision"], part["average_precision_interval"]),
        f"{part['auc']:.3f}",
        *recalls,
    ]


def operating_points(part: dict[str, Any]) -> Iterable[tuple[dict[str, Any], list[str]]]:
    """Each point with what is shown of it: name, threshold, recall, false positive rate."""
    points = [(f"FPR {p['target_fpr']:.1%}", p) for p in part["at_fpr"]]
    for name, p in [*points, ("alert threshold", part["at_alert_threshold"])]:
        rates = [
            with_interval(p["recall"], p["recall_interval"]),
            with_interval(p["false_positive_rate"], p["false_positive_rate_interval"], 5),
        ]
        yield p, [name, f"{p['threshold']:.4f}", *rates]
