"""What an action does next, for each thing that the chain can show."""

from dataclasses import replace

import pytest

from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.chain import Receipt
from mempool_ids.defense.race import Do, Sight, Step, next_step

OWN = "0x" + "aa" * 32
HEAD = Sight(head=101, latest_nonce=7)
MINED = Receipt(OWN, 101, "0x" + "01" * 32, 0, True, 50_000 * 10**9)


def sent() -> DefenseAction:
    action = DefenseAction("a", "pause", "Vault", "0x" + "11" * 20, 990.0, nonce=7, tx_hash=OWN, attempt=1)
    for state in (ActionState.INTENT, ActionState.VERIFIED, ActionState.SENT):
        action.advance(state, 990.0, "test")
    return action


def included() -> DefenseAction:
    action = sent()
    action.block = 101
    action.advance(ActionState.INCLUDED, 1000.0, "mined")
    return action


def with_receipt(receipt: Receipt = MINED, **more: object) -> Sight:
    return replace(HEAD, receipts={receipt.tx_hash: receipt}, latest_nonce=8, **more)  # type: ignore[arg-type]


def test_before_the_next_block_nothing_is_done() -> None:
    assert next_step(sent(), 101, HEAD, 2) == next_step(sent(), 101, replace(HEAD, paused=False), 2)
    assert next_step(sent(), 101, HEAD, 2).do is Do.NOTHING


def test_what_a_block_leaves_out_is_bid_more_for() -> None:
    assert next_step(sent(), 100, HEAD, 2).do is Do.ESCALATE


def test_a_block_with_the_pause_before_the_attack_is_won() -> None:
    step = next_step(sent(), 100, with_receipt(attack=(101, 1)), 2)
    assert (step.state, step.won, step.receipt) == (ActionState.INCLUDED, True, MINED)


@pytest.mark.parametrize("attack", [(101, 0), (100, 5)])
def test_an_attack_that_came_first_is_lost(attack: tuple[int, int]) -> None:
    late = replace(MINED, position=3)
    assert next_step(sent(), 100, with_receipt(late, attack=attack), 2).won is False


def test_it_is_confirmed_by_the_contract_and_only_deep_enough() -> None:
    shallow = next_step(included(), 100, with_receipt(head=102, paused=True), 2)
    deep = next_step(included(), 100, with_receipt(head=103, paused=True), 2)
    assert shallow.state is None
    assert (deep.state, deep.won) == (ActionState.CONFIRMED, True)


def test_whether_it_was_won_is_not_known_where_nodes_do_not_say_what_became_of_the_attack() -> None:
    deep = next_step(included(), 100, with_receipt(head=103, paused=True, is_attack_known=False), 2)
    assert (deep.state, deep.won) == (ActionState.CONFIRMED, None)


def test_a_receipt_alone_does_not_confirm_what_is_not_paused() -> None:
    step = next_step(included(), 100, with_receipt(head=103, paused=False), 2)
    assert (step.state, step.won) == (ActionState.FAILED, False)


def test_after_a_reorg_the_same_bytes_are_sent_again() -> None:
    step = next_step(included(), 100, replace(HEAD, head=102), 2)
    assert (step.state, step.do) == (ActionState.SENT, Do.REBROADCAST)


def test_in_another_block_after_a_reorg_it_is_looked_at_anew() -> None:
    moved = replace(MINED, block=102)
    step = next_step(included(), 100, with_receipt(moved, head=110, paused=True), 2)
    assert step.state is ActionState.SENT


def test_a_pause_that_reverts_has_failed_unless_somebody_else_paused() -> None:
    reverted = replace(MINED, succeeded=False)
    assert next_step(sent(), 100, with_receipt(reverted, paused=True), 2).state is ActionState.SUPERSEDED
    assert next_step(sent(), 100, with_receipt(reverted, paused=False), 2).state is ActionState.INCLUDED
    assert next_step(included(), 100, with_receipt(reverted, paused=False), 2).state is ActionState.FAILED


def test_a_contract_that_is_paused_by_somebody_else_needs_no_pause() -> None:
    # Its own bytes would pause once more, long after people have unpaused: they are taken back.
    assert next_step(sent(), 101, replace(HEAD, paused=True), 2) == Step()
    assert next_step(sent(), 100, replace(HEAD, paused=True), 2).do is Do.CANCEL
    used = replace(HEAD, paused=True, latest_nonce=8, head=104)
    assert next_step(sent(), 100, used, 2).state is ActionState.SUPERSEDED


def test_where_its_nonce_is_used_the_same_is_sent_with_the_next() -> None:
    assert next_step(sent(), 100, replace(HEAD, latest_nonce=8), 2).do is Do.NEXT_NONCE


def test_without_a_cause_it_is_taken_back_and_again_where_a_block_leaves_that_out() -> None:
    gone = replace(HEAD, cause_gone="the threat was replaced")
    assert next_step(sent(), 101, gone, 2).do is Do.CANCEL
    assert next_step(sent(), 101, gone, 2, cancelling=True).do is Do.NOTHING
    assert next_step(sent(), 100, gone, 2, cancelling=True).do is Do.CANCEL


def test_a_cancellation_that_a_block_has_ends_it() -> None:
    cancelled = replace(HEAD, cancel=replace(MINED, tx_hash="0xcc"), cause_gone="gone", latest_nonce=8)
    step = next_step(sent(), 100, cancelled, 2, cancelling=True)
    assert step.state is ActionState.CANCELLED


@pytest.mark.parametrize("cancelling", [False, True])
def test_a_cancellation_that_a_block_has_though_there_is_a_cause_again_is_followed_by_the_pause(
    cancelling: bool,
) -> None:
    cancelled = replace(HEAD, cancel=replace(MINED, tx_hash="0xcc"), latest_nonce=8)
    assert next_step(sent(), 100, cancelled, 2, cancelling=cancelling).do is Do.NEXT_NONCE


def test_with_a_cause_again_what_a_block_leaves_out_is_bid_more_for() -> None:
    assert next_step(sent(), 100, HEAD, 2, cancelling=True).do is Do.ESCALATE


def test_where_its_nonce_is_used_and_its_cause_gone_nothing_more_is_sent() -> None:
    step = next_step(sent(), 100, replace(HEAD, latest_nonce=8, cause_gone="too old"), 2)
    assert (step.do, step.state) == (Do.NOTHING, ActionState.CANCELLED)


def test_where_its_nonce_is_used_and_it_is_paused_its_receipt_is_waited_for() -> None:
    paused = replace(HEAD, latest_nonce=8, paused=True)
    assert next_step(sent(), 98, paused, 2) == next_step(sent(), 101, paused, 2) == Step()
    assert next_step(sent(), 97, paused, 2).state is ActionState.SUPERSEDED


def test_what_was_paused_when_it_was_sent_is_looked_at_again_on_the_next_block() -> None:
    """The block that has it may be the next, or it is its own."""
    assert next_step(sent(), 101, replace(HEAD, paused=True), 2) == Step()


def test_a_check_without_an_answer_confirms_nothing_and_fails_it_at_last() -> None:
    silent = with_receipt(head=110)
    assert next_step(included(), 100, silent, 2).state is None
    assert next_step(included(), 100, replace(silent, head=113), 2).state is ActionState.FAILED
    assert next_step(included(), 100, replace(silent, is_checked=False), 2).state is ActionState.CONFIRMED


def test_a_pause_that_beats_its_own_cancellation_counts() -> None:
    step = next_step(sent(), 100, with_receipt(cause_gone="gone"), 2, cancelling=True)
    assert step.state is ActionState.INCLUDED
