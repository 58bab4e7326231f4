"""Files that nobody else may read."""

import contextlib
import os
from pathlib import Path


def create_private(path: Path) -> bool:
    """An empty file of mode 0600 where there is none, and whether there was none. SQLite gives its -wal and -shm the
    same mode; a file that is there keeps its own.

    Raises:
        OSError: it cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        return True
    return False
