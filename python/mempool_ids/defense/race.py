"""What an action does next, from what the chain shows. Pure: no clock, no node, no key.

```text
SENT ─┬─ a block has it ──────────► INCLUDED ─┬─ paused, deep enough ─► CONFIRMED
      ├─ not yet ─► a higher bid               ├─ its block is gone ───► SENT, the same bytes
      ├─ its nonce is used ─► the next nonce    └─ reverted ────────────► FAILED
      ├─ somebody else paused ─► SUPERSEDED
      └─ the cause is gone ─► a transfer to oneself ─► CANCELLED; or the next nonce, if there is a cause again
```
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.armed import Key
from mempool_ids.defense.chain import Receipt

# Blocks that bytes which went out may stay out of the chain before more is bid.
PATIENCE = 1
# Blocks after which a paused contract, and a nonce that is used without a receipt of ours, mean that it was somebody
# else: receipts come late, or vanish for a while.
RECEIPTS = 3
# Blocks that a check may give no answer for, beyond the depth.
UNCHECKED = 10


class Do(enum.StrEnum):
    """What is to be done beside, or instead of, a change of state."""

    NOTHING = "nothing"
    REBROADCAST = "rebroadcast"
    """The same bytes once more."""
    ESCALATE = "escalate"
    """The next higher rung at the same nonce."""
    NEXT_NONCE = "next_nonce"
    """The same intent at the next nonce: this one is used."""
    CANCEL = "cancel"
    """A transfer to oneself at the same nonce."""
    OTHER_KEY = "other_key"
    """The same intent with another guardian."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the chain shows of an action."""

    head: int
    latest_nonce: int
    """Of the action's guardian."""
    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    """Of everything that was sent for it, as far as blocks have it."""
    cancel: Receipt | None = None
    """Of a cancellation."""
    paused: bool | None = None
    """What `check` answers on the head; None where there is no check, or no answer."""
    is_checked: bool = True
    """There is a check."""
    cause_gone: str | None = None
    """Why there is nothing left to answer, in words."""
    attack: tuple[int, int] | None = None
    """Block and index of the first of its threats that succeeded in one."""
    is_attack_known: bool = True
    """Nodes say of all of them whether they did."""
    paid: Mapping[Key, int] = field(default_factory=dict)
    """Wei for gas, by guardian and nonce, of everything that went out for it."""


@dataclass(frozen=True, slots=True)
class Step:
    do: Do = Do.NOTHING
    state: ActionState | None = None
    reason: str = ""
    receipt: Receipt | None = None
    won: bool | None = None


def next_step(
    action: DefenseAction, sent_at_head: int, sight: Sight, depth: int, *, cancelling: bool = False
) -> Step:
    """What follows.

    Args:
        action: in state SENT or INCLUDED.
        sent_at_head: the head's number when its last bytes went out.
        sight: the chain now.
        depth: blocks on top of its own before it is confirmed.
        cancelling: the last that went out is a cancellation.
    """
    receipt = _first(sight.receipts)
    if receipt is not None:
        return _mined(action, receipt, sight, depth)
    if action.state is ActionState.INCLUDED:
        return Step(
            Do.REBROADCAST, ActionState.SENT, "its block left the chain: the same bytes are sent again"
        )
    if sight.cancel is not None and sight.cause_gone is not None:
        return Step(
            state=ActionState.CANCELLED,
            reason="cancelled: a transfer to oneself took its nonce",
            receipt=sight.cancel,
        )
    is_used = sight.cancel is not None or (action.nonce is not None and sight.latest_nonce > action.nonce)
    is_over_due = sight.head > sent_at_head + PATIENCE - 1
    if sight.paused:
        reason = "it is paused already: somebody else was first"
        if is_used and sight.head > sent_at_head + RECEIPTS:
            return Step(state=ActionState.SUPERSEDED, reason=reason)
        # What is still out would pause once more, long after people have unpaused.
        return Step(Do.CANCEL, reason=reason) if is_over_due and not is_used else Step()
    if is_used and sight.cause_gone is not None:
        return Step(
            state=ActionState.CANCELLED, reason=f"{sight.cause_gone}; its nonce was used by something else"
        )
    if is_used:
        return Step(Do.NEXT_NONCE, reason=f"another transaction used the guardian's nonce {action.nonce}")
    if sight.cause_gone is not None:
        return Step(Do.CANCEL, reason=sight.cause_gone) if is_over_due or not cancelling else Step()
    if is_over_due:
        return Step(Do.ESCALATE, reason=f"not in block {sight.head}")
    return Step()


def _first(receipts: Mapping[str, Receipt]) -> Receipt | None:
    """Of several (at different nonces) the one that paused: the first that succeeded."""
    order = sorted(receipts.values(), key=lambda receipt: (receipt.block, receipt.position))
    return next((receipt for receipt in order if receipt.succeeded), order[0] if order else None)


def _mined(action: DefenseAction, receipt: Receipt, sight: Sight, depth: int) -> Step:
    won = None if sight.attack is None else (receipt.block, receipt.position) < sight.attack
    if not receipt.succeeded:
        if sight.paused:
            return Step(
                state=ActionState.SUPERSEDED,
                reason="reverted, and it is paused: somebody else was first",
                receipt=receipt,
            )
        if action.state is ActionState.INCLUDED:
            return Step(state=ActionState.FAILED, reason="the pause reverted", receipt=receipt, won=False)
        return Step(
            state=ActionState.INCLUDED, reason=_where(receipt, "reverted"), receipt=receipt, won=False
        )
    if (
        action.state is not ActionState.INCLUDED
        or action.tx_hash != receipt.tx_hash
        or action.block != receipt.block
    ):
        if action.state is ActionState.INCLUDED:
            return Step(Do.NOTHING, ActionState.SENT, "another block has it after a reorg", receipt, won)
        return Step(state=ActionState.INCLUDED, reason=_where(receipt, "mined"), receipt=receipt, won=won)
    if sight.head - receipt.block < depth:
        return Step(receipt=receipt, won=won)
    if sight.paused is None and sight.is_checked and sight.head - receipt.block < depth + UNCHECKED:
        return Step(receipt=receipt, won=won)
    if sight.paused is False or (sight.paused is None and sight.is_checked):
        said = "not paused" if sight.paused is False else "nobody answers whether it is paused"
        return Step(
            state=ActionState.FAILED,
            reason=f"mined in block {receipt.block}, and {said} {sight.head - receipt.block} blocks later",
            receipt=receipt,
            won=False,
        )
    said = "paused" if sight.paused else "mined (nothing to check it by)"
    return Step(
        state=ActionState.CONFIRMED,
        reason=f"{said}, {sight.head - receipt.block} blocks deep",
        receipt=receipt,
        won=True if won is None and sight.is_attack_known else won,
    )


def _where(receipt: Receipt, what: str) -> str:
    return f"{what} in block {receipt.block}, position {receipt.position}"
