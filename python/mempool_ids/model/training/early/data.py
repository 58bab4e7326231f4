"""Labelled contracts as a feature matrix, by the extractor that the sensor runs."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids._core import (
    CONTRACT_FEATURE_BLOCKS,
    CONTRACT_FEATURE_NAMES,
    contract_matrix,
    keccak256,
    running_contract,
)
from mempool_ids.model.training.data import DataError, sha256
from mempool_ids.model.training.extra import needs
from mempool_ids.model.training.rows import INCIDENT, midnight

COLUMNS = ("label", "kind", "code", "source", "incident", "chain", "date")
# So many at once: the extractor needs their code in memory.
BATCH = 512
EXPLOIT, BENIGN, OTHER = 1, 0, -1
BLOCKS = dict(CONTRACT_FEATURE_BLOCKS)
HASHED = sum(BLOCKS.values())
"""Columns of hashed features; the named ones follow."""
WIDTH = HASHED + len(CONTRACT_FEATURE_NAMES)
MADE_UP = Path(__file__).parent / "made_up.jsonl.gz"
"""Attack contracts of our own (contracts/attacks), compiled by several compilers. Learned from, never measured on."""
# solc's metadata: the key, and three bytes of version.
_SOLC = re.compile(rb"dsolcC(...)", re.DOTALL)


@dataclass(frozen=True)
class Contracts:
    """Labelled contracts. All arrays have one entry a row."""

    features: NDArray[np.float32]
    """(n, WIDTH), of the code that runs."""
    labels: NDArray[np.int64]
    """1 = exploit, 0 = benign, -1 = something else (a Ponzi scheme, a rug pull): neither learned from nor counted."""
    groups: NDArray[np.str_]
    """What must stay whole within a fold: an incident; benign contracts that offer the same functions."""
    times: NDArray[np.float64]
    """Unix seconds of an exploit's day; NaN where it has none, as all benign ones."""
    sources: NDArray[np.str_]
    chains: NDArray[np.str_]
    """`eth`, `bsc`, or nothing where the source does not say."""
    periods: NDArray[np.str_]
    """The compiler's, which dates what has no date: `none` where the metadata does not say."""
    origins: NDArray[np.str_]
    """Whose code it is: `told`, or of init code `executed`, `embedded`, `constructor`."""
    codes: Sequence[bytes]
    """As it runs."""
    hashes: dict[str, str]
    """sha256 of each file that was read."""

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, index: NDArray[Any]) -> "Contracts":
        """The rows `index` selects (positions or a boolean mask)."""
        positions = np.flatnonzero(index) if index.dtype == np.bool_ else index
        return replace(
            self,
            features=self.features[positions],
            labels=self.labels[positions],
            groups=self.groups[positions],
            times=self.times[positions],
            sources=self.sources[positions],
            chains=self.chains[positions],
            periods=self.periods[positions],
            origins=self.origins[positions],
            codes=[self.codes[int(i)] for i in positions],
        )


def load_contracts(path: Path, selectors: bytes) -> Contracts:
    """The labelled contracts of a Parquet file with `COLUMNS`, or of `contracts/train.parquet` in a folder.

    `kind` is `creation` where `code` is init code; its constructor is run, without a state. What is called runtime code
    and looks like init code is taken for it: collections mix them up. `selectors`: the known-selector set.
    Raises `DataError` if there is no such file, a column is missing, or a label or date cannot be read.
    """
    file = path / "contracts" / "train.parquet" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{path}: neither a Parquet file nor a folder with contracts/train.parquet")
    parquet = needs("pyarrow.parquet")
    try:
        read = parquet.ParquetFile(file)
        absent = sorted(set(COLUMNS) - set(read.schema_arrow.names))
        if absent:
            raise DataError(f"{file}: no column {', '.join(absent)}")
        rows: list[dict[str, Any]] = read.read(columns=list(COLUMNS)).to_pylist()
    except (OSError, needs("pyarrow").ArrowException) as error:
        raise DataError(f"{file}: {error}") from error
    try:
        labels = np.array([_label(row["label"]) for row in rows], dtype=np.int64)
        times = np.array([midnight(row["date"]) if row["date"] else np.nan for row in rows])
    except ValueError as error:
        raise DataError(f"{file}: {error}") from error
    running = [running_contract(row["code"], row["kind"] == "creation" or None) for row in rows]
    codes = [code for code, _ in running]
    features = matrix(codes, selectors)
    return Contracts(
        features=features,
        labels=labels,
        groups=np.array(
            [
                _group(row, code, offered)
                for row, code, offered in zip(rows, codes, _offered(features), strict=True)
            ]
        ),
        times=times,
        sources=np.array([row["source"] for row in rows], dtype=np.str_),
        chains=np.array([row["chain"] or "" for row in rows], dtype=np.str_),
        periods=np.array([period(code) for code in codes], dtype=np.str_),
        origins=np.array([origin for _, origin in running], dtype=np.str_),
        codes=codes,
        hashes={f"contracts/{file.name}": sha256(file)},
    )


@dataclass(frozen=True)
class MadeUp:
    """Attack contracts of our own. All have one entry a row."""

    features: NDArray[np.float32]
    compilers: NDArray[np.str_]
    sha256: str


def load_made_up(selectors: bytes) -> MadeUp:
    """Those that come with the package."""
    with gzip.open(MADE_UP, "rt", encoding="ascii") as file:
        rows = [json.loads(line) for line in file]
    codes = [running_contract(bytes.fromhex(row["init"]), True)[0] for row in rows]
    compilers = np.array([row["compiler"] for row in rows], dtype=np.str_)
    return MadeUp(matrix(codes, selectors), compilers, sha256(MADE_UP))


def matrix(codes: Sequence[bytes], selectors: bytes) -> NDArray[np.float32]:
    """Features (n, WIDTH) of codes as they run."""
    parts = [contract_matrix(selectors, list(codes[i : i + BATCH])) for i in range(0, len(codes), BATCH)]
    return np.frombuffer(b"".join(parts), dtype=np.float32).reshape(len(codes), WIDTH)


def period(code: bytes) -> str:
    """The compiler that wrote it, in eras of about as many years: its metadata is what dates a contract."""
    found = _SOLC.search(code[-64:])
    if not found:
        return "none"
    major, minor, patch = found[1]
    if (major, minor) != (0, 8):
        return "before 0.8"
    return "0.8.0-0.8.9" if patch < 10 else "0.8.10-0.8.17" if patch < 18 else "0.8.18 and later"


PERIODS = ("none", "before 0.8", "0.8.0-0.8.9", "0.8.10-0.8.17", "0.8.18 and later")
NEWEST = ("0.8.10-0.8.17", "0.8.18 and later")
"""From November 2021 on: what thresholds are set on."""


def _label(label: object) -> int:
    if label == "exploit":
        return EXPLOIT
    if label == "benign":
        return BENIGN
    if label is None:
        raise ValueError("a row has no label")
    return OTHER


def _offered(features: NDArray[np.float32]) -> Iterable[NDArray[np.float32]]:
    end = HASHED
    return features[:, end - BLOCKS["offered"] : end]


def _group(row: dict[str, Any], code: bytes, offered: NDArray[np.float32]) -> str:
    if row["label"] == "exploit" and row["incident"]:
        return INCIDENT + re.sub(r"\W", "", str(row["incident"]).lower())
    if row["label"] != "exploit" and offered.sum() > 3:
        return hashlib.sha256(offered.tobytes()).hexdigest()[:16]
    # Of what runs: init code and what it leaves are rows of their own.
    return keccak256(code).hex()
