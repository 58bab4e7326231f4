"""The two early models and how they are fitted.

*Precision*: a regression on what is hashed (sequences of opcodes, of effects and of steps, and called selectors), each
as tf-idf of unit length: what ranks best at the very top. *Recall*: the same, and over the named features a regression,
a forest of extremely random trees and boosted trees, which find more of the rest. All are fitted with more weight on
the benign contracts that a first regression takes for attacks most.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.early.data import BENIGN, BLOCKS, EXPLOIT, HASHED, Contracts, MadeUp
from mempool_ids.model.training.extra import needs
from mempool_ids.model.training.model import exact_scaler, log_odds, platt, sigmoid

Matrix = NDArray[np.float32]

# Weight of a MEV bot against another benign contract: they are few, and what attackers look like most.
BOT = 4.0
HARD_SHARE, HARD = 0.05, 3.0
"""Of the benign contracts, those that a first regression takes for attacks most, and their weight against another: the
ones that a threshold is lost on."""
# All made-up contracts together weigh less than the real ones: they show how attacks are written, not how often.
MADE_UP = 0.15
LENGTHS = {"grams": 1.0, "effects": 1.0, "steps": 0.5, "called": 0.5}
"""Of the hashed blocks that the regression reads; what a contract offers is left to the named features."""
DENSE_SHARE, TREES_SHARE, BOOSTED_SHARE = 0.25, 0.25, 0.35
"""Of the recall model's log-odds, beside the regression over what is hashed."""
HASHED_C, NAMED_C = 3.0, 0.01
"""Of the regressions: the inverse of how much they are held back."""
CLIP = 4.0
"""A named feature counts no further from its mean, in deviations."""
VOTE_FLOOR = 0.01
"""Votes added to both sides of a forest before its log-odds are taken."""
TREES: Mapping[str, Any] = {"n_estimators": 100, "min_samples_leaf": 2, "max_features": 0.3}
BOOSTED: Mapping[str, Any] = {
    "n_estimators": 150,
    "learning_rate": 0.06,
    "max_depth": None,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 10,
    "max_features": 0.2,
    "subsample": 0.7,
}


@dataclass(frozen=True)
class Recipe:
    """All that decides a fit besides its data."""

    seed: int = 0
    masked: tuple[str, ...] = ()
    """Blocks and beginnings of names of features that are held at 0: for ablations."""
    made_up: bool = True

    def parameters(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "bot_weight": BOT,
            "hard_share": HARD_SHARE,
            "hard_weight": HARD,
            "made_up_weight": MADE_UP,
            "lengths": dict(LENGTHS),
            "dense_share": DENSE_SHARE,
            "trees_share": TREES_SHARE,
            "boosted_share": BOOSTED_SHARE,
            "hashed_C": HASHED_C,
            "named_C": NAMED_C,
            "trees": dict(TREES),
            "boosted": dict(BOOSTED),
        }


@dataclass(frozen=True)
class Hashed:
    """A regression over the hashed features."""

    idf: dict[str, NDArray[np.float32]]
    weights: dict[str, NDArray[np.float32]]
    bias: float


@dataclass(frozen=True)
class Named:
    """A regression over the named ones."""

    scaler: Any
    weights: NDArray[np.float32]
    bias: float


@dataclass(frozen=True)
class EarlyModel:
    """Both models, uncalibrated."""

    hashed: Hashed
    named: Named
    trees: Any
    boosted: Any
    keep: NDArray[np.bool_] = field(repr=False)
    """Columns (width,) that are not masked."""

    def margins(self, features: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Log-odds (n,) of the recall model and of the precision model, before calibration."""
        features = np.where(self.keep, features, np.float32(0)) if not self.keep.all() else features
        precision = _margin(self.hashed, features)
        named = features[:, HASHED:]
        scaled = np.clip(self.named.scaler.transform(named), -CLIP, CLIP)
        dense = scaled.astype(np.float64) @ self.named.weights + self.named.bias
        votes = self.trees.predict_proba(named)[:, 1]
        forest = np.log(votes + VOTE_FLOOR) - np.log1p(VOTE_FLOOR - votes)
        boosted = self.boosted.decision_function(named)
        rest = DENSE_SHARE * dense + TREES_SHARE * forest + BOOSTED_SHARE * boosted
        return precision + rest, precision


def unit(features: Matrix, idf: Mapping[str, NDArray[np.float32]]) -> Any:
    """The hashed blocks as one sparse matrix: tf-idf, each block of its own length."""
    sparse = needs("scipy.sparse")
    normalize = needs("sklearn.preprocessing").normalize
    parts, start = [], 0
    for block, width in BLOCKS.items():
        if block in LENGTHS:
            part = sparse.csr_matrix(features[:, start : start + width]).multiply(idf[block]).tocsr()
            parts.append(normalize(part) * LENGTHS[block])
        start += width
    return sparse.hstack(parts).tocsr()


def fit(recipe: Recipe, data: Contracts, made_up: MadeUp | None) -> EarlyModel:
    """Fits on the exploits and benign rows of `data`, and on made-up ones."""
    learned = data.rows(data.labels >= 0)
    keep = mask(recipe.masked)
    features, labels, weights = learned.features, learned.labels, row_weights(learned)
    if made_up is not None and recipe.made_up:
        mean = weights[labels == EXPLOIT].mean()
        features = np.concatenate([features, made_up.features])
        labels = np.concatenate([labels, np.ones(len(made_up.features), dtype=np.int64)])
        weights = np.concatenate([weights, np.full(len(made_up.features), MADE_UP * mean)])
    if not keep.all():
        features = np.where(keep, features, np.float32(0))
    real = features[: len(learned)]
    first = _fit_hashed(recipe, real, features, labels, weights)
    weights = harder(weights, labels, _margin(first, features))
    return EarlyModel(
        hashed=_fit_hashed(recipe, real, features, labels, weights),
        named=_fit_named(recipe, real[:, HASHED:], features[:, HASHED:], labels, weights),
        trees=_fit_trees("ExtraTreesClassifier", TREES, recipe, features[:, HASHED:], labels, weights),
        boosted=_fit_trees(
            "GradientBoostingClassifier", BOOSTED, recipe, features[:, HASHED:], labels, weights
        ),
        keep=keep,
    )


def mask(masked: tuple[str, ...]) -> NDArray[np.bool_]:
    """Columns (WIDTH,) that none of these blocks and beginnings of names is of."""
    from mempool_ids._core import CONTRACT_FEATURE_NAMES

    names = [block for block, width in BLOCKS.items() for _ in range(width)] + list(CONTRACT_FEATURE_NAMES)
    return np.array([not name.startswith(masked) if masked else True for name in names])


def row_weights(data: Contracts) -> NDArray[np.float64]:
    """Of each row (n,): both classes alike, an incident as the root of its rows, a bot as several."""
    _, member, counts = np.unique(data.groups, return_inverse=True, return_counts=True)
    weights = np.ones(len(data))
    exploits = data.labels == EXPLOIT
    weights[exploits] = 1 / np.sqrt(counts[member][exploits])
    weights[(data.labels == BENIGN) & (data.sources == "mev-bot")] = BOT
    weights[exploits] *= weights[data.labels == BENIGN].sum() / weights[exploits].sum()
    return weights


def harder(
    weights: NDArray[np.float64], labels: NDArray[np.int64], margins: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The weights (n,), of the benign rows with the highest margins `HARD` times as much."""
    benign = np.flatnonzero(labels == BENIGN)
    hardest = benign[np.argsort(-margins[benign], kind="stable")[: int(HARD_SHARE * len(benign))]]
    weights = weights.copy()
    weights[hardest] *= HARD
    return weights


def calibration(
    raw: NDArray[np.float64], labels: NDArray[np.int64], prevalence: float | None = None
) -> tuple[float, float]:
    """Slope and intercept of the probability, from log-odds out of fold.

    It holds where `prevalence` of all contracts are of attackers; None is the share among `labels`.
    """
    slope, intercept = platt(raw, labels)
    told = float(labels.mean())
    return slope, intercept + log_odds(told if prevalence is None else prevalence) - log_odds(told)


def even_prevalence(raw: NDArray[np.float64], labels: NDArray[np.int64], threshold: float) -> float:
    """Share of attackers at which a contract with log-odds `threshold` is one of theirs as likely as not."""
    slope, intercept = calibration(raw, labels)
    told = log_odds(float(labels.mean()))
    return float(sigmoid(np.array(told - slope * threshold - intercept)))


def probability(raw: NDArray[np.float64], slope: float, intercept: float) -> NDArray[np.float32]:
    """Of log-odds (n,); NaN stays so."""
    with np.errstate(invalid="ignore"):
        return sigmoid(slope * raw + intercept).astype(np.float32)


def _fit_hashed(
    recipe: Recipe, real: Matrix, features: Matrix, labels: NDArray[np.int64], weights: NDArray[np.float64]
) -> Hashed:
    idf, start = {}, 0
    for block, width in BLOCKS.items():
        documents = (real[:, start : start + width] > 0).sum(axis=0)
        idf[block] = (np.log((1 + len(real)) / (1 + documents)) + 1).astype(np.float32)
        start += width
    model = needs("sklearn.linear_model").LogisticRegression(
        C=HASHED_C, solver="liblinear", tol=1e-3, max_iter=200, random_state=recipe.seed
    )
    model.fit(unit(features, idf), labels, sample_weight=weights)
    found, split, start = model.coef_[0].astype(np.float32), {}, 0
    for block in LENGTHS:
        split[block] = found[start : start + BLOCKS[block]]
        start += BLOCKS[block]
    return Hashed(idf, split, float(model.intercept_[0]))


def _margin(hashed: Hashed, features: Matrix) -> NDArray[np.float64]:
    weights = np.concatenate([hashed.weights[block] for block in LENGTHS])
    return np.asarray(unit(features, hashed.idf) @ weights.astype(np.float64)) + hashed.bias


def _fit_named(
    recipe: Recipe, real: Matrix, named: Matrix, labels: NDArray[np.int64], weights: NDArray[np.float64]
) -> Named:
    scaler = exact_scaler(np.ascontiguousarray(real))
    scaled = np.clip(scaler.transform(named), -CLIP, CLIP)
    model = needs("sklearn.linear_model").LogisticRegression(
        C=NAMED_C, solver="liblinear", tol=1e-3, max_iter=200, random_state=recipe.seed
    )
    model.fit(scaled, labels, sample_weight=weights)
    return Named(scaler, model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def _fit_trees(
    kind: str,
    parameters: Mapping[str, Any],
    recipe: Recipe,
    named: Matrix,
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> Any:
    ensemble = getattr(needs("sklearn.ensemble"), kind)(**parameters, random_state=recipe.seed)
    ensemble.fit(named, labels, sample_weight=weights)
    for tree in np.ravel(ensemble.estimators_):
        # A float32 is compared with a float64: the largest float32 that is not above it parts the same rows.
        exact = tree.tree_.threshold
        rounded = exact.astype(np.float32)
        above = rounded > exact
        rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
        exact[:] = rounded
    return ensemble
