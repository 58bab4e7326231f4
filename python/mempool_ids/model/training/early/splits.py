"""Splits of contracts, and what the models say of each row by one that has not seen it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.early.data import BENIGN, EXPLOIT, Contracts, MadeUp
from mempool_ids.model.training.early.model import EarlyModel, Recipe, fit
from mempool_ids.model.training.extra import needs
from mempool_ids.model.training.splits import FOLDS, Split

BOUNDARY = datetime(2023, 1, 1, tzinfo=UTC).timestamp()
"""Time-ordered: exploits before it are learned from, those of it or later are tested."""


def grouped(data: Contracts, seed: int) -> Iterator[Split]:
    """Five folds by class, groups whole. Rows that are neither exploit nor benign are tested only."""
    splitter = needs("sklearn.model_selection").StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in splitter.split(np.zeros(len(data)), data.labels == EXPLOIT, data.groups):
        yield train[data.labels[train] >= 0], test


def ordered(data: Contracts) -> Split:
    """By date. Benign contracts have none: half of them, by their group's name, are on either side."""
    first = np.array([ord(min(str(group)[-1:], "~")) % 2 == 0 for group in data.groups])
    benign, exploit = data.labels == BENIGN, data.labels == EXPLOIT
    test = (exploit & (data.times >= BOUNDARY)) | (benign & ~first)
    train = (exploit & (data.times < BOUNDARY)) | (benign & first)
    # Neither side has another part of an incident of the other.
    train &= ~np.isin(data.groups, data.groups[exploit & test])
    return np.flatnonzero(train), np.flatnonzero(test)


Margins = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Of the recall model and of the precision model, (n,); NaN where a row was not tested."""


def tested(
    recipe: Recipe, data: Contracts, split: Split, made_up: MadeUp | None
) -> tuple[EarlyModel, Margins]:
    """A model of one side, and its margins on the other."""
    train, test = split
    model = fit(recipe, data.rows(train), made_up)
    margins = (np.full(len(data), np.nan), np.full(len(data), np.nan))
    for into, margin in zip(margins, model.margins(data.features[test]), strict=True):
        into[test] = margin
    return model, margins
