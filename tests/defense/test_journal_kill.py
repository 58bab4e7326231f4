"""kill -9 at every point, and a power cut in the middle of a commit."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mempool_ids.defense.journal import Journal, Marks
from tests.defense.journal_samples import GUARDIAN, STEPS, Life, ladder, open_journal
from tests.defense.journal_victim import COMMITTED, POINTS


@pytest.fixture
def wire() -> Iterator[socket.socket]:
    """A node that only listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def kill_at(last: str, directory: Path, wire: socket.socket) -> bytes:
    """Lets the victim live up to a point, kills it there, and gives back what it sent."""
    port = wire.getsockname()[1]
    command = [sys.executable, "-m", "tests.defense.journal_victim", str(directory), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdin is not None
        assert victim.stdout is not None
        try:
            for name in POINTS[: POINTS.index(last) + 1]:
                assert victim.stdout.readline() == name + "\n"
                if name != last:
                    victim.stdin.write("\n")
                    victim.stdin.flush()
        finally:
            victim.kill()
        assert victim.wait(30) == -signal.SIGKILL
    connection, _ = wire.accept()
    with connection:
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
    return received


def check_integrity(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@pytest.mark.parametrize("last", POINTS)
def test_after_a_kill_all_that_was_acknowledged_is_there_and_nothing_half(
    last: str, tmp_path: Path, wire: socket.socket
) -> None:
    received = kill_at(last, tmp_path, wire)
    done = [step for step in STEPS if f"{step}: done" in POINTS[: POINTS.index(last) + 1]]
    check_integrity(tmp_path / "defense.db")
    # What memory knew at that point, and what the journal had acknowledged.
    expected = Life(None, None)
    for step in done:
        expected.play(step)

    journal = open_journal(tmp_path)
    marks = Marks.beside(journal.path)
    assert journal.armed(GUARDIAN, 7) == (expected.rungs if "arm" in done else [])
    assert journal.actions() == ([expected.action] if "begin" in done else [])
    assert journal.open_actions() == ([expected.action] if "begin" in done and "confirm" not in done else [])
    went_out = expected.rungs[3]
    assert journal.rung(went_out.tx_hash) == (went_out if "arm" in done else None)
    assert [tx_hash.hex() for tx_hash, _at in marks.read()] == (
        [went_out.tx_hash[2:]] if "mark" in done else []
    )
    # Whatever reached the wire is known: either by an action, or by a mark that leads to the very bytes and the intent.
    assert received == (went_out.raw if "transmit" in done else b"")
    unrecorded = journal.unrecorded(marks.read())
    assert unrecorded == ([went_out] if "mark" in done and "record" not in done else [])
    assert journal.unknown(marks.read()) == []
    if received:
        assert [one.raw for one in unrecorded] == [received] or journal.by_nonce(GUARDIAN, 7) == [
            expected.action
        ]

    # The restart lives on to the end.
    heir = Life(journal, marks, action=next(iter(journal.open_actions()), expected.action))
    for step in STEPS[len(done) :]:
        heir.play(step)
    assert journal.open_actions() == []
    assert [one.state for one in journal.actions()] == ["confirmed"]
    assert journal.next_sequence("titan") == 2
    marks.close()
    journal.close()
    check_integrity(tmp_path / "defense.db")


def test_every_step_is_killed_before_and_after(tmp_path: Path) -> None:
    """The list above is made from the steps: none is missing."""
    for step in STEPS:
        assert f"{step}: done" in POINTS
    assert {"arm", "begin", "record", "include", "confirm", "number", "join"} <= set(COMMITTED)


def test_a_write_ahead_log_cut_at_any_byte_leaves_all_or_nothing_of_the_last_commit(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    journal = open_journal(tmp_path / "live")
    first, second = ladder(7, "vault", 10), ladder(8, "vault", 60)
    journal.arm(first)
    log = tmp_path / "live" / "defense.db-wal"
    before = log.stat().st_size
    journal.arm(second)
    after = log.stat().st_size
    assert after > before + 4096
    whole = 0
    for number, length in enumerate([*range(before, after, (after - before) // 40), after - 1, after]):
        cut = tmp_path / f"cut{number}"
        cut.mkdir()
        # The -shm is rebuilt from the log, as after a power cut.
        shutil.copy(journal.path, cut)
        (cut / log.name).write_bytes(log.read_bytes()[:length])
        (cut / log.name).chmod(0o600)
        (cut / "defense.db").chmod(0o600)
        reopened = open_journal(cut)
        assert reopened.armed(GUARDIAN, 7) == first
        found = reopened.armed(GUARDIAN, 8)
        assert found in ([], second)
        whole += found == second
        reopened.close()
        check_integrity(cut / "defense.db")
    assert whole == 1
    journal.close()


def test_a_creation_that_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "defense.db"
    path.touch(0o600)
    open_journal(tmp_path).close()
    # Killed after SQLite wrote its header and before the tables were committed.
    bare = tmp_path / "bare"
    bare.mkdir()
    connection = sqlite3.connect(bare / "defense.db")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    (bare / "defense.db").chmod(0o600)
    open_journal(bare).close()
    Journal.look(bare / "defense.db").close()
