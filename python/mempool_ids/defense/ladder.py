"""The fees that a response is signed with before anybody attacks, and which of them to send. Wei, wei a gas, exact."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from mempool_ids.defense.amounts import ceil_div
from mempool_ids.defense.armed import Fees
from mempool_ids.defense.gas import replacement

STEP_NUMERATOR, STEP_DENOMINATOR = 23, 20
"""A rung is at least 15 % above the one below. Pools ask for 10 %; so the next higher always replaces."""
HEADROOM_BLOCKS = 6
"""A rung can still be included, with its whole tip, after so many full blocks in a row."""
BAND_BLOCKS = 3
"""After so many full blocks the ladder is signed anew: as many are left while that goes on."""


class Caps(Protocol):
    """What a ladder keeps to, as `GasStrategy` has it."""

    min_tip: int
    """Wei a gas, as is `max_fee`."""
    max_fee: int
    max_cost: int
    """Wei, of one response: gas limit × fee cap."""


@dataclass(frozen=True, slots=True)
class Band:
    """Base fees, both ends included, for which a ladder stays good. Outside of it is signed anew."""

    low: int
    high: int

    def __contains__(self, base_fee: int) -> bool:
        return self.low <= base_fee <= self.high


def after_full_blocks(base_fee: int, blocks: int) -> int:
    """The highest base fee so many blocks on (EIP-1559: by an eighth a block, and by 1 wei at the least)."""
    return max(ceil_div(base_fee * 9**blocks, 8**blocks), base_fee + blocks)


def band(base_fee: int) -> Band:
    """The base fees for which a ladder made at `base_fee` stays good.

    Upwards three full blocks, downwards six empty ones: below that its fee caps hold back more of the balance and of
    the budget than it takes. One block's move is never outside.
    """
    return Band(base_fee * 7**HEADROOM_BLOCKS // 8**HEADROOM_BLOCKS, after_full_blocks(base_fee, BAND_BLOCKS))


def ladder(
    base_fee: int,
    gas_limit: int,
    caps: Caps,
    *,
    rungs: int = 16,
    kind: Literal["eip1559", "legacy"] = "eip1559",
) -> tuple[Fees, ...]:
    """Ascending fees, tips on a geometric scale from the lowest tip to what the caps allow.

    Fee cap and tip of a rung are at least 15 % above those of the rung below. Its fee cap has room for six full blocks,
    but for the highest, whose fee cap is the cap itself and whose tip all that this leaves above the base fee. None is
    above `max_fee`, or costs more than `max_cost` when it uses `gas_limit`. Where the caps leave no room for all there
    are fewer, down to the highest alone; none where not even the lowest tip can be paid.
    """
    min_tip = caps.min_tip
    if gas_limit <= 0 or rungs <= 0 or min_tip <= 0:
        return ()
    ceiling = min(caps.max_fee, caps.max_cost // gas_limit)
    if base_fee + min_tip > ceiling:
        return ()
    if kind == "legacy":
        lowest = base_fee + min_tip
        return tuple(Fees(price, price) for price in _climb(lowest, _highest(lowest, ceiling, rungs)))
    room = after_full_blocks(base_fee, HEADROOM_BLOCKS)
    fee_caps = _highest(room + min_tip, ceiling, rungs)
    # Less a constant, what grows by 15 % grows by more.
    tips = _climb(min_tip, [*(fee_cap - room for fee_cap in fee_caps[:-1]), ceiling - base_fee])
    built: list[Fees] = []
    fee_cap = 0
    for tip in tips:
        fee_cap = min(ceiling, max(room + tip, _step(fee_cap)))
        built.append(Fees(fee_cap, tip))
    # The highest rung is the cap itself: nothing is above it to replace it.
    return (*built[:-1], Fees(ceiling, tips[-1]))


def choose(
    ladder: Sequence[Fees],
    wanted_tip: int,
    base_fee: int,
    balance: int,
    gas_limit: int,
    above: Fees | None = None,
    *,
    least_fee_cap: int = 0,
) -> tuple[int | None, bool]:
    """The index of the lowest rung that pays `wanted_tip` in the next block: min(tip, fee cap − base fee).

    `balance` is what may be spent: the guardian's less its reserve, or less than that where a cap is lower. A rung must
    be payable in the worst case, gas limit × fee cap, and replace `above` if that is given. Where no such rung reaches
    the tip it is the highest that is left, unless the base fee is above its fee cap. `least_fee_cap` is for the nodes
    that order a block by fee caps.

    Returns:
        The index, None where no rung can be sent, and whether that rung reaches the tip.
    """
    payable = bisect_right(ladder, balance // gas_limit if gas_limit > 0 else -1, key=_fee_cap)
    first = 0
    if above is not None:
        least = replacement(above)
        first = max(
            bisect_left(ladder, least.max_fee, key=_fee_cap), bisect_left(ladder, least.tip, key=_tip_of)
        )
    if first >= payable:
        return None, False
    wanted = max(0, wanted_tip)
    # Either grows along the ladder: so the lower of both reaches it where the later one does.
    reaching = max(
        bisect_left(ladder, wanted, first, payable, key=_tip_of),
        bisect_left(ladder, max(wanted + base_fee, least_fee_cap), first, payable, key=_fee_cap),
    )
    if reaching < payable:
        return reaching, True
    highest = payable - 1
    return (highest if ladder[highest].max_fee >= base_fee else None), False


def _fee_cap(fees: Fees) -> int:
    return fees.max_fee


def _tip_of(fees: Fees) -> int:
    return fees.tip


def _step(fee: int) -> int:
    return ceil_div(fee * STEP_NUMERATOR, STEP_DENOMINATOR)


def _highest(lowest: int, highest: int, rungs: int) -> list[int]:
    """The highest values in steps of 15 % that up to `rungs` rungs can have, from `lowest` or more to `highest`."""
    values = [highest]
    while len(values) < rungs:
        # The largest whose step, rounded up, is not above.
        below = values[-1] * STEP_DENOMINATOR // STEP_NUMERATOR
        if below < lowest:
            break
        values.append(below)
    return values[::-1]


def _climb(lowest: int, limits: list[int]) -> list[int]:
    """From `lowest` to the last limit in equal ratios, each within its limit and 15 % above the one before.

    The limits grow by that much themselves, and the first is not below `lowest`. A single value is its limit.
    """
    last = len(limits) - 1
    values = [lowest] if last > 0 else []
    for index in range(1, last):
        even = _root(lowest ** (last - index) * limits[-1] ** index, last)
        values.append(min(limits[index], max(_step(values[-1]), even)))
    return [*values, limits[-1]]


def _root(value: int, degree: int) -> int:
    """⌊value^(1/degree)⌋, by Newton's method from above."""
    if degree == 1:
        return value
    root = 1 << ceil_div(value.bit_length(), degree)
    while True:
        nearer = ((degree - 1) * root + value // root ** (degree - 1)) // degree
        if nearer >= root:
            return root
        root = nearer
