"""The classifier for people: train, tune, explain, save and load. The sensor runs the saved model from Rust."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mempool_ids._core import FEATURE_NAMES
from mempool_ids.exceptions import ModelError
from mempool_ids.model import manifest
from mempool_ids.model.inference import OnnxModel
from mempool_ids.model.training.columns import FEATURES, as_matrix
from mempool_ids.records.classification import ClassificationResult, DecisionFactor, ThreatLevel

if TYPE_CHECKING:
    from mempool_ids.model.training.metrics import Metrics
    from mempool_ids.model.training.model import CalibratedModel

__all__ = ["ClassificationResult", "DecisionFactor", "ExploitClassifier", "ThreatLevel"]

DEFAULT_THRESHOLD = 0.7


class _HasFeatureVector(Protocol):
    def to_feature_vector(self) -> Any: ...


class _Scores(Protocol):
    def probability(self, rows: NDArray[np.float32]) -> NDArray[np.float32]: ...


class ExploitClassifier:
    """A random forest or gradient boosting over the 22 transaction features, with a calibrated probability.

    Untrained until `train` or `load_model`. Training needs `pip install mempool-ids[train]`, loading does not.
    """

    def __init__(
        self, kind: str = "random_forest", *, threshold: float = DEFAULT_THRESHOLD, seed: int = 0
    ) -> None:
        """`kind`: `random_forest` or `gradient_boosting`. Raises `ValueError` for another."""
        from mempool_ids.model.training.model import Recipe

        self.recipe = Recipe(kind, seed)
        self.threshold = threshold
        self.version = "untrained"
        self.training: dict[str, Any] = {}
        """Where the model comes from: data files' hashes, number of synthetic rows, seed."""
        self._name = kind
        self._fitted: CalibratedModel | None = None
        self._scores: _Scores | None = None
        self._baseline = np.zeros(FEATURES, dtype=np.float32)

    @property
    def name(self) -> str:
        """The model's name in its manifest."""
        return self._name

    def train(
        self, X: ArrayLike, y: ArrayLike, validation_split: float = 0.2, *, groups: ArrayLike | None = None
    ) -> "Metrics":
        """Fits on a share of the rows and measures on the rest.

        `X` (n, 22), `y` (n,) of 0 and 1. `validation_split` in (0, 1) is the share kept for validation, drawn by
        class; rows of the same `groups` value stay together. The metrics are of rows the model has not seen, at the
        current threshold. Raises `ValueError` for wrong shapes or labels, `MissingExtraError` without scikit-learn.
        """
        from mempool_ids.model.training.metrics import measure
        from mempool_ids.model.training.model import fit
        from mempool_ids.model.training.splits import holdout

        features, labels = as_matrix(X), _labels(y)
        if len(features) != len(labels):
            raise ValueError(f"X has {len(features)} rows, y {len(labels)}")
        names = np.arange(len(labels)) if groups is None else np.asarray(groups)
        seen, unseen = holdout(labels, names, validation_split, self.recipe.seed)
        model = fit(self.recipe, features[seen], labels[seen], names[seen])
        self.adopt(model, version="unsaved", training={"rows": len(seen), "seed": self.recipe.seed})
        return measure(labels[unseen], self.predict_proba(features[unseen]), self.threshold)

    def adopt(self, model: "CalibratedModel", version: str, training: dict[str, Any]) -> None:
        """Uses a model that `mempool_ids.model.training` fitted."""
        self._fitted = self._scores = model
        self._baseline = model.baseline
        self.recipe, self._name = model.recipe, model.recipe.kind
        self.version, self.training = version, training

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Calibrated probability of an exploit (n,) for rows (n, 22). Raises `ModelError` if untrained."""
        if self._scores is None:
            raise ModelError("the classifier is untrained: call train() or load_model() first")
        return self._scores.probability(as_matrix(X))

    def predict(self, features: "ArrayLike | _HasFeatureVector") -> ClassificationResult:
        """The answer for one transaction: its 22 features, or an object with `to_feature_vector()`."""
        values: Any = features.to_feature_vector() if hasattr(features, "to_feature_vector") else features
        row = as_matrix(np.asarray(values, dtype=np.float32).reshape(1, -1))
        rows = np.repeat(row, FEATURES + 1, axis=0)
        rows[np.arange(FEATURES), np.arange(FEATURES)] = self._baseline
        probabilities = self.predict_proba(rows)
        p = probabilities[-1]
        contributions = p - probabilities[:-1]
        factors = [
            DecisionFactor(name, float(value), float(contribution))
            for name, value, contribution in zip(FEATURE_NAMES, row[0], contributions, strict=True)
        ]
        return ClassificationResult(
            probability=float(p),
            threat_level=ThreatLevel.of(float(p)),
            is_exploit=bool(p >= np.float32(self.threshold)),
            threshold=self.threshold,
            decision_factors=tuple(sorted(factors, key=lambda f: -abs(f.contribution))),
            model=self.name,
            version=self.version,
        )

    def tune_threshold(self, X_val: ArrayLike, y_val: ArrayLike, target_fpr: float) -> float:
        """Sets and returns the lowest threshold whose false positive rate on the validation rows is ≤ `target_fpr`.

        `target_fpr` in [0, 1]. Fewer than 1/`target_fpr` benign rows cannot show such a rate: then none of them passes,
        which promises nothing about others. `save_model` writes the threshold into the manifest, and the sensor goes by
        it unless its configuration sets one. Raises `ValueError` if the rows hold no benign one, or for another rate.
        """
        from mempool_ids.model.training.metrics import threshold_at

        self.threshold = threshold_at(_labels(y_val), self.predict_proba(X_val), target_fpr)
        return self.threshold

    def evaluate(self, X: ArrayLike, y: ArrayLike) -> "Metrics":
        """Precision, recall, F1, AUC, average precision and Brier score on labelled rows, at the current threshold."""
        from mempool_ids.model.training.metrics import measure

        return measure(_labels(y), self.predict_proba(X), self.threshold)

    def feature_importance(self) -> dict[str, float]:
        """Importance by feature, largest first, as training measured it. Raises `ModelError` if untrained."""
        if self._fitted is not None:
            return self._fitted.importance()
        if "importance" not in self.training:
            raise ModelError("no feature importance: the classifier is untrained or its manifest has none")
        return dict(self.training["importance"])

    @staticmethod
    def generate_synthetic_training_data(
        n_samples: int = 10_000, exploit_ratio: float = 0.1, seed: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Invented feature rows (n, 22) and labels (n,), for tests, demonstrations and as a supplement to real data.

        They say nothing about how well a model finds real exploits.
        """
        from mempool_ids.model.training.synthetic import generate

        return generate(n_samples, exploit_ratio, seed)

    def save_model(self, folder: str | Path, *, selectors: bytes | None = None) -> Path:
        """Writes the fitted model as ONNX with its manifest; other models in the folder stay. Returns the folder.

        `selectors`: the known-selector set the features were computed with (default: the package's own).
        Raises `ModelError` if the export does not agree with scikit-learn, ONNX Runtime and the sensor's inference on
        every probe row, or if there is no fitted model (a loaded one is already on disk).
        """
        if self._fitted is None:
            raise ModelError("nothing to save: only a model trained in this process can be exported")
        from mempool_ids.model.training.save import save

        known = manifest.known_selectors() if selectors is None else selectors
        self.version = save(Path(folder), self._fitted, self.threshold, known, self.training)
        return Path(folder)

    def load_model(
        self, folder: str | Path = manifest.BUILTIN, name: str | None = None
    ) -> "ExploitClassifier":
        """Loads the named model of a folder with a manifest (default: its default model), and returns itself.

        Raises `ModelError` that says which of hash, feature schema or shape is wrong; the classifier is then unchanged.
        """
        from mempool_ids.model.training.model import Recipe

        entry = manifest.entry(manifest.read(Path(folder)), name)
        scores = OnnxModel(Path(folder), entry)
        self.recipe = Recipe(entry.kind, int(entry.training.get("seed", 0)))
        self._name, self.version, self.threshold = entry.name, entry.version, entry.threshold
        self.training = entry.training
        self._baseline = np.array(entry.baseline, dtype=np.float32)
        self._fitted, self._scores = None, scores
        return self


def _labels(y: ArrayLike) -> NDArray[np.int64]:
    labels = np.asarray(y)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise ValueError("labels are not a vector of 0 and 1")
    return labels.astype(np.int64)
