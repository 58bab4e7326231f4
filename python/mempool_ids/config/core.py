"""The configuration as the Rust core takes it (`SensorConfig` in rust/core/src/config.rs)."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import orjson

from mempool_ids.config.contracts import Contract
from mempool_ids.config.models import Capture, IDSConfig
from mempool_ids.config.reserved import without_effect
from mempool_ids.exceptions import ConfigError
from mempool_ids.model import manifest
from mempool_ids.model.library import onnxruntime_library

log = logging.getLogger(__name__)


def contracts_json(
    contracts: Sequence[Contract], pauses: Mapping[str, Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """The monitored contracts with their ABIs' texts, what is allowed on them, and by name what pauses them.

    Raises:
        ConfigError: an ABI file cannot be read.
    """
    entries: list[dict[str, Any]] = []
    for contract in contracts:
        entry = {"name": contract.name, "address": contract.address, **contract.protection()}
        if pauses and contract.name in pauses:
            entry["pause"] = dict(pauses[contract.name])
        if contract.abi is not None:
            try:
                entry["abi"] = contract.abi.read_text(encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"ABI of {contract.name}: {contract.abi}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ConfigError(f"ABI of {contract.name}: {contract.abi}: not UTF-8 text") from None
        entries.append(entry)
    return entries


def threshold(config: IDSConfig) -> float:
    """What a probability or a signature score must reach for a detection: the configuration's, else the model's own.

    Raises:
        ModelError: no threshold is configured, and the model's manifest has none that can be used.
    """
    chosen = config.detection.classification_threshold
    if chosen is None:
        chosen = manifest.entry(manifest.read(config.detection.model or manifest.BUILTIN)).threshold
    return chosen


def funding_config(config: IDSConfig) -> str:
    """`FundingConfig` (rust/core/src/config/funding.rs) as JSON."""
    early = config.early
    core = {
        "chain_id": config.chain.id,
        "path": str(early.funding),
        "sources": None if early.sources is None else str(early.sources),
        "windows": early.windows,
        "wrapped": early.wrapped_native,
        "least": None if early.least_units is None else hex(early.least_units),
    }
    return orjson.dumps(core).decode()


def _early(config: IDSConfig) -> dict[str, Any]:
    """`EarlyConfig` (rust/core/src/config/early.rs)."""
    early = config.early
    return {
        "beta": early.beta,
        "high_recall": early.high_recall,
        "high_precision": early.high_precision,
        "funding": orjson.loads(funding_config(config)),
        "labels": str(early.labels),
        "detonation": _given(early.detonation, "enabled") if early.detonation.enabled else None,
    }


def _given(section: Any, *without: str) -> dict[str, Any]:
    return dict(section.model_dump(mode="json", exclude_none=True, exclude=set(without)))


def _live(config: IDSConfig, listen: bool) -> dict[str, Any]:
    chain = config.chain
    if listen and not chain.websocket_urls:
        raise ConfigError(
            "chain.websocket_urls is empty: which node is to be watched? "
            "For example --set chain.websocket_urls=ws://127.0.0.1:8546"
        )
    return {
        "type": "live",
        "websocket_urls": [url.full for url in chain.websocket_urls],
        "rpc_urls": [url.full for url in chain.rpc_urls],
        **_given(chain, "id", "spec", "websocket_urls", "rpc_urls"),
    }


def sensor_config(
    config: IDSConfig,
    *,
    replay: Sequence[Path] = (),
    speed: float = 0.0,
    emit: Literal["alerts", "all"] = "alerts",
    judge: bool = True,
    capture: Capture | None = None,
    listen: bool = True,
    pauses: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """`SensorConfig` as JSON. Where it is to judge, keys that are set to no effect are logged as warnings.

    Args:
        config: the user's configuration.
        replay: captures to read; empty is live, from the configured nodes.
        speed: of a replay: 0 as fast as possible, 1 as recorded.
        emit: alerts only, or a `tx` event for every transaction too.
        judge: False leaves the model out: transactions are received and emitted only.
        capture: where to record; None takes the configuration's own when live.
        listen: False for what asks nodes and listens to none: no WebSocket URL is needed.
        pauses: by a contract's name the call that pauses it: `{from, to, input, gas, value, check: {to, input}}`, the
            last three optional. Nothing is asked about pausing the others.

    Raises:
        ConfigError: no node is configured, or an ABI file cannot be read.
        ModelError: ONNX Runtime's library is missing, or the model's manifest cannot be used.
    """
    for key, why in without_effect(config) if judge else ():
        log.warning("%s has no effect: %s", key, why)
    recorder = capture or (None if replay else config.capture)
    core = {
        "sensor": config.sensor,
        "chain_id": config.chain.id,
        "chain_spec": None if config.chain.spec is None else str(config.chain.spec),
        "mode": config.operational_mode.value,
        "source": {"type": "replay", "paths": [str(path) for path in replay], "speed": speed}
        if replay
        else _live(config, listen),
        "contracts": contracts_json(config.contracts, pauses),
        "detection": {
            # Without a model and rules nothing reaches any.
            "threshold": threshold(config) if judge else 1.0,
            "rules": list(config.detection.rules) if judge else [],
            "monitored_only": bool(config.contracts)
            if config.detection.monitored_only is None
            else config.detection.monitored_only,
        },
        "simulation": _given(config.simulation, "enabled") if judge and config.simulation.enabled else None,
        "early": _early(config) if judge and config.simulation.enabled and config.early.enabled else None,
        "model": {
            "dir": str(config.detection.model or manifest.BUILTIN),
            "onnxruntime": str(onnxruntime_library()),
        }
        if judge
        else None,
        "capture": _given(recorder) if recorder else None,
        "emit": emit,
        "limits": _given(config.limits),
    }
    return orjson.dumps(core).decode()
