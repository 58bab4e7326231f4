"""Whatever the terminal's width, everything is there to read."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from mempool_ids.demo.panels import evidence, race, verdict
from mempool_ids.demo.terminal import SilentTeller, TerminalTeller
from tests.demo.runs import ALERTS, DEFENDED, RESPONSES

WIDTHS = [32, 40, 80, 140]


def drawn(what: RenderableType, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def words(lines: list[str]) -> str:
    """Without borders, and with single spaces."""
    return re.sub(r"\s+", " ", " ".join(line.strip("│╭╮╰╯─ ") for line in lines))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_race_is_whole_at_any_width(width: int) -> None:
    lines = drawn(race(DEFENDED), width)
    assert all(len(line) <= width for line in lines)
    text = words(lines)
    for moment in DEFENDED.timeline:
        assert all(word in text for word in moment.what.split()), moment
    assert "60,000 µs" in text
    assert "11.20 s" in text
    assert "and 5 more" in text, "of nine transactions, four are shown"
    assert "REVERTED" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_end_says_what_would_have_been_lost_and_what_it_cost(width: int) -> None:
    lines = drawn(verdict(DEFENDED), width)
    assert all(len(line) <= width for line in lines)
    text = words(lines)
    assert "would have lost 90.00 ETH" in text
    assert "cost its guardian 0.01000 ETH" in text
    assert "20 transactions: 0 alerts, 0 stopped before the attack" in text
    assert "1 came to the vault after the pause" in text
    assert "400 and 500 µs" in text


def test_a_failed_run_says_so_and_why() -> None:
    text = words(drawn(verdict(replace(DEFENDED, drained=True, lost_wei=5)), 80))
    assert "FAILED" in text
    assert "Problem: the attack went through" in text
    assert "would have lost" not in text


def test_the_end_of_a_run_that_is_only_watched_says_what_was_lost() -> None:
    watched = replace(DEFENDED, defense=None, drained=True, lost_wei=90 * 10**18, vault_after=0)
    text = words(drawn(verdict(watched), 80))
    assert "have lost 90.00 ETH" in text
    assert "pause" not in text


@pytest.mark.parametrize("width", [50, 80])
def test_an_alert_is_shown_with_the_decision_on_it(width: int) -> None:
    text = words(drawn(evidence(ALERTS[0]), width))
    assert "proved" in text
    assert "paused because its simulation proves" in text


def test_each_change_of_a_response_is_a_line() -> None:
    console = Console(file=io.StringIO(), width=80)
    teller = TerminalTeller(console)
    for response in RESPONSES:
        teller.response(response)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == len(RESPONSES)
    assert "25 gwei" in lines[2]
    assert "300 gwei" in lines[3]
    assert "confirmed" in lines[-1]


def test_machine_output_has_no_talk_between(capsys: pytest.CaptureFixture[str]) -> None:
    teller = SilentTeller()
    teller.response(RESPONSES[0])
    teller.alert(ALERTS[0], 1.0, True)
    assert capsys.readouterr().out == ""
