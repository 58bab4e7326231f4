"""Who attacked before: lists of labels, one of each who tells, taken over from files and shared as signed bundles."""

from mempool_ids.early.labels.book import Book, Change
from mempool_ids.early.labels.bundle import Bundle, LabelsError
from mempool_ids.early.labels.label import Label
from mempool_ids.early.labels.reading import Labels, read

__all__ = ["Book", "Bundle", "Change", "Label", "Labels", "LabelsError", "read"]
