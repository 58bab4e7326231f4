import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from mempool_ids.cli.terminal import PATIENCE_S, WAITING, Aside, figures


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.Logger("apart")
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


def told(script: str) -> list[str]:
    """What a process says on stderr that runs `script` with the command line's log."""
    setup = "import logging; from mempool_ids.cli.terminal import *; log = logging.getLogger('mempool_ids');"
    command = [sys.executable, "-c", f"{setup} log_to_stderr(); {script}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    return result.stderr.splitlines()


def test_the_status_line_tells_of_simulations_once_there_are_any() -> None:
    core = {
        "endpoints": [],
        "received": 1200,
        "duplicates": 100,
        "simulated": 0,
        "detections": 2,
        "dropped_queue": 0,
        "dropped_events": 0,
        "dropped_capture": 0,
        "latency_us": {"p99": 120.0},
        "head_number": 7,
    }
    assert figures(core, 14.0) == ["14 tx/s", "1,100 seen", "2 alerts", "p99 120 µs", "0 drops", "head 7"]
    assert figures({**core, "simulated": 30}, 14.0)[2] == "30 simulated"


def test_a_log_line_has_its_prefix_once() -> None:
    (line,) = told("log.warning('node_error from %s', 'ws://a')")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING mempool_ids: node_error from ws://a", line
    )


def test_a_logged_exception_has_its_traceback_once() -> None:
    lines = told("\ntry: 1 / 0\nexcept ZeroDivisionError: log.exception('failed')")
    assert lines[0].endswith("ERROR mempool_ids: failed")
    assert [line for line in lines if line.startswith("Traceback")] == [lines[1]]
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_what_is_said_stands_between_what_was_logged_before_and_after() -> None:
    lines = told("log.info('1'); say('2 [b]'); log.info('3'); fail('4\\n5', 1); log.info('6')")
    assert [line.rpartition(": ")[2] for line in lines] == ["1", "2 [b]", "3", "4", "5", "6"]
    assert lines[1] == "2 [b]"
    assert lines[3:5] == ["error: 4", "error: 5"]


@pytest.mark.parametrize("last", ["say('stopped')", "fail('broken', 1)", "log.info('stopped')"])
def test_a_process_whose_stderr_nobody_reads_ends_with_its_code(last: str) -> None:
    script = (
        "import logging, sys; from mempool_ids.cli.terminal import *; log_to_stderr()\n"
        "log = logging.getLogger('mempool_ids')\n"
        "for _ in range(2000): log.info('.' * 200)\n"  # far more than a pipe holds
        f"{last}\nsys.exit(3)"
    )
    reading, writing = os.pipe()
    started = time.monotonic()
    try:
        process = subprocess.Popen([sys.executable, "-c", script], stderr=writing)
        assert process.wait(20) == 3
    finally:
        process.kill()
        os.close(writing)
        os.close(reading)
    assert time.monotonic() - started < 2 * PATIENCE_S + 5


def test_a_terminal_that_is_held_holds_up_nothing() -> None:
    script = (
        "import logging, sys, time; from mempool_ids.cli.terminal import *; log_to_stderr()\n"
        "log = logging.getLogger('mempool_ids')\n"
        "core = dict(received=1, duplicates=0, simulated=0, detections=0, endpoints=[], latency_us={'p99': 1.0},"
        " head_number=1, dropped_queue=0, dropped_events=0, dropped_capture=0)\n"
        "with StatusLine() as line:\n"
        "    assert line.visible\n"
        "    for number in range(200): log.info('.' * 200); line.show(float(number), core); time.sleep(0.01)\n"
        "sys.exit(3)"
    )
    master, terminal = os.openpty()  # nobody reads what is shown, as after Ctrl-S
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", script], stderr=terminal, env={**os.environ, "TERM": "xterm"}
        )
        assert process.wait(20) == 3
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(master)


def test_the_status_line_is_shown_below_the_log_and_removed_in_the_end() -> None:
    script = (
        "import logging, sys; from mempool_ids.cli.terminal import *; log_to_stderr()\n"
        "core = dict(received=1, duplicates=0, simulated=0, detections=0, endpoints=[], latency_us={'p99': 1.0},"
        " head_number=77, dropped_queue=0, dropped_events=0, dropped_capture=0)\n"
        "with StatusLine() as line:\n"
        "    line.show(1.0, core); logging.getLogger().handlers[0].flush(); logging.warning('news')\n"
        "say('end')"
    )
    master, terminal = os.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    subprocess.run([sys.executable, "-c", script], stderr=terminal, env=environ, timeout=20, check=True)
    os.close(terminal)
    shown = os.read(master, 65536).decode()
    os.close(master)
    places = [shown.index(text) for text in ("head 77", "news", "end")]
    assert places == sorted(places)
    assert "head 77" in shown[places[1] : places[2]]  # drawn again below the news
    assert "head 77" not in shown[shown.rindex("\x1b[2K") :]


def test_a_reader_of_stderr_who_leaves_does_not_take_stdout_along() -> None:
    script = (
        "import logging; from mempool_ids.cli.terminal import *; log_to_stderr()\n"
        "for _ in range(3): logging.getLogger().info('.'); say('more')\n"
        "print('data')"
    )
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", script]
    # As users have it; unbuffered, nothing is left that could fail at exit.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=writing, timeout=20, check=False, env=environ
    )
    os.close(writing)
    assert (result.returncode, result.stdout) == (0, b"data\n")
