"""What the defense writes down before and after it acts: the truth after a crash, beside the chain."""

from mempool_ids.defense.journal.errors import JournalError, Locked
from mempool_ids.defense.journal.journal import Journal
from mempool_ids.defense.journal.marks import Marks
from mempool_ids.defense.journal.prune import Superseded
from mempool_ids.defense.journal.records import Records
from mempool_ids.defense.journal.rows import Answer, Order
from mempool_ids.defense.journal.thread import JournalThread

__all__ = [
    "Answer",
    "Journal",
    "JournalError",
    "JournalThread",
    "Locked",
    "Marks",
    "Order",
    "Records",
    "Superseded",
]
