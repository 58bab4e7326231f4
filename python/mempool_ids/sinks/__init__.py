"""Where detections and responses go once they are stored: the event log, the process's log, webhooks, exports.

A sink gets only what is committed. The event log and the log are written in the order of the events; webhooks have
an outbox each, so that none of them holds up detection or another.
"""

from mempool_ids.sinks.event_log import EventLog
from mempool_ids.sinks.log import LogSink
from mempool_ids.sinks.webhook import Outbox, sign, verify

__all__ = ["EventLog", "LogSink", "Outbox", "sign", "verify"]
