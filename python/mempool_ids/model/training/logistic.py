"""Logistic regression as one of the model's kinds, and its ONNX nodes.

Exploits are about a hundred, and each year's are new: a weighted sum holds better on the years after than trees do.
But who reads the weights could add up what speaks for innocence until any attack looks harmless. So there are two sums,
and the larger counts: one of all, and one, taken with a doubt, to which no feature adds much innocence.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.extra import needs

REACH = 12.0
"""A scaled feature counts no further than this from its mean: no single number, however large, decides."""
INNOCENCE = 2.0
"""In the second sum a feature that speaks for innocence counts no further than this."""
DOUBT = 1.0
"""By how much, in log-odds, the second sum must exceed the first to count."""
_ROUNDS = 3


class Sum:
    """Log-odds as a weighted sum of scaled features, each within `REACH` below and its place in `high` above."""

    def __init__(
        self,
        scaled: NDArray[np.float32],
        labels: NDArray[np.int64],
        high: NDArray[np.float32],
        **parameters: Any,
    ) -> None:
        self.high = high
        regression = needs("sklearn.linear_model").LogisticRegression(**parameters)
        regression.fit(self.terms(scaled), labels)
        self.weights: NDArray[np.float64] = regression.coef_[0]
        self.bias = float(regression.intercept_[0])

    def terms(self, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.clip(scaled, -np.float32(REACH), self.high).astype(np.float64)

    def of(self, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(self.terms(scaled) @ self.weights + self.bias)


class Logistic:
    """Both sums; as much of scikit-learn's interface as a model needs."""

    def __init__(self, **parameters: Any) -> None:
        """`parameters`: of scikit-learn's `LogisticRegression`."""
        self.parameters = parameters

    def fit(self, scaled: NDArray[np.float32], labels: NDArray[np.int64]) -> "Logistic":
        """Fits in float64 on scaled features (n, width) and labels (n,)."""
        high = np.full(scaled.shape[1], REACH, dtype=np.float32)
        self.whole = Sum(scaled, labels, high, **self.parameters)
        self.wary = self.whole
        for _ in range(_ROUNDS):
            # Where one no longer counts, others begin to speak for innocence.
            high = np.where(self.wary.weights < 0, np.float32(INNOCENCE), high)
            self.wary = Sum(scaled, labels, high, **self.parameters)
        weight = np.abs(self.whole.weights) * self.whole.terms(scaled).std(axis=0)
        self.feature_importances_ = weight / max(float(weight.sum()), 1e-300)
        return self

    def decision_function(self, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds (n,)."""
        return np.maximum(self.whole.of(scaled), self.wary.of(scaled) - DOUBT)


def onnx_nodes(
    fitted: Logistic, scaler: Any, slope: float, intercept: float, source: str, target: str
) -> tuple[list[Any], list[Any]]:
    """Nodes from `source` (N, width) to the calibrated probability `target` (N, 1), and their constants.

    Scaling is exact in float32, as `exact_scaler` says; the sums are taken in float64, as scikit-learn takes them.
    The core knows these nodes by name and evaluates them itself (rust/core/src/classify/logistic.rs); any other graph
    runs in ONNX Runtime there.
    """
    helper, tensor = needs("onnx").helper, needs("onnx").TensorProto
    width = len(fitted.whole.weights)

    def constant(name: str, kind: int, values: Any, shape: list[int]) -> Any:
        return helper.make_tensor(name, kind, shape, [float(value) for value in values])

    node = helper.make_node
    nodes = [
        node("Sub", [source, "mean"], ["centred"]),
        node("Mul", ["centred", "inverse"], ["scaled"]),
        node("Max", ["scaled", "low"], ["within"]),
    ]
    constants = [
        constant("mean", tensor.FLOAT, scaler.mean_, [width]),
        constant("inverse", tensor.FLOAT, 1 / scaler.scale_, [width]),
        constant("low", tensor.FLOAT, [-REACH], []),
        constant("slope", tensor.DOUBLE, [slope], [1]),
        constant("intercept", tensor.DOUBLE, [intercept], [1]),
    ]
    for name, part, less in (("whole", fitted.whole, 0.0), ("wary", fitted.wary, DOUBT)):
        constants += [
            constant(f"{name}_high", tensor.FLOAT, part.high, [width]),
            constant(f"{name}_weights", tensor.DOUBLE, part.weights, [width, 1]),
            constant(f"{name}_bias", tensor.DOUBLE, [part.bias - less], [1]),
        ]
        nodes += [
            node("Min", ["within", f"{name}_high"], [f"{name}_clipped"]),
            node("Cast", [f"{name}_clipped"], [f"{name}_terms"], to=tensor.DOUBLE),
            node("MatMul", [f"{name}_terms", f"{name}_weights"], [f"{name}_weighted"]),
            node("Add", [f"{name}_weighted", f"{name}_bias"], [name]),
        ]
    nodes += [
        node("Max", ["whole", "wary"], ["larger"]),
        node("Mul", ["larger", "slope"], ["steep"]),
        node("Add", ["steep", "intercept"], ["logit"]),
        node("Sigmoid", ["logit"], ["exact"]),
        node("Cast", ["exact"], [target], to=tensor.FLOAT),
    ]
    return nodes, constants


def probe_edges(scaler: Any) -> NDArray[np.float32]:
    """For each feature, values (width, 8) around its mean and around where it ceases to count."""
    edges = np.array([-REACH, 0, INNOCENCE, REACH])
    places = np.ravel(edges[:, None] + np.array([-0.1, 0.1]))
    return np.asarray(scaler.mean_[:, None] + scaler.scale_[:, None] * places, dtype=np.float32)
