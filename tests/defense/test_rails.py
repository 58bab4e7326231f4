"""What keeps baits from draining the guardian, and from keeping it from a real attack."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mempool_ids.config.defense import Rails as Limits
from mempool_ids.defense.amounts import ETHER
from mempool_ids.defense.rails import DAY, REMEMBERED, Allowed, Past, Rails, Refused

BUDGET = 2 * ETHER
COST = ETHER // 100
NOW = 1_800_000_000.0


def rails(**limits: int) -> Rails:
    return Rails(Limits(**limits), BUDGET)


def refused_by(answer: Allowed | Refused) -> str | None:
    if isinstance(answer, Allowed):
        return None
    assert answer.reason
    return answer.rail


def test_no_more_responses_than_configured_are_sent_in_a_window_and_then_again() -> None:
    guard = rails(actions=3, cooldown_s=0, window_s=100)
    for number in range(3):
        assert refused_by(guard.allow(NOW + number, f"t{number}", f"s{number}", COST)) is None
        guard.sent(NOW + number, f"t{number}", f"s{number}", COST, f"a{number}")
    assert guard.allow(NOW + 99, "t", "s", COST) == Refused("actions", "3 responses were sent within 100 s")
    assert refused_by(guard.allow(NOW + 100, "t", "s", COST)) is None


def test_threats_of_one_sender_are_answered_so_often_in_a_window() -> None:
    guard = rails(per_sender=2, cooldown_s=0, window_s=100)
    for number in range(2):
        guard.sent(NOW + number, f"t{number}", "0xbad", COST, f"a{number}")
    assert guard.allow(NOW + 2, "t", "0xbad", COST) == Refused(
        "sender", "its sender was answered 2 times within 100 s"
    )
    assert refused_by(guard.allow(NOW + 2, "t", "0xother", COST)) is None
    assert refused_by(guard.allow(NOW + 100, "t", "0xbad", COST)) is None


def test_a_contract_rests_after_a_response_to_it_ended() -> None:
    guard = rails(cooldown_s=60)
    guard.sent(NOW, "Vault", "s", COST, "a")
    guard.settled(NOW + 30, "a", COST)
    assert refused_by(guard.allow(NOW + 89, "Vault", "other", COST)) == "cooldown"
    assert refused_by(guard.allow(NOW + 89, "Pool", "other", COST)) is None
    assert refused_by(guard.allow(NOW + 90, "Vault", "other", COST)) is None


def test_the_worst_case_is_held_until_the_receipt_corrects_it() -> None:
    guard = rails()
    guard.sent(NOW, "Vault", "s", ETHER, "a")
    assert guard.spent(NOW) == ETHER
    assert refused_by(guard.allow(NOW, "Pool", "t", 1)) == "budget"
    guard.settled(NOW + 12, "a", COST)
    assert guard.spent(NOW + 12) == COST
    assert refused_by(guard.allow(NOW + 12, "Pool", "t", ETHER - COST)) is None
    # Another block has it, after a reorg.
    guard.settled(NOW + 24, "a", 2 * COST)
    guard.settled(NOW + 24, "unknown", ETHER)
    assert guard.spent(NOW + 24) == 2 * COST
    assert guard.spent(NOW + DAY) == 0


def test_a_raise_holds_the_higher_worst_case_once() -> None:
    guard = rails(actions=2)
    guard.sent(NOW, "Vault", "s", COST, "a")
    assert isinstance(guard.may_raise(NOW, "a", ETHER), Allowed)
    assert refused_by(guard.may_raise(NOW, "a", ETHER + 1)) == "budget"
    assert isinstance(guard.may_raise(NOW, "a", BUDGET, grave=True), Allowed)
    assert refused_by(guard.may_raise(NOW, "a", BUDGET + 1, grave=True)) == "budget"
    assert refused_by(guard.may_raise(NOW, "none", 1)) == "budget"
    assert guard.left(NOW, "Vault", action="a") == ETHER
    assert guard.left(NOW, "Vault", grave=True, action="a") == BUDGET
    assert guard.left(NOW, "Vault", grave=True) == BUDGET * 3 // 4 - COST
    guard.sent(NOW + 1, "Vault", "s", 3 * COST, "a")
    guard.sent(NOW + 2, "Vault", "s", 2 * COST, "a")
    assert guard.spent(NOW + 2) == 3 * COST
    assert refused_by(guard.allow(NOW + 2, "Pool", "t", COST)) is None  # it counts as one


def test_what_is_under_way_stays_promised_however_old_it_is() -> None:
    guard = rails()
    guard.sent(NOW, "Vault", "s", COST, "a")
    guard.sent(NOW + 1, "Vault", "s", COST, "b")
    guard.settled(NOW + 2, "b", COST)
    assert guard.spent(NOW + 10 * DAY) == COST


def test_the_last_quarter_of_the_budget_is_for_contracts_that_were_not_answered_within_a_day() -> None:
    guard = rails()
    guard.sent(NOW, "Vault", "s", BUDGET * 3 // 4, "a")
    guard.settled(NOW, "a", BUDGET * 3 // 4)
    assert refused_by(guard.allow(NOW, "Vault", "s", 1, grave=True)) == "budget"
    assert (guard.left(NOW, "Vault", grave=True), guard.left(NOW, "Pool", grave=True)) == (0, BUDGET // 4)
    assert refused_by(guard.allow(NOW, "Pool", "s", BUDGET // 4, grave=True)) is None
    assert refused_by(guard.allow(NOW, "Pool", "s", BUDGET // 4 + 1, grave=True)) == "budget"
    assert guard.left(NOW, "Pool") == 0


def bait(
    guard: Rails, *, grave: bool, cost: int, held: int = COST, count: int = 1000
) -> tuple[int, int, float]:
    """So many baits of 100 senders, a block apart, each withdrawn in the next: its answer is cancelled for `cost`.

    Returns the answers, what they cost, and when the last was over.
    """
    answers, spent, now = 0, 0, NOW
    for number in range(count):
        now += 12
        sender = f"0x{number % 100:040x}"
        if isinstance(guard.allow(now, "Vault", sender, held, grave=grave), Allowed):
            guard.sent(now, "Vault", sender, held, f"bait {number}")
            guard.settled(now + 12, f"bait {number}", cost)
            answers, spent = answers + 1, spent + cost
    return answers, spent, now + 12


@pytest.mark.parametrize("cost", [ETHER // 2000, COST, ETHER // 5])
def test_after_a_thousand_baits_of_a_hundred_senders_a_real_attack_is_answered(cost: int) -> None:
    guard = rails()
    answers, spent, now = bait(guard, grave=False, cost=cost, held=cost)
    assert 0 < answers <= 10 * (1000 * 12 / 3600 + 1)
    assert spent <= BUDGET // 2
    # By a sender that baited, on the contract that was baited, right after.
    real = f"0x{99:040x}"
    assert refused_by(guard.allow(now, "Vault", real, BUDGET // 4, grave=True)) is None


def test_a_thousand_grave_baits_that_are_withdrawn_cost_no_more_than_the_budget_and_leave_some() -> None:
    guard = rails()
    answers, spent, now = bait(guard, grave=True, cost=ETHER // 2000)
    # At what a cancellation costs, they are all answered, and so is the real attack.
    assert (answers, spent) == (1000, ETHER // 2)
    assert refused_by(guard.allow(now, "Vault", "0xreal", ETHER // 2, grave=True)) is None


def test_grave_baits_that_bid_high_exhaust_their_contracts_part_and_no_other_contracts() -> None:
    guard = rails()
    answers, spent, now = bait(guard, grave=True, cost=COST)
    assert (answers, spent) == (150, BUDGET * 3 // 4)
    assert refused_by(guard.allow(now, "Vault", "0xreal", COST, grave=True)) == "budget"
    assert refused_by(guard.allow(now, "Pool", "0xreal", BUDGET // 4, grave=True)) is None


def test_where_the_pause_stands_baits_cost_one_response_for_each_time_that_people_unpause() -> None:
    guard = rails()
    paused, spent, now = False, 0, NOW
    for number in range(1000):
        now += 12
        if number % 250 == 0:
            paused = False  # by its operators
        if paused:
            continue  # the policy asks no further
        assert refused_by(guard.allow(now, "Vault", f"0x{number % 100:040x}", COST, grave=True)) is None
        guard.sent(now, "Vault", f"0x{number % 100:040x}", COST, str(number))
        guard.settled(now + 12, str(number), COST)
        paused, spent = True, spent + COST
    assert spent == 4 * COST
    assert refused_by(guard.allow(now, "Vault", "0xreal", COST, grave=True)) is None


def test_what_the_journal_tells_counts_after_a_restart() -> None:
    past = [
        Past("c", "Pool", "0xbad", NOW + 50, 3 * COST, ended=None),
        Past("a", "Vault", "0xbad", NOW, COST, ended=NOW + 60),
        Past("old", "Vault", "0xbad", NOW - 2 * DAY, ETHER, ended=NOW - 2 * DAY),
    ]
    again = rails()
    again.restore(past)
    now = NOW + 100
    assert again.spent(now) == 4 * COST
    assert refused_by(again.allow(now, "Vault", "0xother", COST)) == "cooldown"
    assert refused_by(again.allow(now, "Bank", "0xbad", COST)) == "sender"
    again.settled(now, "c", COST)
    assert again.spent(now) == 2 * COST


def test_a_clock_that_is_set_back_keeps_the_age_of_what_is_remembered() -> None:
    guard = rails(window_s=100, per_sender=1, cooldown_s=60)
    guard.sent(NOW, "Vault", "s", COST, "a")
    guard.settled(NOW, "a", COST)
    back = NOW - 10 * DAY
    assert refused_by(guard.allow(back, "Pool", "s", COST)) == "sender"
    assert refused_by(guard.allow(back + 59, "Vault", "t", COST)) == "cooldown"
    assert refused_by(guard.allow(back + 100, "Vault", "s", COST)) is None
    assert guard.spent(back + DAY - 1) == COST
    assert guard.spent(back + DAY) == 0


@pytest.mark.parametrize("ends", [True, False])
def test_memory_is_bounded_and_no_spend_is_forgotten(ends: bool) -> None:
    guard = rails()
    count = 3 * REMEMBERED
    for number in range(count):
        guard.sent(NOW + number, f"t{number}", f"s{number}", 1, str(number))
        if ends:
            guard.settled(NOW + number, str(number), 1)
    assert guard.spent(NOW + count) == count
    kept = (guard._responses, guard._senders, guard._answered, guard._ended, guard._times)
    assert all(len(one) <= REMEMBERED for one in kept)
    if ends:
        assert guard.spent(NOW + count + DAY) == 0


class Spending(RuleBasedStateMachine):
    """Whatever is sent, only when it is allowed, and settled at no more than was held: never above the budget."""

    @initialize(budget=st.integers(0, 1000), actions=st.integers(1, 4))
    def begin(self, budget: int, actions: int) -> None:
        self.guard = Rails(Limits(actions=actions, cooldown_s=30, per_sender=2, window_s=300), budget)
        self.budget, self.actions = budget, actions
        self.now = NOW
        self.costs: dict[str, tuple[float, int, bool]] = {}
        self.open: dict[str, int] = {}
        self.ordinary: list[float] = []

    @rule(
        contract=st.sampled_from("AB"),
        sender=st.sampled_from("xyz"),
        cost=st.integers(0, 600),
        grave=st.booleans(),
    )
    def respond(self, contract: str, sender: str, cost: int, grave: bool) -> None:
        if isinstance(self.guard.allow(self.now, contract, sender, cost, grave=grave), Refused):
            return
        name = str(len(self.costs))
        self.guard.sent(self.now, contract, sender, cost, name)
        self.costs[name] = (self.now, cost, grave)
        self.open[name] = cost
        if not grave:
            self.ordinary.append(self.now)

    @rule(part=st.integers(0, 10), data=st.data())
    def settle(self, part: int, data: st.DataObject) -> None:
        if self.open:
            name = data.draw(st.sampled_from(sorted(self.open)))
            cost = self.open.pop(name) * part // 10
            self.guard.settled(self.now, name, cost)
            at, _, grave = self.costs[name]
            self.costs[name] = (at, cost, grave)

    @rule(more=st.integers(0, 600), grave=st.booleans(), data=st.data())
    def raise_bid(self, more: int, grave: bool, data: st.DataObject) -> None:
        if self.open:
            name = data.draw(st.sampled_from(sorted(self.open)))
            cost = self.open[name] + more
            if isinstance(self.guard.may_raise(self.now, name, cost, grave=grave), Allowed):
                self.guard.sent(self.now, "A", "x", cost, name)
                self.open[name] = cost
                self.costs[name] = (self.costs[name][0], cost, grave)

    @rule(by=st.sampled_from([1, 40, 301, 40_000, DAY]))
    def wait(self, by: float) -> None:
        self.now += by

    @invariant()
    def within_budget(self) -> None:
        if not hasattr(self, "guard"):
            return
        recent = [
            cost for name, (at, cost, _) in self.costs.items() if at > self.now - DAY or name in self.open
        ]
        assert self.guard.spent(self.now) == sum(recent) <= self.budget
        assert sum(at > self.now - 300 for at in self.ordinary) <= self.actions


TestSpending = Spending.TestCase


@given(st.integers(0, BUDGET), st.booleans())
def test_what_is_left_is_allowed_and_a_wei_more_is_not(spent: int, grave: bool) -> None:
    guard = rails()
    guard.sent(NOW, "Vault", "s", spent, "a")
    left = guard.left(NOW, "Vault", grave=grave)
    assert refused_by(guard.allow(NOW, "Vault", "t", left + 1, grave=grave)) == "budget"
    if left:
        assert refused_by(guard.allow(NOW, "Vault", "t", left, grave=grave)) is None
