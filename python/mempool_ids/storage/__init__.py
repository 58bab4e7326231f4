"""Detections, their outcomes and the webhook outbox, in SQLite."""

from mempool_ids.storage.store import Delivery, Store

__all__ = ["Delivery", "Store"]
