"""Real nodes for every test that needs one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions, find_anvil
from mempool_ids.demo.node import Node
from tests.geth import Geth, GethError, find_geth
from tests.scenarios.stage import SETTING_TIP


@pytest.fixture(scope="session")
def anvil_binary() -> Path:
    return find_anvil()


@pytest.fixture(scope="session")
def geth_binary() -> Path:
    """Skips the test, saying why, where there is none."""
    try:
        return find_geth()
    except GethError as error:
        pytest.skip(str(error))


@pytest.fixture
def geth(geth_binary: Path) -> Iterator[Geth]:
    """Mines once a second what is pending."""
    with Geth(geth_binary, period=1) as running:
        yield running


@pytest.fixture(scope="module", params=["anvil", "geth"])
def still_node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """No block has a stage's act, however long it takes to judge it: on the state after it nothing is left to take.

    Heads go on: on geth every second, on anvil when asked to (which mines the act as well).
    """
    if request.param == "geth":
        with Geth(request.getfixturevalue("geth_binary"), min_tip=SETTING_TIP) as running:
            yield running
    else:
        with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions()) as anvil:
            yield anvil
