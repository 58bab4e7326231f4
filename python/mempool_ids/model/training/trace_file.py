"""A file of labelled traces as it grows, block by block, through interruptions."""

import fcntl
import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import orjson

from mempool_ids._core import trace_matrix
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.model.training.data import DataError

# As the labelled data names chains; others go by their id.
_CHAINS = {1: "eth", 56: "bsc"}
_ANEW = "--force begins anew"


def chain_name(chain_id: int) -> str:
    """What `chain` is in a line of labelled data."""
    return _CHAINS.get(chain_id, str(chain_id))


@dataclass(frozen=True)
class Asked:
    """What a file is to hold. An unfinished one goes on only if it is the same."""

    chain: str
    label: str
    blocks: str
    """As the user wrote it: `latest` goes on at the blocks that it was when the file was begun."""


@dataclass(frozen=True)
class _Progress:
    """What an unfinished file has, written beside it after every block."""

    asked: Asked
    first: int
    last: int
    next: int
    size: int
    """Bytes of the blocks before `next`; what lies behind is of a block that was not finished."""
    traces: int = 0
    left_out: int = 0

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None where there is none. Raises `DataError`."""
        try:
            fields = json.loads(path.read_bytes())
            return cls(**{**fields, "asked": Asked(**fields["asked"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path}: not the progress of an unfinished file; {_ANEW}") from error

    def write(self, path: Path) -> None:
        """Replaces it in one step."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(path)


class TraceFile:
    """A context manager. Until `finish` the file is `NAME.part`, and `NAME.part.json` says how far it is; leaving
    without keeps both.

    Attributes:
        path: where it is when it is finished; gzip if it ends in `.gz`.
        resumed: whether it was begun by an earlier run.
    """

    def __init__(self, path: Path, asked: Asked, blocks: range, *, force: bool = False) -> None:
        """Begins the file, or goes on with one that was begun for the same; its blocks are then those.

        Raises:
            DataError: it is finished, or was begun for something else, unless `force`; or another process writes it.
            OSError: it cannot be written.
        """
        self.path = path
        self._part = path.with_name(f"{path.name}.part")
        self._noted = path.with_name(f"{path.name}.part.json")
        found = None if force else _Progress.read(self._noted)
        if found is None and path.exists() and not force:
            raise DataError(f"{path} exists; --force replaces it")
        if found is not None and found.asked != asked:
            was = f"blocks {found.asked.blocks} of chain {found.asked.chain}, labelled {found.asked.label}"
            raise DataError(f"{self._part} was begun for {was}; {_ANEW}")
        self.resumed = found is not None
        self._progress = found or _Progress(asked, blocks[0], blocks[-1], blocks[0], 0)
        self._file = self._opened()
        # What is asked is noted before the first block: `latest` is another the next time.
        self._progress.write(self._noted)

    def _opened(self) -> Any:
        file = self._part.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if file.tell() < self._progress.size:
                raise DataError(f"{self._part} lacks blocks that it had; {_ANEW}")
            file.truncate(self._progress.size)
        except BlockingIOError:
            file.close()
            raise DataError(f"{self._part}: another process writes it") from None
        except BaseException:
            file.close()
            raise
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    @property
    def missing(self) -> range:
        """The blocks that it still lacks."""
        return range(self._progress.next, self._progress.last + 1)

    @property
    def blocks(self) -> range:
        """All that it is to hold."""
        return range(self._progress.first, self._progress.last + 1)

    @property
    def traces(self) -> int:
        """So many it has."""
        return self._progress.traces

    @property
    def left_out(self) -> int:
        """Transactions of its blocks that it does not have."""
        return self._progress.left_out

    def append(
        self, number: int, timestamp: int, traces: Mapping[str, Any], untraced: int = 0
    ) -> dict[str, str]:
        """Adds a block's traces by hash: all of them, or, where this is interrupted, none.

        One that `load_traces` could not read is left out, and counted as are the block's `untraced` transactions.
        Returns those by hash, and why. Raises `OSError`.
        """
        unreadable = {key: why for key, trace in traces.items() if (why := _unreadable(trace))}
        kept = {key: trace for key, trace in traces.items() if key not in unreadable}
        content = b"".join(self._line(number, timestamp, key, trace) for key, trace in kept.items())
        # Files of gzip can be strung together: each block is one, so that a file can be cut between two.
        written = gzip.compress(content, mtime=0) if self.path.suffix == ".gz" and content else content
        self._file.write(written)
        self._file.flush()
        self._progress = replace(
            self._progress,
            next=number + 1,
            size=self._progress.size + len(written),
            traces=self._progress.traces + len(kept),
            left_out=self._progress.left_out + len(unreadable) + untraced,
        )
        self._progress.write(self._noted)
        return unreadable

    def _line(self, number: int, timestamp: int, key: str, trace: object) -> bytes:
        asked = self._progress.asked
        row = {
            "label": asked.label,
            "hash": key,
            "chain": asked.chain,
            "block": number,
            "timestamp": timestamp,
            "source": self.path.name.split(".")[0],
            "trace": trace,
        }
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)

    def finish(self) -> None:
        """Gives it its name. Raises `OSError`."""
        os.fsync(self._file.fileno())
        self._part.replace(self.path)
        self._noted.unlink(missing_ok=True)


def _unreadable(trace: object) -> str | None:
    """Why the features of a trace cannot be had; None if they can."""
    try:
        trace_matrix([orjson.dumps(trace).decode()])
    except MempoolIdsError as error:
        return str(error)
    return None
