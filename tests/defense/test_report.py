"""What a journal's responses amount to, and how people are told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mempool_ids.cli.report import show
from mempool_ids.defense.action import ActionState, DefenseAction, Transition
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.report import report, wilson

TX = "0x" + "ab" * 32
NEW = "0x" + "c0" * 20


def action(number: int, *states: tuple[ActionState, str], **fields: Any) -> DefenseAction:
    made = DefenseAction(
        action_id=f"a-{number}",
        strategy="pause",
        target="Vault",
        target_address="0x" + "5f" * 20,
        created=1e9,
    )
    for name, value in {"threats": (TX,), "grade": "proved", **fields}.items():
        setattr(made, name, value)
    for state, reason in states:
        made.history.append(Transition(state, 1e9, reason, 0))
        made.state = state
    return made


INTENT = (ActionState.INTENT, "Vault loses 30 ETH")
BID = {"gas_limit": 100_000, "max_fee_per_gas": 50 * GWEI, "max_priority_fee_per_gas": 40 * GWEI}


def actions() -> list[DefenseAction]:
    first = (ActionState.INCLUDED, "the threat is at position 3 of block 8; it would have stood at 1")
    return [
        action(
            1, INTENT, first, (ActionState.CONFIRMED, "would have come first"),
            shadow=True, won=True, position=1, loss_wei=30 * ETHER, **BID,
        ),
        action(
            2, INTENT, (ActionState.FAILED, "would have come too late"),
            shadow=True, won=False, position=4, loss_wei=7 * ETHER, capped=True, **BID,
        ),
        action(
            3, INTENT, (ActionState.CANCELLED, "what it answers is in no block"), shadow=True, **BID,
        ),
        action(
            4, INTENT, (ActionState.CONFIRMED, "paused, 2 blocks deep"),
            won=True, position=0, loss_wei=40 * ETHER, cost_wei=ETHER // 100, **BID,
        ),
        action(5, INTENT, (ActionState.SUPERSEDED, "it is paused already"), threats=()),
    ]  # fmt: skip


def test_what_was_rehearsed_is_no_money_and_is_told_apart() -> None:
    found = report(actions(), {"a-1": True, "a-4": False})
    assert (found.actions, found.shadow, found.won, found.lost, found.capped, found.open) == (
        5,
        3,
        2,
        1,
        1,
        0,
    )
    assert (found.spent_wei, found.saved_wei) == (ETHER // 100, 40 * ETHER)
    # Of the two that a block would have had.
    assert (found.would_spend_wei, found.would_save_wei) == (2 * 100_000 * 50 * GWEI, 30 * ETHER)
    assert found.first == wilson(2, 3)
    assert found.false_alarms == wilson(1, 2)


def test_a_report_is_json_whatever_the_amounts() -> None:
    told = orjson.loads(orjson.dumps(report(actions(), {}).as_dict()))
    assert (told["saved_wei"], told["would_save_wei"]) == (str(40 * ETHER), str(30 * ETHER))
    assert told["false_alarms"] is None


@pytest.mark.parametrize(
    ("count", "of", "low", "high"), [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (10, 10, 0.7225, 1.0)]
)
def test_an_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    found = wilson(count, of)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_people_are_told_why_the_bid_the_race_and_the_cost_of_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = actions()
    judgements = {"a-1": True, "a-4": False}
    show(known, judgements, report(known, judgements), 7)
    said = capsys.readouterr().out
    first, second, third, fourth, fifth, sums = said.split("\n\n")
    assert "a-1  pause of Vault: would have come first (shadow)" in first
    assert f"{TX} (proved)" in first
    for line in (
        "why      Vault loses 30 ETH",
        "bid      tip 40 gwei, fee cap 50 gwei",
        "race     the threat is at position 3 of block 8; it would have stood at 1; would have come first",
        "cost     would be 0.005 ETH at the most",
        "at stake 30 ETH",
        "judged   an attack",
    ):
        assert line in first
    assert "would have come too late (shadow)" in second
    assert "CUT SHORT" in second
    assert "cancelled (shadow)" in third
    assert "paused, 2 blocks deep; BEFORE what it answers" in fourth
    assert "judged   honest: a false alarm" in fourth
    assert "cost     0.01 ETH" in fourth
    assert "answers  a person's order" in fifth
    for line in (
        "5 responses in 7 days: 2 sent, 3 in shadow mode",
        "2 of 3 came first, or would have: 67% (95 % interval 21% to 94%)",
        "spent 0.01 ETH, saved 40 ETH",
        "would have spent 0.01 ETH at the most, would have saved 30 ETH",
        "1 of 2 judged were false alarms: 50% (95 % interval 9% to 91%)",
    ):
        assert line in sums


@pytest.mark.parametrize(
    ("threats", "contract", "answers"),
    [
        ((), None, "a person's order"),
        ((TX,), None, f"{TX} (proved)"),
        ((TX, TX), None, f"{TX} and 1 more (proved)"),
        ((), NEW, f"a new contract, {NEW}, which nobody had called (proved)"),
        ((TX,), NEW, f"{TX}; a new contract, {NEW}, which nobody had called (proved)"),
    ],
)
def test_people_are_told_what_it_answers(
    threats: tuple[str, ...], contract: str | None, answers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known = [action(1, INTENT, threats=threats, contract=contract)]
    show(known, {}, report(known, {}), 7)
    assert f"  answers  {answers}\n" in capsys.readouterr().out
