"""Checks of what is on this machine: model, rules, ABIs, storage, event log, secrets."""

from collections.abc import Callable, Iterator

import orjson

from mempool_ids import _core
from mempool_ids.config import IDSConfig, IDSMode
from mempool_ids.config.core import contracts_json
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.diagnostics.secrets import check_secret_files
from mempool_ids.diagnostics.views import views_not_in_abi
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.model.library import onnxruntime_library
from mempool_ids.model.manifest import BUILTIN
from mempool_ids.sinks.event_log import EventLog
from mempool_ids.storage.store import Store


def check_parts(config: IDSConfig) -> Iterator[Finding]:
    """Every part in turn; none stops the others."""
    yield from _chain(config)
    yield _tried("model", str(config.detection.model or BUILTIN), lambda: _model(config))
    yield _tried("rules", ", ".join(config.detection.rules), lambda: _rules(config))
    if config.contracts:
        yield _tried("ABIs", f"{len(config.contracts)} contracts", lambda: _abis(config))
    for contract in config.contracts:
        yield from views_not_in_abi(contract)
    yield from check_secret_files(config)
    yield _tried("storage", str(config.storage.path), lambda: _storage(config))
    if config.alerts.jsonl is not None:
        yield _tried("event log", str(config.alerts.jsonl), lambda: _event_log(config))
    for hook in config.alerts.webhooks:
        reveal = hook.secret.reveal
        yield _tried("webhook secret", str(hook.url), lambda reveal=reveal: f"{len(reveal())} characters")  # type: ignore[misc]
    yield _mode(config)


def _tried(check: str, subject: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(check, subject, Status.OK, work())
    except (MempoolIdsError, OSError) as error:
        return Finding(check, subject, Status.FAILED, str(error))


def _chain(config: IDSConfig) -> Iterator[Finding]:
    """A file of the user's, and what the chain keeps from a sensor."""
    chain = config.chain
    file = None if chain.spec is None else str(chain.spec)
    try:
        spec = orjson.loads(_core.chain_spec(chain.id, file))
    except (MempoolIdsError, OSError) as error:
        yield Finding("chain", str(file), Status.FAILED, str(error))
        return
    if file is not None:
        detail = f"{spec['name']}: a block every {spec['block_time_ms'] / 1000:g} s"
        yield Finding("chain", file, Status.OK, detail)
    if not spec["public_pool"]:
        detail = f"{spec['name']} has no public pool: only what its own node is sent is seen before its block"
        yield Finding("chain", str(chain.id), Status.WARNING, detail)


def _model(config: IDSConfig) -> str:
    folder = config.detection.model or BUILTIN
    model = _core.Model(str(folder), str(onnxruntime_library()))
    # It must answer, not only load: four bytes a feature, all of them zero.
    model.predict(bytes(4 * len(_core.FEATURE_NAMES)))
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    name = manifest["default"]
    return f"{name} {manifest['models'][name]['version']} loads and answers"


def _rules(config: IDSConfig) -> str:
    rules = orjson.loads(_core.list_rules(list(config.detection.rules)))
    enabled = [rule for rule in rules if rule["enabled"]]
    invariants = sum("never" in rule for rule in enabled)
    loaded = f"{len(enabled) - invariants} signatures"
    return f"{loaded} and {invariants} invariants load" if invariants else f"{loaded} load"


def _abis(config: IDSConfig) -> str:
    contracts = contracts_json(config.contracts)
    _core.Analyzer(b"", orjson.dumps(contracts).decode())
    return f"{sum('abi' in contract for contract in contracts)} load, {len(contracts)} contracts"


def _storage(config: IDSConfig) -> str:
    store = Store(config.storage.path, config.chain.id, look_only=True)
    try:
        older = ", of an older version: run brings it up to date" if store.is_older else ""
        return f"{store.count():,} detections{older}"
    finally:
        store.close()


def _event_log(config: IDSConfig) -> str:
    if config.alerts.jsonl is not None:
        EventLog(config.alerts.jsonl).close()
    return "can be appended"


def _mode(config: IDSConfig) -> Finding:
    mode = config.operational_mode
    if mode is IDSMode.MONITOR_ONLY and config.alerts.webhooks:
        return Finding(
            "mode", mode.value, Status.WARNING, "webhooks are silent in this mode; alert_only uses them"
        )
    pauses = "what it would pause is checked under `defense`"
    return Finding(
        "mode", mode.value, Status.OK, pauses if mode is IDSMode.ACTIVE_DEFENSE else "pauses nothing"
    )
