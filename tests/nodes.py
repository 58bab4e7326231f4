"""The two kinds of node that tests run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from tests.geth import Geth

KINDS = ("anvil", "geth")


@contextmanager
def mining(request: pytest.FixtureRequest, seconds: int) -> Iterator[Node]:
    """The kind that the fixture's parameter names; a block every so many seconds."""
    if request.param == "geth":
        with Geth(request.getfixturevalue("geth_binary"), period=seconds) as geth:
            yield geth
    else:
        with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions(block_time=seconds)) as anvil:
            yield anvil
