"""Recorded call trees as a feature matrix, by the extractor that the sensor runs."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mempool_ids._core import trace_matrix
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.model.manifest import TRACE_SCHEMA
from mempool_ids.model.training.data import DataError, Dataset, sha256
from mempool_ids.model.training.rows import group, read_row

# So many trees at once: the extractor needs their text in memory.
BATCH = 256
# Mainnet's blocks and their Unix seconds, where its rules changed: what dates a block that is recorded without a time.
FORKS = (
    (9_069_000, 1_575_764_709),
    (12_244_000, 1_618_481_223),
    (12_965_000, 1_628_166_822),
    (13_773_000, 1_639_079_723),
    (15_050_000, 1_656_586_444),
    (15_537_394, 1_663_224_179),
    (17_034_870, 1_681_338_479),
    (19_426_587, 1_710_338_135),
)


def trace_files(paths: Iterable[Path]) -> list[Path]:
    """The files of `paths`, folders opened: `*.jsonl` and `*.jsonl.gz`. Raises `DataError` where there is none."""
    files: list[Path] = []
    for path in paths:
        found = [path] if path.is_file() else sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")])
        if not found:
            raise DataError(f"{path}: neither a file of traces nor a folder with *.jsonl.gz")
        files.extend(found)
    return files


def load_traces(paths: Iterable[Path]) -> Dataset:
    """The labelled traces of `paths`, files or folders.

    A line is an object: `label` (`exploit` or `benign`), `hash`, `chain`, `trace` (as `callTracer` writes it);
    `incident` and `date` of an exploit; `block`, and perhaps `timestamp`, of a benign one; perhaps `source`, else the
    file's name. `mempool-ids model traces` writes them.
    Raises `DataError` with file and line, also for a label that is neither and a date that is none.
    """
    files = trace_files(paths)
    parts: list[bytes] = []
    rows: list[dict[str, Any]] = []
    for path in files:
        texts: list[str] = []
        for number, line in _lines(path):
            try:
                row = json.loads(line)
                trace = row["trace"]
                texts.append(json.dumps(trace))
                row["function"] = (trace.get("input") or "0x")[:10]
                rows.append(_checked(row, path, number))
            except KeyError as error:
                raise DataError(f"{path}: line {number}: no {error.args[0]}") from error
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                said = str(error) if type(error) is ValueError else repr(error)
                raise DataError(f"{path}: line {number}: {said}") from error
            if len(texts) == BATCH:
                parts.append(_matrix(texts, path))
                texts.clear()
        parts.append(_matrix(texts, path))
    features = np.frombuffer(b"".join(parts), dtype=np.float32).reshape(len(rows), len(TRACE_SCHEMA.names))
    return Dataset(
        features=features,
        labels=np.array([row["label"] == "exploit" for row in rows], dtype=np.int64),
        groups=np.array([group(row) for row in rows], dtype=np.str_),
        times=np.array([_time(row) for row in rows], dtype=np.float64),
        sources=np.array([f"{row['source']}/{row['chain']}" for row in rows], dtype=np.str_),
        hashes={path.name: sha256(path) for path in files},
        transactions=np.array([row.get("hash") or "" for row in rows], dtype=np.str_),
        places=np.array([row["place"] for row in rows], dtype=np.str_),
        schema=TRACE_SCHEMA,
        functions=np.array([row["function"] for row in rows], dtype=np.str_),
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Those that are not empty, with their numbers. The first is 1."""
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error


def _checked(record: dict[str, Any], path: Path, number: int) -> dict[str, Any]:
    row = read_row(record, f"{path.name}:{number}")
    default = "incidents" if row["label"] == "exploit" else path.name.split(".")[0]
    return {**row, "chain": row["chain"], "source": row.get("source", default)}


def _matrix(texts: list[str], path: Path) -> bytes:
    try:
        return trace_matrix(texts)
    except MempoolIdsError as error:
        raise DataError(f"{path}: {error}") from error


def _time(row: dict[str, Any]) -> float:
    """Unix seconds; NaN where nothing tells."""
    if row["timestamp"] is not None:
        return float(row["timestamp"])
    if row["date"] is not None:
        return float(row["date"])
    if row.get("block") is not None and row["chain"] == "eth":
        blocks, seconds = zip(*FORKS, strict=True)
        return float(np.interp(row["block"], blocks, seconds))
    return float("nan")
