"""The final record of one detection."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mempool_ids.records.classification import ClassificationResult, DecisionFactor, ThreatLevel
from mempool_ids.records.deployment import Deployment
from mempool_ids.records.transaction import PendingTransaction


@dataclass(frozen=True, slots=True)
class SignatureMatch:
    """A signature that matched. `severity`: 1 critical, 2 high, 3 medium, 4 low."""

    id: int
    rev: int
    name: str
    classtype: str
    severity: int
    score: float
    notify: bool


@dataclass(frozen=True, slots=True)
class Victim:
    """A monitored contract that a transaction harms, with one asset that it loses; None where no loss is measured."""

    contract: str
    """Its name."""
    invariants: tuple[str, ...]
    asset: str | None
    """`native`, or a token's address."""
    amount: int | None
    """Smallest units."""
    share: float | None
    """Of what the contract had of the asset, 0..1; None where that is not known, too."""
    beneficiary: str | None
    """Who has most of it afterwards."""


@dataclass(frozen=True, slots=True)
class ThreatDetection:
    """A transaction that was judged a threat, with all evidence."""

    alert_id: str
    """The same for the same transaction on the same chain, whichever sensor, restart or replay saw it."""
    timestamp: datetime
    severity: str
    threat_level: ThreatLevel
    score: float
    """The verdict of its simulation; without one max(probability, signature_score)."""
    notify: bool
    """False where thresholds or suppressions mute it."""
    tx: PendingTransaction
    contracts: tuple[str, ...]
    """Names of the monitored contracts it touches, as far as can be seen, or calls when it is simulated."""
    classification: ClassificationResult
    signatures: tuple[SignatureMatch, ...]
    signature_score: float
    features: tuple[float, ...]
    latency_us: Mapping[str, float]
    authenticity: str
    """Whether the transaction is what its hash says: `proven`, `unproven` or `contradicted` (docs/operating.md)."""
    watched_ms: int
    """Milliseconds that the sensor had been watching when it arrived: what its features remember starts empty."""
    event: Mapping[str, Any]
    """The `alert` event as in the event log."""
    grade: str = "suspected"
    """How sure it is that a monitored contract is harmed: `proved`, `likely` or `suspected` (docs/simulation.md)."""
    victims: tuple[Victim, ...] = ()
    """Whom it harms, apart from whom it touches."""
    deployment: Deployment | None = None
    """The new contract that it is about, whose creation `tx` then is; None where it is about a transaction."""

    @property
    def response(self) -> Mapping[str, Any]:
        """Whether pausing would help, and what was done (docs/simulation.md)."""
        response: Mapping[str, Any] = self.event["response"]
        return response

    @property
    def tx_hash(self) -> str:
        return self.tx.hash

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "ThreatDetection":
        """From an `alert` event."""
        return cls(
            alert_id=event["alert_id"],
            timestamp=datetime.fromisoformat(event["timestamp"]),
            severity=event["severity"],
            threat_level=ThreatLevel[event["threat_level"]],
            score=event["score"],
            notify=event["notify"],
            tx=PendingTransaction.from_event(event["tx"]),
            contracts=tuple(event["contracts"]),
            classification=_classification(event["classification"]),
            signatures=tuple(SignatureMatch(**match) for match in event["signatures"]),
            signature_score=event["signature_score"],
            features=tuple(event["features"]),
            latency_us=event["latency_us"],
            # Alerts of before lack these.
            authenticity=event["tx"].get("authenticity", "unproven"),
            watched_ms=event.get("watched_ms", 0),
            event=event,
            grade=event.get("grade", "suspected"),
            victims=tuple(_victim(victim) for victim in event.get("victims", ())),
            deployment=Deployment.from_event(early["contract"]) if (early := event.get("early")) else None,
        )


def _victim(event: Mapping[str, Any]) -> Victim:
    return Victim(
        contract=event["contract"],
        invariants=tuple(event["invariants"]),
        asset=event["asset"],
        amount=None if event["amount"] is None else int(event["amount"]),
        share=event["share"],
        beneficiary=event["beneficiary"],
    )


def _classification(event: Mapping[str, Any]) -> ClassificationResult:
    return ClassificationResult(
        probability=event["probability"],
        threat_level=ThreatLevel.of(event["probability"]),
        is_exploit=event["probability"] >= event["threshold"],
        threshold=event["threshold"],
        decision_factors=tuple(DecisionFactor(**factor) for factor in event["factors"]),
        model=event["model"],
        version=event["version"],
    )
