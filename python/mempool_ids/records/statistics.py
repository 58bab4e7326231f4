"""Figures of a running sensor."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_SIMULATION = (
    "triaged_contact",
    "triaged_score",
    "triaged_young",
    "mined_contact",
    "mined_contact_seen",
    "simulated",
    "simulated_again",
    "simulated_after_others",
    "simulation_failures",
    "exonerated",
    "early",
    "state_fetches",
    "state_carried",
    "state_discarded",
    "state_failures",
)


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds from a frame's arrival to its classification, over all transactions."""

    count: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One node's connection. `first` of `seen` transactions came from it before any other."""

    endpoint: str
    up: bool
    seen: int
    first: int
    mean_lag_us: float
    connects: int
    disconnects: int
    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class IDSStatistics:
    """A snapshot. Counters since the start, times in seconds."""

    uptime_s: float = 0.0
    received: int = 0
    """Transactions that arrived, duplicates included."""
    duplicates: int = 0
    unparsed: int = 0
    classified: int = 0
    triaged_contact: int = 0
    """Passed on to be simulated, because they touch a monitored contract."""
    triaged_score: int = 0
    """Passed on because of their score alone."""
    triaged_young: int = 0
    """Passed on because they create a contract, or call one that was created lately."""
    mined_contact: int = 0
    """Mined transactions that changed a monitored contract, as far as a node traces blocks."""
    mined_contact_seen: int = 0
    """Of these, seen pending and passed on to be simulated before their block: what of them triage sees."""
    simulated: int = 0
    """Simulations that came to a verdict."""
    simulated_again: int = 0
    """Passed on once more with a new head, because they were found harmless on the one before."""
    simulated_after_others: int = 0
    """Of these, executed after what other accounts have pending, who may have prepared it."""
    simulation_failures: Mapping[str, int] = field(default_factory=dict)
    """Those that did not, by reason: deadline, budget, state, quota, queue, not_ready."""
    exonerated: int = 0
    """Would have been alerts, had their simulation not found them harmless."""
    early: Mapping[str, int | str | None] = field(default_factory=dict)
    """Of new contracts (docs/early.md): found, called, left out, failed, proved; `method` tells of blocks."""
    state_fetches: int = 0
    """Simulations that had to ask a node for state."""
    state_carried: int = 0
    """Heads whose changes a node told: what was known of the state is kept."""
    state_discarded: int = 0
    """Heads whose changes nobody told: what is needed is read anew."""
    state_failures: int = 0
    """Heads that no node gave the header of: simulations go on with the one before."""
    detections: int = 0
    """Alerts that the core raised."""
    stored: int = 0
    """Of these, committed for the first time."""
    repeated: int = 0
    """Of these, known from before (a restart, for example): stored once, notified once."""
    muted: int = 0
    """Of those stored, muted by thresholds or suppressions."""
    dropped: int = 0
    """Events and transactions lost for want of room: anywhere above 0, the sensor was blind for a moment."""
    malformed: int = 0
    """Events of the core that could not be used: left out and logged."""
    storage_failures: int = 0
    event_log_failures: int = 0
    callback_failures: int = 0
    callbacks_dropped: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Ends of transactions: mined, replaced, dropped."""
    reorgs: int = 0
    reconnects: int = 0
    recovered: int = 0
    head_number: int = 0
    next_base_fee_wei: int = 0
    tracked: int = 0
    anomalies: Mapping[str, int] = field(default_factory=dict)
    """By kind. `background_task` are tasks of the engine that ended unexpectedly: logged and started again."""
    deliveries: Mapping[str, int] = field(default_factory=dict)
    """Attempts of webhook deliveries since the start, by what became of them: delivered, retried, failed for good."""
    latency_us: Latency = Latency()
    endpoints: tuple[Endpoint, ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    """Cost and use of each signature: sid, evaluated, matched, muted, mean_ns."""

    invariants_speaking: Mapping[str, int] = field(default_factory=dict)
    """For each contract, how many invariants can speak as it is configured."""
    invariants_silent: Mapping[str, int] = field(default_factory=dict)
    """And how many are silent, or speak in part, for want of configuration: `mempool-ids check` says which."""
    defense: Mapping[str, Any] | None = None
    """In active defense: the executor's figures."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def dropped(core: Mapping[str, Any]) -> int:
    """What the core lost for want of room, of all kinds."""
    return int(core["dropped_queue"] + core["dropped_events"] + core["dropped_capture"])


def shared(core: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine's and the monitor's figures both have of the core's counters (`Sensor.stats()`)."""
    names = ("received", "duplicates", "unparsed", "reconnects", "recovered", "head_number")
    endpoints = tuple(Endpoint(**endpoint) for endpoint in core["endpoints"])
    return {**{name: core[name] for name in names}, "endpoints": endpoints}


def from_core(core: Mapping[str, Any], *, background_failures: int, **engine: Any) -> IDSStatistics:
    """The core's counters with the engine's own."""
    names = ("classified", "detections", "reorgs", "next_base_fee_wei", "tracked", *_SIMULATION)
    return IDSStatistics(
        **shared(core),
        **{name: core[name] for name in names},
        dropped=dropped(core),
        outcomes={name: core[name] for name in ("mined", "replaced", "dropped")},
        anomalies={**core["anomalies"], "background_task": background_failures},
        latency_us=Latency(**core["latency_us"]),
        rules=tuple(core["rules"]),
        **engine,
    )
