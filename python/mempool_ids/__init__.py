"""Intrusion detection for EVM protocols: a sensor that sees an attack while its transaction is pending.

The names below are the public interface. Each is imported when it is first used, so that `import mempool_ids` is
fast and never needs scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mempool_ids._core import VERSION as __version__
    from mempool_ids.analyzer import ExploitPattern, PayloadAnalyzer, PayloadFeatures
    from mempool_ids.classifier import ClassificationResult, ExploitClassifier, ThreatLevel
    from mempool_ids.config import IDSConfig, IDSMode
    from mempool_ids.defense.action import DefenseAction
    from mempool_ids.defense.executor import DefenseExecutor
    from mempool_ids.defense.gas import GasStrategy
    from mempool_ids.early.detector import EarlyAttackDetector
    from mempool_ids.early.funding import FundingTracker
    from mempool_ids.engine import IDSEngine
    from mempool_ids.exceptions import (
        CaptureError,
        ConfigError,
        MempoolIdsError,
        ModelError,
        NodeError,
        RulesError,
    )
    from mempool_ids.monitor import MempoolMonitor, MonitoringStats, PendingTransaction
    from mempool_ids.records.deployment import ContractScore
    from mempool_ids.records.detection import ThreatDetection
    from mempool_ids.records.response import Response
    from mempool_ids.records.statistics import IDSStatistics

__all__ = [
    "CaptureError",
    "ClassificationResult",
    "ConfigError",
    "ContractScore",
    "DefenseAction",
    "DefenseExecutor",
    "EarlyAttackDetector",
    "ExploitClassifier",
    "ExploitPattern",
    "FundingTracker",
    "GasStrategy",
    "IDSConfig",
    "IDSEngine",
    "IDSMode",
    "IDSStatistics",
    "MempoolIdsError",
    "MempoolMonitor",
    "ModelError",
    "MonitoringStats",
    "NodeError",
    "PayloadAnalyzer",
    "PayloadFeatures",
    "PendingTransaction",
    "Response",
    "RulesError",
    "ThreatDetection",
    "ThreatLevel",
    "__version__",
]

_HOME = {
    "CaptureError": "exceptions",
    "ClassificationResult": "classifier",
    "ConfigError": "exceptions",
    "ContractScore": "records.deployment",
    "DefenseAction": "defense.action",
    "DefenseExecutor": "defense.executor",
    "EarlyAttackDetector": "early.detector",
    "ExploitClassifier": "classifier",
    "ExploitPattern": "analyzer",
    "FundingTracker": "early.funding",
    "GasStrategy": "defense.gas",
    "IDSConfig": "config",
    "IDSEngine": "engine",
    "IDSMode": "config",
    "IDSStatistics": "records.statistics",
    "MempoolIdsError": "exceptions",
    "MempoolMonitor": "monitor",
    "ModelError": "exceptions",
    "MonitoringStats": "monitor",
    "NodeError": "exceptions",
    "PayloadAnalyzer": "analyzer",
    "PayloadFeatures": "analyzer",
    "PendingTransaction": "records.transaction",
    "Response": "records.response",
    "RulesError": "exceptions",
    "ThreatDetection": "records.detection",
    "ThreatLevel": "classifier",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = import_module("mempool_ids._core").VERSION
    elif name in _HOME:
        value = getattr(import_module(f"mempool_ids.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'mempool_ids' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
