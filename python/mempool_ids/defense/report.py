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
    """Amounts in wei. What was only rehearsed counts as `would…` and never as spent or saved."""

    actions: int
    shadow: int
    """Of these, rehearsed."""
    by_state: Mapping[str, int]
    won: int
    lost: int
    first: Interval | None
    """Share that came before what they answered, of those won or lost; None while there is none."""
    open: int
    spent_wei: int
    saved_wei: int
    """What attacks that a response came before would have taken, as far as that is known in ether."""
    would_spend_wei: int
    """Of rehearsed responses that a block would have had, gas limit × fee cap: no more than that."""
    would_save_wei: int
    capped: int
    judged: int
    """By people, with `mempool-ids defend judge`."""
    false_alarms: Interval | None
    """Of those judged; None while none is."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON: amounts as decimal text, as events have them."""
        return {key: str(value) if key.endswith("_wei") else value for key, value in asdict(self).items()}


def most(action: DefenseAction) -> int:
    """Wei that its last bid can cost; 0 while there is none."""
    return (action.gas_limit or 0) * (action.max_fee_per_gas or 0)


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


def _share(count: int, of: int) -> Interval | None:
    return wilson(count, of) if of else None


def report(actions: Iterable[DefenseAction], judgements: Mapping[str, bool]) -> Report:
    """Sums up.

    Args:
        judgements: by action, whether people found that it answered an attack.
    """
    known = list(actions)
    judged = [judgements[action.action_id] for action in known if action.action_id in judgements]
    won = sum(action.won is True for action in known)
    lost = sum(action.won is False for action in known)
    rehearsed = [action for action in known if action.shadow]
    sent = [action for action in known if not action.shadow]
    return Report(
        actions=len(known),
        shadow=len(rehearsed),
        by_state=dict(Counter(action.state.value for action in known)),
        won=won,
        lost=lost,
        first=_share(won, won + lost),
        open=sum(not action.is_over for action in known),
        spent_wei=sum(action.cost_wei or 0 for action in sent),
        saved_wei=_saved(sent),
        would_spend_wei=sum(most(action) for action in rehearsed if action.position is not None),
        would_save_wei=_saved(rehearsed),
        capped=sum(action.capped for action in known),
        judged=len(judged),
        false_alarms=_share(judged.count(False), len(judged)),
    )


def _saved(actions: Iterable[DefenseAction]) -> int:
    return sum(
        action.loss_wei or 0 for action in actions if action.won and action.state is ActionState.CONFIRMED
    )
