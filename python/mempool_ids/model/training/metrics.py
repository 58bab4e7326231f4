"""What is measured, with intervals: 114 exploits carry no second digit."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.extra import needs

# Ethereum mainnet, from the project's field notes: transactions and exploits a day.
TRANSACTIONS_PER_DAY = 1.2e6
EXPLOITS_PER_DAY = 0.3
TARGET_FPRS = (0.001, 0.01, 0.05, 0.1)
CONFIDENCE = 0.95
BOOTSTRAP = 1000
ABSOLUTE = 1e-6
"""Difference of two results' floats that is none, however small both are."""


@dataclass(frozen=True)
class Metrics:
    """A classifier on labelled rows at one threshold. NaN where a class is absent."""

    rows: int
    exploits: int
    threshold: float
    precision: float
    recall: float
    f1: float
    false_positive_rate: float
    auc: float
    average_precision: float
    brier: float


def measure(labels: NDArray[np.int64], probability: NDArray[np.floating[Any]], threshold: float) -> Metrics:
    """Metrics of `probability` (n,) against `labels` (n,) of 0 and 1. Raises `ValueError` for unequal lengths."""
    if len(labels) != len(probability):
        raise ValueError(f"{len(labels)} labels for {len(probability)} probabilities")
    alarm = probability >= np.asarray(threshold, dtype=probability.dtype)
    hits, false_alarms = int((alarm & (labels == 1)).sum()), int((alarm & (labels == 0)).sum())
    exploits, benign = int((labels == 1).sum()), int((labels == 0).sum())
    precision, recall = _ratio(hits, hits + false_alarms), _ratio(hits, exploits)
    score = needs("sklearn.metrics")
    both = exploits > 0 and benign > 0
    return Metrics(
        rows=len(labels),
        exploits=exploits,
        threshold=float(threshold),
        precision=precision,
        recall=recall,
        f1=_ratio(2 * hits, 2 * hits + false_alarms + (exploits - hits)),
        false_positive_rate=_ratio(false_alarms, benign),
        auc=float(score.roc_auc_score(labels, probability)) if both else float("nan"),
        average_precision=float(score.average_precision_score(labels, probability)) if both else float("nan"),
        brier=float(np.mean((probability - labels) ** 2)) if len(labels) else float("nan"),
    )


def threshold_at(labels: NDArray[np.int64], probability: NDArray[np.float32], target_fpr: float) -> float:
    """The lowest float32 threshold at which at most `target_fpr` of the benign rows would be alarms.

    Raises `ValueError` without benign rows or for a rate outside [0, 1].
    """
    if not 0 <= target_fpr <= 1:
        raise ValueError(f"target false positive rate {target_fpr} is not in [0, 1]")
    benign = np.sort(np.asarray(probability, dtype=np.float32)[labels == 0])[::-1]
    if not len(benign):
        raise ValueError("a false positive rate needs benign rows")
    allowed = int(np.floor(target_fpr * len(benign) + 1e-9))
    if allowed >= len(benign):
        return 0.0
    # Just above the first benign row that may not be an alarm, so that its equals are none either.
    return float(np.nextafter(benign[allowed], np.float32(np.inf)))


def clopper_pearson(successes: int, trials: int) -> tuple[float, float]:
    """The exact interval of a proportion (Clopper and Pearson 1934) at `CONFIDENCE`."""
    beta = needs("scipy.stats").beta
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(beta.ppf(1 - tail, successes + 1, trials - successes))
    return low, high


def average_precision_interval(
    labels: NDArray[np.int64], probability: NDArray[np.float32], groups: NDArray[Any], seed: int
) -> tuple[float, float]:
    """Percentile bootstrap at `CONFIDENCE`, drawing whole groups within each class."""
    rng = np.random.default_rng(seed)
    strata = []
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        names, member = np.unique(groups[rows], return_inverse=True)
        strata.append((rows, len(names), member))
    order = np.argsort(-probability, kind="stable")
    exploit = labels[order] == 1
    last_of_equals = np.append(np.flatnonzero(np.diff(probability[order])), len(labels) - 1)
    values = []
    for _ in range(BOOTSTRAP):
        weight = np.zeros(len(labels))
        for rows, count, member in strata:
            weight[rows] = np.bincount(rng.integers(count, size=count), minlength=count)[member]
        weight = weight[order]
        hits = np.cumsum(weight * exploit)[last_of_equals]
        alarms = np.cumsum(weight)[last_of_equals]
        precision = np.divide(hits, alarms, out=np.zeros(len(hits)), where=alarms > 0)
        values.append(float(np.sum(precision * np.diff(hits, prepend=0)) / hits[-1]))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def operating_point(
    labels: NDArray[np.int64],
    probability: NDArray[np.float32],
    threshold: float,
    per_day: float = TRANSACTIONS_PER_DAY,
) -> dict[str, Any]:
    """Rates at a threshold with intervals, and what they mean where `per_day` are judged a day, at natural prevalence.

    None where a class is absent.
    """
    alarm = probability >= np.float32(threshold)
    hits, exploits = int((alarm & (labels == 1)).sum()), int((labels == 1).sum())
    false_alarms, benign = int((alarm & (labels == 0)).sum()), int((labels == 0).sum())
    recall = hits / exploits if exploits else None
    rate = false_alarms / benign if benign else None
    alerts = None if rate is None else rate * per_day + (recall or 0.0) * EXPLOITS_PER_DAY
    return {
        "threshold": float(threshold),
        "recall": recall,
        "recall_interval": list(clopper_pearson(hits, exploits)) if exploits else None,
        "hits": hits,
        "false_positive_rate": rate,
        "false_positive_rate_interval": list(clopper_pearson(false_alarms, benign)) if benign else None,
        "false_positives": false_alarms,
        "alerts_per_day": alerts,
        "precision_at_natural_prevalence": recall * EXPLOITS_PER_DAY / alerts
        if alerts and recall is not None
        else None,
    }


def rates_by_source(
    labels: NDArray[np.int64],
    probability: NDArray[np.float32],
    sources: NDArray[Any],
    thresholds: Iterable[float],
) -> dict[str, Any]:
    """For each collection and chain the share of its rows that would be alarms at each threshold."""
    levels = [np.float32(t) for t in thresholds]
    result: dict[str, Any] = {}
    for source in np.unique(sources):
        for label, name in ((1, "exploit"), (0, "benign")):
            rows = probability[(sources == source) & (labels == label)]
            if len(rows):
                result[f"{source} {name}"] = {
                    "rows": len(rows),
                    "alarm_rates": [float((rows >= level).mean()) for level in levels],
                }
    return result


def same(left: Any, right: Any, tolerance: float = 1e-6) -> bool:
    """Whether two results agree: floats within a share `tolerance` of the larger, or within `ABSOLUTE`.

    Other processors may round a fit's last digit otherwise. A share, for a rate of two in ten thousand that becomes
    three is another result.
    """
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(same(left[k], right[k], tolerance) for k in left)
        )
    if isinstance(left, list):
        return (
            isinstance(right, list)
            and len(left) == len(right)
            and all(same(one, other, tolerance) for one, other in zip(left, right, strict=True))
        )
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=tolerance, abs_tol=ABSOLUTE)
    return bool(left == right)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
