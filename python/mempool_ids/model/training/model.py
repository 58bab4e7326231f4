"""The model: a scaler, an ensemble of trees or a regression, and a sigmoid that makes its score a probability."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.manifest import TRANSACTION_SCHEMA, Schema
from mempool_ids.model.training.extra import needs
from mempool_ids.model.training.logistic import Logistic

KINDS = ("random_forest", "gradient_boosting")
"""Ensembles of trees."""
LOGISTIC = "logistic"
CALIBRATION_FOLDS = 5
SAMPLE_ROWS = 4096
# Leaves are rounded to multiples of this. Up to 127 of them, each a vote of at most 1, then add up exactly in float32,
# in any order, as they do in scikit-learn's float64.
GRID = 2.0**-16
# A forest's vote is 0 for most rows; this many trees are added to both classes before the log-odds are taken.
VOTE_FLOOR = 2.0**-7
# Every probability holds for some share of exploits among the transactions. The natural share (FIELD: 0.3 a day in
# 1.2 million) would make all of them 0, the training set's is an accident of collecting. At this share, the threshold
# of 0.7 falls where about one benign transaction in 1,000 passes out of fold: the lowest rate the data can measure.
PREVALENCE = 0.04

# Chosen by grouped cross-validation on the real transactions among depths of 8 to 16 and 50 to 100 trees, which differ
# by less than their intervals; so the smallest of the good ones, since every transaction pays for it: in batches 64
# trees take about 2 µs a row, 100 of depth 12 take 4. Several rows in each leaf keep a score from being an accident.
PARAMETERS: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 64, "max_depth": 10, "min_samples_leaf": 3, "max_features": "sqrt"},
    "gradient_boosting": {
        "n_estimators": 100,
        "max_depth": 4,
        "learning_rate": 2.0**-4,
        "subsample": 0.7,
        "min_samples_leaf": 10,
    },
    LOGISTIC: {"C": 1.0, "max_iter": 1000},
}


@dataclass(frozen=True)
class Recipe:
    """All that decides a fit besides its data."""

    kind: str = "random_forest"
    seed: int = 0
    prevalence: float = PREVALENCE
    """Share of exploits for which the probabilities hold."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Overrides of `PARAMETERS[kind]`."""

    def __post_init__(self) -> None:
        if self.kind not in PARAMETERS:
            raise ValueError(f"model kind {self.kind!r} is none of {', '.join(PARAMETERS)}")
        if not 0 < self.prevalence < 1:
            raise ValueError(f"prevalence {self.prevalence} is not between 0 and 1")

    def merged(self) -> dict[str, Any]:
        """The estimator's parameters: this kind's defaults and this recipe's overrides."""
        return {**PARAMETERS[self.kind], **self.parameters}

    def estimator(self) -> Any:
        """A new, unfitted classifier."""
        if self.kind == LOGISTIC:
            return Logistic(**self.merged())
        ensemble = needs("sklearn.ensemble")
        parameters = {**self.merged(), "random_state": self.seed}
        if self.kind == "random_forest":
            return ensemble.RandomForestClassifier(**parameters)
        return ensemble.GradientBoostingClassifier(**parameters)


@dataclass(frozen=True)
class CalibratedModel:
    """A fitted model. `slope` and `intercept` turn its raw score into log-odds at the recipe's prevalence."""

    recipe: Recipe
    scaler: Any
    estimator: Any
    slope: float
    intercept: float
    baseline: NDArray[np.float32]
    """Training medians (features,), against which decision factors are measured."""
    sample: NDArray[np.float32]
    """Some training rows, for the export's probe."""
    labels: NDArray[np.int64]
    """Of the training rows."""
    out_of_fold: NDArray[np.float32]
    """Probability of each training row by the models of the calibration, which had not seen its group."""
    schema: Schema = TRANSACTION_SCHEMA

    def probability(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of the exploit class (n,) for float32 rows (n, features)."""
        raw = raw_score(self.estimator, self.scaler.transform(features))
        return sigmoid(self.slope * raw + self.intercept).astype(np.float32)

    def importance(self) -> dict[str, float]:
        """By feature, largest first; sums to 1. Of trees the mean decrease of impurity, of a regression the size of the
        weight times the deviation of what it weighs."""
        pairs = zip(self.schema.names, (float(v) for v in self.estimator.feature_importances_), strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))


def fit(
    recipe: Recipe,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[Any] | None = None,
    schema: Schema = TRANSACTION_SCHEMA,
) -> CalibratedModel:
    """Fits scaler, estimator and calibration.

    `features` (n, width of the schema) float32, `labels` (n,) of 0 and 1, `groups` (n,): rows of one group stay in one
    fold of the calibration (default: each row its own). Raises `ValueError` where a class has fewer than two groups.
    """
    groups = np.arange(len(labels)) if groups is None else groups
    for label in (0, 1):
        if len(np.unique(groups[labels == label])) < 2:
            raise ValueError(f"training needs at least two groups of rows labelled {label}")
    scaler = exact_scaler(features)
    scaled = scaler.transform(features)
    raw = _out_of_fold_scores(recipe, scaled, labels, groups)
    slope, intercept = platt(raw, labels)
    intercept += log_odds(recipe.prevalence) - log_odds(float(labels.mean()))
    estimator = grow(recipe, scaled, labels)
    return CalibratedModel(
        recipe=recipe,
        scaler=scaler,
        estimator=estimator,
        slope=slope,
        intercept=intercept,
        baseline=np.median(features, axis=0).astype(np.float32),
        sample=features[np.random.default_rng(recipe.seed).permutation(len(features))[:SAMPLE_ROWS]],
        labels=labels,
        out_of_fold=sigmoid(slope * raw + intercept).astype(np.float32),
        schema=schema,
    )


def exact_scaler(features: NDArray[np.float32]) -> Any:
    """A StandardScaler whose float32 results are the same everywhere.

    Its mean is a float32 and its scale a power of two: the subtraction then rounds once and the division not at all,
    whether it is done in float32 or, as scikit-learn does, in float64 and rounded afterwards. So a scaled value is a
    monotone function of the raw one, which lets the export move the scaler into the trees' thresholds exactly.
    """
    scaler = needs("sklearn.preprocessing").StandardScaler().fit(features)
    scaler.mean_ = scaler.mean_.astype(np.float32).astype(np.float64)
    scaler.scale_ = np.exp2(np.round(np.log2(scaler.scale_)))
    scaler.var_ = scaler.scale_**2
    return scaler


def grow(recipe: Recipe, scaled: NDArray[np.float32], labels: NDArray[np.int64]) -> Any:
    """A fitted estimator; the leaves of an ensemble lie on `GRID`."""
    if recipe.kind == LOGISTIC:
        return recipe.estimator().fit(scaled, labels)
    trees = recipe.estimator().fit(scaled, labels)
    for tree in np.ravel(trees.estimators_):
        values = tree.tree_.value
        if recipe.kind == "random_forest":
            values[:, 0, 1] = np.round(values[:, 0, 1] / GRID) * GRID
            values[:, 0, 0] = 1 - values[:, 0, 1]
        else:
            step = GRID / trees.learning_rate
            values[:, 0, 0] = np.round(values[:, 0, 0] / step) * step
    return trees


def raw_score(estimator: Any, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
    """The uncalibrated log-odds (n,): of a forest's mean vote, or as boosted trees or a regression add them up."""
    if hasattr(estimator, "decision_function"):
        return np.asarray(estimator.decision_function(scaled), dtype=np.float64)
    trees = estimator
    vote = np.asarray(trees.predict_proba(scaled)[:, 1], dtype=np.float64)
    votes = np.round(vote * trees.n_estimators / GRID) * GRID
    return np.asarray(np.log((votes + VOTE_FLOOR) / (trees.n_estimators - votes + VOTE_FLOOR)))


def log_odds(share: float) -> float:
    """ln(p / (1 − p))."""
    return float(np.log(share) - np.log1p(-share))


def platt(raw: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and intercept of P(exploit | score) = sigmoid(slope·score + intercept), by maximum likelihood.

    Targets are smoothed as in Platt (1999), so that few positives do not give certainty.
    """
    positive, negative = int(labels.sum()), int((1 - labels).sum())
    targets = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = theta[0] * raw + theta[1]
        error = sigmoid(logit) - targets
        value = float(np.mean(np.logaddexp(0, logit) - targets * logit))
        return value, np.array([np.mean(error * raw), np.mean(error)])

    start = np.array([1.0, np.log((positive + 1) / (negative + 1))])
    result = needs("scipy.optimize").minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    return float(result.x[0]), float(result.x[1])


def sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + e^−x), without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0, -logit)))


def _out_of_fold_scores(
    recipe: Recipe, scaled: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[Any]
) -> NDArray[np.float64]:
    folds = min(CALIBRATION_FOLDS, *(len(np.unique(groups[labels == label])) for label in (0, 1)))
    splitter = needs("sklearn.model_selection").StratifiedGroupKFold(
        folds, shuffle=True, random_state=recipe.seed
    )
    raw = np.empty(len(labels))
    for train, test in splitter.split(scaled, labels, groups):
        raw[test] = raw_score(grow(recipe, scaled[train], labels[train]), scaled[test])
    return raw
