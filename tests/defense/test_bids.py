"""What a response may bid once something of it is out: at the same nonce, at another one, with another key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.armed import Fees
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.book import Fate, Live
from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.defense.draft import TRANSFER_GAS
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.guardian import Guardian
from mempool_ids.defense.rails import Allowed
from mempool_ids.defense.state import Key, State
from mempool_ids.defense.trigger import Trigger
from tests.defense.hot import GAS_LIMIT, Hot

NAME = "Vault"
TIGHT = {"max_cost_eth": 0.05}


def withdraw(hot: Hot, name: str) -> None:
    """Its threats are gone, and a transfer takes its place."""
    live = hot.live(name)
    assert live.last is not None
    for threat in live.threats.values():
        threat.fate = Fate.GONE
    above = live.last.rung.fees
    transfer = hot.transfer(live.guardian, live.last.rung.nonce, replacement(above))
    assert hot.transfers.withdraw(live, transfer, above)


@settings(deadline=None)
@given(
    tip=st.integers(0, 300 * GWEI),
    cap=st.integers(20, 100),
    steps=st.lists(st.sampled_from(["escalate", "next nonce", "other key", "dearer threat"]), max_size=20),
)
def test_whatever_is_raised_or_moved_a_response_is_promised_no_more_than_it_may_cost(
    tip: int, cap: int, steps: list[str]
) -> None:
    hot = Hot(NAME, gas={"max_cost_eth": cap / 1_000})
    hot.alert(NAME, tip=tip)
    live = hot.live(NAME)
    for number, step in enumerate(steps):
        if step == "escalate":
            hot.bids.escalate(live, "not in a block")
        elif step == "next nonce":
            hot.bids.next_nonce(live, "its nonce is used")
        elif step == "other key":
            hot.bids.change_guardian(live, "stuck")
        else:
            hot.alert(NAME, f"0x{number:02x}", tip=(number + 1) * tip)
        assert 0 < hot.promised(NAME) <= cap * ETHER // 1_000
        assert hot.promised(NAME) <= hot.state.rails.spent(hot.state.steady())


def test_it_is_escalated_up_to_the_highest_rung_that_the_cap_leaves() -> None:
    hot = Hot(NAME, gas=TIGHT)
    hot.alert(NAME)
    live = hot.live(NAME)
    assert hot.bids.change_guardian(live, "stuck")
    while hot.bids.escalate(live, "not in a block"):
        pass
    room = ETHER // 20 - live.sent[0].worst_cost
    ladder = live.guardian.ladder(NAME, 0)
    assert live.last == max((one for one in ladder if one.worst_cost <= room), key=lambda one: one.worst_cost)


def test_what_the_first_guardian_may_pay_is_no_part_of_the_second_s_balance() -> None:
    hot = Hot(NAME)
    first, second = hot.guardians
    hot.alert(NAME, tip=100 * GWEI)
    live = hot.live(NAME)
    bid = live.last
    assert bid is not None
    second.balance = bid.worst_cost
    assert hot.bids.change_guardian(live, "no funds")
    assert (live.guardian, live.last.rung.fees) == (second, bid.rung.fees)  # type: ignore[union-attr]
    assert first.out.keys() == second.out.keys() == {0}


def test_what_waits_at_another_nonce_of_a_key_is_no_longer_in_its_balance() -> None:
    hot = Hot(NAME, "Pool", guardians=1)
    [guardian] = hot.guardians
    hot.alert(NAME, tip=100 * GWEI)
    first = hot.live(NAME).last
    assert first is not None
    guardian.balance = 2 * first.worst_cost - 1
    hot.alert("Pool", "0x02", tip=100 * GWEI)
    second = hot.live("Pool").last
    assert second is not None
    assert second.worst_cost < first.worst_cost
    # Once it is paid, it is gone from the balance, and not taken off twice.
    hot.state.seen(guardian, 1, 2, guardian.balance - first.worst_cost)
    assert hot.bids.escalate(hot.live("Pool"), "not in a block") is False
    assert hot.state.funds(guardian, hot.live("Pool"), 1) == guardian.balance


def test_in_shadow_mode_two_victims_share_the_balance_as_well() -> None:
    """Both have the same nonce there: nothing takes one."""
    hot = Hot(NAME, "Pool", guardians=1)
    hot.bids = Bids(hot.state, by_fee_cap=False, legacy=False)
    hot.trigger = Trigger(hot.state, hot.bids, None)  # type: ignore[arg-type]
    [guardian] = hot.guardians
    hot.alert(NAME, tip=100 * GWEI)
    first = hot.live(NAME).last
    assert first is not None
    guardian.balance = first.worst_cost * 6 // 5
    assert hot.state.funds(guardian, hot.live(NAME), 0) == guardian.balance, "its own bid is replaced"
    hot.alert("Pool", "0x02", tip=100 * GWEI)
    second = hot.live("Pool").last
    assert second is not None
    assert second.rung.nonce == first.rung.nonce == 0
    assert first.worst_cost + second.worst_cost <= guardian.balance
    hot.end(NAME)
    assert hot.state.funds(guardian) == guardian.balance - second.worst_cost


def test_an_answer_takes_no_longer_where_many_contracts_are_attacked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is out for the others is not added up anew."""
    looked: list[Live] = []
    by_nonce = State._by_nonce

    def note(state: State, live: Live, *more: Any) -> dict[Key, int]:
        looked.append(live)
        return by_nonce(state, live, *more)

    monkeypatch.setattr(State, "_by_nonce", note)
    names = [f"Vault {number}" for number in range(8)]
    hot = Hot(*names, nonces=10)
    for number, name in enumerate(names):
        looked.clear()
        hot.alert(name, f"0x{number:02x}")
        assert {id(one) for one in looked} == {id(hot.live(name))}


def test_bytes_that_no_pool_has_leave_all_to_the_second_guardian() -> None:
    hot = Hot(NAME, gas=TIGHT, endpoints=("one", "two"))
    hot.alert(NAME, tip=300 * GWEI)
    live = hot.live(NAME)
    bid = live.last
    assert bid is not None
    assert bid.worst_cost == ETHER // 20
    hot.wire.say(Reply.NO_FUNDS, "one")
    assert not hot.bids.change_guardian(live, "no funds"), "the other one has not said yet"
    hot.wire.say(Reply.NO_FUNDS, "two")
    assert hot.bids.change_guardian(live, "no funds")
    assert live.guardian is hot.guardians[1]
    assert hot.promised(NAME) == ETHER // 20


@pytest.mark.parametrize("said", [Reply.ACCEPTED, Reply.NO_ANSWER, Reply.REFUSED])
def test_bytes_that_one_pool_may_have_are_paid_for(said: Reply) -> None:
    hot = Hot(NAME, gas=TIGHT, endpoints=("one", "two"))
    hot.alert(NAME, tip=300 * GWEI)
    hot.wire.say(Reply.NO_FUNDS, "one")
    hot.wire.say(said, "two")
    assert not hot.bids.change_guardian(hot.live(NAME), "no funds")


def test_who_is_slow_is_heard_though_the_same_bytes_went_out_again_meanwhile() -> None:
    hot = Hot(NAME, gas=TIGHT, endpoints=("fast", "slow"))
    hot.alert(NAME, tip=300 * GWEI)
    live = hot.live(NAME)
    hot.wire.say(Reply.NO_FUNDS, "fast")
    hot.bids.rebroadcast(live)
    assert not live.heard
    hot.wire.say(Reply.NO_FUNDS, "slow", post=0)
    hot.wire.say(Reply.NO_FUNDS, "fast")
    assert {name: one.answer.kind for name, one in live.heard.items()} == dict.fromkeys(
        hot.wire.names, Reply.NO_FUNDS
    )
    assert not hot.bids.change_guardian(live, "no funds"), "what went out again may have been taken"
    hot.wire.say(Reply.ACCEPTED, "slow")
    hot.wire.say(Reply.NO_FUNDS, "slow", post=0)
    assert live.heard["slow"].answer.kind is Reply.ACCEPTED, "it has answered what went out last"


def test_an_answer_to_other_bytes_is_none_to_these() -> None:
    hot = Hot(NAME)
    hot.alert(NAME)
    live = hot.live(NAME)
    assert hot.bids.escalate(live, "not in a block")
    hot.wire.say(Reply.NO_FUNDS, post=0)
    assert not live.heard


def test_what_is_sent_again_may_be_taken_and_builders_say_nothing() -> None:
    hot = Hot(NAME, gas=TIGHT)
    hot.alert(NAME, tip=300 * GWEI)
    live = hot.live(NAME)
    hot.wire.say(Reply.NO_FUNDS)
    hot.bids.rebroadcast(live)
    assert not hot.bids.change_guardian(live, "no funds")
    hot = Hot(NAME, gas=TIGHT, is_offered=True)
    hot.alert(NAME, tip=300 * GWEI)
    hot.wire.say(Reply.NO_FUNDS)
    assert not hot.bids.change_guardian(hot.live(NAME), "no funds")


def test_what_cannot_be_sent_with_another_key_is_not_tried_there_for_ever() -> None:
    """Both keys are at the same number of a nonce, and what is out is taken back."""
    hot = Hot(NAME)
    first, second = hot.guardians
    hot.alert(NAME)
    live = hot.live(NAME)
    withdraw(hot, NAME)
    second.balance = 15 * GWEI * GAS_LIMIT
    with hot.state.lock:
        assert not hot.bids.move(live, second, "stuck")
    assert live.guardian is first


def waiting(hot: Hot) -> tuple[Guardian, Fees]:
    """`Pool` waits at nonce 1 behind a gap, which `Vault` left; and what fills that."""
    [guardian] = hot.guardians
    hot.alert("Vault")
    hot.alert("Pool", "0x02", tip=50 * GWEI)
    hot.end("Vault")
    guardian.out.pop(0)
    guardian.pending = 0
    live = hot.live("Pool")
    assert hot.transfers.blocked_by(live) == [0]
    fees = hot.transfers.fees_to_fill(live, 0, None)
    assert isinstance(fees, Fees)
    return guardian, fees


def test_a_gap_is_filled_with_the_fees_of_what_waits_for_it() -> None:
    hot = Hot("Vault", "Pool", guardians=1)
    guardian, fees = waiting(hot)
    live = hot.live("Pool")
    assert live.last is not None
    assert fees == live.last.rung.fees
    before = hot.promised("Pool")
    assert hot.transfers.fill(live, hot.transfer(guardian, 0, fees), None)
    assert hot.promised("Pool") == before + TRANSFER_GAS * fees.max_fee


def test_a_pause_that_came_meanwhile_is_not_replaced_by_what_was_to_fill_its_nonce() -> None:
    hot = Hot("Vault", "Pool", guardians=1)
    guardian, fees = waiting(hot)
    hot.alert("Vault", "0x03", tip=GWEI)
    pause = hot.live("Vault").last
    assert pause is not None
    assert pause.rung.nonce == 0
    assert fees.tip > pause.rung.fees.tip
    posted = list(hot.wire.posted)
    assert not hot.transfers.fill(hot.live("Pool"), hot.transfer(guardian, 0, fees), None)
    # Nor one that is over by now: what it left is replaced for more, by the next try.
    hot.end("Vault")
    assert not hot.transfers.fill(hot.live("Pool"), hot.transfer(guardian, 0, fees), None)
    assert hot.wire.posted == posted


def test_what_fills_a_gap_bids_what_the_response_leaves_of_its_cap() -> None:
    hot = Hot("Vault", "Pool", guardians=1, gas={"max_cost_eth": 0.02})
    hot.alert("Vault")
    hot.alert("Pool", "0x02")
    hot.end("Vault")
    [guardian] = hot.guardians
    guardian.out.pop(0)
    guardian.pending = 0
    live = hot.live("Pool")
    while live.last is not None and live.last.worst_cost < ETHER // 20:
        fees = hot.transfers.fees_to_fill(live, 0, None)
        room = ETHER // 50 - live.last.worst_cost
        if isinstance(fees, str):
            assert TRANSFER_GAS * (hot.state.base_fee + hot.gas.min_tip) > room
            return
        assert TRANSFER_GAS * fees.max_fee <= room
        assert fees.max_fee in (live.last.rung.fees.max_fee, room // TRANSFER_GAS)
        assert hot.bids.escalate(live, "not in a block")
    raise AssertionError("there was always room")


def test_what_goes_to_a_builder_is_promised_with_its_response_and_is_no_response_of_its_own() -> None:
    hot = Hot("Vault", "Pool", guardians=1, limits={"per_sender": 2, "actions": 2})
    rails, now = hot.state.rails, hot.state.steady()
    hot.alert("Vault", grave=False)
    before = rails.spent(now)
    gas_cost = TRANSFER_GAS * 20 * GWEI
    assert hot.bids.promise(hot.live("Vault"), ETHER // 1_000, gas_cost) == ETHER // 1_000
    assert rails.spent(now) == before + ETHER // 1_000 + gas_cost == hot.promised("Vault")
    # Once more for the next block, and by a higher base fee: one of both is paid.
    assert hot.bids.promise(hot.live("Vault"), ETHER // 1_000, 2 * gas_cost) == ETHER // 1_000
    assert rails.spent(now) == before + ETHER // 1_000 + 2 * gas_cost
    assert isinstance(rails.allow(now, "Pool", "0xbad", 1), Allowed)


def test_a_raise_keeps_to_what_was_promised_to_a_builder() -> None:
    hot = Hot(NAME, gas=TIGHT)
    hot.alert(NAME)
    live = hot.live(NAME)
    cost = hot.promised(NAME)
    promised = hot.bids.promise(live, ETHER, TRANSFER_GAS * 20 * GWEI)
    assert promised == ETHER // 20 - cost - TRANSFER_GAS * 20 * GWEI
    assert not hot.bids.escalate(live, "not in a block")
    assert hot.promised(NAME) == ETHER // 20


@pytest.mark.parametrize("other_key", [False, True])
def test_a_builder_is_promised_all_that_other_nonces_and_keys_leave(other_key: bool) -> None:
    hot = Hot(NAME, gas=TIGHT)
    hot.alert(NAME)
    live = hot.live(NAME)
    move = hot.bids.change_guardian if other_key else hot.bids.next_nonce
    assert move(live, "stuck")
    gas_cost = TRANSFER_GAS * 20 * GWEI
    for value in (ETHER // 1_000, ETHER, ETHER):
        assert hot.bids.promise(live, value, gas_cost) > 0
    assert hot.promised(NAME) == ETHER // 20 == hot.state.rails.spent(hot.state.steady())


def test_bytes_that_no_pool_has_cost_as_much_as_ever_where_nothing_takes_their_place() -> None:
    hot = Hot("Vault", "Pool", guardians=1, gas=TIGHT)
    [guardian] = hot.guardians
    hot.alert("Vault")
    hot.alert("Pool", "0x02", tip=300 * GWEI)
    hot.end("Vault")
    guardian.out.pop(0)
    guardian.pending = 0
    live = hot.live("Pool")
    hot.wire.say(Reply.NO_FUNDS)
    assert not hot.bids.escalate(live, "not in a block")
    assert not hot.bids.change_guardian(live, "no funds")
    assert isinstance(hot.transfers.fees_to_fill(live, 0, None), str)
    hot.bids.rebroadcast(live)
    assert hot.promised("Pool") == ETHER // 20


def test_its_own_bid_of_before_is_not_replaced_before_a_head_shows_that_the_pool_has_it_not() -> None:
    hot = Hot(NAME, guardians=1)
    hot.alert(NAME)
    live = hot.live(NAME)
    assert hot.bids.next_nonce(live, "another transaction seemed to use it")
    assert hot.transfers.blocked_by(live) == []
    hot.state.head += 1
    assert hot.transfers.blocked_by(live) == [0]
    hot.state.seen(hot.guardians[0], 0, 2, hot.guardians[0].balance)
    assert hot.transfers.blocked_by(live) == []


def test_behind_bytes_that_nothing_replaces_a_response_takes_the_next_nonce() -> None:
    """They are of a response that is over; the highest bid is mined soon, and the next one with it."""
    hot = Hot("Vault", "Pool", guardians=1)
    [guardian] = hot.guardians
    guardian.went_out(0, hot.fees[-1])
    hot.alert("Pool")
    live = hot.live("Pool")
    assert (live.action.state, live.action.nonce) == ("sent", 1)
    assert guardian.taken == {1: "Pool"}


def test_a_threat_that_comes_once_the_cancellation_is_mined_is_answered_at_a_nonce_that_is_free() -> None:
    """The response is open still, for what else of it may be mined."""
    hot = Hot(NAME, guardians=1)
    [guardian] = hot.guardians
    hot.alert(NAME)
    live = hot.live(NAME)
    withdraw(hot, NAME)
    cancel = live.cancels[-1]
    with hot.state.lock:
        hot.state.seen(guardian, 1, 1, guardian.balance)
    hot.state.settle(live, {cancel.rung.key: cancel.worst_cost}, is_included=True)
    note = hot.alert(NAME, "0x02", tip=50 * GWEI)
    assert "paused because" in note.decision
    assert live.last is not None
    assert hot.wire.posted[-1] == live.last.body
    assert (live.last.rung.nonce, live.action.nonce, live.withdrawn) == (1, 1, False)
    # Once more for the same: what is out does.
    hot.alert(NAME, "0x03", tip=50 * GWEI)
    assert hot.wire.posted[-1] == live.last.body
    assert guardian.taken == {0: NAME, 1: NAME}
