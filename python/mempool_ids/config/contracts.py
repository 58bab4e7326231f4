"""The contracts a user protects, and what no transaction may do to them (docs/invariants.md)."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints

from mempool_ids.config.section import NonNegative, Positive, Probability, Section
from mempool_ids.config.values import Address, ConfigPath, lower_address

# The core reads amounts as decimal text: JSON numbers do not hold 256 bits everywhere.
Amount = Annotated[int, Field(ge=0, lt=2**256), PlainSerializer(str, return_type=str)]


def _asset(value: str) -> str:
    if value == "native":
        return value
    if not value.startswith("0x"):
        raise ValueError("an asset is native, or the address of a token")
    return lower_address(value)


Asset = Annotated[str, AfterValidator(_asset)]
"""`native`, or the address of a token."""


def _function(value: str) -> str:
    if not re.fullmatch(r"[^()]+\(.*\)", value):
        raise ValueError(
            'a function is its name and the types of its parameters, as "pause()" or "setPaused(bool)"'
        )
    return value


Function = Annotated[str, Field(max_length=1024), AfterValidator(_function)]
"""Name and parameter types: `totalAssets()`."""


def _via(value: str) -> str:
    kind, _, address = value.partition(":")
    if kind not in ("pauser", "safe_module", "access_manager"):
        raise ValueError("must be pauser:0x…, safe_module:0x… or access_manager:0x…")
    return f"{kind}:{lower_address(address)}"


Slot = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{64}$")]
Factor = Annotated[float, Field(ge=1.0, allow_inf_nan=False)]


Argument = bool | int | str


class Pause(Section):
    """How a contract is paused, by the guardian or through what the guardian may call."""

    call: Function
    """`pause()`, `setPoolPause(bool)`, …"""
    args: tuple[Argument, ...] = ()
    """Of `call`, one for each parameter; addresses and bytes as 0x…"""
    check: Function | None = None
    """A view that answers something else than 0 where it is paused: `paused()`. Without it a receipt must do."""
    check_args: tuple[Argument, ...] = ()
    gas: Positive | None = None
    """Gas limit. None is what a simulation by the next block's rules needs, times 1.3."""
    via: Annotated[str, AfterValidator(_via)] | None = None
    """What the guardian calls instead of the contract: `pauser:0x…` (contracts/src/defense/Pauser.sol),
    `safe_module:0x…` (the Safe that has the guardian as a module), `access_manager:0x…` (OpenZeppelin's)."""
    value_eth: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """What is at stake in the contract, in ether: for a bid by the expected loss where that is not in ether itself."""


class Rescue(Section):
    """Brings assets out of the contract. Off unless given."""

    call: Function
    args: tuple[Argument, ...] = ()
    recipient: Address
    """The one address, beside the contract's assets, that the call names."""
    protocol: Address | None = None
    """Account that adopted SEAL's Safe Harbor agreement: its recovery address must be the recipient."""


class Views(Section):
    """Functions without arguments that answer one number. What is not given is not checked."""

    share_price: Function | None = None
    total_assets: Function | None = None
    total_supply: Function | None = None
    liabilities: Function | None = None
    """What the contract owes, in units of `total_assets`."""


class Outflow(Section):
    share: Probability | None = None
    """Of the balance: what may leave, unless a claim falls with it. The core's default is 0.05."""
    severe_share: Probability | None = None
    """From here on it alarms alone: 0.3."""
    amounts: dict[Asset, Amount] = Field(default_factory=dict)
    """Smallest units of an asset that may leave at once: more alarms alone, in any case."""


class Solvency(Section):
    drop: Probability | None = None
    """Fall of the share price, or of the assets beyond that of the liabilities: 0.001."""
    severe_drop: Probability | None = None
    """From here on it alarms alone: 0.1."""
    loss_events: tuple[Function, ...] = ()
    """Events with which the contract registers a loss itself."""


class PriceManipulation(Section):
    deviation: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Of a price from what it was before the transaction: 0.03."""
    functions: tuple[Function, ...] = ()
    """Functions that tell a price, beside the known ones."""


class Takeover(Section):
    slots: tuple[Slot, ...] = ()
    """Storage slots that hold an owner, a role or an implementation, beside the conventional ones."""


class Governance(Section):
    functions: tuple[Function, ...] = ()
    """Functions that carry out a proposal, beside the known ones."""


class Donation(Section):
    factor: Factor | None = None
    """By which a gift may raise the share price: 2."""
    tiny_supply: Amount | None = None
    """A supply up to this many smallest units is tiny: 1000000."""


class Release(Section):
    """A function that releases what another chain locked."""

    function: Function
    root_word: NonNegative
    """Which 32-byte word of its arguments is the root; the first is 0."""
    known: Function | None = None
    """A view that takes a root and answers 0 where it is not known yet."""


class BridgeRelease(Section):
    releases: tuple[Release, ...] = ()


class Invariants(Section):
    """Parameters of the checks; None leaves the core's default."""

    disabled: tuple[str, ...] = ()
    outflow: Outflow = Outflow()
    solvency: Solvency = Solvency()
    price_manipulation: PriceManipulation = PriceManipulation()
    takeover: Takeover = Takeover()
    governance: Governance = Governance()
    donation: Donation = Donation()
    bridge_release: BridgeRelease = BridgeRelease()


class Contract(Section):
    """A contract the user protects."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    address: Address
    abi: ConfigPath | None = None
    assets: tuple[Asset, ...] = ()
    """Watched for outflow, beside ether and the tokens that the contract's own code calls or its storage names."""
    receivers: tuple[Address, ...] = ()
    """Where its assets may go in any amount: its strategies, its treasury."""
    admins: tuple[Address, ...] = ()
    """Who may change its owner, roles and code, and move everything."""
    views: Views = Views()
    invariants: Invariants = Invariants()
    pause: Pause | None = None
    rescue: Rescue | None = None
    """Done instead of the pause."""

    def protection(self) -> dict[str, Any]:
        """What is allowed on it, as the core takes it: only what the user set."""
        allowed = {"assets", "receivers", "admins", "views", "invariants"}
        return self.model_dump(mode="json", include=allowed, exclude_unset=True, exclude_none=True)
