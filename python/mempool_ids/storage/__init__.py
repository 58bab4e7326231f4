"""Detections, their outcomes, the responses to them, alarms, and the webhook outbox, in SQLite."""

from mempool_ids.storage.store import Delivery, Store

__all__ = ["Delivery", "Store"]
