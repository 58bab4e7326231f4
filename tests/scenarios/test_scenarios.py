"""Each attack is one, and each honest scenario is none, on both nodes: by what they leave on the chain."""

from __future__ import annotations

import pytest

from mempool_ids.demo.rpc import Rpc
from tests.scenarios import SCENARIOS
from tests.scenarios.stage import Scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_a_scenario_does_what_it_says(scenario: Scenario, quick: Rpc) -> None:
    stage = await scenario.build(quick)
    await stage.act()
    await stage.settle()
    effect = await stage.effect()
    assert effect.at_stake > 0
    if scenario.kind == "attack":
        assert effect.lost > effect.at_stake // 2
        assert effect.gained > effect.at_stake // 2
    else:
        # Shares are rounded down, by a unit for each of few accounts.
        assert effect.lost <= 10
        # Fees are paid in ether, which only one of them is about.
        assert effect.gained >= 0


def test_there_are_six_attacks_and_six_that_look_like_them() -> None:
    kinds = [scenario.kind for scenario in SCENARIOS]
    assert kinds.count("attack") >= 6
    assert kinds.count("honest") >= 6
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
