"""Detections as a file: JSON, JSON lines or CSV, by its suffix."""

import csv
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import orjson

COLUMNS = (
    "timestamp", "alert_id", "grade", "severity", "threat_level", "score", "probability", "signature_score", "notify",
    "chain_id", "tx_hash", "from", "to", "value_wei", "nonce", "selector", "function", "contracts", "signatures",
    "outcome", "block", "responses", "response_tx_hashes", "response_cost_wei",
)  # fmt: skip

Detection = Mapping[str, Any]


def export(detections: Iterable[Detection], path: Path) -> int:
    """Writes the detections (alert events with `outcomes` and `responses`) and returns how many.

    The file appears complete or not at all.

    Raises:
        ValueError: a suffix other than .json, .jsonl and .csv.
        OSError: it cannot be written.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise ValueError(f"{path}: the suffix must be one of {', '.join(_WRITERS)}")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            count = writer(detections, file)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _json(detections: Iterable[Detection], file: IO[str]) -> int:
    count = 0
    for count, detection in enumerate(detections, 1):
        file.write(("[\n" if count == 1 else ",\n") + orjson.dumps(detection).decode())
    file.write("\n]\n" if count else "[]\n")
    return count


def _jsonl(detections: Iterable[Detection], file: IO[str]) -> int:
    count = 0
    for detection in detections:
        file.write(orjson.dumps(detection).decode() + "\n")
        count += 1
    return count


def _csv(detections: Iterable[Detection], file: IO[str]) -> int:
    table = csv.DictWriter(file, COLUMNS)
    table.writeheader()
    count = 0
    for detection in detections:
        table.writerow({column: _cell(value) for column, value in _row(detection).items()})
        count += 1
    return count


def _row(detection: Detection) -> dict[str, Any]:
    tx = detection["tx"]
    last = detection["outcomes"][-1] if detection["outcomes"] else {}
    plain = (
        "timestamp",
        "alert_id",
        "grade",
        "severity",
        "threat_level",
        "score",
        "signature_score",
        "notify",
        "chain_id",
    )
    return {
        **{column: detection[column] for column in plain},
        **{column: tx.get(column) for column in ("from", "to", "nonce", "selector", "function")},
        "probability": detection["classification"]["probability"],
        "tx_hash": tx["hash"],
        "value_wei": tx["value"],
        "contracts": ";".join(detection["contracts"]),
        "signatures": ";".join(f"{match['id']} {match['name']}" for match in detection["signatures"]),
        "outcome": last.get("outcome"),
        "block": last.get("block"),
        **_responses(detection["responses"]),
    }


def _responses(changes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How each action ended or stands, and what they cost together; empty where there was none."""
    actions = list({change["action_id"]: change for change in changes}.values())
    costs = [int(action["cost_wei"]) for action in actions if action["cost_wei"] is not None]
    return {
        "responses": ";".join(_action(action) for action in actions),
        "response_tx_hashes": ";".join(action["tx_hash"] for action in actions if action["tx_hash"]),
        "response_cost_wei": sum(costs) if costs else None,
    }


def _action(last: Mapping[str, Any]) -> str:
    shadow = "shadow " if last["shadow"] else ""
    return f"{shadow}{last['strategy']} {last['target']} {last['state']}"


def _cell(value: object) -> object:
    """Names come from ABIs and rules: a spreadsheet must not read one as a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


_WRITERS: dict[str, Callable[[Iterable[Detection], IO[str]], int]] = {
    ".json": _json,
    ".jsonl": _jsonl,
    ".csv": _csv,
}
