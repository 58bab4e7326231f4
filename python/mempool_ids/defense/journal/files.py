"""The journal's files: theirs alone, and one process's alone."""

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from mempool_ids import files
from mempool_ids.defense.journal.errors import JournalError, Locked, explained


def create_private(path: Path) -> None:
    """As `files.create_private`, and on the disk.

    Raises:
        JournalError: it cannot be created.
    """
    try:
        if files.create_private(path):
            sync_directory(path.parent)
    except OSError as error:
        raise explained(path, error) from None


def check_private(path: Path) -> None:
    """Whoever reads the journal can pause.

    Raises:
        JournalError: it, its -wal or its -shm may be read or written by others, or is no plain file.
    """
    for one in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        try:
            # Never opened: closing any descriptor of it would drop SQLite's locks in this process.
            mode = one.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise explained(one, error) from None
        if not stat.S_ISREG(mode):
            raise JournalError(f"journal {one}: this is no file: let `defense.journal` name one")
        if mode & 0o077:
            raise JournalError(
                f"journal {one}: its mode is {stat.S_IMODE(mode):04o}, and whoever reads it can pause: "
                f"nothing is armed. Run `chmod 600 {one}`"
            )


def sync_directory(path: Path) -> None:
    """A new name in it is on the disk afterwards."""
    directory = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Lock:
    """Held from construction to `release`, or to the end of the process, however that comes.

    It is a file of its own, beside the journal: locks of the journal's own file are SQLite's.

    Raises:
        JournalError: another process has it.
    """

    def __init__(self, journal: Path) -> None:
        # Two links to one journal are one journal.
        path = journal.resolve()
        self.path = path.with_name(path.name + ".lock")
        try:
            self._fd = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explained(self.path, error) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            if not isinstance(error, BlockingIOError):
                raise explained(self.path, error) from None
            raise Locked(
                f"journal {journal}: another sensor uses it (process {holder} holds {self.path}). Two sensors "
                "with one journal would spend each other's nonces: end the other, or give this one its own "
                "`defense.journal` and guardian"
            ) from None
        # For people; on a full disk the lock holds all the same.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)
