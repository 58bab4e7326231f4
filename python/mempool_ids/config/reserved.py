"""Keys that are part of the configuration's format, while what they set is not part of this version."""

from collections.abc import Iterator

from mempool_ids.config.models import IDSConfig

_NO_DEFENSE = "this version cannot pause contracts yet"
_NO_SERVER = "this version serves nothing yet"

_SECTIONS = {"defense": _NO_DEFENSE, "server": _NO_SERVER}
_OF_CONTRACTS = {"pause": _NO_DEFENSE}
_OF_DETECTION = {"threat_level_threshold": _NO_DEFENSE}


def without_effect(config: IDSConfig) -> Iterator[tuple[str, str]]:
    """Each key that the user has set to no effect, and why it has none."""
    for name, why in _SECTIONS.items():
        if name in config.model_fields_set:
            yield name, why
    for name, why in _OF_DETECTION.items():
        if name in config.detection.model_fields_set:
            yield f"detection.{name}", why
    for name, why in _OF_CONTRACTS.items():
        contracts = [contract.name for contract in config.contracts if name in contract.model_fields_set]
        if contracts:
            yield f"contracts.{name}", f"{why} ({', '.join(contracts)})"
