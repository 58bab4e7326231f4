from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.journal.outlay import Outlay, total

WEI = st.integers(0, 2**128)
OUTLAYS = st.lists(
    st.builds(
        Outlay,
        guardian=st.sampled_from(["0xaa", "0xAA", "0xbb"]),
        nonce=st.integers(0, 3),
        action_id=st.sampled_from(["a", "b"]),
        is_open=st.booleans(),
        state=st.sampled_from([ActionState.SENT, ActionState.INCLUDED, ActionState.FAILED]),
        at=st.floats(0, 100),
        cost=st.none() | WEI,
        worst=WEI,
    ),
    max_size=12,
)
TIMES = st.floats(0, 100)


@given(OUTLAYS, TIMES)
def test_a_nonce_never_costs_more_than_the_dearest_that_went_out_at_it(
    outlays: list[Outlay], since: float
) -> None:
    dearest: dict[tuple[str, int], int] = {}
    for one in outlays:
        key = (one.guardian.lower(), one.nonce)
        dearest[key] = max(dearest.get(key, 0), one.worst, one.cost or 0)
    assert 0 <= total(outlays, since) <= sum(dearest.values())


@given(OUTLAYS, TIMES, TIMES)
def test_a_longer_window_never_costs_less(outlays: list[Outlay], one: float, other: float) -> None:
    assert total(outlays, min(one, other)) >= total(outlays, max(one, other))


@given(OUTLAYS, WEI, TIMES)
def test_what_is_sent_last_counts_at_its_worst_until_it_is_settled(
    outlays: list[Outlay], worst: int, since: float
) -> None:
    mine = Outlay("0xcc", 9, "c", True, ActionState.SENT, 0.0, None, worst)
    before = total(outlays, since)
    assert total([*outlays, mine], since) == before + worst
    paid = Outlay("0xcc", 9, "c", True, ActionState.INCLUDED, 100.0, worst // 2, 0)
    assert total([*outlays, mine, paid], since) == before + worst // 2


@given(OUTLAYS, TIMES)
def test_nonces_do_not_bear_on_each_other(outlays: list[Outlay], since: float) -> None:
    apart: dict[tuple[str, int], list[Outlay]] = {}
    for one in outlays:
        apart.setdefault((one.guardian.lower(), one.nonce), []).append(one)
    assert total(outlays, since) == sum(total(some, since) for some in apart.values())
