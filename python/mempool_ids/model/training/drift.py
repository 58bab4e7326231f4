"""Whether a threshold still means what was stated of it, on what came after the training."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.data import Dataset
from mempool_ids.model.training.evaluate import ALERT_THRESHOLD, both_classes, fit_on
from mempool_ids.model.training.metrics import operating_point, threshold_at
from mempool_ids.model.training.model import Recipe
from mempool_ids.model.training.splits import BOUNDARIES, Split, time_windows

STATED_FPR = 0.001
"""The rate for which a threshold is stated, on rows out of fold, and then looked for in each period."""


def later(dataset: Dataset, newest_from: float | None) -> NDArray[np.bool_]:
    """Which rows (n,) no model learns from, since they are of that Unix second or later. Undated ones are learned."""
    none = np.zeros(len(dataset), dtype=np.bool_)
    return none if newest_from is None else np.asarray(dataset.times >= newest_from)


def drift(chosen: Recipe, dataset: Dataset, newest: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """By period, oldest first: what the recipe, fitted on what came before, states of thresholds, and what came true.

    `newest`: rows (n,) of the last period, which the model that is shipped has not seen; they count in the one before,
    too, of which the exploits are.
    """
    told = []
    for begins, (train, test) in _periods(dataset, newest):
        before, rows = dataset.rows(train), dataset.rows(test)
        if not both_classes(before) or (rows.labels == 1).all():
            continue  # too little to learn from, or nothing to alarm falsely at
        model = fit_on(chosen, before, 0, masked=())
        p = model.probability(rows.features)
        threshold = threshold_at(model.labels, model.out_of_fold, STATED_FPR)
        told.append(
            {
                "from": str(np.datetime64(int(begins), "s").astype("datetime64[D]")),
                "benign": int((rows.labels == 0).sum()),
                "exploits": int((rows.labels == 1).sum()),
                "stated": operating_point(model.labels, model.out_of_fold, ALERT_THRESHOLD),
                "at_alert_threshold": operating_point(rows.labels, p, ALERT_THRESHOLD),
                "at_stated_threshold": operating_point(rows.labels, p, threshold),
                "at_its_own": operating_point(rows.labels, p, threshold_at(rows.labels, p, STATED_FPR)),
            }
        )
    return told


def _periods(dataset: Dataset, newest: NDArray[np.bool_]) -> Iterator[tuple[float, Split]]:
    yield from zip(BOUNDARIES, time_windows(dataset.times, dataset.groups), strict=True)
    if newest.any():
        yield float(dataset.times[newest].min()), (np.flatnonzero(~newest), np.flatnonzero(newest))
