"""Running an Ethereum node as a process of ours: started on a port it chooses, and gone when we are."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Self

from mempool_ids.exceptions import NodeError

_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0
#: Of the node's log, as much as is looked at for its first words.
_LOG_BYTES = 1 << 16


def cache_dir() -> Path:
    """Where what we fetch is kept: `$XDG_CACHE_HOME/mempool-ids`, or `~/.cache/mempool-ids`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is invalid and to be ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "mempool-ids"


def _die_with_parent() -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel ends the node if we are killed. Linux only; elsewhere `stop` has to do.

    The kernel counts the death of the thread that started the node, so start it from a thread that lives on.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    pr_set_pdeathsig = 1
    return lambda: prctl(pr_set_pdeathsig, signal.SIGTERM)


class Node:
    """A running node, as a context manager: whatever happens inside, it is gone afterwards.

    Attributes:
        port: where it listens on 127.0.0.1, for HTTP and WebSocket alike.
    """

    #: What is raised if it does not start.
    error: ClassVar[type[NodeError]] = NodeError
    #: The line of its log that says where it listens, the port as the only group.
    listening: ClassVar[re.Pattern[str]]

    def __init__(self, binary: Path, arguments: list[str]) -> None:
        self._binary = binary
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.port = 0

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the node listens.

        Raises:
            NodeError: it ended or said nothing in 30 s; the message has the end of its log.
        """
        if self._process is not None:
            raise self.error(f"this {self._binary.name} is running already")
        # A file without a name: a pipe would have to be emptied all the time, a named file could stay behind.
        self._log = tempfile.TemporaryFile(prefix="node-")  # noqa: SIM115  (closed by stop)
        try:
            self._process = subprocess.Popen(  # noqa: S603  (the node the user chose)
                [str(self._binary), *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C reaches us alone, and a wrapper script ends with its child.
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
            self._await_listening(self._process, self._log)
        except BaseException:
            self.stop(kill=True)
            raise

    def _await_listening(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            found = self._listening_port(log)
            if found is not None:
                self.port = found
                return
            if process.poll() is not None:
                raise self.error(f"{self._binary} ended with code {process.returncode}: {_tail(log)}")
            time.sleep(0.02)
        raise self.error(f"{self._binary} did not listen within {_READY_SECONDS:.0f} s: {_tail(log)}")

    def _listening_port(self, log: IO[bytes]) -> int | None:
        for line in _text(log).splitlines(keepends=True):
            found = self.listening.search(line) if line.endswith("\n") else None
            if found:
                return int(found[1])
        return None

    def stop(self, *, kill: bool = False) -> None:
        """Ends the node; with `kill` at once, so that no state is written. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            try:
                self._end(process, signal.SIGKILL if kill else signal.SIGTERM)
            finally:
                self._end(process, signal.SIGKILL)
        log, self._log = self._log, None
        if log is not None:
            log.close()

    @staticmethod
    def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)


def _tail(log: IO[bytes]) -> str:
    return " | ".join(line for line in _text(log).splitlines() if line.strip())[-500:]


def _text(log: IO[bytes]) -> str:
    # Not by seeking: the node writes where the shared position is.
    return os.pread(log.fileno(), _LOG_BYTES, 0).decode(errors="replace")
