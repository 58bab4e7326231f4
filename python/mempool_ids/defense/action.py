"""One response, from the intent to what the chain made of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


class IllegalTransition(ValueError):
    """An action cannot go from the one state to the other."""


class ActionState(enum.StrEnum):
    """Where an action is. The last four are ends."""

    INTENT = "intent"
    """It is wanted. Nothing was checked, or a human is asked."""
    VERIFIED = "verified"
    """Policy, rails and caps allow it, and its bytes are chosen."""
    SENT = "sent"
    """Its bytes are out. More than once where it was replaced by a higher bid."""
    INCLUDED = "included"
    """A block has it."""
    CONFIRMED = "confirmed"
    """The contract says that it is paused, so many blocks later."""
    SUPERSEDED = "superseded"
    """Somebody else did it, or used its nonce."""
    CANCELLED = "cancelled"
    """Its cause is gone, or a human refused."""
    FAILED = "failed"


ENDS = frozenset({ActionState.CONFIRMED, ActionState.SUPERSEDED, ActionState.CANCELLED, ActionState.FAILED})

_NEXT: Mapping[ActionState, frozenset[ActionState]] = {
    # Said again, here and where a block has it: a person asked for it as well.
    ActionState.INTENT: frozenset(
        {
            ActionState.INTENT,
            ActionState.VERIFIED,
            ActionState.SUPERSEDED,
            ActionState.CANCELLED,
            ActionState.FAILED,
        }
    ),
    ActionState.VERIFIED: frozenset(
        {ActionState.SENT, ActionState.SUPERSEDED, ActionState.CANCELLED, ActionState.FAILED}
    ),
    # Sent again: a higher bid, or the same bytes once more.
    ActionState.SENT: frozenset(
        {
            ActionState.SENT,
            ActionState.INCLUDED,
            ActionState.SUPERSEDED,
            ActionState.CANCELLED,
            ActionState.FAILED,
        }
    ),
    # A reorg takes a block away: the same bytes are sent again.
    ActionState.INCLUDED: frozenset(
        {
            ActionState.INCLUDED,
            ActionState.SENT,
            ActionState.CONFIRMED,
            ActionState.SUPERSEDED,
            ActionState.FAILED,
        }
    ),
    **{end: frozenset() for end in ENDS},
}


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state."""

    state: ActionState
    at: float
    """Unix seconds."""
    reason: str
    """In words, for people."""
    attempt: int
    """How many transactions were sent so far."""
    tx_hash: str | None = None
    cost_wei: int | None = None
    """What was paid for gas, once a block has it."""
    block: int | None = None


@dataclass(slots=True)
class DefenseAction:
    """A response. Amounts in wei."""

    action_id: str
    strategy: str
    """`pause`, `rescue`, or `cancel`."""
    target: str
    """The contract's name."""
    target_address: str
    created: float
    """Unix seconds."""
    threats: tuple[str, ...] = ()
    """Hashes of the transactions that it answers, the first first."""
    contract: str | None = None
    """The new contract that it answers, which has attacked nobody yet: the first, where there are several."""
    grade: str = "suspected"
    urgency: str = "critical"
    state: ActionState = ActionState.INTENT
    guardian: str | None = None
    nonce: int | None = None
    tx_hash: str | None = None
    """Of the last bytes that were sent, or that a block has."""
    gas_limit: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None
    attempt: int = 0
    block: int | None = None
    position: int | None = None
    """Index in its block."""
    won: bool | None = None
    """Whether it came before the attack; None where that is not known yet."""
    cost_wei: int | None = None
    """What was paid for gas so far, by all of its transactions: bids at several nonces, cancellations, filled gaps."""
    capped: bool = False
    """The caps cut the bid short."""
    shadow: bool = False
    """Nothing was sent: this is what would have been."""
    loss_wei: int | None = None
    """What the attack would have taken, where that is known in ether."""
    grave: bool = False
    """By what it answers, as rails.py has it."""
    p: float = 1.0
    """The probability that it answers an attack."""
    history: list[Transition] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.state in ENDS

    @property
    def reason(self) -> str:
        """Of its last change."""
        return self.history[-1].reason if self.history else ""

    def advance(self, state: ActionState, at: float, reason: str, **details: Any) -> Transition:
        """Goes to `state`. `details` (`tx_hash`, `cost_wei`, `block`) are the transition's, then the action's.

        Raises:
            IllegalTransition: it cannot go there from where it is. Nothing has changed.
        """
        if state not in _NEXT[self.state]:
            raise IllegalTransition(f"action {self.action_id}: {self.state} cannot become {state}")
        transition = Transition(state, at, reason, self.attempt, **details)
        if state is ActionState.SENT and self.state is ActionState.INCLUDED:
            # A reorg: no block has it, and nothing is paid.
            self.block = self.position = self.won = self.cost_wei = None
        self.state = state
        self.tx_hash = self.tx_hash if transition.tx_hash is None else transition.tx_hash
        self.cost_wei = self.cost_wei if transition.cost_wei is None else transition.cost_wei
        self.block = self.block if transition.block is None else transition.block
        self.history.append(transition)
        return transition


def as_dict(action: DefenseAction) -> dict[str, Any]:
    """For JSON: amounts as decimal text, as events have them."""
    fields = asdict(action)
    for name in ("max_fee_per_gas", "max_priority_fee_per_gas", "cost_wei", "loss_wei"):
        fields[name] = None if fields[name] is None else str(fields[name])
    for transition in fields["history"]:
        transition["cost_wei"] = None if transition["cost_wei"] is None else str(transition["cost_wei"])
    return fields
