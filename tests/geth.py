"""geth in developer mode, the second kind of node that the tests run on: building it once, and running it.

`python -m tests.geth` prints where it is, once it is there. Its version is pinned in tools/geth: the newest whose
developer chain has Ethereum's rules of today and none of a fork to come.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from mempool_ids.demo.node import Node, cache_dir
from mempool_ids.exceptions import NodeError

_PACKAGE = "github.com/ethereum/go-ethereum"
_MODULE = Path(__file__).resolve().parent.parent / "tools" / "geth"
#: On two cores that others use too it takes some minutes.
_BUILD_SECONDS = 1_800
#: Two at a time, for memory; nothing of this machine in the binary, and no symbols.
_FLAGS = ("-p", "2", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w")
#: No C compiler, no other Go, and no other module than go.sum has the hash of.
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
_ADVICE = "install Go 1.24 or later, or set GETH to a geth"
#: The chain of geth's developer mode.
CHAIN_ID = 1337


class GethError(NodeError):
    """There is no geth, or it did not start; the message says what to do."""


def find_geth() -> Path:
    """The geth to run: `$GETH`, else the one built before. One on PATH is not looked at: its rules may be others.

    Raises:
        GethError: neither is there.
    """
    given = os.environ.get("GETH")
    if given:
        path = Path(given)
        if not os.access(path, os.X_OK) or path.is_dir():
            raise GethError(f"GETH={given} is not an executable file")
        return path
    built = _built()
    if not built.exists():
        raise GethError("geth is not built: run make geth, or set GETH to one")
    return built


def build_geth(say: Callable[[str], None] = lambda _text: None) -> Path:
    """As `find_geth`, but builds it once with Go if it is not there; modules come from the Go module proxy.

    `say` is told before something slow begins.

    Raises:
        GethError: none is there and none can be built.
    """
    binary = _built()
    if os.environ.get("GETH") or binary.exists():
        return find_geth()
    go = shutil.which("go")
    if go is None:
        raise GethError(f"there is no Go to build geth with: {_ADVICE}")
    say(f"building geth into {binary.parent} (once, some minutes)")
    try:
        binary.parent.mkdir(parents=True, exist_ok=True)
        # Built aside, then moved: a reader sees all of it or nothing, and two builders do no harm.
        with tempfile.TemporaryDirectory(dir=binary.parent, prefix="build-") as scratch:
            made = Path(scratch, "geth")
            done = subprocess.run(
                [go, "build", *_FLAGS, "-o", made, f"{_PACKAGE}/cmd/geth"],
                cwd=_MODULE,
                env={**os.environ, **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_BUILD_SECONDS,
                preexec_fn=lambda: os.nice(10),
                check=False,
            )
            if done.returncode != 0:
                raise GethError(f"Go could not build geth: {done.stderr.strip()[-500:]}; {_ADVICE}")
            made.rename(binary)
    except subprocess.TimeoutExpired as error:
        raise GethError(f"Go took more than {_BUILD_SECONDS} s to build geth; {_ADVICE}") from error
    except OSError as error:
        raise GethError(f"cannot keep geth in {binary.parent}: {error}; {_ADVICE}") from error
    return binary


def _built() -> Path:
    version = re.search(rf"{re.escape(_PACKAGE)} v(\S+)", (_MODULE / "go.mod").read_text("utf-8"))
    assert version, "tools/geth/go.mod pins geth"
    return cache_dir() / f"geth-{version[1]}"


class Geth(Node):
    """A running geth on a chain of its own in memory, as a context manager.

    It has one unlocked account with all the ether (`eth_accounts`), which also gets the fees of its blocks.

    Raises:
        GethError: when it is started and does not come to listen.
    """

    error = GethError
    listening = re.compile(r"HTTP server started +endpoint=127\.0\.0\.1:(\d+)")

    def __init__(self, binary: Path, *, period: int = 1) -> None:
        """`period`: seconds between blocks; 0 mines each transaction at once."""
        apis = "debug,eth,net,web3,txpool"
        super().__init__(
            binary,
            [
                *("--dev", "--dev.period", str(period), "--dev.gaslimit", "30000000"),
                # Port 0 for both: one port, which the kernel chooses.
                *("--http", "--http.addr", "127.0.0.1", "--http.port", "0", "--http.api", apis),
                *("--ws", "--ws.addr", "127.0.0.1", "--ws.port", "0", "--ws.api", apis),
                # In memory, that is: the states of all blocks, as anvil has them.
                *("--gcmode", "archive", "--cache", "64", "--ipcdisable", "--nodiscover"),
            ],
        )


def main() -> int:
    """Prints the absolute path of the geth to run, built if need be; returns the exit code."""
    try:
        binary = build_geth(lambda text: print(text, file=sys.stderr))
    except GethError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(binary.absolute())
    return 0


if __name__ == "__main__":
    sys.exit(main())
