"""What an alert says that matters for the response to it, read with care: it may come from another version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mempool_ids.defense.gas import Threat

_UINT256_MAX = 2**256 - 1
_WORDS = 200


class MalformedAlert(ValueError):
    """An alert lacks what a decision needs; the message says what, for people."""


def section(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = of.get(key)
    if not isinstance(value, Mapping):
        raise MalformedAlert(f"the alert says nothing of its {key}")
    return value


def entries(of: Mapping[str, Any], key: str) -> list[Any]:
    value = of.get(key)
    if not isinstance(value, list | tuple):
        raise MalformedAlert(f"the alert says nothing of its {key}")
    return list(value)


def flag(of: Mapping[str, Any], key: str) -> bool:
    value = of.get(key)
    if not isinstance(value, bool):
        raise MalformedAlert(f"the alert says nothing of {key}")
    return value


def number(of: Mapping[str, Any], key: str) -> float:
    """From 0 to 1: a probability or a share."""
    value = of.get(key)
    if isinstance(value, bool) or not isinstance(value, float | int) or not 0 <= value <= 1:
        raise MalformedAlert(f"{key} of the alert is no number from 0 to 1")
    return value


def text(of: Mapping[str, Any], key: str) -> str:
    """In one line, not too long: some of it is written by whoever is fought."""
    value = of.get(key)
    if not isinstance(value, str):
        raise MalformedAlert(f"the alert says nothing of {key}")
    if value.isprintable():
        return value[:_WORDS]
    return "".join(letter if letter.isprintable() else " " for letter in value[:_WORDS])


def amount(of: Mapping[str, Any], key: str) -> int:
    """A uint256, as a number or in decimal text."""
    value = of.get(key)
    if isinstance(value, str) and len(value) <= 78 and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _UINT256_MAX:
        raise MalformedAlert(f"{key} of the alert is no amount")
    return value


def price(alert: Mapping[str, Any], loss_wei: int | None) -> Threat:
    """The threat's price, for a bid. What the alert does not say counts as nobody bidding: a capped bid is made by the
    lowest tip then, and raised by what the pool shows later. Never raises.

    Of a new contract that nobody has called the price is supposed, and there is nothing in the pool to be copied.

    Args:
        loss_wei: the decision's.
    """
    is_supposed = bool(alert.get("early"))
    response = alert.get("response")
    said: Mapping[str, Any] = response if isinstance(response, Mapping) else {}
    tip = _amount_or_0(said, "attack_tip")
    gas_price = _amount_or_0(said, "base_fee") + tip if "base_fee" in said else 0
    try:
        p = number(alert, "score")
    except MalformedAlert:
        p = 1.0
    return Threat(
        gas_price=gas_price,
        tip=tip,
        payment=_amount_or_0(said, "attack_payment"),
        gas=_amount_or_0(said, "attack_gas"),
        copyable=said.get("copyable") is True and not is_supposed,
        is_supposed=is_supposed,
        loss_wei=loss_wei,
        p=p,
    )


def _amount_or_0(of: Mapping[str, Any], key: str) -> int:
    try:
        return amount(of, key)
    except MalformedAlert:
        return 0
