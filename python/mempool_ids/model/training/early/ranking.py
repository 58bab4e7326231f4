"""How well scores rank contracts: recall at rates of false alarms, and at a precision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.early.data import EXPLOIT
from mempool_ids.model.training.metrics import (
    average_precision_interval,
    measure,
    operating_point,
    threshold_at,
)

Probability = NDArray[np.float32]

# Ethereum mainnet: distinct contracts a day, the upper end.
DEPLOYMENTS_PER_DAY = 10_000.0
RATES = (0.0016, 0.01, 0.05)
PRECISION = 0.95


def ranking(labels: NDArray[np.int64], p: Probability, groups: NDArray[np.str_], seed: int) -> dict[str, Any]:
    """Of scores `p` (n,) of exploits and benign contracts; incidents are the `groups` (n,) that are drawn anew."""
    m = measure(labels, p, 0.5)
    points = []
    for rate in RATES:
        threshold = threshold_at(labels, p, rate)
        recalls = _bootstrap(p >= np.float32(threshold), labels, groups, seed)
        point = operating_point(labels, p, threshold, DEPLOYMENTS_PER_DAY)
        points.append({"target_fpr": rate, **point, "recall_by_incidents": recalls})
    return {
        "rows": m.rows,
        "exploits": m.exploits,
        "average_precision": m.average_precision,
        "average_precision_interval": list(average_precision_interval(labels, p, groups, seed)),
        "auc": m.auc,
        "recall_at_precision": _recall_at_precision(labels, p),
        "at_fpr": points,
    }


def short(whole: dict[str, Any]) -> list[float]:
    """Of a `ranking`: average precision, and recall at each of `RATES`."""
    return [whole["average_precision"], *(point["recall"] for point in whole["at_fpr"])]


def of_rate(scores: NDArray[np.float32], rate: float, rows: NDArray[np.bool_]) -> float:
    """The lowest threshold that at most this share of `rows` reaches."""
    return threshold_at(np.zeros(int(rows.sum()), dtype=np.int64), scores[rows], rate)


def _recall_at_precision(labels: NDArray[np.int64], p: Probability) -> float:
    """Share of the exploits above the lowest score above which `PRECISION` of the rows are exploits; 0 without one."""
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(labels[order] == EXPLOIT)
    good = np.flatnonzero(hits / np.arange(1, len(hits) + 1) >= PRECISION)
    if not len(good):
        return 0.0
    return float((p[labels == EXPLOIT] >= p[order][good[-1]]).mean())


def _bootstrap(
    alarm: NDArray[np.bool_], labels: NDArray[np.int64], groups: NDArray[np.str_], seed: int
) -> list[float]:
    """95 % of recalls where incidents are drawn anew: rows of one incident are no independent evidence."""
    rng = np.random.default_rng(seed)
    exploits = labels == EXPLOIT
    _, member = np.unique(groups[exploits], return_inverse=True)
    rows = np.bincount(member)
    hits = np.bincount(member, weights=alarm[exploits])
    drawn = rng.integers(len(rows), size=(1000, len(rows)))
    recalls = hits[drawn].sum(axis=1) / rows[drawn].sum(axis=1)
    return [float(value) for value in np.percentile(recalls, [2.5, 97.5])]
