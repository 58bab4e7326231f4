"""The demo judges itself: it passes only if alert and pause really came first, and no honest user felt them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mempool_ids.demo.result import FalseAlert, Result
from tests.demo.runs import DEFENDED

WATCHED = replace(DEFENDED, defense=None, drained=True, lost_wei=90 * 10**18, vault_after=0)
assert DEFENDED.defense is not None
DONE = DEFENDED.defense


@pytest.mark.parametrize("good", [DEFENDED, WATCHED], ids=["defended", "watched"])
def test_a_run_passes_if_what_came_first_should_and_alone(good: Result) -> None:
    assert good.problems() == []
    assert good.passed


@pytest.mark.parametrize("good", [DEFENDED, WATCHED], ids=["defended", "watched"])
@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"alert": None, "pending_when_alerted": False}, "no alert came before"),
        ({"pending_when_alerted": False}, "came after the block"),
        ({"false_alerts": (FalseAlert("user 1", "deposits 1 ETH", {}),)}, "false alert: user 1 deposits"),
        ({"stopped": ("user 2 withdraws 1 ETH",)}, "stopped before the attack: user 2 withdraws"),
    ],
)
def test_it_fails_for_the_sensor_and_says_why(good: Result, broken: dict[str, object], problem: str) -> None:
    result = replace(good, **broken)  # type: ignore[arg-type]
    assert not result.passed
    assert any(problem in found for found in result.problems())


def test_a_run_that_is_only_watched_shows_nothing_unless_the_vault_is_emptied() -> None:
    result = replace(WATCHED, drained=False)
    assert not result.passed
    assert any("did not go through" in found for found in result.problems())


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (
            replace(DEFENDED, defense=replace(DONE, state=None, block=None)),
            "nothing was paused: paused because",
        ),
        (replace(DEFENDED, defense=replace(DONE, block=7, position=2)), "no pause came before the attack"),
        (replace(DEFENDED, defense=replace(DONE, block=8)), "no pause came before the attack"),
        (replace(DEFENDED, defense=replace(DONE, block=None, position=None)), "no pause came before"),
        (replace(DEFENDED, defense=replace(DONE, state="included")), "not known to be paused"),
        (replace(DEFENDED, defense=replace(DONE, paused=False)), "not known to be paused"),
        (replace(DEFENDED, drained=True), "the attack went through"),
        (replace(DEFENDED, lost_wei=1), "the vault lost 1 wei"),
    ],
)
def test_a_defended_run_fails_unless_the_pause_was_first_and_nothing_was_lost(
    broken: Result, problem: str
) -> None:
    assert not broken.passed
    assert any(problem in found for found in broken.problems())


def test_a_pause_in_an_earlier_block_is_first_whatever_its_position() -> None:
    assert replace(DEFENDED, defense=replace(DONE, block=6, position=9)).passed


def test_results_as_json_keep_uint256_exact() -> None:
    told = json.loads(json.dumps(DEFENDED.to_dict()))
    assert told["vault_before"] == str(2**200)
    assert told["defense"]["cost_wei"] == str(10**16)
    assert told["defense"]["tips"] == [str(25 * 10**9), str(300 * 10**9)]
    assert told["order"][0]["tip"] == str(300 * 10**9)
    assert told["defense"]["pause_first"] is True
    assert told["passed"] is True
    assert json.loads(json.dumps(WATCHED.to_dict()))["defense"] is None
