"""A contract that is new, with what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mempool_ids.records.classification import DecisionFactor


@dataclass(frozen=True, slots=True)
class ContractScore:
    """How much a contract's code looks like an attacker's."""

    score: float
    """By the model of high recall: calibrated, 0..1."""
    precise: float
    """By the model of high precision, the same."""
    high_recall: bool
    """It reaches the threshold that is enough where something else speaks for an attack, too."""
    high_precision: bool
    """It reaches the threshold that is enough for an alert."""
    thresholds: Mapping[str, float]
    """`high_recall` and `high_precision`, of the chain's model."""
    function_signatures: tuple[str, ...]
    """Selectors of its dispatcher."""
    factors: tuple[DecisionFactor, ...]
    """What moved the score, the largest first."""
    model: str
    version: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "ContractScore":
        """From the `score` of a `deploy` event."""
        return cls(
            score=event["score"],
            precise=event["precise"],
            high_recall=event["high_recall"],
            high_precision=event["high_precision"],
            thresholds=event["thresholds"],
            function_signatures=tuple(event["function_signatures"]),
            factors=tuple(DecisionFactor(**factor) for factor in event["factors"]),
            model=event["model"],
            version=event["version"],
        )


@dataclass(frozen=True, slots=True)
class Contained:
    """A monitored contract that a new one holds."""

    contract: str
    """Its name."""
    address: str
    place: str
    """`code`, `arguments` of the constructor, `storage` that it wrote, or `called` by it."""


@dataclass(frozen=True, slots=True)
class Funding:
    """Money that an account had of a service that asks little."""

    service: str
    grade: str
    """`high` (mixers), `medium`, `low` (exchanges)."""
    source: str
    """The service's address."""
    hops: int
    """1: from the service itself; 2: from somebody who had it from there, `via`."""
    via: str | None
    token: str | None
    """The wrapped native asset; None where it was native."""
    amount: int
    """Smallest units, of the last transfer."""
    block: int
    timestamp: datetime
    tx: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Funding":
        """From an entry of `funding` in a `deploy` event."""
        return cls(
            service=event["service"],
            grade=event["grade"],
            source=event["source"],
            hops=event["hops"],
            via=event["via"],
            token=event["token"],
            amount=int(event["amount"]),
            block=event["block"],
            timestamp=datetime.fromisoformat(event["timestamp"]),
            tx=event["tx"],
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """A contract that is new, with what is known of it so far."""

    address: str
    deployer: str
    """Who signed the transaction."""
    creator: str
    """Whose code created it: the deployer's own transaction, or a factory."""
    tx: str
    seen: str
    """`pending`, `simulated` (a pending transaction creates it), `mined`, or `gone`: its transaction failed or was replaced."""
    block: int | None
    code_size: int
    """Bytes."""
    implementation: str | None
    """Whose code it runs in place of its own."""
    score: ContractScore | None
    contained: tuple[Contained, ...]
    funding: tuple[Funding, ...]
    past_attacker: str | None
    """The incident that its deployer, or its creator, is known of."""
    twins: tuple[str, ...]
    """Others with the same code from the same transaction."""
    detonation: Mapping[str, Any] | None
    """What calling it showed, as in the event; None where it was not called."""
    event: Mapping[str, Any]
    """The `contract` of the `deploy` or `alert` event."""

    @property
    def proof(self) -> Mapping[str, Any] | None:
        """The calls that harm a monitored contract, and what they do; None where nothing is proved."""
        return None if self.detonation is None else self.detonation["proof"]

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Deployment":
        """From the `contract` of a `deploy` event, or of what an alert says under `early`."""
        attacker = event["past_attacker"]
        return cls(
            address=event["address"],
            deployer=event["deployer"],
            creator=event["creator"],
            tx=event["tx"],
            seen=event["seen"],
            block=event["block"],
            code_size=event["code_size"],
            implementation=event["implementation"],
            score=None if event["score"] is None else ContractScore.from_event(event["score"]),
            contained=tuple(Contained(**held) for held in event["contained"]),
            funding=tuple(Funding.from_event(one) for one in event["funding"]),
            past_attacker=None if attacker is None else attacker["incident"],
            twins=tuple(event["twins"]),
            detonation=event["detonation"],
            event=event,
        )
