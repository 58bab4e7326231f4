from __future__ import annotations

import copy

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mempool_ids.defense.action import ENDS, ActionState, DefenseAction, IllegalTransition
from tests.defense.journal_samples import action, hash_of

# Said once more, by hand: from where to where.
LEGAL = {
    "intent": {"intent", "verified", "superseded", "cancelled", "failed"},
    "verified": {"sent", "superseded", "cancelled", "failed"},
    "sent": {"sent", "included", "superseded", "cancelled", "failed"},
    "included": {"included", "sent", "confirmed", "superseded", "failed"},
    "confirmed": set(),
    "superseded": set(),
    "cancelled": set(),
    "failed": set(),
}
PATHS = {
    "intent": [],
    "verified": ["verified"],
    "sent": ["verified", "sent"],
    "included": ["verified", "sent", "included"],
    "confirmed": ["verified", "sent", "included", "confirmed"],
    "superseded": ["superseded"],
    "cancelled": ["cancelled"],
    "failed": ["failed"],
}


def at(state: str) -> DefenseAction:
    one = action()
    one.advance(ActionState.INTENT, 1.0, "begun")
    for step in PATHS[state]:
        one.advance(ActionState(step), 1.0, "on its way")
    return one


@pytest.mark.parametrize("old", ActionState)
@pytest.mark.parametrize("new", ActionState)
def test_an_action_goes_where_it_may_and_nowhere_else(old: ActionState, new: ActionState) -> None:
    one = at(old)
    before = copy.deepcopy(one)
    if new in LEGAL[old]:
        transition = one.advance(new, 2.0, "because")
        assert one.state is new
        assert one.history == [*before.history, transition]
        assert one.reason == "because"
    else:
        with pytest.raises(IllegalTransition, match=f"action-0: {old} cannot become {new}"):
            one.advance(new, 2.0, "because")
        assert one == before


def test_what_is_said_again_takes_nothing_back() -> None:
    one = at("sent")
    one.position, one.won = 0, True
    one.advance(ActionState.INCLUDED, 2.0, "mined", tx_hash=hash_of("x"), block=9, cost_wei=5)
    one.advance(ActionState.INCLUDED, 3.0, "somebody asked for it")
    assert (one.block, one.position, one.won, one.cost_wei) == (9, 0, True, 5)


def test_an_end_is_an_end_without_a_history_too() -> None:
    with pytest.raises(IllegalTransition):
        action(state=ActionState.CONFIRMED).advance(ActionState.INTENT, 1.0, "begun again")


def test_the_ends_are_the_four() -> None:
    assert {state for state in ActionState if not LEGAL[state]} == ENDS


def test_what_a_change_says_is_the_actions() -> None:
    one = at("sent")
    one.advance(ActionState.INCLUDED, 2.0, "mined", tx_hash=hash_of("x"), block=9, cost_wei=5)
    assert (one.tx_hash, one.block, one.cost_wei) == (hash_of("x"), 9, 5)
    one.advance(ActionState.CONFIRMED, 3.0, "paused")
    assert (one.tx_hash, one.block, one.cost_wei) == (hash_of("x"), 9, 5)


def test_a_reorg_takes_block_and_cost_back() -> None:
    one = at("sent")
    one.position, one.won = 0, True
    one.advance(ActionState.INCLUDED, 2.0, "mined", tx_hash=hash_of("x"), block=9, cost_wei=5)
    one.advance(ActionState.SENT, 3.0, "its block left the chain")
    assert (one.block, one.position, one.won, one.cost_wei) == (None, None, None, None)
    assert one.tx_hash == hash_of("x")


def test_an_unknown_detail_changes_nothing() -> None:
    one = at("verified")
    before = copy.deepcopy(one)
    with pytest.raises(TypeError):
        one.advance(ActionState.SENT, 2.0, "sent", colour="red")
    assert one == before


class AnyOrder(RuleBasedStateMachine):
    """Whoever asks for whatever."""

    @initialize()
    def begin(self) -> None:
        self.one = action()
        self.legal = ["intent"]

    @rule(
        state=st.sampled_from(ActionState),
        when=st.floats(allow_nan=False),
        block=st.none() | st.integers(0, 2**40),
        cost=st.none() | st.integers(0, 2**256),
    )
    def advance(self, state: ActionState, when: float, block: int | None, cost: int | None) -> None:
        may = state in LEGAL[self.legal[-1]]
        try:
            self.one.advance(state, when, "because", block=block, cost_wei=cost)
        except IllegalTransition:
            assert not may
        else:
            assert may
            self.legal.append(state)

    @invariant()
    def history_is_legal_and_an_end_is_the_last(self) -> None:
        assert self.one.state == self.legal[-1]
        states = [transition.state for transition in self.one.history]
        assert states == self.legal[1:]
        assert not ENDS & set(states[:-1])
        assert self.one.is_over == (self.one.state in ENDS)
        assert self.one.state is not ActionState.SENT or "verified" in states


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=100, deadline=None)
