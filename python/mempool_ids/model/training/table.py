"""Tables and figures of the model card."""


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
