"""Tasks that survive what runs in them."""

import asyncio
from collections.abc import Coroutine
from typing import Any

# How long work may take to end after it was cancelled.
GRACE_S = 2.0


async def settled(work: Coroutine[Any, Any, object]) -> BaseException | None:
    """Runs `work` in a task of its own.

    A CancelledError that `work` raises is a failure like any other; only the caller's own cancellation is raised,
    once it is passed on to `work`.

    Returns:
        What `work` raised; None if nothing.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE_S)
        raise
    return asyncio.CancelledError() if task.cancelled() else task.exception()
