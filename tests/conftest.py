"""Real nodes for every test that needs one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import find_anvil
from tests.geth import Geth, GethError, find_geth


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
