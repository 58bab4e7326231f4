"""geth in developer mode, the second kind of node that the tests run on: building it once, and running it.

`python -m tests.geth` prints where it is, once it is there. Its version is pinned in tools/geth: the newest whose
developer chain has Ethereum's rules of today and none of a fork to come.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from mempool_ids.demo.node import Node
from mempool_ids.exceptions import NodeError
from tests.go_program import GoProgram

#: The chain of geth's developer mode.
CHAIN_ID = 1337


class GethError(NodeError):
    """There is no geth, or it did not start; the message says what to do."""


_PROGRAM = GoProgram("geth", GethError)


def find_geth() -> Path:
    """The geth to run: `$GETH`, else the one built before.

    Raises:
        GethError: neither is there.
    """
    return _PROGRAM.find()


def build_geth(say: Callable[[str], None] = lambda _text: None) -> Path:
    """As `find_geth`, but builds it once if it is not there; `say` is told before.

    Raises:
        GethError: none is there and none can be built.
    """
    return _PROGRAM.build(say)


class Geth(Node):
    """A running geth on a chain of its own in memory, as a context manager.

    It has one unlocked account with all the ether (`eth_accounts`), which also gets the fees of its blocks.

    Raises:
        GethError: when it is started and does not come to listen.
    """

    error = GethError
    listening = re.compile(r"HTTP server started +endpoint=127\.0\.0\.1:(\d+)")

    def __init__(self, binary: Path, *, period: int = 1, min_tip: int = 1) -> None:
        """`period`: seconds between blocks; 0 mines each transaction at once. `min_tip`, in wei a gas: what offers less
        is announced, and stays pending."""
        apis = "debug,eth,net,web3,txpool"
        super().__init__(
            binary,
            [
                *("--dev", "--dev.period", str(period), "--dev.gaslimit", "30000000"),
                *("--miner.gasprice", str(min_tip)),
                # Port 0 for both: one port, which the kernel chooses.
                *("--http", "--http.addr", "127.0.0.1", "--http.port", "0", "--http.api", apis),
                *("--ws", "--ws.addr", "127.0.0.1", "--ws.port", "0", "--ws.api", apis),
                # In memory, that is: the states of all blocks, as anvil has them.
                *("--gcmode", "archive", "--cache", "64", "--ipcdisable", "--nodiscover"),
            ],
        )


def main() -> int:
    """Prints the absolute path of the geth to run, built if need be; returns the exit code."""
    return _PROGRAM.main()


if __name__ == "__main__":
    sys.exit(main())
