"""The fees that responses are signed with beforehand, and which of them is sent."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mempool_ids.config.defense import Gas
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.armed import Fees
from mempool_ids.defense.gas import GasStrategy, replacement
from mempool_ids.defense.ladder import after_full_blocks, band, choose, ladder

Kind = Literal["eip1559", "legacy"]
GAS = 65_000


@dataclass
class Caps:
    min_tip: int = GWEI
    max_fee: int = 500 * GWEI
    max_cost: int = ETHER // 2


def test_the_default_ladder_has_sixteen_rungs_from_the_lowest_tip_to_the_cap() -> None:
    rungs = ladder(10 * GWEI, GAS, GasStrategy(Gas()))
    assert len(rungs) == 16
    assert rungs[0].tip == GWEI
    assert rungs[0].max_fee == GWEI + after_full_blocks(10 * GWEI, 6)
    assert rungs[-1] == Fees(max_fee=500 * GWEI, tip=490 * GWEI)
    steps = [higher.tip / lower.tip for lower, higher in itertools.pairwise(rungs)]
    # Geometric up to where the fee caps are to leave room for the rung above.
    assert max(steps[:-2]) - min(steps[:-2]) < 1e-6


def test_where_the_caps_are_close_there_are_fewer_rungs_and_at_last_the_highest_alone() -> None:
    counts = [len(ladder(base_fee * GWEI, GAS, Caps())) for base_fee in (10, 100, 200, 220, 240, 400, 499)]
    assert counts == [16, 7, 2, 1, 1, 1, 1]
    assert ladder(499 * GWEI, GAS, Caps()) == (Fees(500 * GWEI, GWEI),)
    assert ladder(400 * GWEI, GAS, Caps()) == (Fees(500 * GWEI, 100 * GWEI),)


@pytest.mark.parametrize("kind", ["eip1559", "legacy"])
def test_where_not_even_the_lowest_tip_fits_there_is_no_rung(kind: Kind) -> None:
    assert ladder(499 * GWEI + 1, GAS, Caps(), kind=kind) == ()
    assert ladder(1_000_000 * GWEI, GAS, Caps(), kind=kind) == ()
    assert ladder(GWEI, 2**24, Caps(max_cost=ETHER // 1000), kind=kind) == ()
    assert ladder(GWEI, 0, Caps(), kind=kind) == ()


def test_a_legacy_ladder_is_one_of_gas_prices() -> None:
    rungs = ladder(0, GAS, Caps(), rungs=8, kind="legacy")
    assert [rung.max_fee for rung in rungs] == [rung.tip for rung in rungs]
    assert (rungs[0].tip, rungs[-1].tip, len(rungs)) == (GWEI, 500 * GWEI, 8)


# Mostly what there is room for; and small numbers, where rounding shows.
bases = st.integers(0, 60 * GWEI) | st.integers(0, 60 * GWEI) | st.integers(0, 50) | st.integers(0, 2**128)
usual = st.builds(
    Caps,
    min_tip=st.integers(1, 5 * GWEI) | st.integers(1, 150 * GWEI),
    max_fee=st.integers(50 * GWEI, 10**6 * GWEI),
    max_cost=st.integers(ETHER // 10, 10 * ETHER),
)
small = st.builds(
    Caps, min_tip=st.integers(1, 9), max_fee=st.integers(1, 500), max_cost=st.integers(1, 2**40)
)
large = st.builds(
    Caps, min_tip=st.integers(1, 2**64), max_fee=st.integers(1, 2**140), max_cost=st.integers(1, 2**160)
)
caps = usual | usual | small | large
kinds: st.SearchStrategy[Kind] = st.sampled_from(["eip1559", "legacy"])
counts = st.integers(1, 64)
gases = st.just(1) | st.integers(21_000, 200_000) | st.integers(1, 2**24)


@settings(max_examples=400)
@given(bases, gases, caps, counts, kinds)
@example(0, 1, Caps(1, 8, 100), 64, "eip1559")
@example(1, 1, Caps(1, 40, 100), 64, "legacy")
@example(10 * GWEI, GAS, Caps(min_tip=100 * GWEI), 64, "eip1559")
def test_every_rung_replaces_the_one_below_within_all_caps(
    base_fee: int, gas: int, caps: Caps, count: int, kind: Kind
) -> None:
    rungs = ladder(base_fee, gas, caps, rungs=count, kind=kind)
    assert len(rungs) <= count
    ceiling = min(caps.max_fee, caps.max_cost // gas)
    assert bool(rungs) == (base_fee + caps.min_tip <= ceiling)
    for rung in rungs:
        assert rung.max_fee <= caps.max_fee
        assert gas * rung.max_fee <= caps.max_cost
        assert rung.tip <= rung.max_fee
        assert min(rung.tip, rung.max_fee - base_fee) >= caps.min_tip
    for lower, higher in itertools.pairwise(rungs):
        assert 20 * higher.tip >= 23 * lower.tip
        assert 20 * higher.max_fee >= 23 * lower.max_fee
        least = replacement(lower)
        assert higher.tip >= least.tip
        assert higher.max_fee >= least.max_fee
    if rungs:
        assert rungs[-1].max_fee == ceiling
        assert min(rungs[-1].tip, ceiling - base_fee) == ceiling - base_fee
    if len(rungs) > 1:
        assert min(rungs[0].tip, rungs[0].max_fee - base_fee) == caps.min_tip


@settings(max_examples=400)
@given(bases, gases, caps, counts)
def test_a_fee_cap_has_room_for_six_full_blocks_unless_it_is_the_cap(
    base_fee: int, gas: int, caps: Caps, count: int
) -> None:
    for rung in ladder(base_fee, gas, caps, rungs=count)[:-1]:
        assert rung.max_fee * 8**6 >= base_fee * 9**6 + rung.tip * 8**6


@settings(max_examples=400)
@given(bases, gases, caps, counts, kinds)
def test_one_more_rung_would_not_fit(base_fee: int, gas: int, caps: Caps, count: int, kind: Kind) -> None:
    rungs = ladder(base_fee, gas, caps, rungs=count, kind=kind)
    if not 0 < len(rungs) < count:
        return
    room = after_full_blocks(base_fee, 6) if kind == "eip1559" else base_fee
    fee_cap = room + caps.min_tip
    for _ in rungs:
        fee_cap = -(-fee_cap * 23 // 20)
    assert fee_cap > rungs[-1].max_fee


@settings(max_examples=400)
@given(bases)
def test_a_base_fee_that_moves_by_a_block_or_by_two_stays_in_the_band(base_fee: int) -> None:
    stays = band(base_fee)
    assert stays.low <= base_fee <= stays.high
    up = down = base_fee
    for _ in range(2):
        up += max(up // 8, 1)
        down -= down // 8
        assert up in stays
        assert down in stays
    assert base_fee * 2 + 10 not in stays


@settings(max_examples=400)
@given(st.integers(0, 100 * GWEI), counts)
def test_all_over_the_band_a_rung_can_be_included_with_its_tip_for_three_more_full_blocks(
    base_fee: int, count: int
) -> None:
    worst = band(base_fee).high
    for _ in range(3):
        worst += worst // 8
    for rung in ladder(base_fee, GAS, Caps(), rungs=count)[:-1]:
        assert rung.max_fee - worst >= rung.tip - 9  # of rounding up twice


RUNGS = ladder(10 * GWEI, GAS, Caps())


def test_the_lowest_rung_that_reaches_the_tip_is_chosen() -> None:
    index, exact = choose(RUNGS, 50 * GWEI, 10 * GWEI, ETHER, GAS)
    assert exact
    assert index is not None
    assert RUNGS[index - 1].tip < 50 * GWEI <= RUNGS[index].tip
    assert choose(RUNGS, 0, 10 * GWEI, ETHER, GAS) == (0, True)


def test_where_none_reaches_the_tip_it_is_the_highest_that_can_be_paid() -> None:
    assert choose(RUNGS, 491 * GWEI, 10 * GWEI, ETHER, GAS) == (15, False)
    assert choose(RUNGS, 480 * GWEI, 10 * GWEI, GAS * RUNGS[4].max_fee, GAS) == (4, False)
    assert choose(RUNGS, GWEI, 10 * GWEI, GAS * RUNGS[0].max_fee - 1, GAS) == (None, False)
    assert choose((), GWEI, 10 * GWEI, ETHER, GAS) == (None, False)


def test_a_rung_that_the_base_fee_has_overtaken_is_not_sent() -> None:
    assert choose(RUNGS, GWEI, 500 * GWEI + 1, ETHER, GAS) == (None, False)
    assert choose(RUNGS, GWEI, 500 * GWEI, ETHER, GAS) == (15, False)


def test_what_is_out_is_replaced_by_a_rung_above_it() -> None:
    assert choose(RUNGS, GWEI, 10 * GWEI, ETHER, GAS, above=RUNGS[3]) == (4, True)
    assert choose(RUNGS, GWEI, 10 * GWEI, ETHER, GAS, above=RUNGS[15]) == (None, False)
    # By a gas price, whose tip is as high.
    index, _ = choose(RUNGS, GWEI, 10 * GWEI, ETHER, GAS, above=Fees(50 * GWEI, 50 * GWEI))
    assert index is not None
    assert RUNGS[index - 1].tip < 55 * GWEI <= RUNGS[index].tip


fees = st.integers(0, 600 * GWEI)


@settings(max_examples=400)
@given(
    st.integers(0, 200 * GWEI),
    caps,
    counts,
    kinds,
    fees,
    st.integers(0, 700 * GWEI),
    st.integers(0, ETHER),
    st.none() | st.builds(Fees, fees, fees),
    st.just(0) | fees,
)
def test_the_choice_is_what_looking_at_each_rung_finds(
    base_fee: int,
    caps: Caps,
    count: int,
    kind: Kind,
    wanted: int,
    later: int,
    balance: int,
    above: Fees | None,
    least: int,
) -> None:
    rungs = ladder(base_fee, GAS, caps, rungs=count, kind=kind)
    left = [
        index
        for index, rung in enumerate(rungs)
        if GAS * rung.max_fee <= balance
        and (
            above is None
            or (rung.max_fee >= replacement(above).max_fee and rung.tip >= replacement(above).tip)
        )
    ]
    paying = [
        index
        for index in left
        if min(rungs[index].tip, rungs[index].max_fee - later) >= wanted and rungs[index].max_fee >= least
    ]
    includable = [i for i in left[-1:] if rungs[i].max_fee >= later]
    expected = (paying[0], True) if paying else (includable[0] if includable else None, False)
    assert choose(rungs, wanted, later, balance, GAS, above, least_fee_cap=least) == expected
