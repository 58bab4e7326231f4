from __future__ import annotations

import os
import statistics
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mempool_ids.defense.journal import JournalError, Marks
from mempool_ids.defense.journal.marks import RECORDS


def hash32(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "defense.db.marks"


def marked(path: Path, *numbers: int) -> None:
    marks = Marks(path)
    for number in numbers:
        marks.put(hash32(number), float(number))
    assert marks.failed == 0
    marks.close()


def read(path: Path) -> list[int]:
    marks = Marks(path)
    try:
        found = marks.read()
    finally:
        marks.close()
    assert all(at == int.from_bytes(tx_hash, "big") for tx_hash, at in found)
    return [int.from_bytes(tx_hash, "big") for tx_hash, _at in found]


def test_marks_outlive_their_writer_in_order(path: Path) -> None:
    marked(path, 3, 1, 2, 2)
    assert read(path) == [3, 1, 2, 2]


def test_a_restart_goes_on_where_the_former_process_ended(path: Path) -> None:
    marked(path, 1, 2)
    marked(path, 3)
    assert read(path) == [1, 2, 3]


def test_a_full_ring_forgets_the_oldest(path: Path) -> None:
    marked(path, *range(RECORDS + 10))
    assert read(path) == list(range(10, RECORDS + 10))


def test_the_file_is_its_owners_alone_and_never_grows(path: Path) -> None:
    marks = Marks(path)
    size, blocks = path.stat().st_size, path.stat().st_blocks
    assert path.stat().st_mode & 0o777 == 0o600
    assert blocks * 512 >= size  # every block is there before the disk is full
    for number in range(2 * RECORDS):
        marks.put(hash32(number), 1.0)
    assert (path.stat().st_size, path.stat().st_blocks) == (size, blocks)
    marks.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_record_is_lost_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("marks") / "m"
    marked(path, *range(20))
    victim = data.draw(st.integers(0, 19))
    # Number, time, hash and checksum: 52 bytes. Numbers begin at 1, in the second place of the ring.
    offset = 64 * (victim + 2) + data.draw(st.integers(0, 51))
    bit = 1 << data.draw(st.integers(0, 7))
    content = bytearray(path.read_bytes())
    content[offset] ^= bit
    path.write_bytes(content)
    assert read(path) == [number for number in range(20) if number != victim]


@settings(max_examples=30, deadline=None)
@given(torn=st.integers(0, 51))
def test_a_record_torn_at_any_byte_is_as_if_never_written(
    tmp_path_factory: pytest.TempPathFactory, torn: int
) -> None:
    path = tmp_path_factory.mktemp("marks") / "m"
    marked(path, 0, 1)
    before = path.read_bytes()
    marked(path, 2)
    after = path.read_bytes()
    start = 64 * 4
    path.write_bytes(after[: start + torn] + before[start + torn :])
    # The last byte of a checksum may be 0 by chance, and then nothing is missing.
    whole = after[start + torn : start + 52] == before[start + torn : start + 52]
    assert read(path) == ([0, 1, 2] if whole else [0, 1])


def test_threads_share_the_ring(path: Path) -> None:
    marks = Marks(path)
    threads = [
        threading.Thread(target=lambda first=first: [marks.put(hash32(n), float(n)) for n in range(first, first + 500)])
        for first in range(0, 2000, 500)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert marks.failed == 0
    marks.close()
    assert sorted(read(path)) == list(range(2000))


def test_a_mark_that_fails_is_counted_and_never_raised(path: Path) -> None:
    marks = Marks(path)
    marks.put(b"short", 1.0)
    marks.put(None, 1.0)  # type: ignore[arg-type]
    marks.put(hash32(1), "late")  # type: ignore[arg-type]
    assert marks.failed == 3
    marks.close()
    read_only = os.open(path, os.O_RDONLY)
    marks._fd = read_only
    marks.put(hash32(1), 1.0)
    assert marks.failed == 4
    os.close(read_only)
    assert read(path) == []


def test_a_mark_that_comes_after_the_end_goes_to_no_other_file(path: Path) -> None:
    marks = Marks(path)
    number = marks._fd
    marks.close()
    other = path.with_name("other")
    opened = os.open(other, os.O_CREAT | os.O_RDWR, 0o600)
    os.dup2(opened, number)
    marks.put(hash32(1), 1.0)
    for fd in {opened, number}:
        os.close(fd)
    assert marks.failed == 1
    assert other.read_bytes() == b""


@pytest.mark.parametrize("content", [b"", b"something else", b"\0" * 64 * (RECORDS + 1)])
def test_another_file_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(JournalError, match=r"holds no marks.*Move it away"):
        Marks(path)
    assert path.read_bytes() == content


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    marked(path, 1)
    path.chmod(0o640)
    with pytest.raises(JournalError, match="chmod 600"):
        Marks(path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="must be able to create and write it"):
        Marks(tmp_path / "file" / "marks")


def test_a_creation_that_was_cut_short_is_begun_again(path: Path) -> None:
    path.parent.mkdir()
    path.with_name(path.name + ".new").write_bytes(b"half")
    marked(path, 1)
    assert read(path) == [1]


def test_a_mark_takes_microseconds(path: Path) -> None:
    marks = Marks(path)
    took = []
    for number in range(5000):
        start = time.perf_counter_ns()
        marks.put(hash32(number), 1.0)
        took.append(time.perf_counter_ns() - start)
    marks.close()
    assert statistics.median(took) < 10_000
