"""What the second act showed, and whether it held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mempool_ids.demo.result import Alert, Outcome
from mempool_ids.demo.timeline import Moment


@dataclass(frozen=True)
class Foreseen(Outcome):
    """A contract that was seen through before its first call, and what became of that call. Times are milliseconds.

    Attributes:
        contract: its address.
        creation_tx, created_block: of its deployment.
        score: of its code, high recall; None where there is none.
        service, funded_wei: who paid its deployer, as the sensor knows, and how much; None where it does not know.
        alert: the event that proves it by calling it, None if there was none before its first call.
        proof: that in a sentence.
        pending_when_proved: the node, asked after the alert arrived, said that no block had the contract yet.
        creation_to_alert_ms: from just before the deployer handed the contract's creation to the node.
        alert_to_first_call_ms: how long after the alert the attack was handed to the node.
        alert_to_inclusion_ms: how long after the alert the attack's block came.
        is_private: nobody but the builder was told of the attack while it was pending: its announcement was kept from
            the sensor and from whoever else listens, and none of them asked for what is pending.
    """

    contract: str
    creation_tx: str
    created_block: int
    score: float | None
    service: str | None
    funded_wei: int | None
    alert: Alert | None
    proof: str | None
    pending_when_proved: bool
    creation_to_alert_ms: float | None
    alert_to_first_call_ms: float | None
    alert_to_inclusion_ms: float | None
    is_private: bool
    timeline: tuple[Moment, ...]

    @property
    def foreseen(self) -> bool:
        """Whether the proof came before the first call was sent."""
        return self.alert_to_first_call_ms is not None and self.alert_to_first_call_ms > 0

    def problems(self) -> list[str]:
        """Why it did not pass, for people."""
        found = []
        if self.alert is None:
            found.append("nothing proved that the contract attacks")
        elif not self.foreseen:
            found.append("the proof came after the contract's first call")
        if self.score is None:
            found.append("the contract was not scored")
        if self.service is None:
            found.append("whose money its deployer has was not known")
        if not self.is_private:
            found.append("the attack was not private: who listens to the node may have been told of it")
        return [*found, *super().problems()]

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "foreseen": self.foreseen}
