"""A sensor that is killed: it stops at each point, says its name, and goes on when it is told to.

`python -m tests.defense.journal_victim DIRECTORY PORT` lives through an action, and sends its bytes to the port.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from mempool_ids.defense.journal import Marks
from tests.defense.journal_samples import STEPS, Life, open_journal

# Steps of the journal: they are killed before their commit, too. The others touch no database.
COMMITTED = tuple(step for step in STEPS if step not in {"mark", "transmit"})
POINTS = (
    "opened",
    "arm: half way",
    *(
        point
        for step in STEPS
        for point in ([f"{step}: before commit"] if step in COMMITTED else []) + [f"{step}: done"]
    ),
)


def point(name: str) -> None:
    sys.stdout.write(name + "\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main(directory: Path, port: int) -> None:
    journal = open_journal(directory)
    marks = Marks.beside(journal.path)
    wire = socket.create_connection(("127.0.0.1", port))
    life = Life(journal, marks, wire.sendall)
    step = ""
    inserted = 0

    def traced(statement: str) -> None:
        nonlocal inserted
        if statement.startswith("INSERT INTO armed"):
            inserted += 1
            if inserted == len(life.rungs) // 2:
                point("arm: half way")
        if statement == "COMMIT":
            point(f"{step}: before commit")

    point("opened")
    driver = journal._database._connection.connection.dbapi_connection
    assert driver is not None
    driver.set_trace_callback(traced)
    for step in STEPS:
        life.play(step)
        point(f"{step}: done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
