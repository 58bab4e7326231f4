"""Logistic regression as one of the model's kinds, and its ONNX nodes.

Exploits are about a hundred, and each year's are new: a weighted sum holds better on the years after than trees do.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.training.extra import needs

REACH = 12.0
"""A scaled feature counts no further than this from its mean: no single number, however large, decides."""


class Logistic:
    """Regression on clipped features; as much of scikit-learn's interface as a model needs."""

    def __init__(self, **parameters: Any) -> None:
        """`parameters`: of scikit-learn's `LogisticRegression`."""
        self.parameters = parameters

    def fit(self, scaled: NDArray[np.float32], labels: NDArray[np.int64]) -> "Logistic":
        """Fits in float64 on scaled features (n, width) and labels (n,)."""
        x = clipped(scaled)
        fitted = needs("sklearn.linear_model").LogisticRegression(**self.parameters).fit(x, labels)
        self.weights: NDArray[np.float64] = fitted.coef_[0]
        self.bias = float(fitted.intercept_[0])
        weight = np.abs(self.weights) * x.std(axis=0)
        self.feature_importances_ = weight / max(float(weight.sum()), 1e-300)
        return self

    def decision_function(self, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds (n,)."""
        return np.asarray(clipped(scaled) @ self.weights + self.bias)


def clipped(scaled: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scaled features within `REACH`, in float64."""
    return np.clip(scaled, -REACH, REACH).astype(np.float64)


def onnx_nodes(
    fitted: Logistic, scaler: Any, slope: float, intercept: float, source: str, target: str
) -> tuple[list[Any], list[Any]]:
    """Nodes from `source` (N, width) to the calibrated probability `target` (N, 1), and their constants.

    Scaling is exact in float32, as `exact_scaler` says; the sum is taken in float64, as scikit-learn takes it.
    """
    helper, tensor = needs("onnx").helper, needs("onnx").TensorProto
    width = len(fitted.weights)

    def constant(name: str, kind: int, values: Any, shape: list[int]) -> Any:
        return helper.make_tensor(name, kind, shape, [float(value) for value in values])

    constants = [
        constant("mean", tensor.FLOAT, scaler.mean_, [width]),
        constant("inverse", tensor.FLOAT, 1 / scaler.scale_, [width]),
        constant("low", tensor.FLOAT, [-REACH], []),
        constant("high", tensor.FLOAT, [REACH], []),
        constant("weights", tensor.DOUBLE, slope * fitted.weights, [width, 1]),
        constant("bias", tensor.DOUBLE, [slope * fitted.bias + intercept], [1]),
    ]
    node = helper.make_node
    nodes = [
        node("Sub", [source, "mean"], ["centred"]),
        node("Mul", ["centred", "inverse"], ["scaled"]),
        node("Clip", ["scaled", "low", "high"], ["clipped"]),
        node("Cast", ["clipped"], ["terms"], to=tensor.DOUBLE),
        node("MatMul", ["terms", "weights"], ["weighted"]),
        node("Add", ["weighted", "bias"], ["logit"]),
        node("Sigmoid", ["logit"], ["exact"]),
        node("Cast", ["exact"], [target], to=tensor.FLOAT),
    ]
    return nodes, constants


def probe_edges(scaler: Any) -> NDArray[np.float32]:
    """For each feature, values (width, 6) around its mean and around where it ceases to count."""
    places = np.array([-1.01, -0.99, -0.01, 0.01, 0.99, 1.01]) * REACH
    return np.asarray(scaler.mean_[:, None] + scaler.scale_[:, None] * places, dtype=np.float32)
