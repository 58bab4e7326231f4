"""The lists that are kept: a folder with a file for each who tells, the own list among them."""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from mempool_ids.early.labels.bundle import MAX_BYTES, Bundle, LabelsError
from mempool_ids.early.labels.label import Label
from mempool_ids.early.labels.reading import Labels, read

OWN = "own"


@dataclass(frozen=True)
class Change:
    """What a new list changes of the one of the same origin that it replaces."""

    origin: str
    """`own`, or the signer's address."""
    new: tuple[Label, ...]
    changed: tuple[Label, ...]
    removed: tuple[Label, ...]
    """Not in the new list, or refuted by it."""
    kept: int
    """Labels afterwards."""
    unreadable: tuple[tuple[int, str], ...]
    """Line or entry of the new list, and why."""


@dataclass
class _List:
    """A list as it is stored: its head on the first line, then a label a line."""

    origin: str
    sequence: int = 0
    issued: str = ""
    labels: dict[str, Label] | None = None

    def dump(self) -> bytes:
        head = {"origin": self.origin, "sequence": self.sequence, "issued": self.issued}
        lines = [head, *(label.model_dump(exclude={"remove"}) for label in (self.labels or {}).values())]
        return b"".join(orjson.dumps(line) + b"\n" for line in lines)


class Book:
    """The lists of a folder.

    Args:
        folder: created when the first list is taken.
        signers: lower-case addresses whose bundles are taken; where there are some, nothing unsigned is.
    """

    def __init__(self, folder: Path, signers: Collection[str] = ()) -> None:
        self._folder = folder
        self._signers = frozenset(signers)

    def update(self, raw: bytes) -> Change:
        """Takes a list in the place of the one of the same origin: all of it, or nothing.

        Raises:
            LabelsError: it is too large, unsigned where signers are configured, signed by somebody else, altered, older
                than what is there, or has nothing that can be read.
            OSError: it cannot be stored.
        """
        if len(raw) > MAX_BYTES:
            raise LabelsError(f"a list has {MAX_BYTES >> 20} MiB at the most")
        bundle = Bundle.read(raw)
        with self._locked():
            return self._own(raw) if bundle is None else self._signed(bundle)

    def lists(self) -> dict[str, list[Label]]:
        """What is kept, by origin. Raises `LabelsError` where a file is none of ours."""
        paths = sorted(self._folder.glob("*.jsonl"))
        return {path.stem: list((self._stored(path.stem).labels or {}).values()) for path in paths}

    def of(self, address: str) -> Iterator[tuple[str, Label]]:
        """Who says what of an address (with its checksum)."""
        for origin, labels in self.lists().items():
            yield from ((origin, label) for label in labels if label.entity == address)

    def _own(self, raw: bytes) -> Change:
        if self._signers:
            raise LabelsError(
                "it is not signed, and only lists of early.signers are taken. To add one of your own, sign it "
                "(`mempool-ids labels export`), and be among them"
            )
        try:
            labels = read(raw.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise LabelsError("not UTF-8 text") from None
        return self._replace(_List(OWN, issued=datetime.now(UTC).isoformat()), labels)

    def _signed(self, bundle: Bundle) -> Change:
        if bundle.signer not in self._signers:
            raise LabelsError(
                f"it is signed by {bundle.signer}, who is none of early.signers: add the address if you trust its owner"
            )
        stored = self._stored(bundle.signer)
        if bundle.sequence == stored.sequence:
            return Change(bundle.signer, (), (), (), len(stored.labels or {}), ())
        if bundle.sequence < stored.sequence:
            raise LabelsError(
                f"it is of {bundle.issued.isoformat()}, older than what is there ({stored.issued}): somebody may want "
                "an attacker forgotten"
            )
        labels = Labels()
        for number, told in enumerate(bundle.labels, 1):
            labels.add(number, told)
        return self._replace(_List(bundle.signer, bundle.sequence, bundle.issued.isoformat()), labels)

    def _replace(self, new: _List, labels: Labels) -> Change:
        if labels.unreadable and not labels.by_id and not labels.refuted:
            line, why = labels.unreadable[0]
            raise LabelsError(f"nothing in it can be read; line {line}: {why}")
        before = self._stored(new.origin).labels or {}
        new.labels = labels.by_id
        path = self._path(new.origin)
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            file.write(new.dump())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        told = labels.by_id
        return Change(
            origin=new.origin,
            new=tuple(label for key, label in told.items() if key not in before),
            changed=tuple(label for key, label in told.items() if before.get(key, label) != label),
            removed=tuple(label for key, label in before.items() if key not in told),
            kept=len(told),
            unreadable=tuple(labels.unreadable),
        )

    def _stored(self, origin: str) -> _List:
        path = self._path(origin)
        try:
            head, *lines = path.read_bytes().splitlines() or [b""]
        except FileNotFoundError:
            return _List(origin)
        try:
            told = orjson.loads(head)
            found = _List(str(told["origin"]), int(told["sequence"]), str(told["issued"]))
            labels = [Label.model_validate_json(line) for line in lines]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise LabelsError(f"{path} is damaged: remove it, and take the list again") from None
        found.labels = {label.id: label for label in labels}
        return found

    def _path(self, origin: str) -> Path:
        return self._folder / f"{origin}.jsonl"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time: of two updates none is lost."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
