"""What a model's scores say of labelled rows, also where only one class is there, as with most users' own data."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.data import Dataset
from mempool_ids.model.training.metrics import operating_point, threshold_at
from mempool_ids.model.training.rows import INCIDENT

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
# Of the benign rows with the highest scores, so many are named: they are what an operator will be woken for.
NAMED = 10


@dataclass(frozen=True)
class Scored:
    """Rows and what one model gives them."""

    model: str
    dataset: Dataset
    scores: NDArray[np.float32]
    """Probability of an exploit (n,); NaN where none was given."""
    threshold: float
    """A score that reaches it is an alert."""
    thresholds: Mapping[str, float]
    """Those that the model came with, by their false positive rate in training."""

    def known(self) -> "Scored":
        """The rows that have a score."""
        rows = np.isfinite(self.scores)
        return Scored(self.model, self.dataset.rows(rows), self.scores[rows], self.threshold, self.thresholds)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Of each row, in order: who it is, its label, its score, and whether it would be an alert."""
        for i, score in enumerate(self.scores):
            known = bool(np.isfinite(score))
            alert = bool(score >= np.float32(self.threshold)) if known else None
            yield {
                **self._row(i),
                "model": self.model,
                "score": float(score) if known else None,
                "alert": alert,
            }

    def _row(self, i: int) -> dict[str, Any]:
        data, exploit = self.dataset, bool(self.dataset.labels[i] == 1)
        named = {"incident": str(data.groups[i]).removeprefix(INCIDENT)} if exploit else {}
        return {
            "row": str(data.places[i]),
            "hash": str(data.transactions[i]) or None,
            "label": "exploit" if exploit else "benign",
            **named,
            "source": str(data.sources[i]),
            "timestamp": float(data.times[i]) if np.isfinite(data.times[i]) else None,
        }

    def named(self, rows: NDArray[np.intp]) -> list[dict[str, Any]]:
        """Those rows with their scores, the highest first."""
        ordered = rows[np.argsort(-self.scores[rows], kind="stable")]
        return [{**self._row(int(i)), "score": float(self.scores[i])} for i in ordered]


def report(scored: Scored, rates: Sequence[float] = ()) -> dict[str, Any]:
    """Rates at the model's thresholds and at those for the false positive `rates`, scores, and what is missed.

    Rates of a class that is absent are None.
    """
    scored = scored.known()
    labels, scores = scored.dataset.labels, scored.scores
    benign, exploits = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    shipped = {"alert": scored.threshold, **{f"training FPR {k}": v for k, v in scored.thresholds.items()}}
    highest = benign[np.argsort(-scores[benign], kind="stable")[:NAMED]]
    return {
        "rows": len(labels),
        "exploits": len(exploits),
        "benign": len(benign),
        "at_thresholds": [
            {"name": name, **operating_point(labels, scores, threshold)}
            for name, threshold in shipped.items()
        ],
        "at_chosen_fpr": [_at_rate(labels, scores, rate) for rate in rates],
        "score_quantiles": {"benign": _quantiles(scores[benign]), "exploit": _quantiles(scores[exploits])},
        "highest_benign": scored.named(highest),
        "missed": _missed(scored, benign, exploits),
    }


def in_words(model: str, told: dict[str, Any]) -> list[str]:
    """The gist of a report, in lines for people."""
    alert = told["at_thresholds"][0]
    lines = [f"{model}: alerts from {alert['threshold']:g}: {_alerts(told, alert)}"]
    for point in told["at_chosen_fpr"]:
        rate, threshold = f"a false positive rate of {point['target_fpr']:g}", point["threshold"]
        if threshold is None:
            needed = f"takes {point['benign_needed']:,} benign rows, and there are {point['benign']:,}"
            lines.append(f"{model}: {rate} {needed}")
        else:
            lines.append(f"{model}: alerts from {threshold:.4f}, for {rate}: {_alerts(told, point)}")
    return lines


def _alerts(told: dict[str, Any], point: dict[str, Any]) -> str:
    """What are alerts at an operating point, class by class."""
    parts = []
    if told["benign"]:
        share = _share(point["false_positive_rate"], point["false_positive_rate_interval"])
        parts.append(f"{point['false_positives']:,} of {told['benign']:,} benign rows ({share})")
    if told["exploits"]:
        share = _share(point["recall"], point["recall_interval"])
        parts.append(f"{point['hits']:,} of {told['exploits']:,} exploits ({share})")
    return ", ".join(parts)


def _share(value: float, interval: list[float]) -> str:
    low, high = interval
    return f"{value:.3%}, 95 % interval {low:.3%} to {high:.3%}"


def _at_rate(labels: NDArray[np.int64], scores: NDArray[np.float32], rate: float) -> dict[str, Any]:
    """The lowest threshold with at most that false positive rate; none where too few benign rows can tell it."""
    benign, needed = int((labels == 0).sum()), math.ceil(1 / rate - 1e-9)
    if benign < needed:
        return {"target_fpr": rate, "threshold": None, "benign": benign, "benign_needed": needed}
    return {"target_fpr": rate, **operating_point(labels, scores, threshold_at(labels, scores, rate))}


def _quantiles(scores: NDArray[np.float32]) -> dict[str, float] | None:
    values = np.quantile(scores.astype(np.float64), QUANTILES) if len(scores) else None
    return None if values is None else {f"{q:g}": float(v) for q, v in zip(QUANTILES, values, strict=True)}


def _missed(scored: Scored, benign: NDArray[np.intp], exploits: NDArray[np.intp]) -> list[dict[str, Any]]:
    """Each exploit that would be no alert, and the share of the benign rows with a score as high, or higher."""
    below = exploits[scored.scores[exploits] < np.float32(scored.threshold)]
    others = scored.scores[benign]
    return [
        {**row, "outranked_by": float((others >= np.float32(row["score"])).mean()) if len(others) else None}
        for row in scored.named(below)
    ]
