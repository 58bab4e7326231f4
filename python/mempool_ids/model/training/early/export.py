"""The early models as ONNX graphs: from a row of features to a calibrated probability."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.training.early.data import BLOCKS, HASHED, WIDTH
from mempool_ids.model.training.early.model import (
    BOOSTED_SHARE,
    CLIP,
    DENSE_SHARE,
    LENGTHS,
    TREES_SHARE,
    VOTE_FLOOR,
    EarlyModel,
)
from mempool_ids.model.training.export import (
    INPUT,
    IR_VERSION,
    ML_OPSET,
    OPSET,
    OUTPUT,
    STRUCTURE,
    converted_trees,
)
from mempool_ids.model.training.extra import needs
from mempool_ids.model.training.model import log_odds

Sigmoid = tuple[float, float]
"""Slope and intercept."""


class _Graph:
    """Nodes and constants, added one by one."""

    def __init__(self) -> None:
        self.onnx = needs("onnx")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: Any, integers: bool = False) -> str:
        array = np.asarray(values, dtype=np.int64 if integers else np.float32)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def columns(self, start: int, end: int, name: str) -> str:
        bounds = [self.constant(f"{name}_from", [start], True), self.constant(f"{name}_to", [end], True)]
        return self.node("Slice", [INPUT, *bounds, self.constant(f"{name}_axis", [1], True)], name)

    def scaled(self, source: str, factor: float, output: str) -> str:
        return self.node("Mul", [source, self.constant(f"{output}_factor", factor)], output)

    def done(self, name: str, logit: str, sigmoid: Sigmoid) -> bytes:
        helper, tensor = self.onnx.helper, self.onnx.TensorProto
        steep = self.scaled(logit, sigmoid[0], "steep")
        shifted = self.node("Add", [steep, self.constant("intercept", sigmoid[1])], "shifted")
        self.node("Sigmoid", [shifted], OUTPUT)
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(INPUT, tensor.FLOAT, ["N", WIDTH])],
            [helper.make_tensor_value_info(OUTPUT, tensor.FLOAT, ["N", 1])],
            self.constants,
        )
        model = helper.make_model(
            graph,
            producer_name="mempool-ids",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        )
        self.onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def precision_graph(model: EarlyModel, sigmoid: Sigmoid) -> bytes:
    """`features` float32 (N, WIDTH) to `probability` float32 (N, 1)."""
    graph = _Graph()
    return graph.done("high_precision", _hashed(graph, model), sigmoid)


def recall_graph(model: EarlyModel, sigmoid: Sigmoid) -> bytes:
    """The same of the other model."""
    graph = _Graph()
    hashed = _hashed(graph, model)
    named = graph.columns(HASHED, WIDTH, "named")
    dense = graph.scaled(_dense(graph, model, named), DENSE_SHARE, "dense_share")
    forest = graph.scaled(_forest(graph, model.trees, named), TREES_SHARE, "forest_share")
    boosted = graph.scaled(_boosted(graph, model.boosted, named), BOOSTED_SHARE, "boosted_share")
    both = graph.node("Add", [hashed, dense], "regressions")
    trees = graph.node("Add", [forest, boosted], "ensembles")
    return graph.done("high_recall", graph.node("Add", [both, trees], "all"), sigmoid)


def _hashed(graph: _Graph, model: EarlyModel) -> str:
    sums, start = [], 0
    for block, width in BLOCKS.items():
        if block in LENGTHS:
            columns = graph.columns(start, start + width, block)
            idf = model.hashed.idf[block].astype(np.float64)
            # The idf is in the weights: a product for the sum and one for the length, instead of four passes.
            weights = idf * model.hashed.weights[block] * LENGTHS[block]
            product = graph.constant(f"{block}_weights", weights[:, None])
            product = graph.node("MatMul", [columns, product], f"{block}_product")
            squares = graph.node("Mul", [columns, columns], f"{block}_squares")
            squared = graph.constant(f"{block}_idf_squared", idf[:, None] ** 2)
            length = graph.node(
                "Sqrt", [graph.node("MatMul", [squares, squared], f"{block}_sum")], f"{block}_root"
            )
            # Of nothing the length is 0, and the direction nothing.
            length = graph.node("Max", [length, graph.constant(f"{block}_least", 1e-6)], f"{block}_length")
            sums.append(graph.node("Div", [product, length], f"{block}_part"))
        start += width
    total = graph.node("Sum", sums, "hashed_sum")
    return graph.node("Add", [total, graph.constant("hashed_bias", model.hashed.bias)], "hashed")


def _dense(graph: _Graph, model: EarlyModel, named: str) -> str:
    centred = graph.node("Sub", [named, graph.constant("mean", model.named.scaler.mean_)], "centred")
    scale = graph.constant("inverse", 1 / model.named.scaler.scale_)
    scaled = graph.node("Mul", [centred, scale], "deviations")
    bounds = [graph.constant("low", -CLIP), graph.constant("high", CLIP)]
    clipped = graph.node("Clip", [scaled, *bounds], "clipped")
    weights = graph.constant("named_weights", model.named.weights[:, None])
    product = graph.node("MatMul", [clipped, weights], "named_sum")
    return graph.node("Add", [product, graph.constant("named_bias", model.named.bias)], "dense")


def _forest(graph: _Graph, trees: Any, named: str) -> str:
    _leaves(graph, trees, named, "votes")
    ahead = graph.node("Add", ["votes", graph.constant("floor", VOTE_FLOOR)], "ahead")
    behind = graph.node("Sub", [graph.constant("whole", 1 + VOTE_FLOOR), "votes"], "behind")
    return graph.node("Log", [graph.node("Div", [ahead, behind], "odds")], "forest")


def _boosted(graph: _Graph, trees: Any, named: str) -> str:
    start = log_odds(float(trees.init_.class_prior_[1]))
    leaves = _leaves(graph, trees, named, "leaves")
    return graph.node("Add", [leaves, graph.constant("start", start)], "boosted")


def _leaves(graph: _Graph, trees: Any, named: str, output: str) -> str:
    """The sum of the leaves that a row falls into."""
    attributes = converted_trees(trees)
    weights = np.array(attributes["class_weights"], dtype=np.float64)
    return graph.node(
        "TreeEnsembleRegressor",
        [named],
        output,
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_values=[float(value) for value in np.array(attributes["nodes_values"], dtype=np.float32)],
        target_ids=[0] * len(weights),
        target_nodeids=attributes["class_nodeids"],
        target_treeids=attributes["class_treeids"],
        target_weights=[float(weight) for weight in weights],
        **{name: attributes[name] for name in STRUCTURE},
    )


def probe_rows(features: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Some real rows, and extremes: where runners would disagree first."""
    chosen = np.random.default_rng(seed).permutation(len(features))[:512]
    extremes = np.array([np.full(WIDTH, value) for value in (0, 1, 10, 1e4)], dtype=np.float32)
    return np.ascontiguousarray(np.concatenate([features[chosen], extremes]), dtype=np.float32)
