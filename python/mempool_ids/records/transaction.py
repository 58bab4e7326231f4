"""A transaction seen before inclusion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Argument:
    """One decoded argument; `value` is text, bounded in length."""

    name: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class PendingTransaction:
    """A transaction seen before inclusion. Amounts in wei, fees in wei per gas.

    What an alert does not carry (calldata, type; before its schema had them, gas and fees) is None there.
    """

    hash: str
    from_addr: str
    to_addr: str | None
    """None for a contract creation; `input` is then its init code."""
    value: int
    nonce: int
    selector: str | None
    seen_ms: int
    """When the sensor received it: Unix milliseconds."""
    function: str | None = None
    arguments: tuple[Argument, ...] = ()
    gas: int | None = None
    type: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None
    input: bytes | None = None

    @classmethod
    def from_event(cls, tx: Mapping[str, Any]) -> "PendingTransaction":
        """From the `tx` object of an `alert` or `tx` event."""

        def number(key: str) -> int | None:
            return int(tx[key]) if key in tx else None

        return cls(
            hash=tx["hash"],
            from_addr=tx["from"],
            to_addr=tx["to"],
            value=int(tx["value"]),
            nonce=tx["nonce"],
            selector=tx["selector"],
            seen_ms=tx["seen_ms"],
            function=tx.get("function"),
            arguments=tuple(Argument(**argument) for argument in tx.get("arguments", ())),
            gas=number("gas"),
            type=number("type"),
            max_fee_per_gas=number("max_fee_per_gas"),
            max_priority_fee_per_gas=number("max_priority_fee_per_gas"),
            input=bytes.fromhex(tx["input"][2:]) if "input" in tx else None,
        )
