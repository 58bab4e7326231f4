"""The configuration's sections, as in the TOML file. Unknown keys are errors."""

import enum
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mempool_ids.config.contracts import Contract
from mempool_ids.config.defense import Defense
from mempool_ids.config.early import Early
from mempool_ids.config.section import NonNegative, Positive, Probability, Section
from mempool_ids.config.values import (
    ConfigPath,
    HttpUrl,
    Listed,
    Secret,
    WebSocketUrl,
    resolve,
)


class IDSMode(enum.StrEnum):
    """What follows a detection."""

    MONITOR_ONLY = "monitor_only"
    """Records (storage, event log), logs, and calls back; nothing leaves the machine."""
    ALERT_ONLY = "alert_only"
    """Also notifies by webhook."""
    ACTIVE_DEFENSE = "active_defense"
    """Also pauses contracts: `defense.armed` sends, `defense.shadow` rehearses."""


class Chain(Section):
    """The chain and the nodes that are asked. Times in milliseconds; None leaves the core's default."""

    id: Positive = 1
    spec: ConfigPath | None = None
    """A file that says what the chain is, where the core does not know it (docs/operating.md)."""
    websocket_urls: Annotated[tuple[WebSocketUrl, ...], Listed] = ()
    rpc_urls: Annotated[tuple[HttpUrl, ...], Listed] = ()
    stall_timeout_ms: Positive | None = None
    reconnect_initial_ms: Positive | None = None
    reconnect_max_ms: Positive | None = None
    resync: bool | None = None
    drop_after_ms: Positive | None = None


def _rule(entry: object) -> object:
    return str(resolve(entry)) if isinstance(entry, str) and entry != "builtin" else entry


class Detection(Section):
    """What is a detection, and what judges."""

    classification_threshold: Probability | None = None
    """A transaction whose probability or signature score reaches it is a detection. None is the model's own threshold,
    from its manifest: 0.7 for the model that comes with the package."""
    threat_level_threshold: Literal["BENIGN", "LOW", "MEDIUM", "HIGH", "CRITICAL"] = "HIGH"
    """The threat level from which active defense acts. Alerts go by the classification threshold."""
    rules: Annotated[tuple[Annotated[str, BeforeValidator(_rule)], ...], Listed] = ("builtin",)
    monitored_only: bool | None = None
    """Only transactions that touch a monitored contract: as callee, in the calldata, or in the callee's code. None is
    True where contracts are configured: on all of Ethereum, the model that comes with the package gives some
    5,000 alerts a day at its threshold (MODEL_CARD.md)."""
    model: ConfigPath | None = None
    """Folder with manifest.json; None is the model that comes with the package."""

    @field_validator("threat_level_threshold", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class Simulation(Section):
    """What is simulated, and what one simulation may take (docs/simulation.md). None leaves the core's default
    (rust/core/src/config.rs)."""

    enabled: bool = True
    backend: Literal["revm", "debug_trace_call", "eth_simulate_v1"] | None = None
    """Who executes: revm in this process, or the node."""
    deadline_ms: Positive = 250
    """From the decision to simulate to the verdict. Without one by then the alert goes out without it."""
    threshold: Probability | None = None
    """Score of the classifier or the rules from which a transaction is simulated that touches no monitored contract as
    far as can be seen without executing it. What touches one always is."""
    young_blocks: NonNegative | None = None
    """Creations are simulated, and calls of contracts this many blocks old at the most, whatever their score: an attack
    need not show whom it is for. 0 is none; a day of Ethereum unless set."""
    threads: NonNegative | None = None
    queue: Positive | None = None
    per_sender: Positive | None = None
    gas: Positive | None = None
    frames: Positive | None = None
    bytes: Positive | None = None
    accesses: Positive | None = None
    state: Positive | None = None
    vary: bool | None = None
    """Execute in other surroundings (coinbase, time, price) what asks for them."""


class Webhook(Section):
    """Receives each alert as a signed POST."""

    url: HttpUrl
    secret: Secret
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    max_age_h: Annotated[float, Field(gt=0)] = 24.0
    """After so many hours of failures a delivery is given up (and counted)."""


class Alerts(Section):
    jsonl: ConfigPath | None = None
    log: bool = True
    webhooks: tuple[Webhook, ...] = ()
    stats_interval_s: Annotated[float, Field(gt=0)] = 60.0

    @field_validator("webhooks")
    @classmethod
    def _distinct(cls, hooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
        if len({hook.url for hook in hooks}) != len(hooks):
            raise ValueError("two webhooks have the same url")
        return hooks


_SQLITE = "sqlite:///"


class Storage(Section):
    url: str = "sqlite:///mempool-ids.db"

    @field_validator("url", mode="before")
    @classmethod
    def _sqlite(cls, url: object) -> object:
        if not isinstance(url, str):
            return url
        if not url.startswith(_SQLITE) or len(url) == len(_SQLITE) or "?" in url:
            # The value may hold a password: it must not appear in the message.
            raise ValueError("this version stores in SQLite only: sqlite:///PATH")
        path = url.removeprefix(_SQLITE)
        if path == ":memory:":
            raise ValueError("detections must survive the process: give a file, sqlite:///PATH")
        return f"{_SQLITE}{resolve(path, url)}"

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix(_SQLITE))


class Server(Section):
    listen: str = "127.0.0.1:9464"


class Capture(Section):
    """Recording of what the sensor receives. None leaves the core's default."""

    dir: ConfigPath
    rotate_ms: Positive | None = None
    rotate_rows: Positive | None = None


class Limits(Section):
    """Bounds of what input can make grow; None leaves the core's default (rust/core/src/config.rs)."""

    queue_frames: Positive | None = None
    queue_bytes: Positive | None = None
    frame_bytes: Positive | None = None
    message_bytes: Positive | None = None
    dedup: Positive | None = None
    tracked: Positive | None = None
    codes: Positive | None = None
    accounts: Positive | None = None
    events: Positive | None = None
    batch: Positive | None = None
    spin_us: NonNegative | None = None  # 0 lets the pipeline always sleep


def _default_sensor() -> str:
    name = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64]
    return name or "sensor"


class IDSConfig(Section):
    """The whole configuration.

    In Python, `IDSConfig(websocket_url="ws://…", monitored_contracts=["0x…"])` does for the common case; any section
    can be given as a mapping too. From a file: `IDSConfig.from_toml("ids.toml")`.

    Raises:
        ConfigError: from `from_toml`, naming the key, file and line. The constructor raises pydantic's
            `ValidationError` (a `ValueError`).
    """

    operational_mode: IDSMode = IDSMode.MONITOR_ONLY
    sensor: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$", default_factory=_default_sensor)]
    chain: Chain = Chain()
    contracts: tuple[Contract, ...] = ()
    detection: Detection = Detection()
    simulation: Simulation = Simulation()
    defense: Defense = Field(default_factory=Defense)
    alerts: Alerts = Alerts()
    early: Early = Field(default_factory=Early)
    storage: Storage = Field(default_factory=Storage)
    server: Server = Server()
    capture: Capture | None = None
    limits: Limits = Limits()

    def __init__(
        self,
        *,
        websocket_url: str | None = None,
        monitored_contracts: Iterable[str | Mapping[str, Any]] = (),
        **sections: Any,
    ) -> None:
        if websocket_url is not None:
            chain = sections.get("chain", {})
            chain = chain.model_dump() if isinstance(chain, Chain) else dict(chain)
            given = tuple(chain.get("websocket_urls") or ())
            sections["chain"] = {**chain, "websocket_urls": (websocket_url, *given)}
        contracts = [
            {"name": entry, "address": entry} if isinstance(entry, str) else dict(entry)
            for entry in monitored_contracts
        ]
        if contracts:
            sections["contracts"] = (*sections.get("contracts", ()), *contracts)
        super().__init__(**sections)

    @model_validator(mode="after")
    def _consistent(self) -> "IDSConfig":
        for attribute in ("address", "name"):
            seen: set[str] = set()
            for contract in self.contracts:
                value = getattr(contract, attribute)
                if value in seen:
                    raise ValueError(f"contracts: two have the {attribute} {value}")
                seen.add(value)
        return self

    @classmethod
    def from_toml(
        cls,
        path: str | Path | None = None,
        overrides: Iterable[str] = (),
        *,
        environ: Mapping[str, str] | None = None,
    ) -> "IDSConfig":
        """The file's configuration, with environment variables and `key=value` overrides on top.

        Raises:
            ConfigError: unreadable, not TOML, or a key or value that is not valid.
        """
        from mempool_ids.config.load import load

        return load(path, overrides, environ=environ)
