"""Configuration: TOML file, environment (`MEMPOOL_IDS_…`), flags (`--set key=value`), in rising precedence."""

from mempool_ids.config.contracts import Contract
from mempool_ids.config.core import funding_config, sensor_config
from mempool_ids.config.load import load
from mempool_ids.config.models import Alerts, IDSConfig, IDSMode, Webhook
from mempool_ids.config.reserved import without_effect
from mempool_ids.config.values import Secret, Url, redact_url

__all__ = [
    "Alerts",
    "Contract",
    "IDSConfig",
    "IDSMode",
    "Secret",
    "Url",
    "Webhook",
    "funding_config",
    "load",
    "redact_url",
    "sensor_config",
    "without_effect",
]
