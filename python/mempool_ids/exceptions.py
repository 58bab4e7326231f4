"""Errors that callers can act on. All derive from `MempoolIdsError`; the core raises the same classes."""

from mempool_ids._core import (
    CaptureError,
    ConfigError,
    MempoolIdsError,
    ModelError,
    NodeError,
    RulesError,
)

__all__ = ["CaptureError", "ConfigError", "MempoolIdsError", "ModelError", "NodeError", "RulesError"]
