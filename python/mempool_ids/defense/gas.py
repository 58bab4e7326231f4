"""What a response bids, within its caps. All amounts are ints, in wei or wei a gas; all arithmetic is exact."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from mempool_ids.config.defense import Gas
from mempool_ids.defense.amounts import ETHER, GWEI, ceil_div, exact, in_ether, in_gwei, wei
from mempool_ids.defense.armed import Fees

GAS_LIMIT_MAX = 16_777_216
"""Of one transaction (EIP-7825)."""
COPY_NUMERATOR, COPY_DENOMINATOR = 95, 100
"""Of the loot, what searchers bid who copy an attack: between half and .95 of it. An inference from copied attacks, no
measurement; the upper end, as a lower bid loses to them and the caps hold in any case."""
BLOCKS = 3
"""`value-aware` bids can be included within so many blocks of rising base fees."""


class Urgency(enum.StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


_STEPS = {Urgency.LOW: 0, Urgency.NORMAL: 1, Urgency.HIGH: 2, Urgency.CRITICAL: 3}


@dataclass(frozen=True, slots=True)
class Threat:
    """What the response must come before. Without arguments: nobody bids."""

    gas_price: int = 0
    """What it pays a gas with the base fee, or its fee cap; wei."""
    tip: int = 0
    """What the block's builder gets of that."""
    payment: int = 0
    """Δ₁: all that the builder gets, tips and bribes, by simulation. 0 where it is not known."""
    gas: int = 0
    """That it uses."""
    copyable: bool = False
    """Another sender would profit the same way."""
    profit_wei: int | None = None
    loss_wei: int | None = None
    p: float = 1.0
    """The probability that it is an attack."""
    is_supposed: bool = False
    """It is not sent: the contract is there and not called, and what it would pay is what calls usually do."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the guardian has and the chain asks for."""

    base_fee: int
    """Of the next block. 0 on chains without."""
    pause_gas: int
    """That the response uses, by simulation."""
    gas_limit: int
    """That it is signed with."""
    balance: int
    """Wei that the guardian has for it: less what waits at its other nonces, which pools add up."""
    spent_today: int = 0
    elsewhere: int = 0
    """Wei that the same response costs, or may cost, beside what is bid now: at other nonces, or by other keys."""
    urgency: Urgency = Urgency.CRITICAL
    legacy: bool = False
    """The chain knows no tips."""


@dataclass(frozen=True, slots=True)
class Bid:
    fees: Fees
    tip: int
    """What the next block's builder gets a gas: to choose a rung by. `fees.tip` but for legacy transactions."""
    wanted_tip: int
    """What it would take, without caps."""
    capped_by: str | None
    """Which cap cut the tip short, in words."""
    likely_lost: bool
    """Others can copy the attack, and outbid this: it is capped, or nobody knows what the loot is worth to them."""
    strategy: str
    reason: str
    allowed_wei: int
    """The most that the bid may cost, gas limit × fee cap, by all caps: what a rung must keep to as well."""


@dataclass(frozen=True, slots=True)
class Unaffordable:
    """Even the lowest tip is above a cap."""

    reason: str


class GasStrategy:
    """Bids by the strategy, and within the caps, of `defense.gas`.

    Sources: the bid's value by the attack's payment to the builder (a builder maximises a block's value and does not
    order by tips alone), and the multiple of the threat's tip. The gas limit is `gas_limit`'s for both.
    """

    def __init__(self, config: Gas) -> None:
        self.name = config.strategy
        self.legacy = config.kind == "legacy"
        self.min_tip = max(1, wei(config.min_tip_gwei, GWEI))
        self.max_fee = wei(config.max_fee_gwei, GWEI)
        self.max_cost = wei(config.max_cost_eth, ETHER)
        self.daily_budget = wei(config.daily_budget_eth, ETHER)
        self.reserve = wei(config.reserve_eth, ETHER)
        self._loss_share = exact(config.loss_share).as_integer_ratio()
        self._above = (1 + exact(config.margin)).as_integer_ratio()
        lowest = exact(config.buffer_multiplier)
        span = max(exact(2.0), lowest) - lowest
        self._multiples = {
            urgency: (lowest + span * step / 3).as_integer_ratio() for urgency, step in _STEPS.items()
        }

    def bid(self, threat: Threat, situation: Situation) -> Bid | Unaffordable:
        """The fees to sign, never above any cap. What the caps cut short is said in `capped_by`.

        The caps hold for the worst case, gas limit × fee cap. Where they are tight, the headroom for rising base fees
        goes first and the tip last.
        """
        if situation.gas_limit <= 0:
            return Unaffordable("the response has no gas limit")
        wanted, strategy, reason = self._wanted(threat, situation)
        allowed, allowed_by = self._allowed(threat, situation)
        ceiling, capped_by = min(
            (self.max_fee, self._max_fee_words()), (allowed // situation.gas_limit, allowed_by)
        )
        base_fee = situation.base_fee
        if base_fee + self.min_tip > ceiling:
            return Unaffordable(
                f"base fee {in_gwei(base_fee)} and the lowest tip {in_gwei(self.min_tip)} are above {capped_by}"
            )
        tip = min(wanted, ceiling - base_fee)
        capped = tip < wanted
        if self.legacy or situation.legacy:
            fees = Fees(base_fee + tip, base_fee + tip)
        else:
            fees = Fees(min(ceiling, self._max_fee(strategy, base_fee, tip)), tip)
        unknown_loot = threat.profit_wei is None and threat.loss_wei is None
        return Bid(
            fees=fees,
            tip=tip,
            wanted_tip=wanted,
            capped_by=capped_by if capped else None,
            likely_lost=threat.copyable and (capped or unknown_loot),
            strategy=strategy,
            reason=f"{reason}; cut to {in_gwei(tip)} by {capped_by}" if capped else reason,
            allowed_wei=allowed,
        )

    def _wanted(self, threat: Threat, situation: Situation) -> tuple[int, str, str]:
        """Tip, the strategy that it is by, and why."""
        if self.name == "priority-multiple":
            return self._priority_multiple(threat, situation)
        if self.name == "value-aware":
            return self._value_aware(threat, situation)
        by_value = self._value_aware(threat, situation)
        by_price = self._priority_multiple(threat, situation)
        return by_value if by_value[0] >= by_price[0] else by_price

    def _priority_multiple(self, threat: Threat, situation: Situation) -> tuple[int, str, str]:
        numerator, denominator = self._multiples[situation.urgency]
        above = max(0, threat.gas_price - situation.base_fee)
        tip = ceil_div(above * numerator, denominator)
        name = "priority-multiple"
        if tip <= self.min_tip:
            return self.min_tip, name, f"the lowest tip, {in_gwei(self.min_tip)}"
        multiple = f"{numerator / denominator:.3g}"
        return (
            tip,
            name,
            f"tip {in_gwei(tip)}: {multiple} × the {in_gwei(above)} that the threat {_pays(threat)} above the base fee",
        )

    def _value_aware(self, threat: Threat, situation: Situation) -> tuple[int, str, str]:
        gas = situation.pause_gas if situation.pause_gas > 0 else situation.gas_limit
        rate = ceil_div(threat.payment * gas, threat.gas) if threat.gas > 0 else 0
        numerator, denominator = self._above
        value = ceil_div(max(threat.payment, rate, threat.tip * gas, 0) * numerator, denominator)
        why = f"to be worth {in_ether(value)} to the builder, above what the attack {_pays(threat)} it"
        loot = threat.profit_wei if threat.profit_wei is not None else threat.loss_wei
        if threat.copyable and loot is not None:
            copied = ceil_div(max(0, loot) * COPY_NUMERATOR, COPY_DENOMINATOR)
            if copied > value:
                value = copied
                why = (
                    f"to be worth {in_ether(value)} to the builder, as much as who copies the attack may bid"
                )
        tip = ceil_div(value, gas)
        name = "value-aware"
        if tip <= self.min_tip:
            return self.min_tip, name, f"the lowest tip, {in_gwei(self.min_tip)}: nobody bids more"
        return tip, name, f"tip {in_gwei(tip)}: {why}"

    def _max_fee(self, strategy: str, base_fee: int, tip: int) -> int:
        by_price = ceil_div(12 * base_fee + 15 * tip, 10)
        by_value = ceil_div(base_fee * 9 ** (BLOCKS - 1), 8 ** (BLOCKS - 1)) + tip
        if self.name == "highest":
            return max(by_price, by_value)
        return by_price if strategy == "priority-multiple" else by_value

    def _allowed(self, threat: Threat, situation: Situation) -> tuple[int, str]:
        """Wei that the bid may cost, and by which cap."""
        of_response = [
            (self.max_cost, "the most that one response may cost"),
            (self.daily_budget - situation.spent_today, "what is left of the budget for today"),
        ]
        if threat.loss_wei is not None:
            share, of_shares = self._loss_share
            chance, of_chances = _ratio(threat.p)
            worth = max(0, threat.loss_wei) * share * chance // (of_shares * of_chances)
            of_response.append((worth, "the share of the expected loss that a response may cost"))
        # What another key may pay is no part of this one's balance.
        allowed, by = min(
            *((wei - situation.elsewhere, by) for wei, by in of_response),
            (situation.balance - self.reserve, "the guardian's balance less its reserve"),
        )
        return max(0, allowed), f"{by}, {in_ether(max(0, allowed))}"

    def _max_fee_words(self) -> str:
        return f"the most that a gas may cost, {in_gwei(self.max_fee)}"


def _pays(threat: Threat) -> str:
    return "would pay" if threat.is_supposed else "pays"


def _ratio(probability: float) -> tuple[int, int]:
    """Exact. What is no number counts as certain: it must not lower a bid."""
    if math.isnan(probability):
        return 1, 1
    return min(1.0, max(0.0, probability)).as_integer_ratio()


def replacement(fees: Fees) -> Fees:
    """The least fees that replace `fees` in any pool: both a tenth higher, rounded up (geth's rule, which also wants
    each to be higher at all; Nethermind compares what is paid in effect)."""
    return Fees(_tenth_higher(fees.max_fee), _tenth_higher(fees.tip))


def _tenth_higher(fee: int) -> int:
    return max(fee + 1, ceil_div(fee * 11, 10))


def gas_limit(simulated: int, given: int | None = None) -> int:
    """Gas limit of a response that used `simulated` by the next block's rules: 1.3 × that, unless one is `given`.

    No transaction may have more than 16,777,216 (EIP-7825).

    Raises:
        ValueError: neither is above 0.
    """
    limit = given if given is not None else ceil_div(13 * simulated, 10)
    if limit <= 0:
        raise ValueError("no gas limit: nothing was simulated, and none is given")
    return min(limit, GAS_LIMIT_MAX)
