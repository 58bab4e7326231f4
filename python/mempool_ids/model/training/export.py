"""A fitted model as one small ONNX graph, and the probe that it must pass before it is written.

skl2onnx converts the trees. The scaler is then moved into their thresholds, so that what runs for each transaction
is one tree node and the few scalar operations of the calibration. A regression is written as the operations that it is.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.exceptions import ModelError
from mempool_ids.model.training.extra import needs
from mempool_ids.model.training.logistic import onnx_nodes, probe_edges
from mempool_ids.model.training.model import GRID, LOGISTIC, VOTE_FLOOR, CalibratedModel, log_odds

INPUT, OUTPUT = "features", "probability"
OPSET, ML_OPSET, IR_VERSION = 17, 3, 8

# All runners take the same branches (the thresholds are exact) and add up the same sum (the leaves lie on a grid). What
# differs is the calibration, a handful of roundings and one power or sigmoid, in float32 against float64: about 1e-7.
TOLERANCE = 1e-6

Runner = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def to_onnx(model: CalibratedModel) -> bytes:
    """The graph: `features` float32 (N, features) to `probability` float32 (N, 1)."""
    onnx = needs("onnx")
    helper = onnx.helper
    if model.recipe.kind == LOGISTIC:
        nodes, constants = onnx_nodes(
            model.estimator, model.scaler, model.slope, model.intercept, INPUT, OUTPUT
        )
    else:
        nodes, constants = _trees(model)
    graph = helper.make_graph(
        nodes,
        model.recipe.kind,
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, ["N", len(model.schema.names)])],
        [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["N", 1])],
        constants,
    )
    result = helper.make_model(
        graph,
        producer_name="mempool-ids",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
    )
    onnx.checker.check_model(result)
    return bytes(result.SerializeToString())


def _trees(model: CalibratedModel) -> tuple[list[Any], list[Any]]:
    """Nodes and constants of an ensemble and its calibration."""
    onnx = needs("onnx")
    attributes = converted_trees(model.estimator)
    values = np.array(attributes["nodes_values"], dtype=np.float32)
    columns = np.array(attributes["nodes_featureids"])
    splits = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"]])
    values[splits] = unscaled_thresholds(values[splits], columns[splits], model.scaler)
    weights = np.array(attributes["class_weights"], dtype=np.float64)
    offset, nodes, constants = _calibration(model)
    forest = model.recipe.kind == "random_forest"
    weights = np.round(weights * (model.estimator.n_estimators if forest else 1) / GRID) * GRID
    tree = onnx.helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        ["sum"],
        name="trees",
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=[offset],
        nodes_values=[float(v) for v in values],
        target_ids=[0] * len(weights),
        target_nodeids=attributes["class_nodeids"],
        target_treeids=attributes["class_treeids"],
        target_weights=[float(w) for w in weights],
        **{name: attributes[name] for name in STRUCTURE},
    )
    tensors = [
        onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, [1], [value])
        for name, value in constants.items()
    ]
    return [tree, *nodes], tensors


STRUCTURE = (
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_nodeids",
    "nodes_treeids",
    "nodes_truenodeids",
)


def converted_trees(trees: Any) -> dict[str, Any]:
    """Attributes of the tree node that skl2onnx makes of a binary ensemble: one weight a leaf, of the exploits."""
    types = needs("skl2onnx.common.data_types")
    converted = needs("skl2onnx").convert_sklearn(
        trees,
        initial_types=[(INPUT, types.FloatTensorType([None, trees.n_features_in_]))],
        options={id(trees): {"zipmap": False}},
        target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
    )
    get = needs("onnx").helper.get_attribute_value
    attributes = {a.name: get(a) for a in converted.graph.node[0].attribute}
    if set(attributes["class_ids"]) != {0}:
        raise ModelError("skl2onnx made another form of tree ensemble than this export understands")
    return attributes


def unscaled_thresholds(
    thresholds: NDArray[np.float32], columns: NDArray[np.int64], scaler: Any
) -> NDArray[np.float32]:
    """For each threshold t on a scaled column the largest float32 x with scale(x) ≤ t.

    So `x ≤ result` holds for exactly the float32 values x for which scikit-learn's `scale(x) ≤ t` does.
    """
    mean, scale = scaler.mean_[columns], scaler.scale_[columns]

    def at(position: NDArray[np.int64]) -> NDArray[np.float32]:
        """The float32 at a place in the order of all float32 values; 0 is zero."""
        bits = np.where(position >= 0, position, -position | 0x8000_0000)
        return bits.astype(np.uint32).view(np.float32)

    largest = int(np.float32(np.finfo(np.float32).max).view(np.uint32))
    low = np.full(thresholds.shape, -largest, dtype=np.int64)
    high = np.full(thresholds.shape, largest, dtype=np.int64)
    while (low < high).any():
        middle = (low + high + 1) // 2
        with np.errstate(over="ignore"):
            below = ((at(middle) - mean).astype(np.float32) / scale).astype(np.float32) <= thresholds
        low, high = np.where(below, middle, low), np.where(below, high, middle - 1)
    return at(low)


def _calibration(model: CalibratedModel) -> tuple[float, list[Any], dict[str, float]]:
    """What the tree node adds to its sum, the nodes that make a probability of it, and their constants."""
    node = needs("onnx").helper.make_node
    a, b = model.slope, model.intercept
    if model.recipe.kind == "gradient_boosting":
        start = log_odds(float(model.estimator.init_.class_prior_[1]))
        nodes = [
            node("Mul", ["sum", "slope"], ["scaled"]),
            node("Add", ["scaled", "intercept"], ["logit"]),
            node("Sigmoid", ["logit"], [OUTPUT]),
        ]
        return 0.0, nodes, {"slope": a, "intercept": a * start + b}
    # sigmoid(a·ln(s / (T − s)) + b) = o / (1 + o) with the odds o = e^b·(s / (T − s))^a, s = votes + floor and
    # T = trees + 2·floor. Each node costs every transaction half a microsecond: these are few.
    nodes = [
        node("Sub", ["whole", "sum"], ["against"]),
        node("Div", ["sum", "against"], ["ratio"]),
        node("Pow", ["ratio", "slope"], ["power"]),
        node("Mul", ["power", "prior"], ["odds"]),
        node("Softsign", ["odds"], [OUTPUT]),
    ]
    whole = model.estimator.n_estimators + 2 * VOTE_FLOOR
    return VOTE_FLOOR, nodes, {"whole": whole, "slope": a, "prior": float(np.exp(b))}


def probe_rows(model: CalibratedModel) -> NDArray[np.float32]:
    """Rows that are most likely to reveal a disagreement: training rows, and some on both sides of every edge."""
    rng, features = np.random.default_rng(model.recipe.seed), model.sample
    near = [features]
    for column, value in _edges(model):
        rows = features[rng.integers(len(features), size=len(column))]
        rows[np.arange(len(column)), column] = value
        near.append(rows)
    width = features.shape[1]
    extremes = np.array([np.full(width, v) for v in (-1, 0, 1, 16, 78, 1e30, -1e30)], dtype=np.float32)
    return np.ascontiguousarray(np.concatenate([*near, extremes]), dtype=np.float32)


def _edges(model: CalibratedModel) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Columns, and a value for each: of trees each split's threshold and its neighbours."""
    if model.recipe.kind == LOGISTIC:
        for values in probe_edges(model.scaler).T:
            yield np.arange(len(values)), values
        return
    attributes = converted_trees(model.estimator)
    splits = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"]])
    columns = np.array(attributes["nodes_featureids"])[splits]
    thresholds = unscaled_thresholds(
        np.array(attributes["nodes_values"], dtype=np.float32)[splits], columns, model.scaler
    )
    edges = np.unique(np.column_stack([columns, thresholds]), axis=0)
    column, threshold = edges[:, 0].astype(np.int64), edges[:, 1].astype(np.float32)
    yield column, threshold
    for towards in (-np.inf, np.inf):
        yield column, np.nextafter(threshold, np.float32(towards))


def refuse_disagreement(
    rows: NDArray[np.float32], runners: Mapping[str, Runner], tolerance: float = TOLERANCE
) -> float:
    """The largest difference between any two runners' probabilities on any row.

    Raises `ModelError` with the runners, the row and both answers if it exceeds `tolerance`.
    """
    answers = {name: np.asarray(run(rows), dtype=np.float64).reshape(-1) for name, run in runners.items()}
    reference, expected = next(iter(answers.items()))
    if len(expected) != len(rows) or not np.isfinite(expected).all():
        raise ModelError(f"{reference} gives no finite probability for each of {len(rows)} probe rows")
    worst = 0.0
    for name, answer in answers.items():
        if len(answer) != len(rows):
            raise ModelError(f"{name} answers {len(answer)} of {len(rows)} probe rows")
        difference = np.abs(answer - expected)
        row = int(np.argmax(np.nan_to_num(difference, nan=np.inf)))
        if not difference[row] <= tolerance:
            raise ModelError(
                f"export refused: {reference} gives {expected[row]:.9g} and {name} {answer[row]:.9g} for probe row"
                f" {row} of {len(rows)}, {rows[row].tolist()} (tolerance {tolerance:g})"
            )
        worst = max(worst, float(difference[row]))
    return worst
