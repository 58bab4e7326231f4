"""What went wrong with a journal, and what to do about it."""

import errno
from pathlib import Path

from mempool_ids.exceptions import MempoolIdsError


class JournalError(MempoolIdsError):
    """The journal cannot be used, or did not take something. It says how to recover, and holds no signed bytes."""


class Locked(JournalError):
    """Another process uses it."""


_RECOVER = (
    "nothing is armed. Stop the sensor and copy {path}, {path}-wal and {path}-shm to a safe place. Then restore a "
    "backup; or rescue what is readable (`sqlite3 {path} .recover | sqlite3 NEW`); or move all three away and start "
    "anew, but only when the guardian's latest and pending nonces are equal on the chain: nothing is out then that "
    "only the journal knew"
)
_FULL = (
    "free some space. Nothing more is armed until then; what is armed may still be sent, and what was sent is "
    "written down with the action's next change"
)
_NO_WAY = "the sensor must be able to create and write it: see `ls -ld` of it and of the directories above"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# By the beginning of SQLite's name of the error.
_ADVICE = {
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": f"the disk takes no more (full, a quota, a limit of the process) or fails: {_FULL}",
    "SQLITE_CORRUPT": _RECOVER,
    "SQLITE_NOTADB": f"this is no journal: let `defense.journal` name another file. If it was one, {_RECOVER}",
    "SQLITE_READONLY": "the sensor must own it and its directory: see `ls -l {path}*`",
    "SQLITE_CANTOPEN": "the sensor must be able to write into its directory, and to create {path}-wal there",
    "SQLITE_BUSY": "another process keeps it locked: end what has it open (`fuser {path}`), then try again",
    "SQLITE_LOCKED": "another process keeps it locked: end what has it open (`fuser {path}`), then try again",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "it names an action that was never begun",
}


def explained(path: Path, error: Exception) -> JournalError:
    """In SQLite's or the system's words, with what to do."""
    # Never the statement: its parameters are signed bytes.
    cause = getattr(error, "orig", None) or error
    name = getattr(cause, "sqlite_errorname", None) or ""
    advice = next((text for start, text in _ADVICE.items() if name.startswith(start)), None)
    if isinstance(cause, OSError):
        words = cause.strerror or type(cause).__name__
        advice = _FULL if cause.errno in _NO_ROOM else _NO_WAY
    else:
        words = str(cause) if name else f"{type(cause).__name__}: {cause}"
    return JournalError(f"journal {path}: {words}" + (f": {advice.format(path=path)}" if advice else ""))


def corrupt(path: Path, what: str) -> JournalError:
    return JournalError(f"journal {path}: it is damaged ({what}): {_RECOVER.format(path=path)}")
