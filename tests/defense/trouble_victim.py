"""A sensor that is killed: it stops at one point of a response, says so, and waits there for its end.

`python -m tests.defense.trouble_victim CONFIG POINT`: CONFIG is JSON with the arguments of `IDSConfig`. It says `ready`
once it watches, and `reached` at the point; it ends in order when its standard input is closed. At `full` it stops
nowhere: the disk takes nothing more of the journal.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mempool_ids.config import IDSConfig
from mempool_ids.defense.action import ActionState, DefenseAction, Transition
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.broadcast.wire import Wire
from mempool_ids.defense.journal import Journal, Marks
from mempool_ids.defense.ledger import Ledger
from mempool_ids.engine import IDSEngine

POINTS = (
    "arming",
    "intent",
    "verified",
    "marked",
    "marked, no intent",
    "bytes",
    "bytes, no intent",
    "sent",
    "included",
    "confirming",
    "cancel signed",
    "cancel out",
)
"""Of a response with one transaction. There are `exact`, `second bytes` and `second sent`, too."""


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def stop_here() -> None:
    """This thread goes no further. Nor does any other thing that matters: the parent kills us now."""
    say("reached")
    threading.Event().wait()


def after(owner: type, name: str, is_point: Callable[..., bool]) -> None:
    """Stops once a call of this method is done that is the point."""
    original = getattr(owner, name)

    def wrapped(self: Any, *args: Any) -> Any:
        result = original(self, *args)
        if is_point(*args):
            stop_here()
        return result

    setattr(owner, name, wrapped)


def before(owner: type, name: str, is_point: Callable[..., bool]) -> None:
    """Stops where a call of this method is the point."""
    original = getattr(owner, name)

    def wrapped(self: Any, *args: Any) -> Any:
        if is_point(*args):
            stop_here()
        return original(self, *args)

    setattr(owner, name, wrapped)


def wait_for_ever(*_: object) -> None:
    threading.Event().wait()


def recorded(state: ActionState) -> Callable[[DefenseAction, Transition], bool]:
    return lambda _action, transition: transition.state is state


def is_transfer(rungs: list[Rung]) -> bool:
    return any(not rung.target for rung in rungs)


def prepare(point: str) -> None:
    if point.endswith("no intent"):
        # The journal's thread is always late: nothing of the action reaches it.
        Journal.begin = wait_for_ever  # type: ignore[method-assign]
    match point.partition(",")[0]:
        case "arming":
            inserted = 0

            def half_way(self: Journal, connection: Any, rungs: list[Rung]) -> Any:
                nonlocal inserted
                inserted += len(rungs)
                stop_here()

            Journal._fresh = half_way  # type: ignore[method-assign, assignment]
        case "marked":
            after(Marks, "put", lambda *_: True)
        case "bytes":
            after(Wire, "post", lambda *_: True)
        case "exact":
            # Nor do the bytes.
            Ledger._journal_change = wait_for_ever  # type: ignore[method-assign]
            after(Wire, "post", lambda *_: True)
        case "second bytes":
            posts: list[bytes] = []

            def is_second(body: bytes, _: object) -> bool:
                posts.append(body)
                return len(posts) == 2

            after(Wire, "post", is_second)
        case "second sent":
            after(Journal, "record", lambda action, _: action.attempt == 2)
        case "confirming":
            before(Journal, "record", recorded(ActionState.CONFIRMED))
        case "intent" | "verified" | "sent" | "included" as state:
            after(Journal, "record", recorded(ActionState(state)))
        case "cancel signed":
            after(Journal, "arm", is_transfer)
        case "cancel out":
            transfers: list[bytes] = []

            def keep(rungs: list[Rung]) -> bool:
                transfers.extend(rung.raw for rung in rungs if not rung.target)
                return False

            after(Journal, "arm", keep)
            after(Wire, "post", lambda body, _: any(raw.hex().encode() in body for raw in transfers))


def fill(journal: Path) -> None:
    """No file may grow beyond the journal's log; all others are smaller."""
    most = journal.with_name(journal.name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


async def main(config: IDSConfig, point: str) -> None:
    async with IDSEngine(config) as engine:
        await engine.wait_ready(30)
        if point == "full":
            fill(config.defense.journal)
        say("ready")
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    prepare(sys.argv[2])
    asyncio.run(main(IDSConfig(**json.loads(Path(sys.argv[1]).read_text())), sys.argv[2]))
