"""A real Ethereum node on this machine: finding or fetching anvil, running it, and ending it with us.

Used by the demo and by the end-to-end tests. `python -m mempool_ids.demo.anvil` prints where it is, once it is there.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from mempool_ids.exceptions import NodeError

ANVIL_VERSION = "1.7.1"

#: What npm must report for the packages whose content we have seen. Others are pinned by version alone.
_INTEGRITY = {
    "linux-amd64": "sha512-"
    "+XmShybEaxfCrr0OUUZwYEy2OnYZt5pHH9TzBtLv3+VrK0O/ANuNSVEahqNhKHlgX7GRJ59383ofNhxkRWIYTg=="
}
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_FETCH_SECONDS = 300
_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0
#: Past states the node can be asked about.
_STATES = 16_384
#: Of the node's log, as much as is looked at for its first words.
_LOG_BYTES = 1 << 16
_LISTENING = "Listening on 127.0.0.1:"


class AnvilError(NodeError):
    """No node could be had, or it did not start; the message says what to do."""


def cache_dir() -> Path:
    """Where what we fetch is kept: `$XDG_CACHE_HOME/mempool-ids`, or `~/.cache/mempool-ids`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is invalid and to be ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "mempool-ids"


def find_anvil(say: Callable[[str], None] = lambda _text: None) -> Path:
    """The anvil to run: `$ANVIL`, else `anvil` on PATH, else one from the cache, fetched by npm once.

    `say` is told before something slow begins.

    Raises:
        AnvilError: none is there and none can be fetched.
    """
    given = os.environ.get("ANVIL")
    if given:
        path = Path(given)
        if not os.access(path, os.X_OK) or path.is_dir():
            raise AnvilError(f"ANVIL={given} is not an executable file")
        return path
    found = shutil.which("anvil")
    if found:
        return Path(found)
    target = _target()
    binary = cache_dir() / f"anvil-{ANVIL_VERSION}-{target}" / "bin" / "anvil"
    if not binary.exists():
        say(f"fetching anvil {ANVIL_VERSION} by npm into {cache_dir()} (once)")
        _fetch(target, binary.parent.parent)
    return binary


def _target() -> str:
    architecture = _ARCHITECTURES.get(platform.machine().lower())
    if sys.platform not in ("linux", "darwin") or architecture is None:
        raise AnvilError(
            f"there is no anvil package for {sys.platform} on {platform.machine()}; "
            "install anvil from source, then put it on PATH or set ANVIL"
        )
    return f"{sys.platform}-{architecture}"


def _fetch(target: str, destination: Path) -> None:
    package = f"@foundry-rs/anvil-{target}"
    advice = "install anvil yourself and put it on PATH, or set ANVIL to it"
    npm = shutil.which("npm")
    if npm is None:
        raise AnvilError(f"anvil is not on PATH and neither is npm to fetch it: install npm, or {advice}")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        # Installed aside, then moved: a reader sees all of it or nothing, and two fetchers do no harm.
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix="fetch-") as scratch:
            # An empty project of its own, so that npm looks no further up for one.
            Path(scratch, "package.json").write_text('{"private": true}')
            command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact"]
            done = subprocess.run(  # noqa: S603  (npm, as the user's PATH has it)
                [*command, f"{package}@{ANVIL_VERSION}"],
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_FETCH_SECONDS,
                check=False,
            )
            if done.returncode != 0:
                reason = " | ".join(line for line in done.stderr.splitlines() if "error" in line)[:500]
                raise AnvilError(f"npm could not fetch {package}@{ANVIL_VERSION}: {reason}; {advice}")
            _check_integrity(target, package, Path(scratch, "package-lock.json"))
            _move(Path(scratch, "node_modules", package), destination)
    except subprocess.TimeoutExpired as error:
        raise AnvilError(f"npm took more than {_FETCH_SECONDS} s to fetch {package}; {advice}") from error
    except OSError as error:
        raise AnvilError(f"cannot keep anvil in {destination.parent}: {error}; {advice}") from error


def _check_integrity(target: str, package: str, lock: Path) -> None:
    expected = _INTEGRITY.get(target)
    got = json.loads(lock.read_text())["packages"][f"node_modules/{package}"].get("integrity")
    if expected is not None and got != expected:
        raise AnvilError(f"{package}@{ANVIL_VERSION} has integrity {got}, not {expected}: not used")


def _move(source: Path, destination: Path) -> None:
    try:
        source.rename(destination)
    except OSError:
        if not (destination / "bin" / "anvil").exists():  # else another process was first
            raise


def _die_with_parent() -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel ends the node if we are killed. Linux only; elsewhere `stop` has to do.

    The kernel counts the death of the thread that started the node, so start it from a thread that lives on.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    pr_set_pdeathsig = 1
    return lambda: prctl(pr_set_pdeathsig, signal.SIGTERM)


@dataclass(frozen=True)
class AnvilOptions:
    """How to run the node.

    `block_time` is in seconds; None mines only when asked to (`anvil_mine`): transactions stay pending.
    """

    block_time: int | None = None
    accounts: int = 20
    #: 0 lets the kernel choose.
    port: int = 0
    #: The chain is read from this file if it exists and written to it when the node is stopped.
    state: Path | None = None
    chain_id: int = 31337
    #: Unix seconds of the genesis block; None is now.
    timestamp: int | None = None
    #: None is the newest that the node knows.
    hardfork: str | None = None

    def arguments(self) -> list[str]:
        mining = ["--no-mining"] if self.block_time is None else ["--block-time", str(self.block_time)]
        genesis = [] if self.timestamp is None else ["--timestamp", str(self.timestamp)]
        rules = [] if self.hardfork is None else ["--hardfork", self.hardfork]
        state = [] if self.state is None else ["--state", str(self.state)]
        return [
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--accounts", str(self.accounts), "--chain-id", str(self.chain_id)),
            *mining,
            # In memory, that is: anvil would write older states to the home directory, and leave them there.
            *("--prune-history", str(_STATES)),
            *genesis,
            *rules,
            *state,
        ]


class Anvil:
    """A running node, as a context manager: whatever happens inside, it is gone afterwards.

    Attributes:
        port: where it listens on 127.0.0.1, for HTTP and WebSocket alike.
    """

    def __init__(self, binary: Path, options: AnvilOptions | None = None) -> None:
        self._binary = binary
        self._options = options or AnvilOptions()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.port = 0

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Anvil:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the node listens.

        Raises:
            AnvilError: it ended or said nothing in 30 s; the message has the end of its log.
        """
        if self._process is not None:
            raise AnvilError("this anvil is running already")
        # A file without a name: a pipe would have to be emptied all the time, a named file could stay behind.
        self._log = tempfile.TemporaryFile(prefix="anvil-")  # noqa: SIM115  (closed by stop)
        try:
            self._process = subprocess.Popen(  # noqa: S603  (the node the user chose)
                [str(self._binary), *self._options.arguments()],
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
            found = _listening_port(log)
            if found is not None:
                self.port = found
                return
            if process.poll() is not None:
                raise AnvilError(f"{self._binary} ended with code {process.returncode}: {_tail(log)}")
            time.sleep(0.02)
        raise AnvilError(f"{self._binary} did not listen within {_READY_SECONDS:.0f} s: {_tail(log)}")

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


def _listening_port(log: IO[bytes]) -> int | None:
    for line in _text(log).splitlines(keepends=True):
        if line.startswith(_LISTENING) and line.endswith("\n"):
            return int(line[len(_LISTENING) :])
    return None


def _tail(log: IO[bytes]) -> str:
    return " | ".join(line for line in _text(log).splitlines() if line.strip())[-500:]


def _text(log: IO[bytes]) -> str:
    # Not by seeking: the node writes where the shared position is.
    return os.pread(log.fileno(), _LOG_BYTES, 0).decode(errors="replace")


def main() -> int:
    """Prints the absolute path of the anvil to run, fetched if need be; returns the exit code."""
    try:
        binary = find_anvil(lambda text: print(text, file=sys.stderr))  # noqa: T201
    except AnvilError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(binary.absolute())  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
