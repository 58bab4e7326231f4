"""A real Ethereum node on this machine: finding or fetching anvil, and running it.

Used by the demo and by the end-to-end tests. `python -m mempool_ids.demo.anvil` prints where it is, once it is there.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mempool_ids.demo.node import Node, cache_dir
from mempool_ids.exceptions import NodeError

ANVIL_VERSION = "1.7.1"

#: What npm must report for the packages whose content we have seen. Others are pinned by version alone.
_INTEGRITY = {
    "linux-amd64": "sha512-"
    "+XmShybEaxfCrr0OUUZwYEy2OnYZt5pHH9TzBtLv3+VrK0O/ANuNSVEahqNhKHlgX7GRJ59383ofNhxkRWIYTg=="
}
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_FETCH_SECONDS = 300
#: Past states the node can be asked about.
_STATES = 16_384


class AnvilError(NodeError):
    """No node could be had, or it did not start; the message says what to do."""


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


class Anvil(Node):
    """A running anvil, as a context manager.

    Raises:
        AnvilError: when it is started and does not come to listen.
    """

    error = AnvilError
    listening = re.compile(r"^Listening on 127\.0\.0\.1:(\d+)$", re.MULTILINE)

    def __init__(self, binary: Path, options: AnvilOptions | None = None) -> None:
        super().__init__(binary, (options or AnvilOptions()).arguments())


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
