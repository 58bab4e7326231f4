"""What a response bids."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mempool_ids.config.defense import Gas
from mempool_ids.defense.amounts import ETHER, GWEI, exact, in_ether, in_gwei, wei
from mempool_ids.defense.armed import Fees
from mempool_ids.defense.gas import (
    GAS_LIMIT_MAX,
    Bid,
    GasStrategy,
    Situation,
    Threat,
    Unaffordable,
    Urgency,
    gas_limit,
    replacement,
)

SITUATION = Situation(
    base_fee=20 * GWEI, pause_gas=50_000, gas_limit=65_000, balance=100 * ETHER, urgency=Urgency.LOW
)
ATTACK = Threat(gas_price=22 * GWEI, tip=2 * GWEI, payment=6 * ETHER // 1000, gas=3_000_000)
"""3,000,000 gas at 2 gwei: .006 ETH to the builder."""
WIDE: dict[str, Any] = {"max_fee_gwei": 1e6, "max_cost_eth": 1e3, "daily_budget_eth": 1e3}


def bid(threat: Threat, situation: Situation = SITUATION, **gas: Any) -> Bid:
    made = GasStrategy(Gas(**gas)).bid(threat, situation)
    assert isinstance(made, Bid), made
    return made


def test_the_described_policy_pays_a_multiple_of_what_the_threat_pays_above_the_base_fee() -> None:
    threat = Threat(gas_price=30 * GWEI)
    low = bid(threat, strategy="priority-multiple")
    # Tip 1.5 × (30 − 20), fee cap 1.2 × 20 + 1.5 × 15.
    assert low.fees == Fees(max_fee=46_500_000_000, tip=15 * GWEI)
    critical = dataclasses.replace(SITUATION, urgency=Urgency.CRITICAL)
    assert bid(threat, critical, strategy="priority-multiple").fees == Fees(54 * GWEI, 20 * GWEI)
    assert "1.5 × the 10 gwei" in low.reason


@pytest.mark.parametrize(
    ("multiplier", "tips"),
    [
        (1.5, [15_000_000_000, 16_666_666_667, 18_333_333_334, 20_000_000_000]),
        (1.0, [10_000_000_000, 13_333_333_334, 16_666_666_667, 20_000_000_000]),
        (3.0, [30_000_000_000] * 4),
    ],
)
def test_urgency_raises_the_multiple_to_two_from_the_configured_floor(
    multiplier: float, tips: list[int]
) -> None:
    made = [
        bid(
            Threat(gas_price=30 * GWEI),
            dataclasses.replace(SITUATION, urgency=urgency),
            strategy="priority-multiple",
            buffer_multiplier=multiplier,
        )
        for urgency in Urgency
    ]
    assert [one.fees.tip for one in made] == tips


def test_the_builder_gets_more_than_from_the_attack_and_not_a_multiple_of_its_tip() -> None:
    made = bid(ATTACK, strategy="value-aware", margin=0.25)
    # 1.25 × .006 ETH over 50,000 gas; base fee 20 × 1.125² for three blocks.
    assert made.fees == Fees(max_fee=25_312_500_000 + 150 * GWEI, tip=150 * GWEI)
    assert made.tip * SITUATION.pause_gas * 4 == 5 * ATTACK.payment
    by_price = bid(ATTACK, strategy="priority-multiple")
    assert by_price.fees.tip * SITUATION.pause_gas < ATTACK.payment


def test_the_attacks_payment_counts_at_its_rate_where_the_pause_uses_more_gas() -> None:
    small = Threat(payment=ETHER // 100, gas=25_000)
    assert bid(small, strategy="value-aware", margin=0.0).tip == 400 * GWEI
    by_tip = Threat(tip=10 * GWEI, payment=1, gas=25_000)
    assert bid(by_tip, strategy="value-aware", margin=0.5).tip == 15 * GWEI


def test_an_attack_that_others_can_copy_is_bid_for_by_its_loot() -> None:
    copyable = dataclasses.replace(ATTACK, copyable=True, profit_wei=ETHER // 50)
    made = bid(copyable, strategy="value-aware", **WIDE)
    assert made.tip * SITUATION.pause_gas == Fraction(95, 100) * ETHER / 50
    assert not made.likely_lost
    by_loss = dataclasses.replace(copyable, profit_wei=None, loss_wei=ETHER // 50)
    assert bid(by_loss, strategy="value-aware", **WIDE).wanted_tip == made.tip


def test_a_copyable_attack_is_likely_lost_where_caps_cut_the_bid_or_nobody_knows_the_loot() -> None:
    rich = dataclasses.replace(ATTACK, copyable=True, profit_wei=1000 * ETHER)
    capped = bid(rich)
    assert capped.likely_lost
    assert capped.capped_by == "the most that a gas may cost, 500 gwei"
    assert capped.wanted_tip * SITUATION.pause_gas == 950 * ETHER
    assert "cut to 480 gwei" in capped.reason
    assert bid(dataclasses.replace(ATTACK, copyable=True)).likely_lost
    assert not bid(dataclasses.replace(rich, copyable=False)).likely_lost


def test_where_nobody_bids_yet_the_lowest_tip_does() -> None:
    for strategy in ("highest", "value-aware", "priority-multiple"):
        made = bid(Threat(), strategy=strategy, min_tip_gwei=1.5)
        assert made.tip == made.wanted_tip == 1_500_000_000
        assert made.capped_by is None


def test_of_an_attack_that_nobody_sent_it_is_said_what_it_would_pay() -> None:
    supposed = dataclasses.replace(ATTACK, is_supposed=True)
    for strategy, words in (
        ("value-aware", "what the attack {} it"),
        ("priority-multiple", "the threat {} above"),
    ):
        for threat, pays in ((supposed, "would pay"), (ATTACK, "pays")):
            assert words.format(pays) in bid(threat, strategy=strategy).reason
    assert bid(supposed).fees == bid(ATTACK).fees


def test_the_highest_takes_whichever_strategy_bids_more() -> None:
    assert bid(ATTACK).strategy == "value-aware"
    by_price = dataclasses.replace(ATTACK, payment=0, gas=0, tip=0, gas_price=300 * GWEI)
    made = bid(by_price)
    assert (made.strategy, made.tip) == ("priority-multiple", 420 * GWEI)


def test_the_default_keeps_to_its_caps_and_says_which_cut() -> None:
    greedy = Threat(gas_price=22 * GWEI, tip=2 * GWEI, payment=10 * ETHER, gas=3_000_000)
    wide = {"max_fee_gwei": 1e6}
    cases: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str, int]] = [
        ({}, {}, wide, "the most that one response may cost, 0.5 ETH", ETHER // 2),
        ({"spent_today": 19 * ETHER // 10}, {}, wide, "left of the budget for today, 0.1 ETH", ETHER // 10),
        (
            {"balance": 3 * ETHER // 10},
            {},
            wide | {"reserve_eth": 0.1},
            "less its reserve, 0.2 ETH",
            ETHER // 5,
        ),
        ({}, {"loss_wei": 2 * ETHER, "p": 0.75}, wide, "share of the expected loss", 3 * ETHER // 20),
    ]
    for situation, threat, gas, words, cost in cases:
        made = bid(dataclasses.replace(greedy, **threat), dataclasses.replace(SITUATION, **situation), **gas)
        assert made.capped_by is not None
        assert words in made.capped_by
        assert made.allowed_wei == cost
        assert made.fees.max_fee == made.fees.tip + SITUATION.base_fee == cost // SITUATION.gas_limit


def test_headroom_for_rising_base_fees_goes_before_the_tip() -> None:
    made = bid(Threat(gas_price=30 * GWEI), strategy="priority-multiple", max_fee_gwei=36.0)
    assert made.fees == Fees(36 * GWEI, 15 * GWEI)
    assert made.capped_by is None


def test_where_the_base_fee_is_above_a_cap_nothing_is_bid() -> None:
    made = GasStrategy(Gas()).bid(ATTACK, dataclasses.replace(SITUATION, base_fee=1_000_000 * GWEI))
    assert made == Unaffordable(
        "base fee 1000000 gwei and the lowest tip 1 gwei are above the most that a gas may cost, 500 gwei"
    )
    poor = GasStrategy(Gas()).bid(ATTACK, dataclasses.replace(SITUATION, balance=1))
    assert isinstance(poor, Unaffordable)
    assert "the guardian's balance" in poor.reason
    assert isinstance(
        GasStrategy(Gas()).bid(ATTACK, dataclasses.replace(SITUATION, gas_limit=0)), Unaffordable
    )


def test_without_tips_both_fees_are_the_gas_price() -> None:
    threat = Threat(gas_price=5 * GWEI, tip=5 * GWEI)
    chain = dataclasses.replace(SITUATION, base_fee=0, legacy=True)
    made = bid(threat, chain, strategy="priority-multiple")
    assert (made.fees, made.tip) == (Fees(7_500_000_000, 7_500_000_000), 7_500_000_000)
    configured = bid(Threat(gas_price=30 * GWEI), kind="legacy", strategy="priority-multiple")
    assert (configured.fees, configured.tip) == (Fees(35 * GWEI, 35 * GWEI), 15 * GWEI)


def test_caps_are_the_decimals_that_were_written() -> None:
    gas = GasStrategy(Gas(max_fee_gwei=0.1, max_cost_eth=0.3, daily_budget_eth=1.1, min_tip_gwei=1e-3))
    assert (gas.max_fee, gas.max_cost, gas.daily_budget, gas.min_tip) == (
        10**8,
        3 * 10**17,
        11 * 10**17,
        10**6,
    )
    assert wei(123456.789012345, ETHER) == 123_456_789_012_345 * GWEI
    assert (wei(1e-18, ETHER), wei(1e-19, ETHER)) == (1, 0)
    assert exact(0.1) == Fraction(1, 10)
    assert (in_ether(6 * ETHER // 1000), in_gwei(1)) == ("0.006 ETH", "0.000000001 gwei")


fees = st.integers(0, 2**128)


def threats_up_to(fee: int, value: int) -> st.SearchStrategy[Threat]:
    return st.builds(
        Threat,
        gas_price=st.integers(0, fee),
        tip=st.integers(0, fee),
        payment=st.integers(0, value),
        gas=st.integers(0, GAS_LIMIT_MAX),
        copyable=st.booleans(),
        profit_wei=st.none() | st.integers(0, value),
        loss_wei=st.none() | st.integers(0, value),
        p=st.floats(0, 1),
        is_supposed=st.booleans(),
    )


def situations_up_to(base_fee: int, gas: int, least: int, most: int) -> st.SearchStrategy[Situation]:
    return st.builds(
        Situation,
        base_fee=st.integers(0, base_fee),
        pause_gas=st.integers(0, gas),
        gas_limit=st.integers(1, gas),
        balance=st.integers(least, most),
        spent_today=st.integers(0, ETHER),
        urgency=st.sampled_from(Urgency),
        legacy=st.booleans(),
    )


# Mostly what can be bid for: nearly nothing else is within all caps at once.
usual = situations_up_to(60 * GWEI, 200_000, ETHER, 10 * ETHER)
situations = usual | usual | usual | situations_up_to(10**15 * GWEI, GAS_LIMIT_MAX, 0, 2**128)
usual_threats = threats_up_to(400 * GWEI, 2000 * ETHER)
threats = usual_threats | usual_threats | threats_up_to(2**128, 2**128)
configs = st.builds(
    Gas,
    strategy=st.sampled_from(["highest", "priority-multiple", "value-aware"]),
    buffer_multiplier=st.floats(1, 5),
    margin=st.floats(0, 3),
    loss_share=st.floats(0, 1),
    min_tip_gwei=st.floats(1e-9, 10),
    max_fee_gwei=st.floats(50, 1e5),
    max_cost_eth=st.floats(0.01, 100),
    daily_budget_eth=st.floats(1, 100),
    reserve_eth=st.floats(0, 1),
    kind=st.sampled_from(["auto", "eip1559", "legacy"]),
)


@settings(max_examples=400)
@given(configs, threats, situations)
def test_no_bid_is_above_a_cap_or_below_the_lowest_tip(
    config: Gas, threat: Threat, situation: Situation
) -> None:
    gas = GasStrategy(config)
    made = gas.bid(threat, situation)
    if isinstance(made, Unaffordable):
        assert made.reason
        return
    cost = situation.gas_limit * made.fees.max_fee
    assert made.fees.max_fee <= exact(config.max_fee_gwei) * GWEI
    assert cost <= exact(config.max_cost_eth) * ETHER
    assert cost <= exact(config.daily_budget_eth) * ETHER - situation.spent_today
    assert cost <= situation.balance - exact(config.reserve_eth) * ETHER + 1  # a reserve of parts of a wei
    if threat.loss_wei is not None:
        assert cost <= exact(config.loss_share) * Fraction(threat.p) * threat.loss_wei
    assert cost <= made.allowed_wei
    assert gas.min_tip <= made.tip <= made.wanted_tip
    assert made.tip == made.fees.max_fee - situation.base_fee or made.tip == made.fees.tip
    assert situation.base_fee + made.tip <= made.fees.max_fee
    assert made.fees.tip <= made.fees.max_fee
    assert (made.capped_by is None) == (made.tip == made.wanted_tip)


@settings(max_examples=400)
@given(configs, threats, situations, st.integers(0, 500 * GWEI), st.integers(0, 500 * GWEI))
def test_a_higher_bid_of_the_threat_never_lowers_ours(
    config: Gas, threat: Threat, situation: Situation, tip: int, price: int
) -> None:
    more = dataclasses.replace(threat, tip=threat.tip + tip, gas_price=threat.gas_price + price)
    assert _tip(config, threat, situation) <= _tip(config, more, situation)


@settings(max_examples=400)
@given(configs, threats, situations, st.integers(0, 5000 * ETHER), st.floats(0, 1))
def test_a_larger_loss_and_a_larger_share_of_it_never_lower_a_bid(
    config: Gas, threat: Threat, situation: Situation, loss: int, share: float
) -> None:
    known = dataclasses.replace(threat, loss_wei=threat.loss_wei or 0)
    more = dataclasses.replace(known, loss_wei=(known.loss_wei or 0) + loss)
    assert _tip(config, known, situation) <= _tip(config, more, situation)
    larger = config.model_copy(update={"loss_share": max(share, config.loss_share)})
    assert _tip(config, known, situation) <= _tip(larger, known, situation)


def _tip(config: Gas, threat: Threat, situation: Situation) -> int:
    made = GasStrategy(config).bid(threat, situation)
    return made.tip if isinstance(made, Bid) else -1


def test_a_probability_that_is_no_number_counts_as_certain() -> None:
    unknown = dataclasses.replace(ATTACK, loss_wei=ETHER, p=float("nan"))
    assert bid(unknown) == bid(dataclasses.replace(unknown, p=1.0))


@settings(max_examples=400)
@given(fees, fees)
def test_a_replacement_raises_both_fees_by_a_tenth_and_no_more_than_that_rounded_up(
    max_fee: int, tip: int
) -> None:
    raised = replacement(Fees(max_fee, tip))
    for before, after in ((max_fee, raised.max_fee), (tip, raised.tip)):
        assert after * 10 >= before * 11
        assert after > before
        assert (after - 1) * 10 < before * 11 or after == before + 1


def test_a_gas_limit_is_three_tenths_above_the_simulation_unless_it_is_given() -> None:
    assert gas_limit(50_001) == 65_002
    assert gas_limit(50_000, 80_000) == 80_000
    assert gas_limit(16_000_000) == gas_limit(1, 10**9) == 16_777_216
    with pytest.raises(ValueError, match="nothing was simulated"):
        gas_limit(0)
