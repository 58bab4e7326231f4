"""Splits that keep an incident, and a block, on one side."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.extra import needs

FOLDS = 5
# A model is trained on all that lies before a boundary and tested on what lies between it and the next.
BOUNDARIES = tuple(datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2022, 2023))

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def holdout(labels: NDArray[np.int64], groups: NDArray[Any], share: float, seed: int) -> Split:
    """Positions of the rows to learn from and to keep: about `share` of each class's groups are kept, at least one.

    Raises `ValueError` if `share` is not in (0, 1) or a class has fewer than three groups (two are needed to fit).
    """
    if not 0 < share < 1:
        raise ValueError(f"validation split {share} is not between 0 and 1")
    rng = np.random.default_rng(seed)
    kept: list[Any] = []
    for label in (0, 1):
        names = rng.permutation(np.unique(groups[labels == label]))
        if len(names) < 3:
            raise ValueError(f"a validation split needs at least three groups of rows labelled {label}")
        kept.extend(names[: min(max(1, round(share * len(names))), len(names) - 2)])
    mask = np.isin(groups, np.array(kept))
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def grouped_folds(labels: NDArray[np.int64], groups: NDArray[Any], seed: int) -> Iterator[Split]:
    """Cross-validation by class, groups whole."""
    splitter = needs("sklearn.model_selection").StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    yield from splitter.split(np.zeros(len(labels)), labels, groups)


def time_windows(times: NDArray[np.float64], groups: NDArray[Any]) -> Iterator[Split]:
    """For each boundary: what lies before it, and what lies between it and the next. Undated rows are in neither.

    A group that straddles a boundary is left out of the earlier side.
    """
    for start, end in zip(BOUNDARIES, (*BOUNDARIES[1:], np.inf), strict=True):
        test = (times >= start) & (times < end)
        train = (times < start) & ~np.isin(groups, groups[test])
        yield np.flatnonzero(train), np.flatnonzero(test)
