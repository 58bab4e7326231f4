"""The race is told in the order of time, by the timestamps of real events."""

from __future__ import annotations

import pytest

from mempool_ids.demo.scene import GWEI
from mempool_ids.demo.timeline import alert_to_wire_us, gwei, timeline
from tests.demo.runs import ALERTS, ANNOUNCED, BIDS, MINED, RESPONSES, alert, response


def test_each_thing_is_told_once_at_its_time() -> None:
    told = timeline(BIDS, ALERTS, RESPONSES, ANNOUNCED, MINED)
    assert [(moment.who, round(moment.us)) for moment in told] == [
        ("attacker", 0),
        ("sensor", 2_000),  # the alert's timestamp, less what it took in all
        ("sensor", 6_000),
        ("defense", 6_400),
        ("node", 8_000),
        ("attacker", 60_000),
        ("sensor", 66_000),
        ("sensor", 70_000),
        ("defense", 70_500),
        ("node", 72_000),
        ("block", 5_000_000),
        ("defense", 11_200_000),
    ]
    words = [moment.what for moment in told]
    assert "tip 2 gwei" in words[0]
    assert "tip 25 gwei" in words[3]
    assert "tip 300 gwei" in words[8]
    assert "REVERTS" in words[10]


def test_what_nobody_announced_or_answered_is_left_out() -> None:
    told = timeline(BIDS[:1], ALERTS[:1], [], {}, None)
    assert [moment.who for moment in told] == ["attacker", "sensor", "sensor"]


@pytest.mark.parametrize("state", ["failed", "superseded", "cancelled"])
def test_an_end_that_is_no_success_is_told_with_its_reason(state: str) -> None:
    told = timeline(BIDS[:1], [], [response(state, 1.0, GWEI, 1, ("0xaa",))], {}, None)
    assert told[-1].what == f"{state}: a reason in words"


def test_bytes_answer_the_last_alert_before_them() -> None:
    assert alert_to_wire_us(ALERTS, RESPONSES) == pytest.approx((400.0, 500.0), abs=1.0)


def test_an_alert_without_an_answer_has_no_latency() -> None:
    assert alert_to_wire_us([alert("0xaa", 0.006), alert("0xbb", 0.0062)], RESPONSES[:3]) == pytest.approx(
        (200.0,), abs=1.0
    )
    assert alert_to_wire_us(ALERTS, []) == ()


@pytest.mark.parametrize(
    ("wei", "text"),
    [(2 * GWEI, "2 gwei"), (18_176_879_801, "18.2 gwei"), ("499999999993", "500 gwei"), (7, "7e-09 gwei")],
)
def test_tips_are_told_with_three_digits(wei: int | str, text: str) -> None:
    assert gwei(wei) == text
