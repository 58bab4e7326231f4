"""What calling a new contract would do, in words."""

from collections.abc import Iterable, Mapping
from typing import Any


def harms(proof: Mapping[str, Any], deployer: str | None, victims: Iterable[Mapping[str, Any]]) -> list[str]:
    """`calling 0x9e5faafc() as its deployer takes 90 ether out of Vault`, of each victim; and after which calls."""
    *before, last = (_said(call, deployer) for call in proof["calls"])
    first = "".join(f"after {call}, " for call in before)
    return [f"{first}calling {last} {_harm(victim)}" for victim in victims]


def _said(call: Mapping[str, Any], deployer: str | None) -> str:
    """`0x9e5faafc() as its deployer`; what others bring is said, too."""
    function = f"{call['input'][:10]}()" if len(call["input"]) >= 10 else "it"
    if call["from"] == deployer:
        return f"{function} as its deployer"
    value = f" with {in_units(18, call['value'])} ether" if int(call["value"]) else ""
    return f"{function} as {call['from']}{value}"


def _harm(victim: Mapping[str, Any]) -> str:
    name = victim["contract"]
    if victim["amount"] is None:
        return f"breaks {', '.join(victim['invariants'])} of {name}"
    share = "" if victim["share"] is None else f", {victim['share']:.0%} of it"
    if victim["asset"] == "native":
        return f"takes {in_units(18, victim['amount'])} ether out of {name}{share}"
    return f"takes {victim['amount']} of {victim['asset']} out of {name}{share}"


def in_units(decimals: int, wei: str) -> str:
    """Wei in a unit of so many decimals, exactly."""
    whole, part = divmod(int(wei), 10**decimals)
    return f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".")
