"""The thread that the journal's files are read and written on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mempool_ids.exceptions import MempoolIdsError

T = TypeVar("T")


class JournalThread:
    """Runs one thing after the other: a disk that is slow holds up nothing else."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "ids-journal")
        self._is_over = False

    async def __call__(self, work: Callable[[], T], /) -> T:
        """
        Raises:
            MempoolIdsError: the journal is closed.
        """
        if self._is_over:
            raise MempoolIdsError("the journal is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Once what was begun is done."""
        self._is_over = True
        self._pool.shutdown()
