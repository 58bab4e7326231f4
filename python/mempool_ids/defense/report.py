"""What a journal's actions amount to: would have acted, won, cost, and how often for nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mempool_ids.defense.action import ActionState, DefenseAction


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its 95 % interval."""

    share: float
    low: float
    high: float
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Report:
    """Amounts in wei."""

    actions: int
    shadow: int
    by_state: Mapping[str, int]
    won: int
    lost: int
    open: int
    spent_wei: int
    saved_wei: int
    """What attacks that a response came before would have taken, as far as that is known in ether."""
    capped: int
    judged: int
    """By people, with `mempool-ids defend judge`."""
    false_alarms: Interval | None
    """Of those judged; None while none is."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def wilson(count: int, of: int, z: float = 1.959964) -> Interval:
    """Wilson's score interval, 95 % unless `z` says otherwise (Wilson 1927).

    Raises:
        ValueError: of nothing, or of less than there are.
    """
    if of <= 0 or not 0 <= count <= of:
        raise ValueError("a share needs 0 ≤ count ≤ of, and of > 0")
    share = count / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half), count, of)


def report(actions: Iterable[DefenseAction], judgements: Mapping[str, bool]) -> Report:
    """Sums up.

    Args:
        judgements: by action, whether people found that it answered an attack.
    """
    known = list(actions)
    judged = [judgements[action.action_id] for action in known if action.action_id in judgements]
    won = [action for action in known if action.won]
    return Report(
        actions=len(known),
        shadow=sum(action.shadow for action in known),
        by_state=dict(Counter(action.state.value for action in known)),
        won=len(won),
        lost=sum(action.won is False for action in known),
        open=sum(not action.is_over for action in known),
        spent_wei=sum(action.cost_wei or 0 for action in known if not action.shadow),
        saved_wei=sum(
            action.loss_wei or 0
            for action in won
            if action.state is ActionState.CONFIRMED and not action.shadow
        ),
        capped=sum(action.capped for action in known),
        judged=len(judged),
        false_alarms=wilson(judged.count(False), len(judged)) if judged else None,
    )
