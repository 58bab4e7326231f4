"""What is known of a contract's maker: whose money it has, and whether it attacked before (docs/early.md)."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from mempool_ids.config.section import Positive, Probability, Section
from mempool_ids.config.values import Address, ConfigPath, Listed, Secret

Hours = Annotated[int, Field(ge=1, le=87_600)]
_ETHER = 10**18


def _least(amount: float) -> float:
    if int(amount * _ETHER) < 1:
        raise ValueError("at least one smallest unit, 1e-18")
    return amount


class Detonation(Section):
    """What calling new contracts may take. None leaves the core's default (rust/core/src/config/early.rs)."""

    enabled: bool = True
    calls: Positive | None = None
    """Of one contract on one head."""
    gas: Positive | None = None
    """Of these together."""
    contract_ms: Positive | None = None
    """Of one contract on one head."""
    head_ms: Positive | None = None
    """Of all contracts on one head."""
    contracts: Positive | None = None
    """Contracts that are called again with each head; an eighth of these may be one deployer's."""
    young_blocks: Positive | None = None
    """For how many heads."""


class Early(Section):
    """The early attack detector: looks for new contracts, scores them, calls the suspects on the current state."""

    enabled: bool = True
    """It needs simulation, and nodes that trace blocks (docs/early.md)."""
    high_recall: Probability | None = None
    """Score that is enough where something else speaks for an attack, too. None is the model's, for this chain."""
    high_precision: Probability | None = None
    """Score that is enough for an alert. None is the model's, for this chain."""
    detonation: Detonation = Detonation()
    beta: bool = False
    """`EARLY-AD-INFO` alerts too."""
    funding: ConfigPath = Path("funding.db")
    """The index of who had money of mixers, swaps and exchanges."""
    labels: ConfigPath = Path("labels")
    """Folder of the lists of known attackers."""
    signers: Annotated[tuple[Address, ...], Listed] = ()
    """Whose lists of known attackers are taken. Where somebody is named, only signed ones are."""
    label_key: Secret | None = None
    """The key that signs lists for others: 32 bytes in hexadecimal. It holds no money and is not the guardian's."""
    sources: ConfigPath | None = None
    """More services, or others: a table with the columns chain_id,address,service,grade,hours."""
    windows: dict[str, Hours] = Field(default_factory=dict)
    """Hours after a payment in which it counts, by service. Unless given 24, and 180 days of Tornado Cash."""
    wrapped_native: Address | None = None
    """The wrapped native asset; None is the chain's own, where it is known."""
    least: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False), AfterValidator(_least)] | None = None
    """Of the native asset, in whole units: less is no funding. None is the chain's own, some 5 to 20 dollars."""

    @property
    def least_units(self) -> int | None:
        """`least` in smallest units."""
        return None if self.least is None else int(self.least * _ETHER)
