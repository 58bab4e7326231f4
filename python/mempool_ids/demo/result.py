"""What one run of the demo showed, and whether it held."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Alert = dict[str, Any]


@dataclass(frozen=True)
class FalseAlert:
    """An alert about an honest user."""

    user: str
    action: str
    alert: Alert


@dataclass(frozen=True)
class Result:
    """One run. Times are milliseconds, balances wei.

    Attributes:
        alert: the event about the attack, None if there was none before its block.
        pending_when_alerted: the node, asked after the alert arrived, said that no block had the attack yet.
        sent_to_alert_ms: from just before the attacker handed the attack to the node.
        alert_to_inclusion_ms: how long before its block the alert came.
        drained: the attack went through, so there was something to warn of.
    """

    attack_tx: str
    alert: Alert | None
    pending_when_alerted: bool
    sent_to_alert_ms: float | None
    alert_to_inclusion_ms: float | None
    block: int
    drained: bool
    vault_before: int
    vault_after: int
    honest_transactions: int
    false_alerts: tuple[FalseAlert, ...]

    @property
    def preceded(self) -> bool:
        """Whether the alert came while the attack was still pending."""
        return self.alert is not None and self.pending_when_alerted

    @property
    def passed(self) -> bool:
        return self.preceded and self.drained and not self.false_alerts

    def problems(self) -> list[str]:
        """Why it did not pass, for people."""
        found = []
        if self.alert is None:
            found.append("no alert came before the block with the attack")
        elif not self.pending_when_alerted:
            found.append("the alert came after the block with the attack")
        if not self.drained:
            found.append("the attack did not go through, so this run shows nothing")
        found += [f"false alert: {alert.user} {alert.action}" for alert in self.false_alerts]
        return found

    def to_dict(self) -> dict[str, Any]:
        """For JSON: uint256 as decimal strings."""
        return {
            **asdict(self),
            "vault_before": str(self.vault_before),
            "vault_after": str(self.vault_after),
            "preceded": self.preceded,
            "passed": self.passed,
        }
