"""Scores row by row, as JSON lines."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_scores(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """A line each. The file appears whole or not at all. Raises `OSError`."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
