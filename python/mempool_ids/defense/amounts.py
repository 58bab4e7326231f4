"""Amounts of money: exact out of the configuration, in words for people."""

from decimal import Decimal
from fractions import Fraction

GWEI = 10**9
ETHER = 10**18


def exact(number: float) -> Fraction:
    """The number that was written: 0.1 is a tenth, not the nearest binary fraction."""
    return Fraction(repr(number))


def wei(amount: float, unit: int) -> int:
    """`amount` of ether or gwei in wei; what is less than a wei is dropped."""
    return int(exact(amount) * unit)


def ceil_div(amount: int, by: int) -> int:
    return -(-amount // by)


def in_ether(amount: int) -> str:
    return f"{_six_digits(amount / ETHER)} ETH"


def in_gwei(amount: int) -> str:
    return f"{_six_digits(amount / GWEI)} gwei"


def _six_digits(amount: float) -> str:
    # Division of ints rounds once, whatever their size: for the eye, never for a comparison. Nobody reads 3e-05.
    return f"{Decimal(f'{amount:.6g}'):f}"
