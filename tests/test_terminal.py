import logging
import os
from collections.abc import Iterator

import pytest

from mempool_ids.cli.terminal import WAITING, Aside


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.Logger("apart")  # noqa: LOG001  (known to nobody else)
    yield logger
    for handler in logger.handlers:
        handler.close()


def test_messages_are_written_in_order(log: logging.Logger) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as lines, os.fdopen(writing, "w", buffering=1) as stream:
        aside = Aside(logging.StreamHandler(stream))
        log.addHandler(aside)
        for number in range(100):
            log.warning("message %d", number)
        aside.flush()
        assert [lines.readline() for _ in range(100)] == [f"message {n}\n" for n in range(100)]


def test_a_reader_who_stopped_reading_holds_nothing_up_and_learns_what_is_missing(
    log: logging.Logger,
) -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w", buffering=1)
    log.addHandler(Aside(logging.StreamHandler(stream)))
    for number in range(WAITING + 10_000):
        log.warning("message %d %s", number, "." * 200)  # far more than a pipe holds
    with os.fdopen(reading) as lines:
        assert [int(lines.readline().split()[1]) for _ in range(WAITING)] == list(range(WAITING))
        log.warning("afterwards")
        last = next(line for line in lines if "afterwards" in line)
        assert "messages left out before this: stderr is not read] afterwards" in last
        stream.close()
