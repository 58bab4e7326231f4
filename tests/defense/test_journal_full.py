"""A full disk: arming stops, loudly; what goes out is still marked; afterwards all goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.journal import JournalError
from tests.defense.journal_samples import GUARDIAN, SENDER, action, ladder, open_journal

# Fills up, by FILL, below an open journal; marks; makes room again, by ROOM; and tells what happened.
_VICTIM = """
import json, os, resource, signal, sys
from pathlib import Path
from mempool_ids.defense.action import ActionState
from mempool_ids.defense.journal import JournalError, Marks
from tests.defense.journal_samples import GUARDIAN, SENDER, action, bear, ladder, open_journal

directory = Path(sys.argv[1])
journal, marks = open_journal(directory), Marks.beside(directory / "defense.db")
one = action()
one.advance(ActionState.INTENT, 1.0, "begun")
journal.begin(one, SENDER)
journal.arm(ladder(7, "vault", 1600))
{fill}
told = {{"refused": 0}}
for nonce in range(8, 40):
    try:
        journal.arm(ladder(nonce, "vault", 200))
    except JournalError as error:
        told["armed"], told["said"] = nonce, str(error)
        break
verified = one.advance(ActionState.VERIFIED, 2.0, "not written")
for number in range(4000):
    try:
        journal.join(one.action_id, f"0x{{number:064x}}", "x" * 2000)
    except JournalError:
        told["refused"] += 1
        break
try:
    journal.record(one, verified)
except JournalError as error:
    told["refused"] += 1
for rung in ladder(7, "vault", 1600):
    marks.put(bytes.fromhex(rung.tx_hash[2:]), 3.0)
told["unmarked"], told["marks"] = marks.failed, len(marks.read())
bear(one, ladder(7, "vault")[0])
sent = one.advance(ActionState.SENT, 3.0, "sent all the same")
{room}
journal.record(one, sent)
journal.arm(ladder(told["armed"], "vault", 200))
told["history"] = [change.state for change in journal.open_actions()[0].history]
told["unrecorded"] = len(journal.unrecorded(marks.read()))
print(json.dumps(told))
"""

_LIMIT = """
used = max(path.stat().st_size for path in directory.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (used + 150_000, resource.RLIM_INFINITY))
"""
_NO_LIMIT = "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))"
_BALLAST = """
with open(directory / "ballast", "wb", buffering=0) as ballast:
    room = os.statvfs(directory)
    ballast.write(b"x" * (room.f_bavail * room.f_bsize - 150_000))
"""
_NO_BALLAST = '(directory / "ballast").unlink()'


def check(run: subprocess.CompletedProcess[str], directory: Path | None) -> None:
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert (
        "free some space. Nothing more is armed until then; what is armed may still be sent" in told["said"]
    )
    assert told["refused"] == 2
    assert (told["unmarked"], told["marks"]) == (0, 1600)
    # What was not written came with the next change, and arming went on where it stopped.
    assert told["history"] == ["intent", "verified", "sent"]
    assert told["unrecorded"] == 1600
    if directory is not None:
        journal = open_journal(directory)
        assert journal.armed(GUARDIAN, told["armed"]) == ladder(told["armed"], "vault", 200)
        assert journal.armed(GUARDIAN, told["armed"] + 1) == []
        journal.close()


def test_at_a_limit_of_the_process_arming_stops_and_marks_go_on(tmp_path: Path) -> None:
    code = _VICTIM.format(fill=_LIMIT, room=_NO_LIMIT)
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=50
    )
    check(run, tmp_path)


def test_on_a_full_disk_arming_stops_and_marks_go_on(tmp_path: Path) -> None:
    """A small file system in memory, in a mount namespace of its own."""
    inside = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=8m none {tmp_path}"
    if shutil.which("unshare") is None or subprocess.run([*inside, mount], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    code = _VICTIM.format(fill=_BALLAST, room=_NO_BALLAST)
    command = [*inside, f'{mount} && exec "$0" -c "$1" {tmp_path}', sys.executable, code]
    run = subprocess.run(command, capture_output=True, text=True, timeout=50)
    check(run, None)


def test_after_a_commit_that_sqlite_finds_no_room_for_the_same_call_may_be_made_again(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    one = action()
    journal.begin(one, SENDER)
    connection = journal._database._connection
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
    connection.rollback()
    with pytest.raises(JournalError, match=r"full: free some space"):
        journal.arm(ladder(7, "vault", 600))
    assert journal.armed(GUARDIAN, 7) == []
    journal.record(one, one.advance(ActionState.INTENT, 1.0, "small enough"))
    connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    connection.rollback()
    journal.arm(ladder(7, "vault", 600))
    assert journal.armed(GUARDIAN, 7) == ladder(7, "vault", 600)
    assert journal.open_actions() == [one]
    journal.close()
