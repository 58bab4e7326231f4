"""Tables and figures of the model card."""

from typing import Any


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
