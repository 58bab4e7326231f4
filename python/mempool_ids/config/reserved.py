"""Keys that are part of the configuration's format, while what they set is not part of this version."""

from collections.abc import Iterator

from mempool_ids.config.models import IDSConfig, IDSMode

_NO_SERVER = "this version serves nothing yet"
_NOT_ACTIVE = 'only operational_mode = "active_defense" pauses'


def without_effect(config: IDSConfig) -> Iterator[tuple[str, str]]:
    """Each key that the user has set to no effect, and why it has none."""
    if "server" in config.model_fields_set:
        yield "server", _NO_SERVER
    if "early" in config.model_fields_set and config.early.enabled and not config.simulation.enabled:
        yield "early", "new contracts are looked at only where simulation.enabled is true"
    confirm = config.defense.confirm
    if (confirm.listen or confirm.url) and not confirm.seconds:
        yield "defense.confirm", "nobody is asked while confirm.seconds is 0"
    if confirm.url and not confirm.listen:
        yield "defense.confirm.url", "nothing is served without confirm.listen"
    if config.operational_mode is IDSMode.ACTIVE_DEFENSE:
        return
    if config.defense.armed or config.defense.shadow:
        yield "defense", _NOT_ACTIVE
    if "threat_level_threshold" in config.detection.model_fields_set:
        yield "detection.threat_level_threshold", _NOT_ACTIVE
