"""One change of a response to a threat."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_PLAIN = (
    "response_id", "action_id", "strategy", "target", "target_address", "grade", "urgency", "state", "reason",
    "tx_hash", "nonce", "gas_limit", "attempt", "block", "position", "won", "capped", "shadow",
)  # fmt: skip


class _Asks:
    """What a response has and is no field of: `asdict`, `repr` and pickle pass it over."""

    __slots__ = ("_ask_url",)
    _ask_url: str | None


@dataclass(frozen=True, slots=True)
class Response(_Asks):
    """An action as it was after one change of its state. Amounts in wei."""

    response_id: str
    """The action's id and the number of the change, from 0: the same after a restart."""
    action_id: str
    timestamp: datetime
    strategy: str
    """`pause`, `rescue` or `cancel`."""
    target: str
    """The contract's name."""
    target_address: str
    threats: tuple[str, ...]
    """Hashes of the transactions that it answers, the first first. None where a human asked for it."""
    grade: str
    urgency: str
    state: str
    """`intent`, `verified`, `sent`, `included`, `confirmed`, `superseded`, `cancelled` or `failed`."""
    reason: str
    """In words, for people."""
    tx_hash: str | None
    """The response's own transaction, the last that was sent or the one that a block has."""
    nonce: int | None
    gas_limit: int | None
    max_fee_per_gas: int | None
    max_priority_fee_per_gas: int | None
    cost_wei: int | None
    """What was paid for gas, once a block has it."""
    loss_wei: int | None
    """What the attack would have taken, where that is known in ether."""
    attempt: int
    """How many transactions were sent so far."""
    block: int | None
    position: int | None
    """Index in its block."""
    won: bool | None
    """Whether it came before the attack; None where that is not known yet."""
    capped: bool
    """The caps cut its bid short."""
    shadow: bool
    """Nothing was sent: this is what would have been."""
    event: Mapping[str, Any]
    """The `response` event as in the event log."""

    @property
    def ask_url(self) -> str | None:
        """Where a human can answer, of an `intent` that waits for that. Whoever has it can answer: it is in no log, and
        in no copy."""
        return getattr(self, "_ask_url", None)

    @property
    def threat_tx(self) -> str | None:
        """The first that it answers."""
        return self.threats[0] if self.threats else None

    @classmethod
    def from_event(cls, event: Mapping[str, Any], ask_url: str | None = None) -> "Response":
        """From a `response` event."""
        fields: dict[str, Any] = {name: event[name] for name in _PLAIN}
        for name in ("max_fee_per_gas", "max_priority_fee_per_gas", "cost_wei", "loss_wei"):
            fields[name] = None if event[name] is None else int(event[name])
        made = cls(
            timestamp=datetime.fromisoformat(event["timestamp"]),
            threats=tuple(event["threats"]),
            event=event,
            **fields,
        )
        object.__setattr__(made, "_ask_url", ask_url)
        return made
