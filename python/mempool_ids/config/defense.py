"""The defense's sections: who signs, what it may cost, when it acts, where it is sent (docs/defense.md)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mempool_ids.config.section import NonNegative, Positive, Section
from mempool_ids.config.values import Address, ConfigPath, HttpUrl, Listed, Listen, Secret

Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class KeystoreSigner(Section):
    """A keystore V3 file, as geth, Clef and MetaMask's tools write it."""

    type: Literal["keystore"]
    path: ConfigPath
    password: Secret


class EnvironmentSigner(Section):
    """A private key, 32 bytes in hexadecimal, where `key` says (`env:NAME` or `file:PATH`)."""

    type: Literal["environment"]
    key: Secret


class JsonRpcSigner(Section):
    """`eth_signTransaction` of Clef or Web3Signer."""

    type: Literal["jsonrpc"]
    url: HttpUrl
    address: Address
    timeout_s: Amount = 5.0


class KmsSigner(Section):
    """AWS KMS, a key of ECC_SECG_P256K1. Credentials as boto3 finds them."""

    type: Literal["kms"]
    key_id: str
    region: str | None = None
    endpoint: HttpUrl | None = None
    timeout_s: Amount = 5.0


class VaultSigner(Section):
    """A private key in HashiCorp Vault's KV store (version 2), read once at the start."""

    type: Literal["vault"]
    url: HttpUrl
    token: Secret
    mount: str = "secret"
    path: str
    field: str = "private_key"
    timeout_s: Amount = 5.0


Signer = Annotated[
    KeystoreSigner | EnvironmentSigner | JsonRpcSigner | KmsSigner | VaultSigner, Field(discriminator="type")
]


class Gas(Section):
    """What a response bids and may cost at the most."""

    strategy: Literal["highest", "priority-multiple", "value-aware"] = "highest"
    """`highest` is the higher of the two others, within the caps."""
    buffer_multiplier: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.5
    """Of `priority-multiple`: tip = this × (the threat's gas price − base fee). Urgency raises it up to 2."""
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.25
    """Of `value-aware`: by so much more than the attack pays its builder."""
    loss_share: Share = 0.1
    """A response pays no more than this share of the expected loss, where the loss is known in ether."""
    min_tip_gwei: Amount = 1.0
    """The lowest rung."""
    max_fee_gwei: Amount = 500.0
    max_cost_eth: Amount = 0.5
    """Of one action: gas limit × fee cap."""
    daily_budget_eth: Amount = 2.0
    reserve_eth: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Stays in the guardian's account."""
    kind: Literal["auto", "eip1559", "legacy"] = "auto"
    """`auto` asks the chain."""


class Confirm(Section):
    """Asks a human first: for so many seconds, and what happens where nobody answers. 0 asks nobody."""

    seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0
    default: Literal["act", "refuse"] = "act"
    listen: Listen | None = None
    """`host:port` where the link of a webhook is answered; without it, `mempool-ids defend answer` is the only way."""
    url: HttpUrl | None = None
    """How people reach `listen` from outside."""


class Broadcast(Section):
    """Where a response is sent. The node's own pool is `public`."""

    public: bool = True
    builders: Annotated[tuple[str, ...], Listed] = ()
    """Names of defense/broadcast/builders.toml, or of `builders_file`."""
    builders_file: ConfigPath | None = None
    identity: Secret | None = None
    """The key that signs requests to builders (X-Flashbots-Signature); it holds no money and is not the guardian's."""
    payer: Signer | None = None
    """Pays builders who rank by what is sent to them (on BNB Smart Chain); holds what may be bid, and no role."""
    blocks: Annotated[int, Field(ge=1, le=10)] = 3
    """Bundles for so many blocks to come."""

    @model_validator(mode="after")
    def _somewhere(self) -> "Broadcast":
        if not self.public and not self.builders:
            raise ValueError("public is false and there are no builders: nothing could be sent")
        return self


class Rails(Section):
    """What keeps baits from draining the guardian, or from keeping a protocol paused. What is proved and grave (a tenth
    of an asset, or the contract's keys) is held back by the daily budget alone: a count would be a way in."""

    window_s: Positive = 3600
    actions: Positive = 10
    """Responses sent in a window, over all contracts."""
    cooldown_s: NonNegative = 60
    """Of one contract, after a response to it ended."""
    per_sender: Positive = 2
    """Responses to threats of one sender in a window."""


class Defense(Section):
    """Everything between a detection and a paused contract."""

    armed: bool = False
    """Whether anything is sent."""
    shadow: bool = False
    """Everything but the sending, written down: what would have been done (`mempool-ids defend report`)."""
    act_on: Literal["proved", "likely", "suspected"] = "proved"
    """The least grade that pauses."""
    act_on_early_score: bool = False
    """Whether a new contract's code alone pauses the monitored contracts that it holds, where the model of high
    precision takes it for an attacker's. What is proved by calling it is answered as a pending attack is: `act_on`."""
    harm_left: Share = 0.1
    """Of the loss, what the pause may leave at the most to be worth it."""
    false_pause_cost_eth: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """What a pause without cause costs. Weighed against the expected loss, where that is known in ether."""
    on_failed_simulation: Literal["tell", "act"] = "tell"
    """Where a simulation was late or failed: people are told, or the pause is sent all the same."""
    when_gone: Literal["cancel", "keep"] = "cancel"
    """What becomes of a response that is out when the threat is withdrawn: it is cancelled, or left to land. Who
    withdraws an attack from the public pool may send it again where nobody sees it; who lays baits has the contract
    paused."""
    confirm: Confirm = Confirm()
    signer: Signer | None = None
    backup: Signer | None = None
    """A second guardian, for when the first is stuck or out of funds."""
    guardian: Address | None = None
    """Whose pause is rehearsed in shadow mode without a signer."""
    gas: Gas = Gas()
    broadcast: Broadcast = Broadcast()
    rails: Rails = Rails()
    nonces: Annotated[int, Field(ge=1, le=16)] = 3
    """How many of the guardian's next nonces are armed for each contract: so many victims at once."""
    rungs: Annotated[int, Field(ge=2, le=64)] = 16
    exact: bool = False
    """Signs the very bid when it is known instead of taking the next higher rung; local keys only. Its bytes are
    written, not synced, before they go out: a disk so stalled that the kernel takes no writes holds up the response."""
    depth: NonNegative = 2
    """Blocks on top of the pause's before it counts as confirmed."""
    readiness_s: Positive = 60
    """Between two proofs that the pause would work."""
    min_actions_funded: Positive = 3
    """So many pauses at the highest rung the guardian's balance must cover; else it is an alarm."""
    journal: ConfigPath = Path("defense.db")
    """What is signed, sent and became of it. Whoever reads it can pause: its mode is 0600."""

    @model_validator(mode="after")
    def _one_way(self) -> "Defense":
        if self.armed and self.shadow:
            raise ValueError("armed and shadow: one or the other")
        return self
