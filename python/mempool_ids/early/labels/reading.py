"""Labels from what people write: CSV, JSON, JSON lines. What cannot be read is told with its line; the rest is read."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from mempool_ids.early.labels.label import Label

_KINDS = {"attacker": "attacker", "attack_contract": "contract", "contract": "contract", "eoa": "eoa"}
"""By what a table calls the role."""


@dataclass
class Labels:
    """What a list says."""

    by_id: dict[str, Label] = field(default_factory=dict)
    refuted: set[str] = field(default_factory=set)
    """Ids of labels that it takes back."""
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    """Line (of a JSON array: entry), from 1, and why."""

    def add(self, line: int, told: object) -> None:
        """The last that is said of an id counts."""
        try:
            label = Label.model_validate(told)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "label"
            self.unreadable.append((line, f"{where}: {first['msg'].removeprefix('Value error, ')}"))
            return
        if label.remove:
            self.by_id.pop(label.id, None)
            self.refuted.add(label.id)
        else:
            self.by_id[label.id] = label
            self.refuted.discard(label.id)


def read(text: str) -> Labels:
    """A list: a JSON array of labels, a label a line, or a table with the columns `address` and `role` (`attacker`,
    `attack_contract`, `eoa`), and `confidence`, `incident`, `date`, `chain` if it has them."""
    labels = Labels()
    first = text.lstrip()[:1]
    entries = _array(text) if first == "[" else _lines(text) if first == "{" else _table(text)
    for line, told in entries:
        if isinstance(told, str):
            labels.unreadable.append((line, told))
        else:
            labels.add(line, told)
    return labels


def _array(text: str) -> Iterator[tuple[int, Any]]:
    try:
        yield from enumerate(orjson.loads(text), 1)
    except orjson.JSONDecodeError as error:
        yield 1, f"not JSON: {error}"


def _lines(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError:
                yield number, "not JSON"


def _table(text: str) -> Iterator[tuple[int, Any]]:
    rows = csv.DictReader(io.StringIO(text), strict=True)
    try:
        columns = set(rows.fieldnames or ())
    except csv.Error as error:
        yield 1, str(error)
        return
    if not {"address", "role"} <= columns:
        yield 1, "the first row names the columns; address and role are among them"
        return
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num, str(error)
            continue
        yield rows.line_num, _told(row)


def _told(row: dict[str | None, Any]) -> object:
    """A table's row as a label, or in words why it is none."""
    if None in row:
        return "more fields than there are columns"
    cells = {key: (value or "").strip() for key, value in row.items()}
    role = cells.pop("role")
    if role not in _KINDS:
        return f"role: one of {', '.join(_KINDS)}"
    told: dict[str, object] = {"entity": cells.pop("address"), "label": _KINDS[role]}
    if confidence := cells.pop("confidence", ""):
        told["confidence"] = confidence
    return {**told, "metadata": {key: value for key, value in cells.items() if value}}
