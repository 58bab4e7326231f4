"""How good the recipe is on real transactions, and whether it learned attacks or the way the data was collected."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids._core import FEATURE_NAMES
from mempool_ids.model.manifest import TRANSACTION_SCHEMA
from mempool_ids.model.training.columns import MASKED, MISSING, mask, used
from mempool_ids.model.training.data import Dataset
from mempool_ids.model.training.extra import needs
from mempool_ids.model.training.metrics import (
    TARGET_FPRS,
    average_precision_interval,
    measure,
    operating_point,
    rates_by_source,
    threshold_at,
)
from mempool_ids.model.training.model import KINDS, CalibratedModel, Recipe, fit, grow, raw_score
from mempool_ids.model.training.splits import BOUNDARIES, FOLDS, Split, grouped_folds, time_windows
from mempool_ids.model.training.synthetic import generate

Progress = Callable[[str], None]
# What a deployment alerts at unless it is told otherwise; ranking is measured without it.
ALERT_THRESHOLD = 0.7
SYNTHETIC_ROWS = 5000


def silent(_: str) -> None:
    """Reports no progress."""


def fit_on(
    recipe: Recipe, dataset: Dataset | None, synthetic: int, masked: Iterable[str] = MASKED
) -> CalibratedModel:
    """Fits the recipe on real rows, on synthetic ones (`synthetic` of them), or on both.

    The `masked` columns are masked in all rows. Raises `ValueError` without any rows.
    """
    features, labels, groups = [], [], []
    if dataset is not None:
        features.append(mask(dataset.features, masked))
        labels.append(dataset.labels)
        groups.append(dataset.groups)
    if synthetic:
        x, y = generate(synthetic, 0.1, recipe.seed)
        features.append(mask(x, masked))
        labels.append(y)
        groups.append(np.array([f"synthetic {i}" for i in range(synthetic)]))
    if not features:
        raise ValueError("nothing to train on: neither real nor synthetic rows")
    schema = TRANSACTION_SCHEMA if dataset is None else dataset.schema
    return fit(recipe, np.concatenate(features), np.concatenate(labels), np.concatenate(groups), schema)


def predict_splits(
    recipe: Recipe,
    dataset: Dataset,
    splits: Iterable[Split],
    synthetic: int = 0,
    masked: Iterable[str] = MASKED,
    real: bool = True,
) -> NDArray[np.float32]:
    """Probability of each row by a model that was fitted on the split's other side; NaN for rows never tested.

    A split whose training side lacks two groups of either class is skipped.
    """
    probability = np.full(len(dataset), np.nan, dtype=np.float32)
    for train, test in splits:
        if not both_classes(dataset.rows(train)) and real:
            continue
        model = fit_on(recipe, dataset.rows(train) if real else None, synthetic, masked)
        probability[test] = model.probability(mask(dataset.features[test], masked))
    return probability


def summary(
    dataset: Dataset, probability: NDArray[np.float32], seed: int, prevalence: float
) -> dict[str, Any] | None:
    """Ranking, calibration and operating points of the rows that have a probability; None without both classes."""
    known = np.isfinite(probability)
    data, p = dataset.rows(known), probability[known]
    if not both_classes(data):
        return None
    metrics = measure(data.labels, p, ALERT_THRESHOLD)
    thresholds = [threshold_at(data.labels, p, fpr) for fpr in TARGET_FPRS]
    return {
        "rows": metrics.rows,
        "exploits": metrics.exploits,
        "average_precision": metrics.average_precision,
        "average_precision_interval": list(average_precision_interval(data.labels, p, data.groups, seed)),
        "auc": metrics.auc,
        "brier": metrics.brier,
        "at_fpr": [
            {"target_fpr": fpr, **operating_point(data.labels, p, threshold)}
            for fpr, threshold in zip(TARGET_FPRS, thresholds, strict=True)
        ],
        "at_alert_threshold": operating_point(data.labels, p, ALERT_THRESHOLD),
        "by_source": rates_by_source(data.labels, p, data.sources, [*thresholds, ALERT_THRESHOLD]),
        "reliability": reliability(data.labels, p, prevalence),
    }


def reliability(labels: NDArray[np.int64], p: NDArray[np.float32], prevalence: float) -> list[dict[str, Any]]:
    """By threat level: rows, exploits, mean probability, and the share of exploits if their prevalence were this."""
    weight = prevalence / (1 - prevalence) * float((labels == 0).sum()) / float((labels == 1).sum())
    weights = np.where(labels == 1, weight, 1.0)
    edges = np.array([0, 0.3, 0.5, 0.7, 0.9, np.inf], dtype=np.float32)
    return [
        {
            "from": float(low),
            "rows": int(inside.sum()),
            "exploits": int(labels[inside].sum()),
            "mean_probability": float(np.average(p[inside], weights=weights[inside]))
            if inside.any()
            else None,
            "observed_share": float(np.average(labels[inside], weights=weights[inside]))
            if inside.any()
            else None,
        }
        for low, high in pairwise(edges)
        for inside in [(p >= low) & (p < high)]
    ]


def evaluate_kind(
    recipe: Recipe, dataset: Dataset, synthetic: int = 0, progress: Progress = silent
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Time-ordered and grouped evaluation of one recipe, and each row's probability by grouped folds.

    Time-ordered figures decide, the others have more exploits.
    """
    progress(f"{recipe.kind}: time-ordered splits")
    ordered = ordered_summaries(recipe, dataset, synthetic)
    progress(f"{recipe.kind}: grouped cross-validation")
    folds = predict_splits(
        recipe, dataset, grouped_folds(dataset.labels, dataset.groups, recipe.seed), synthetic
    )
    grouped = summary(dataset, folds, recipe.seed, recipe.prevalence)
    return {**ordered, "grouped_folds": grouped}, folds


def ordered_summaries(
    recipe: Recipe, dataset: Dataset, synthetic: int = 0, masked: Iterable[str] = MASKED
) -> dict[str, Any]:
    """Summaries of models that were trained on what came before: of all windows, and of each by its first day."""
    splits = list(time_windows(dataset.times, dataset.groups))
    ordered = predict_splits(recipe, dataset, splits, synthetic, masked)
    windows = {}
    for start, (_, test) in zip(BOUNDARIES, splits, strict=True):
        name = str(np.datetime64(int(start), "s").astype("datetime64[D]"))
        window = np.full(len(dataset), np.nan, dtype=np.float32)
        window[test] = ordered[test]
        windows[name] = summary(dataset, window, recipe.seed, recipe.prevalence)
    return {
        "time_ordered": summary(dataset, ordered, recipe.seed, recipe.prevalence),
        "time_windows": windows,
    }


def evaluate_data(
    dataset: Dataset, seed: int, kinds: Iterable[str] = KINDS, progress: Progress = silent
) -> dict[str, Any]:
    """What concerns the data, not one model: synthetic rows as a supplement, what the collection gives away."""
    supplement = {kind: _supplement(Recipe(kind, seed), dataset, progress) for kind in kinds}
    progress("probes for what the collection gives away")
    return {"synthetic_supplement": supplement, "probes": probes(dataset, seed)}


def _supplement(recipe: Recipe, dataset: Dataset, progress: Progress) -> dict[str, float | None]:
    """Time-ordered average precision on the real exploits, by what the model was trained on."""
    progress(f"{recipe.kind}: real and synthetic rows")
    answers: dict[str, float | None] = {}
    for name, rows, real in (
        ("real only", 0, True),
        ("real + synthetic", SYNTHETIC_ROWS, True),
        ("synthetic only", SYNTHETIC_ROWS, False),
    ):
        splits = time_windows(dataset.times, dataset.groups)
        p = predict_splits(recipe, dataset, splits, rows, real=real)
        known = np.isfinite(p)
        both = both_classes(dataset.rows(known))
        answers[name] = (
            measure(dataset.labels[known], p[known], ALERT_THRESHOLD).average_precision if both else None
        )
    return answers


def probes(dataset: Dataset, seed: int) -> dict[str, Any]:
    """What separates collections instead of classes, by what the model may see and by what it would see unmasked."""
    benign = dataset.labels == 0
    mev = np.char.startswith(dataset.sources, "mev-blocks")
    bsc = np.char.endswith(dataset.sources, "/bsc")
    calls = dataset.features[:, FEATURE_NAMES.index("param_count")] > 0
    questions = {
        "mev-blocks or mainnet-blocks, benign": (benign, mev),
        "mev-blocks or mainnet-blocks, benign with arguments": (benign & calls, mev),
        "bsc or eth, exploits": (~benign, bsc),
    }
    answers = {
        question: {
            "seen by the model": separation(dataset.rows(rows), truth[rows], seed, used()),
            "all 22 features": separation(dataset.rows(rows), truth[rows], seed),
        }
        for question, (rows, truth) in questions.items()
    }
    return {
        "separation_auc": answers,
        "missing_share": {
            name: {
                "exploit": float((dataset.features[~benign, i] == MISSING).mean()),
                "benign": float((dataset.features[benign, i] == MISSING).mean()),
            }
            for i, name in enumerate(FEATURE_NAMES)
        },
        "average_precision_unmasked": _unmasked(dataset, seed),
    }


def separation(
    rows: Dataset, truth: NDArray[np.bool_], seed: int, columns: list[int] | None = None
) -> float | None:
    """Grouped AUC of a forest that guesses the collection by `columns` (default: all); 0.5 = it cannot.

    None where one is absent.
    """
    labels = truth.astype(np.int64)
    if min(len(np.unique(rows.groups[labels == label])) for label in (0, 1)) < FOLDS:
        return None
    x = rows.features if columns is None else rows.features[:, columns]
    score = np.zeros(len(labels))
    for train, test in grouped_folds(labels, rows.groups, seed):
        score[test] = raw_score(grow(Recipe("random_forest", seed), x[train], labels[train]), x[test])
    return float(needs("sklearn.metrics").roc_auc_score(labels, score))


def both_classes(rows: Dataset) -> bool:
    """Whether each class has two groups at least: what fitting and ranking need."""
    return all(len(np.unique(rows.groups[rows.labels == label])) > 1 for label in (0, 1))


def _unmasked(dataset: Dataset, seed: int) -> float:
    """Grouped average precision of a forest that may use every column: the figure that masking gives up."""
    splits = grouped_folds(dataset.labels, dataset.groups, seed)
    p = predict_splits(Recipe("random_forest", seed), dataset, splits, masked=())
    return measure(dataset.labels, p, ALERT_THRESHOLD).average_precision
