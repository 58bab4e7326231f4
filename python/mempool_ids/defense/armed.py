"""What is signed before anything happened: one rung of a ladder, ready to be sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["eip1559", "legacy"]
"""Of a transaction: types 2 and 0."""

Key = tuple[str, int]
"""A guardian's address and a nonce: of all that is signed for it one can be mined."""

_NOTHING: Mapping[str, int] = {}

EXACT, PAYMENT = -1, -2
"""What is no rung of a ladder, in the place of its number: a bid that was signed by itself, a transfer to a builder."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a response calls."""

    to: str
    """Lower-case address."""
    data: bytes
    value: int = 0


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei a gas. In a legacy transaction both are its gas price."""

    max_fee: int
    tip: int

    def effective(self, base_fee: int) -> int:
        """What whoever builds the block gets at this base fee."""
        return min(self.tip, self.max_fee - base_fee)


@dataclass(frozen=True, slots=True)
class Rung:
    """A signed response at one bid. What is journaled is what can go out."""

    chain_id: int
    guardian: str
    nonce: int
    target: str
    """The contract's name."""
    rung: int
    """0 is the lowest; `EXACT`, `PAYMENT`."""
    fees: Fees
    gas_limit: int
    call: Call
    raw: bytes = field(repr=False)
    """Whoever has it can send it."""
    tx_hash: str

    @property
    def key(self) -> Key:
        return self.guardian, self.nonce

    @property
    def worst_cost(self) -> int:
        """Wei, at the most."""
        return self.gas_limit * self.fees.max_fee + self.call.value


def worst_by_nonce(rungs: Iterable[Rung], spent: Mapping[str, int] = _NOTHING) -> dict[Key, int]:
    """Wei that each nonce may cost: the dearest of what is signed for it.

    Args:
        spent: what is known of some, by hash: wei that blocks have of them.
    """
    worst: dict[Key, int] = {}
    for rung in rungs:
        worst[rung.key] = max(worst.get(rung.key, 0), spent.get(rung.tx_hash, rung.worst_cost))
    return worst
