"""Figures of the defense."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mempool_ids.defense.readiness import Readiness


@dataclass(frozen=True, slots=True)
class DefenseStatistics:
    """A snapshot. Wei and seconds; counters since the start."""

    armed: bool = False
    shadow: bool = False
    alerts: int = 0
    """Alerts that were decided on."""
    actions: int = 0
    by_state: Mapping[str, int] = field(default_factory=dict)
    """Actions by the state that they are in or ended with."""
    won: int = 0
    lost: int = 0
    capped: int = 0
    """Bids that the caps cut short."""
    spent_wei: int = 0
    saved_wei: int = 0
    """What the attacks would have taken that a response came before, as far as that is known in ether."""
    rungs_signed: int = 0
    to_wire_us: Mapping[str, float] = field(default_factory=dict)
    """p50 and p99 from a detection in the core to its bytes on the wire, of the last 1,024."""
    decide_us: Mapping[str, float] = field(default_factory=dict)
    """The same from when the executor has it. By the clock of the wall: a step of it shows."""
    alarms: Mapping[str, int] = field(default_factory=dict)
    """By kind."""
    guardians: tuple[Mapping[str, Any], ...] = ()
    contracts: tuple[Readiness, ...] = ()
    endpoints: tuple[Any, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON: amounts as decimal text, as events have them."""
        fields: dict[str, Any] = _texts(asdict(self))
        return fields


def _texts(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _texts(one, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(one) for one in value]
    return str(value) if name.endswith("_wei") else value


class Quantiles:
    """Of the last values."""

    def __init__(self, kept: int = 1024) -> None:
        self._values: deque[float] = deque(maxlen=kept)

    def add(self, value: float) -> None:
        self._values.append(value)

    def as_dict(self) -> dict[str, float]:
        values = sorted(self._values)
        if not values:
            return {}
        last = len(values) - 1
        return {
            "count": float(len(values)),
            "p50": values[last // 2],
            "p99": values[min(last, int(last * 0.99) + 1)],
            "max": values[-1],
        }
