"""A contract that is new, with what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    contained_addresses: tuple[str, ...] = ()
    """In its code. Empty in events, which have the monitored ones in `contained`."""
    scored: str | None = None
    """Of init code: `executed` (what its constructor left), `embedded` (what it has in it), or the `constructor`."""
    cut: bool = False
    """It is longer than what is read of it."""
    implementation: str | None = None
    """Whose code was scored, where an address runs another's."""
    event: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """As it was told: an object of JSON."""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "ContractScore":
        """From the `score` of a `deploy` event, or what the core's scorer says."""
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
            contained_addresses=tuple(event.get("contained_addresses", ())),
            scored=event.get("scored"),
            cut=event.get("cut", False),
            implementation=event.get("implementation"),
            event=event,
        )


@dataclass(frozen=True, slots=True)
class Detonation:
    """What calling a contract on the state at the head showed."""

    address: str
    called_as: str
    """Who called it first: its deployer, or where that is not known somebody whom nobody is, without money."""
    deployer: str | None
    """Who signed its creation, as nodes tell or as it was given; None where it is not known."""
    deployer_unknown: str | None
    """Why not."""
    grade: str | None
    """What stands behind the proof: `proved`, `likely`; None where there is no proof."""
    victims: tuple[Mapping[str, Any], ...]
    """Monitored contracts that lose by it, as in an alert."""
    event: Mapping[str, Any]
    """As it was told: an object of JSON. Its `calls` are those inside the proof's last call."""

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What was called and what that came to, as the `detonation` of a `deploy` event."""
        outcome: Mapping[str, Any] = self.event["detonation"]
        return outcome

    @property
    def proof(self) -> Mapping[str, Any] | None:
        """The calls that harm a monitored contract, and what the last one does; None where there are none."""
        proof: Mapping[str, Any] | None = self.outcome["proof"]
        return proof

    @classmethod
    def of_core(cls, address: str, told: Mapping[str, Any]) -> "Detonation":
        """As the core tells it."""
        return cls(
            address=address,
            called_as=told["called_as"],
            deployer=told["deployer"],
            deployer_unknown=told["deployer_unknown"],
            grade=told["grade"],
            victims=tuple(told["victims"]),
            event=told,
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
    """`pending`, `simulated` (a pending transaction creates it), `mined`, or `gone`: that failed or was replaced."""
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
