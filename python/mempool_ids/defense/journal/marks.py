"""The hot path's own memory of what goes out: no commit, no sync, no waiting."""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import zlib
from pathlib import Path

from mempool_ids.defense.journal.errors import JournalError, explained
from mempool_ids.defense.journal.files import check_private, sync_directory

RECORDS = 4096
"""The ring's. One for each time that bytes go out: far more than rails allow between two looks at it."""

_libc = ctypes.PyDLL(None)
_libc.pwrite.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int64)
_libc.pwrite.restype = ctypes.c_ssize_t

# number, Unix seconds, hash; then their CRC-32. Padded to a size that divides a page: no record lies on two.
_BODY = struct.Struct("<Qd32s")
_SUM = struct.Struct("<I")
_SIZE = 64
_MAGIC = b"mempool-ids marks 1\n".ljust(_SIZE, b"\0")


class Marks:
    """A ring of what was about to be sent. One process writes it (it holds the journal's lock).

    A mark survives the process, however it ends: the kernel has it. It does not survive a power cut, after which the
    chain alone says what went out. The file's blocks are there from the start, so that a full disk stops no mark (but
    on file systems that copy on write, btrfs and ZFS: `failed` counts it).

    Raises:
        JournalError: the file cannot be used; it says what to do.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.failed = 0
        """Marks that were not written."""
        try:
            if not self.path.exists():
                _create(self.path)
            check_private(self.path)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise explained(self.path, error) from None
        try:
            last = self._check()
        except BaseException:
            os.close(self._fd)
            raise
        self._numbers = itertools.count(last + 1)

    @classmethod
    def beside(cls, journal: str | Path) -> Marks:
        """Those of a journal."""
        path = Path(journal)
        return cls(path.with_name(path.name + ".marks"))

    def close(self) -> None:
        # First: a mark that comes late must not go to what has this number then.
        fd, self._fd = self._fd, -1
        os.close(fd)

    def put(self, tx_hash: bytes, at: float) -> None:
        """Before the bytes with this hash go to a socket. From any thread; never raises, but counts in `failed`.

        Args:
            tx_hash: 32 bytes.
            at: Unix seconds.
        """
        try:
            if len(tx_hash) != 32:
                raise ValueError
            number = next(self._numbers)
            body = _BODY.pack(number, at, tx_hash)
            record = body + _SUM.pack(zlib.crc32(body))
            offset = _offset(number)
            # Not os.pwrite: that lets go of the interpreter in the middle of an answer.
            if _libc.pwrite(self._fd, record, len(record), offset) != len(record):
                self.failed += 1
        except Exception:
            # What is about to be sent matters more than the memory of it.
            self.failed += 1

    def read(self) -> list[tuple[bytes, float]]:
        """Hash and time of each mark that is whole, the oldest first.

        Raises:
            JournalError: the disk does not read.
        """
        return [(tx_hash, at) for _number, at, tx_hash in self._read()]

    def _read(self) -> list[tuple[int, float, bytes]]:
        try:
            ring = os.pread(self._fd, RECORDS * _SIZE, _SIZE)
        except OSError as error:
            raise explained(self.path, error) from None
        found = []
        for offset in range(0, len(ring) - _SIZE + 1, _SIZE):
            body = ring[offset : offset + _BODY.size]
            (crc,) = _SUM.unpack_from(ring, offset + _BODY.size)
            number, at, tx_hash = _BODY.unpack(body)
            # A torn record is as if it were never written, and so were its bytes: the mark comes before them.
            if crc == zlib.crc32(body) and _offset(number) == offset + _SIZE:
                found.append((number, at, tx_hash))
        return sorted(found)

    def _check(self) -> int:
        """The last number that was given."""
        try:
            head = os.pread(self._fd, _SIZE, 0)
            size = os.fstat(self._fd).st_size
        except OSError as error:
            raise explained(self.path, error) from None
        if head != _MAGIC or size != _SIZE * (RECORDS + 1):
            raise JournalError(
                f"journal {self.path}: it holds no marks: nothing is armed. Move it away, and start when the "
                "guardian's latest and pending nonces are equal on the chain: nothing is out then that it would tell of"
            )
        return max((number for number, _at, _hash in self._read()), default=0)


def _offset(number: int) -> int:
    return (1 + number % RECORDS) * _SIZE


def _create(path: Path) -> None:
    """Under another name first: the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    fd = os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        with os.fdopen(fd, "wb", closefd=False) as file:
            # Written out, not only set aside: that takes every block there and then.
            file.write(_MAGIC.ljust(_SIZE * (RECORDS + 1), b"\0"))
            file.flush()
        os.fsync(fd)
    finally:
        os.close(fd)
    new.rename(path)
    sync_directory(path.parent)
