"""What a human answers is an answer to what was asked; and what goes wrong with one response is in nobody's way."""

from __future__ import annotations

from typing import Any

import pytest

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.book import KEPT, Fate
from mempool_ids.defense.trigger import THREATS, Trigger
from tests.defense.hot import Hot
from tests.defense.test_policy import VICTIM, alert, policy

NAME, OTHER = "Vault", "Pool"


class Mistake(Exception):
    """Of ours."""


@pytest.fixture
def hot() -> Hot:
    one = Hot(NAME, OTHER)
    one.trigger = Trigger(one.state, one.bids, policy())
    return one


def asks(hot: Hot) -> None:
    """A human, from now on."""
    hot.trigger = Trigger(hot.state, hot.bids, policy(), confirm_s=600.0)


@pytest.fixture
def mistaken(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No bid is found for the first contract until it is undone."""
    wanted = Bids.wanted

    def fail(self: Bids, live: Any, *more: Any) -> Any:
        if live.target.name == NAME:
            raise Mistake
        return wanted(self, live, *more)

    monkeypatch.setattr(Bids, "wanted", fail)
    return monkeypatch


def test_a_mistake_with_one_victim_leaves_no_other_unanswered(hot: Hot, mistaken: pytest.MonkeyPatch) -> None:
    both = alert(
        victims=[VICTIM, {**VICTIM, "contract": OTHER}],
        contracts=[NAME, OTHER],
        response={"targets": [NAME, OTHER]},
    )
    note = hot.trigger.fire(both)
    assert note.tell
    assert f"{NAME} is not paused because of a mistake of ours (Mistake)" in note.decision
    assert hot.live(OTHER).action.state is ActionState.SENT
    assert len(hot.wire.posted) == 1
    mistaken.undo()
    hot.trigger.fire(both)
    assert hot.live(NAME).action.state is ActionState.SENT


def test_a_mistake_after_an_answer_leaves_nothing_in_the_way(hot: Hot, mistaken: pytest.MonkeyPatch) -> None:
    asks(hot)
    hot.alert(NAME)
    asked = hot.live(NAME)
    with pytest.raises(Mistake):
        hot.bids.act(asked)
    assert asked.action.state is ActionState.FAILED
    assert "a mistake of ours (Mistake)" in asked.action.reason
    mistaken.undo()
    hot.alert(NAME, "0x02")
    assert hot.live(NAME) is not asked
    hot.bids.act(hot.live(NAME))
    assert hot.live(NAME).action.state is ActionState.SENT


def test_what_may_be_out_is_followed_whatever_went_wrong(hot: Hot) -> None:
    def fail(*_: object) -> int:
        raise Mistake

    hot.wire.post = fail  # type: ignore[method-assign]
    with pytest.raises(Mistake):
        hot.alert(NAME)
    live = hot.live(NAME)
    last = live.last
    assert last is not None
    assert live.action.state is ActionState.SENT
    assert (live.action.nonce, live.action.tx_hash) == (last.rung.nonce, last.rung.tx_hash)
    assert hot.state.rails.spent(hot.state.steady()) == last.worst_cost


def test_who_is_answered_twice_is_sent_once(hot: Hot) -> None:
    """A person orders it while the watch reads the answer."""
    asks(hot)
    hot.alert(NAME)
    live = hot.live(NAME)
    hot.trigger.by_hand(NAME, live.cause)
    hot.bids.act(live)
    assert len(hot.wire.posted) == 1
    assert live.by_person


def test_a_no_to_a_bait_declines_no_attack_that_came_meanwhile() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0xbait", "0xbaiter", loss=ETHER // 10, grave=False)
    bait = hot.live(NAME)
    hot.alert(NAME, "0xreal", "0xthief", loss=500 * ETHER)
    hot.alert(NAME, "0xmore", "0xother", loss=ETHER, grave=False)
    assert not hot.wire.posted
    note = hot.trigger.refuse(bait, "a human refused", by_human=True)
    assert bait.action.state is ActionState.CANCELLED
    assert note is not None
    # Both are one question, about the worst of them.
    real = hot.live(NAME)
    assert note.action_id == real.action.action_id != bait.action.action_id
    assert set(real.action.threats) == {"0xreal", "0xmore"}
    assert real.cause.sender == "0xthief"
    assert real.cause.grave
    assert real.action.state is ActionState.INTENT
    hot.bids.act(real)
    assert real.action.state is ActionState.SENT
    # The no holds for what it was said to.
    with hot.state.lock:
        hot.state.change(real, ActionState.FAILED, "it ended")
        hot.state.close(real)
    assert hot.alert(NAME, "0xbait", "0xbaiter", loss=ETHER // 10, grave=False).action_id is None
    assert hot.alert(NAME, "0xnext", "0xbaiter", loss=ETHER // 10, grave=False).action_id is None
    assert hot.alert(NAME, "0xlast", "0xbaiter", loss=500 * ETHER).action_id is not None


def test_what_nobody_answers_declines_nothing_and_what_came_meanwhile_is_asked_about() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0x01", "0xa")
    first = hot.live(NAME)
    hot.alert(NAME, "0x02", "0xb")
    hot.trigger.refuse(first, "nobody answered in time", by_human=False)
    second = hot.live(NAME)
    assert second.action.threats == ("0x02",)
    hot.trigger.refuse(second, "nobody answered in time", by_human=False)
    assert NAME not in hot.state.book.by_target
    assert hot.alert(NAME, "0x01", "0xa").action_id is not None


def test_a_raised_bid_of_who_was_declined_is_declined_too_and_told_where_it_is_grave() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0x01", "0xa", loss=ETHER)
    hot.alert(NAME, "0x02", "0xa", loss=ETHER, tip=99 * GWEI)
    note = hot.trigger.refuse(hot.live(NAME), "a human refused", by_human=True)
    assert note is not None
    assert (note.action_id, note.tell) == (None, True)
    assert NAME not in hot.state.book.by_target
    again = hot.alert(NAME, "0x01", "0xa", loss=ETHER)
    assert (again.decision, again.tell) == ("not paused because a human declined it", True)


def test_what_turns_out_to_be_grave_after_a_no_is_asked_about_again() -> None:
    """A proof may come after a first alert."""
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0x01", "0xa", grave=False)
    first = hot.live(NAME)
    hot.alert(NAME, "0x01", "0xa", grave=True)
    hot.trigger.refuse(first, "a human refused", by_human=True)
    second = hot.live(NAME)
    assert second.action.threats == ("0x01",)
    hot.trigger.refuse(second, "a human refused", by_human=True)
    assert hot.alert(NAME, "0x01", "0xa", grave=True).action_id is None


def test_what_is_gone_is_not_asked_about_again() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0x01", "0xa")
    first = hot.live(NAME)
    hot.alert(NAME, "0x02", "0xb")
    first.threats["0x02"].fate = Fate.GONE
    assert hot.trigger.refuse(first, "a human refused", by_human=True) is None
    assert NAME not in hot.state.book.by_target


def names(hot: Hot) -> list[str | None]:
    """What the open question names."""
    question = hot.live(NAME).question
    assert question is not None
    return [cause.tx_hash for cause in question.about]


def test_any_number_of_baits_in_a_question_hides_no_attack() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0xfirst", "0xbaiter", grave=False, loss=1)
    first = hot.live(NAME)
    for number in range(THREATS * 2):
        hot.alert(NAME, f"0x{number}", f"0xbaiter{number}", grave=False, loss=1)
    hot.alert(NAME, "0xreal", "0xthief", loss=500 * ETHER)
    for number in range(THREATS * 2, THREATS * 3):
        hot.alert(NAME, f"0x{number}", f"0xbaiter{number}", grave=False, loss=1)
    hot.trigger.refuse(first, "a human refused", by_human=True)
    second = hot.live(NAME)
    assert second.cause.grave
    assert second.cause.sender == "0xthief"
    assert names(hot)[0] == "0xreal"
    assert len(names(hot)) == THREATS
    assert not second.is_pointless(float("inf"))
    # What it does not name is asked about after a no to it.
    hot.trigger.refuse(second, "a human refused", by_human=True)
    assert len(names(hot)) == THREATS
    assert "0xreal" not in names(hot)
    assert not hot.live(NAME).cause.grave


def test_a_no_to_a_grave_bait_declines_no_grave_attack_however_much_came_between() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0xbait", "0xbaiter")
    first = hot.live(NAME)
    for number in range(THREATS - 1):
        hot.alert(NAME, f"0x{number}", f"0xbaiter{number}", grave=False, loss=1)
    hot.alert(NAME, "0xreal", "0xthief")
    hot.alert(NAME, "0xbait", "0xbaiter")
    note = hot.trigger.refuse(first, "a human refused", by_human=True)
    assert note is not None
    assert "not paused because a human declined it" in note.decision
    assert names(hot)[0] == "0xreal"
    assert "0xbait" not in names(hot)
    assert hot.live(NAME).cause.grave


def test_the_same_threat_again_is_named_once_and_as_the_worst_of_it() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0x01", "0xa")
    first = hot.live(NAME)
    for loss in (2, 3, 1):
        hot.alert(NAME, "0x02", "0xb", grave=False, loss=loss)
    hot.trigger.refuse(first, "a human refused", by_human=True)
    assert names(hot) == ["0x02"]
    assert hot.live(NAME).action.loss_wei == 3


def test_of_more_than_a_question_keeps_the_least_are_let_go_and_people_are_told() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0xfirst", "0xbaiter", grave=False, loss=1)
    first = hot.live(NAME)
    hot.alert(NAME, "0xreal", "0xthief")
    for number in range(KEPT * 3):
        hot.alert(NAME, f"0x{number}", f"0xbaiter{number}", grave=False, loss=1)
    assert first.question is not None
    assert len(first.question.since) <= KEPT * 2
    note = hot.trigger.refuse(first, "a human refused", by_human=True)
    assert names(hot)[0] == "0xreal"
    assert note is not None
    assert note.tell


def test_who_was_asked_about_too_often_takes_no_other_threat_with_it() -> None:
    hot = Hot(NAME)
    asks(hot)
    for number in range(2):
        hot.alert(NAME, f"0xbait{number}", "0xbaiter", grave=False, loss=1 + number)
        hot.alert(NAME, f"0xsmall{number}", "0xother", grave=False, loss=1)
        if number == 0:
            hot.trigger.refuse(hot.live(NAME), "its cause is gone", by_human=False)
            hot.trigger.refuse(hot.live(NAME), "its cause is gone", by_human=False)
    second = hot.live(NAME)
    hot.alert(NAME, "0xreal", "0xthief", grave=False, loss=10 * ETHER)
    hot.alert(NAME, "0xdear", "0xbaiter", grave=False, loss=11 * ETHER)
    note = hot.trigger.refuse(second, "a human refused", by_human=True)
    third = hot.live(NAME)
    assert set(third.action.threats) == {"0xreal", "0xsmall1"}
    assert third.cause.sender == "0xthief"
    assert note is not None
    assert (note.action_id, note.tell) == (third.action.action_id, True)
    assert "its sender was answered 2 times" in note.decision
    # Each whom the question names was asked about: the small one's sender for the second time.
    hot.trigger.refuse(third, "nobody answered in time", by_human=False)
    assert hot.alert(NAME, "0xagain", "0xother", grave=False, loss=ETHER).action_id is None
    assert hot.alert(NAME, "0xreal", "0xthief", grave=False, loss=10 * ETHER).action_id is not None


def test_a_person_s_order_closes_the_question() -> None:
    hot = Hot(NAME)
    asks(hot)
    hot.alert(NAME, "0x01", "0xa")
    live = hot.live(NAME)
    hot.trigger.by_hand(NAME, live.cause)
    assert hot.trigger.refuse(live, "a human refused", by_human=True) is None
    assert live.action.state is ActionState.SENT
    assert hot.alert(NAME, "0x02", "0xa").action_id == live.action.action_id
