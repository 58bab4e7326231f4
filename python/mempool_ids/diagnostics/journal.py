"""Checks of the defense's journal: whose it is, who may read it, whether a sensor uses it. Nothing is written."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from mempool_ids.config import IDSConfig
from mempool_ids.defense.journal import Journal, JournalError
from mempool_ids.defense.journal.files import check_private
from mempool_ids.diagnostics.findings import Finding, Status


def check_journal(config: IDSConfig) -> list[Finding]:
    """One finding."""
    path = config.defense.journal.resolve()
    try:
        return [Finding("journal", str(path), Status.OK, _looked_at(path, config.chain.id))]
    except JournalError as error:
        return [Finding("journal", str(path), Status.FAILED, str(error))]


def _looked_at(path: Path, chain_id: int) -> str:
    if not path.exists():
        folder = next(parent for parent in path.parents if parent.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise JournalError(f"it is not there, and cannot be created in {folder}")
        return "not there yet: the sensor creates it, for its user alone"
    for beside in ("", ".marks", ".exact"):
        check_private(path.with_name(path.name + beside))
    records = Journal.look(path)
    try:
        its = records.chain_id
    finally:
        records.close()
    if its != chain_id:
        raise JournalError(f"it is of chain {its}, not {chain_id}: each chain has a journal of its own")
    holder = _holder(path.with_name(path.name + ".lock"))
    return (
        f"for its user alone; {'no sensor uses it now' if holder is None else f'a sensor uses it ({holder})'}"
    )


def _holder(lock: Path) -> str | None:
    """Who has the lock; None where nobody has."""
    try:
        file = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # A sensor takes it for itself alone. Let go at once: one that starts meanwhile would be refused.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)
    except BlockingIOError:
        pid = os.pread(file, 20, 0).decode("ascii", "replace").strip()
        return f"process {pid}" if pid else "another process"
    finally:
        os.close(file)
    return None
