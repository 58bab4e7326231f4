"""What comes of a drill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline."""

    step: str
    took_us: float
    detail: str
    is_fine: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """The rung that would be sent. Wei, and wei a gas."""

    guardian: str
    nonce: int
    rung: int
    """0 is the lowest."""
    of: int
    gas_limit: int
    max_fee_wei: int
    tip_wei: int
    likely_cost_wei: int
    """By the simulated gas, in the next block."""
    worst_cost_wei: int
    """Gas limit × fee cap."""


@dataclass(frozen=True, slots=True)
class Drilled:
    """What would happen to one contract."""

    contract: str
    address: str
    would_be_paused: bool
    verdict: str
    """In one line."""
    timeline: tuple[Moment, ...]
    choice: Choice | None
    wanted_tip_wei: int | None
    """What the bid would be without caps, wei a gas."""
    notes: tuple[str, ...]
    """What people should know besides."""


@dataclass(frozen=True, slots=True)
class Drill:
    """All of it."""

    chain_id: int
    block: int
    """That everything would happen in."""
    base_fee_wei: int
    guardians: tuple[Mapping[str, Any], ...]
    attack: Mapping[str, Any] | None
    """As it was judged alone; None where one was only supposed."""
    timeline: tuple[Moment, ...]
    """What all contracts have in common."""
    contracts: tuple[Drilled, ...]
    would_be_paused: bool
    verdict: str
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON: amounts as decimal text, as events have them."""
        fields: dict[str, Any] = _texts(asdict(self))
        return fields


def _texts(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _texts(one, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(one) for one in value]
    return str(value) if name.endswith("_wei") and value is not None else value
