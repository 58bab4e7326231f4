"""Each attack is one, and each honest scenario is none, on both nodes: by what they leave on the chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.geth import Geth
from tests.scenarios import SCENARIOS
from tests.scenarios.stage import Scenario


@pytest.fixture(scope="module", params=["anvil", "geth"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """One for all: each scenario has contracts and accounts of its own. geth mines each transaction at once."""
    if request.param == "geth":
        with Geth(request.getfixturevalue("geth_binary"), period=0) as geth:
            yield geth
    else:
        with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions()) as anvil:
            yield anvil


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_a_scenario_does_what_it_says(scenario: Scenario, rpc: Rpc) -> None:
    stage = await scenario.build(rpc)
    await stage.act()
    await stage.settle()
    effect = await stage.effect()
    assert effect.at_stake > 0
    if scenario.kind == "attack":
        assert effect.lost > effect.at_stake // 2
        assert effect.gained > effect.at_stake // 2
    else:
        # A share's price is rounded down.
        assert effect.lost <= 10
        assert effect.gained >= 0


def test_there_are_six_attacks_and_six_that_look_like_them() -> None:
    kinds = [scenario.kind for scenario in SCENARIOS]
    assert kinds.count("attack") >= 6
    assert kinds.count("honest") >= 6
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
