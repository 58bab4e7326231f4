"""Files that are no journal of ours, or not ours alone: refused with what to do, and left as they are."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.journal import Journal, JournalError
from tests.defense.journal_samples import GUARDIAN, action, ladder, open_journal


def write(path: Path, *statements: str) -> None:
    """As somebody else with the file open."""
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    path.chmod(0o600)


def refused(directory: Path, words: str, **changes: object) -> None:
    """Twice the same, and the file stays as it was."""
    path = directory / "defense.db"
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(JournalError, match=words):
            open_journal(directory, **changes)
    assert path.read_bytes() == before


def test_two_sensors_cannot_share_a_journal(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.defense.journal_samples import open_journal\n"
        "journal = open_journal(Path(sys.argv[1]))\nprint('open', flush=True)\nsys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        lock = re.escape(str(tmp_path / "defense.db.lock"))
        with pytest.raises(JournalError, match=f"another sensor uses it .process {other.pid} holds {lock}"):
            open_journal(tmp_path)
        # By another name it is the same journal.
        (tmp_path / "link.db").symlink_to("defense.db")
        with pytest.raises(JournalError, match="another sensor uses it"):
            Journal(tmp_path / "link.db", chain_id=1, guardian=None)
        Journal.look(tmp_path / "link.db").close()
        other.kill()
    open_journal(tmp_path).close()


def test_one_process_cannot_open_it_twice(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    with pytest.raises(JournalError, match="another sensor uses it"):
        open_journal(tmp_path)
    journal.close()
    open_journal(tmp_path).close()


def test_all_of_its_files_are_its_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        journal = open_journal(tmp_path)
        journal.arm(ladder(7, "vault"))
        look = Journal.look(journal.path)
        found = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        look.close()
        journal.close()
    finally:
        os.umask(old)
    names = ("defense.db", "defense.db-wal", "defense.db-shm", "defense.db.lock")
    assert found == dict.fromkeys(names, 0o600)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_journal_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    open_journal(tmp_path).close()
    (tmp_path / "defense.db").chmod(mode)
    refused(tmp_path, f"mode is 0{mode:o}.*whoever reads it can pause.*chmod 600 ")


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_nothing_is_armed_once_others_can_read_it(tmp_path: Path, suffix: str) -> None:
    journal = open_journal(tmp_path)
    journal.arm(ladder(7, "vault"))
    path = tmp_path / f"defense.db{suffix}"
    path.chmod(0o644)
    with pytest.raises(
        JournalError, match=f"{suffix}: its mode is 0644.*nothing is armed. Run `chmod 600 .*{suffix}`"
    ):
        journal.arm(ladder(8, "vault"))
    assert journal.armed(GUARDIAN, 8) == []
    path.chmod(0o600)
    journal.arm(ladder(8, "vault"))
    assert journal.armed(GUARDIAN, 8) == ladder(8, "vault")
    journal.close()


def test_another_chains_journal_is_refused(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    refused(tmp_path, "it is of chain 1, the sensor's is 56: .*a file of its own for each chain", chain_id=56)


def test_another_guardian_goes_on_with_it(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.arm(ladder(7, "vault"))
    journal.close()
    other = "0x" + "0B" * 20
    for guardian in (other, other.lower(), None):
        journal = open_journal(tmp_path, guardian=guardian)
        assert journal.guardians() == [GUARDIAN, other]
        assert journal.armed(GUARDIAN, 7) == ladder(7, "vault")
        journal.close()


def test_a_newer_versions_journal_is_refused(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    write(
        tmp_path / "defense.db",
        "DROP TRIGGER meta_no_update",
        "UPDATE meta SET value = '4' WHERE key = 'schema_version'",
    )
    refused(tmp_path, "a newer version wrote it .4, this program's is 3.: run that version, or a newer one")
    with pytest.raises(JournalError, match="a newer version wrote it"):
        Journal.look(tmp_path / "defense.db")


@pytest.mark.parametrize(("version", "lacks"), [(1, ("grave", "p", "contract")), (2, ("contract",))])
def test_an_older_versions_journal_is_brought_up_to_date_by_the_sensor_alone(
    version: int, lacks: tuple[str, ...], tmp_path: Path
) -> None:
    journal = open_journal(tmp_path)
    one = action(grave=True, p=0.5, contract="0x" + "c0" * 20)
    journal.begin(one, None)
    one.advance(ActionState.INTENT, 1.0, "attack")
    journal.record(one, one.history[0])
    journal.close()
    tables = ("actions", "transitions")
    write(
        tmp_path / "defense.db",
        "DROP TRIGGER meta_no_update",
        f"UPDATE meta SET value = '{version}' WHERE key = 'schema_version'",
        "CREATE TRIGGER meta_no_update BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'no'); END",
        *(f"ALTER TABLE {table} DROP COLUMN {column}" for table in tables for column in lacks),
    )
    older = rf"an older version wrote it \({version}, this program's is 3\): start"
    with pytest.raises(JournalError, match=older):
        Journal.look(tmp_path / "defense.db")
    for _ in range(2):
        journal = open_journal(tmp_path)
        assert journal.actions() == [replace(one, p=1.0 if "p" in lacks else 0.5, contract=None)]
        journal.close()
    Journal.look(tmp_path / "defense.db").close()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        write(tmp_path / "defense.db", "UPDATE meta SET value = '1'")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "defense.db", "CREATE TABLE detections (id)")
    refused(tmp_path, "another program's database: let `defense.journal` name another file")
    with pytest.raises(JournalError, match="another program's database"):
        Journal.look(tmp_path / "defense.db")
    assert not (tmp_path / "defense.db-wal").exists()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "defense.db").write_text("a letter to my aunt " * 1000)
    (tmp_path / "defense.db").chmod(0o600)
    refused(tmp_path, r"not a database: this is no journal.*sqlite3 .*\.recover")
    with pytest.raises(JournalError, match="not a database"):
        Journal.look(tmp_path / "defense.db")


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.arm(ladder(7, "vault", 600))
    journal.close()
    path = tmp_path / "defense.db"
    content = bytearray(path.read_bytes())
    pages = len(content) // 4096
    for page in range(2, pages, 7):
        damaged = bytearray(content)
        damaged[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
        path.write_bytes(damaged)
        refused(tmp_path, r"(damaged|malformed).*nothing is armed.*copy .*-wal and .*-shm.*\.recover")


@pytest.mark.parametrize("lost", ["TABLE sequences", "TRIGGER armed_no_delete", "TABLE meta"])
def test_a_journal_with_something_missing_is_refused(tmp_path: Path, lost: str) -> None:
    open_journal(tmp_path).close()
    write(tmp_path / "defense.db", f"DROP {lost}")
    refused(tmp_path, f"damaged .it has no (table )?{lost.split()[1]}.*nothing is armed")


def test_a_place_where_nothing_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="must be able to create and write it"):
        open_journal(tmp_path / "file")
    (tmp_path / "defense.db").mkdir()
    with pytest.raises(JournalError, match="this is no file"):
        open_journal(tmp_path)


def test_a_file_that_cannot_be_written_is_refused() -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tests.defense.journal_samples import open_journal\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: open_journal(Path(sys.argv[1]))\nexcept Exception as error: print(type(error).__name__, error)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        open_journal(directory).close()
        for path in directory.iterdir():
            path.chmod(0o600)
            if os.geteuid() == 0:
                os.chown(path, 65534, 65534)
        (directory / "defense.db").chmod(0o400)
        directory.chmod(0o755)
        run = subprocess.run(
            [sys.executable, "-c", code, name], capture_output=True, text=True, timeout=30, check=True
        )
        assert re.match(r"JournalError journal .*: .*(must own|must be able to)", run.stdout), run.stdout


def test_there_must_be_a_journal_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal at"):
        Journal.look(tmp_path / "defense.db")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "defense.db").touch(0o600)
    with pytest.raises(JournalError, match="no sensor has written to it yet"):
        Journal.look(tmp_path / "defense.db")


def test_errors_hold_no_signed_bytes(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    write(tmp_path / "defense.db", "DROP TABLE armed")
    with pytest.raises(JournalError) as raised:
        journal.arm(ladder(7, "vault"))
    assert "no such table" in str(raised.value)
    assert ladder(7, "vault")[0].raw.decode() not in str(raised.value)
    assert raised.value.__suppress_context__
    journal.close()
