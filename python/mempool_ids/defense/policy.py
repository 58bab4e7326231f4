"""When to act: from an alert to a decision, in words. Pure, on what is in memory, in microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mempool_ids.config import IDSConfig
from mempool_ids.defense.evidence import MalformedAlert
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.reasons import against
from mempool_ids.defense.terms import Case, Terms

_URGENCY = (Urgency.LOW, Urgency.LOW, Urgency.NORMAL, Urgency.HIGH, Urgency.CRITICAL)
"""By threat level."""


@dataclass(frozen=True, slots=True)
class Decision:
    act: bool
    targets: tuple[str, ...]
    """Names of the contracts to pause, in the order in which their pauses were tried."""
    words: str
    urgency: Urgency
    grade: str
    loss_wei: int | None
    """What the victims lose, where all of it is known in ether: a part would make it look small."""
    tell: bool
    """People should know at once: something is done, or a threat goes unanswered."""
    grave: bool = False
    """Proved, and what is lost is a tenth of an asset, a day's budget, or no amount (a takeover): see rails.py."""


class Policy:
    """The configured rules (reasons.py), in their order."""

    def __init__(self, config: IDSConfig) -> None:
        self._terms = Terms(config)

    def decide(self, alert: Mapping[str, Any]) -> Decision:
        """Whether to pause, what, and why. Never raises: what cannot be read is not acted on, and told."""
        case = Case(self._terms, alert)
        try:
            found = against(case)
        except MalformedAlert as error:
            return _decision(case, f"not paused because {error}", act=False, tell=True)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            words = f"not paused because the alert cannot be read: {type(error).__name__}"
            return _decision(case, words, act=False, tell=True)
        if found is not None:
            reason, tell = found
            return _decision(case, f"not paused because {reason}", act=False, tell=tell)
        verb = "paused" if self._terms.sends else "would be paused"
        return _decision(case, f"{verb} because {case.because}", act=True, tell=True)


def _decision(case: Case, words: str, *, act: bool, tell: bool) -> Decision:
    return Decision(
        act=act,
        targets=case.targets if act else (),
        words=words,
        urgency=_URGENCY[case.level],
        grade=case.grade,
        loss_wei=case.loss_wei,
        tell=tell,
        grave=case.grave,
    )
