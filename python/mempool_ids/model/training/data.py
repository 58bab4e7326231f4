"""Real transactions as a feature matrix, by the extractor that the sensor runs."""

import csv
import gzip
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids._core import Analyzer
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.model.manifest import TRANSACTION_SCHEMA, Schema
from mempool_ids.model.training.columns import FEATURES
from mempool_ids.model.training.extra import needs
from mempool_ids.model.training.rows import group, read_row

TRANSACTIONS = "transactions/train.parquet"
SELECTORS = "signatures/selectors.csv.gz"
# 1024 rows of calldata at once: the extractor needs them all in memory.
BATCH = 1024


COLUMNS = [
    "label",
    "source",
    "incident",
    "chain",
    "block",
    "timestamp",
    "hash",
    "from",
    "to",
    "value",
    "nonce",
    "gas",
    "gas_price",
    "max_fee_per_gas",
    "max_priority_fee_per_gas",
    "input",
    "date",
]


class DataError(MempoolIdsError):
    """Training data is absent, or not in the form that `training.data` reads."""


@dataclass(frozen=True)
class Dataset:
    """Labelled transactions, or their traces. All arrays have one entry a row."""

    features: NDArray[np.float32]
    """(n, features), in the order of the feature schema."""
    labels: NDArray[np.int64]
    """1 = exploit, 0 = benign."""
    groups: NDArray[np.str_]
    """What must stay whole within a fold: the incident of an exploit, the block of a benign transaction. A row without
    either stands alone."""
    times: NDArray[np.float64]
    """Unix seconds; benign rows without a timestamp have their block's, interpolated. NaN = unknown."""
    sources: NDArray[np.str_]
    """The collection and chain, as `mainnet-blocks/eth`."""
    hashes: dict[str, str]
    """sha256 of each file that was read, by its name in the data folder."""
    transactions: NDArray[np.str_]
    """The transaction's hash; empty where the row has none."""
    places: NDArray[np.str_]
    """Where the row was read, as `train.parquet:17`. The first is 1."""
    schema: Schema = TRANSACTION_SCHEMA
    functions: NDArray[np.str_] | None = None
    """Of traces: the selector that the transaction calls."""
    creations: int = 0
    """Rows that are none of its: transactions that create a contract. Init code is no calldata."""

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, index: NDArray[Any]) -> "Dataset":
        """The rows `index` selects (positions or a boolean mask)."""
        return replace(
            self,
            features=self.features[index],
            labels=self.labels[index],
            groups=self.groups[index],
            times=self.times[index],
            sources=self.sources[index],
            transactions=self.transactions[index],
            places=self.places[index],
            functions=None if self.functions is None else self.functions[index],
        )


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_selectors(path: Path) -> bytes:
    """The known-selector set of `path`, a gzipped CSV with a `selector` column: sorted, 4 big-endian bytes each.

    Raises `DataError`.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        try:
            selectors = {int(row["selector"], 16) for row in csv.DictReader(file)}
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"{path}: not a table of selectors: {error!r}") from error
    if not selectors or max(selectors) >= 2**32:
        raise DataError(f"{path}: not a table of 4-byte selectors")
    return np.array(sorted(selectors), dtype=">u4").tobytes()


def load_transactions(data: Path, selectors: bytes) -> Dataset:
    """The labelled transactions under `data` that call something: a Parquet file, or a folder with
    `transactions/*.parquet`.

    `selectors`: the known-selector set, as `read_selectors` gives it.
    Raises `DataError` if there is no such file, a column is missing, or a row has no label or none that is known, or a
    date or timestamp that is none: with file, row and value.
    """
    if data.is_file():
        files = {data.name: data}
    else:
        files = {f"transactions/{path.name}": path for path in sorted(data.glob("transactions/*.parquet"))}
    if not files:
        raise DataError(f"{data}: neither a Parquet file nor a folder with {TRANSACTIONS}")
    parquet = needs("pyarrow.parquet")
    analyzer = Analyzer(selectors)
    parts: list[NDArray[np.float32]] = []
    rows: list[dict[str, Any]] = []
    for path in files.values():
        first = 1
        try:
            file = parquet.ParquetFile(path)
            absent = sorted(set(COLUMNS) - set(file.schema_arrow.names))
            if absent:
                raise DataError(f"{path}: no column {', '.join(absent)}")
            for batch in file.iter_batches(batch_size=BATCH, columns=COLUMNS):
                records = batch.to_pylist()
                rows.extend(_row(record, path, first + i) for i, record in enumerate(records))
                parts.append(_features(analyzer, records, path, first))
                first += len(records)
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path}: {error!r}") from error
    calls = np.array([bool(row["to"]) for row in rows], dtype=np.bool_)
    every = Dataset(
        features=np.concatenate(parts) if parts else np.empty((0, FEATURES), np.float32),
        labels=np.array([row["label"] == "exploit" for row in rows], dtype=np.int64),
        groups=np.array([group(row) for row in rows], dtype=np.str_),
        times=_times(rows),
        sources=np.array([f"{row['source']}/{row['chain']}" for row in rows], dtype=np.str_),
        hashes={name: sha256(path) for name, path in files.items()},
        transactions=np.array([row["hash"] or "" for row in rows], dtype=np.str_),
        places=np.array([row["place"] for row in rows], dtype=np.str_),
    )
    return replace(every.rows(calls), creations=int((~calls).sum()))


def _row(record: dict[str, Any], path: Path, number: int) -> dict[str, Any]:
    try:
        return read_row(record, f"{path.name}:{number}")
    except ValueError as error:
        raise DataError(f"{path}: row {number}: {error}") from error


def _features(
    analyzer: Analyzer, records: list[dict[str, Any]], path: Path, first: int
) -> NDArray[np.float32]:
    try:
        return extract(analyzer, records)
    except (ValueError, TypeError, OverflowError):
        # Which of them it is, is found one by one.
        for number, record in enumerate(records, first):
            try:
                extract(analyzer, [record])
            except (ValueError, TypeError, OverflowError) as error:
                raise DataError(f"{path}: row {number}: not a transaction: {error}") from error
        raise


def extract(analyzer: Analyzer, records: list[dict[str, Any]]) -> NDArray[np.float32]:
    """Features (n, 22) of transactions as the data set stores them; absent numbers count as 0."""

    def numbers(key: str, other: str | None = None) -> list[int]:
        return [int(r[key] or (other and r[other]) or 0) for r in records]

    matrix = analyzer.matrix(
        to=[bytes.fromhex(r["to"][2:]) if r["to"] else None for r in records],
        from_=[bytes.fromhex(r["from"][2:]) for r in records],
        value=[int(r["value"] or 0).to_bytes(32, "big") for r in records],
        nonce=numbers("nonce"),
        gas=numbers("gas"),
        max_fee=numbers("max_fee_per_gas", "gas_price"),
        max_priority_fee=numbers("max_priority_fee_per_gas", "gas_price"),
        input=[bytes(r["input"]) for r in records],
    )
    return np.frombuffer(matrix, dtype=np.float32).reshape(len(records), FEATURES)


def _times(rows: list[dict[str, Any]]) -> NDArray[np.float64]:
    """Unix seconds of each row: its timestamp, its incident's date, or its block's time, NaN where there is none.

    A block's time is interpolated between blocks of known time; beyond the first or last of these, it is that one's.
    """
    known: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["block"] is not None and row["timestamp"] is not None:
            known.setdefault(row["chain"], {})[row["block"]] = row["timestamp"]
    anchors = {chain: sorted(times.items()) for chain, times in known.items()}
    times = np.full(len(rows), np.nan)
    for i, row in enumerate(rows):
        if row["timestamp"] is not None:
            times[i] = row["timestamp"]
        elif row["date"] is not None:
            times[i] = row["date"]
        elif row["block"] is not None and row["chain"] in anchors:
            blocks, seconds = zip(*anchors[row["chain"]], strict=True)
            times[i] = np.interp(row["block"], blocks, seconds)
    return times
