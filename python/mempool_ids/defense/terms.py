"""What decides, out of the configuration, and one alert while it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mempool_ids.config import IDSConfig
from mempool_ids.defense.amounts import ETHER, GWEI, wei


class Terms:
    """The configuration that decides, amounts in wei."""

    def __init__(self, config: IDSConfig) -> None:
        defense = config.defense
        self.mode = config.operational_mode
        self.sends = defense.armed
        self.rehearses = defense.shadow
        self.threshold = config.detection.classification_threshold
        self.level = config.detection.threat_level_threshold
        self.act_on = defense.act_on
        self.harm_left = defense.harm_left
        self.acts_unsimulated = defense.on_failed_simulation == "act"
        self.acts_on_score = defense.act_on_early_score
        self.false_pause_cost = wei(defense.false_pause_cost_eth, ETHER)
        self.min_tip = max(1, wei(defense.gas.min_tip_gwei, GWEI))
        self.budget = wei(defense.gas.daily_budget_eth, ETHER)
        self.values: dict[str, int | None] = {}
        """What is at stake in every contract that can be paused or rescued, where that is given, in wei."""
        for contract in config.contracts:
            if contract.pause is not None or contract.rescue is not None:
                value = None if contract.pause is None else contract.pause.value_eth
                self.values[contract.name] = None if value is None else wei(value, ETHER)

    def is_worth(self, p: float, harm_left: float, loss_wei: int, bid_wei: int) -> bool:
        """Whether p·ρ·loss > bid + (1−p)·cost of a false pause, with ρ = 1 − harm left; exactly."""
        chance, of_chances = p.as_integer_ratio()
        left, of_harm = harm_left.as_integer_ratio()
        saved = chance * (of_harm - left) * loss_wei
        false_pause = (of_chances - chance) * self.false_pause_cost
        return saved > (bid_wei * of_chances + false_pause) * of_harm


@dataclass(slots=True)
class Case:
    """One alert on its way through the rules, and what they found."""

    terms: Terms
    alert: Mapping[str, Any]
    score: float = 0.0
    level: int = 0
    grade: str = "suspected"
    targets: tuple[str, ...] = ()
    loss_wei: int | None = None
    grave: bool = False
    because: str = ""
    """Why it is paused, when nothing speaks against it."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    """The alert's `response`."""

    @property
    def names(self) -> str:
        return ", ".join(self.targets)
