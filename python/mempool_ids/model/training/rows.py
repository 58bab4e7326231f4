"""What a row of labelled data says of itself. What cannot be understood is refused: a guess would be measured."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

LABELS = ("benign", "exploit")
INCIDENT = "incident "
"""What the groups of exploits begin with."""
# A year, perhaps with its month, perhaps with that's day.
_DATE = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?")


def _label(label: object) -> str:
    """Raises `ValueError` for any but those two, and for none: what is not known is not benign."""
    if label is None:
        raise ValueError("it has no label: exploit or benign")
    if label not in LABELS:
        raise ValueError(f"label {label!r} is neither exploit nor benign")
    return str(label)


def midnight(day: object) -> float:
    """Unix seconds of a day's begin in UTC: of `2023-03-13`, `2023/3/13` or a `date`.

    A month (`2023-03`) or a year (`2023`) stands for its first day. Raises `ValueError` for anything else.
    """
    text = f"{day:%Y-%m-%d}" if isinstance(day, date) else str(day).strip()
    parts = _DATE.fullmatch(text)
    try:
        if parts is None:
            raise ValueError
        year, month, of_month = (int(part or 1) for part in parts.groups())
        return datetime(year, month, of_month, tzinfo=UTC).timestamp()
    except ValueError:
        raise ValueError(f"date {day!r} is none of 2023-03-13, 2023/3/13, 2023-03, 2023") from None


def seconds(timestamp: object) -> float | None:
    """Unix seconds of a row's timestamp, a number or a `datetime` (without a zone: UTC); None for none.

    Raises `ValueError`.
    """
    if isinstance(timestamp, datetime):
        return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).timestamp()
    if timestamp is None:
        return None
    try:
        value = float(timestamp)  # type: ignore[arg-type]  # whatever is no number is refused
    except (TypeError, ValueError):
        raise ValueError(f"timestamp {timestamp!r} is not in Unix seconds") from None
    # Tables of floats write an absent number as NaN.
    return value if isfinite(value) else None


def read_row(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A record without its calldata or trace: `label` checked, `timestamp` and `date` in Unix seconds or None.

    `place`: where it was read, as `train.parquet:17`; it is kept. Raises `ValueError`.
    """
    day = record.get("date")
    return {
        **{key: value for key, value in record.items() if key not in ("input", "trace")},
        "label": _label(record.get("label")),
        "timestamp": seconds(record.get("timestamp")),
        "date": midnight(day) if day else None,
        "place": place,
    }


def group(row: Mapping[str, Any]) -> str:
    """What a row must not be parted from: the others of its incident, or of its block; else it stands alone.

    `row` as `read_row` gives it.
    """
    alone = row.get("hash") or row["place"]
    if row["label"] == "exploit":
        return f"{INCIDENT}{row.get('incident') or alone}"
    return f"{row['chain']} block {row['block']}" if row.get("block") is not None else f"transaction {alone}"
