"""Amounts of money: exact out of the configuration, in words for people."""

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
    # Division of ints rounds once, whatever their size: for the eye, never for a comparison.
    return f"{amount / ETHER:.6g} ETH"


def in_gwei(amount: int) -> str:
    return f"{amount / GWEI:.6g} gwei"
