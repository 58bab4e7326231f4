"""What is signed before anything happened: one rung of a ladder, ready to be sent."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["eip1559", "legacy"]
"""Of a transaction: types 2 and 0."""


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


@dataclass(frozen=True, slots=True)
class Rung:
    """A signed response at one bid. What is journaled is what can go out."""

    chain_id: int
    guardian: str
    nonce: int
    target: str
    """The contract's name."""
    rung: int
    """0 is the lowest."""
    fees: Fees
    gas_limit: int
    call: Call
    raw: bytes = field(repr=False)
    """Whoever has it can send it."""
    tx_hash: str
