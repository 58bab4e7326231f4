"""A model file run by ONNX Runtime from Python, for notebooks and evaluation. The sensor runs it from Rust."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.exceptions import ModelError
from mempool_ids.model.manifest import ModelEntry, artifact


class OnnxModel:
    """One verified model of a folder."""

    def __init__(self, folder: Path, entry: ModelEntry) -> None:
        """Raises `ModelError` that says which of hash and shape is wrong."""
        self._session = session(artifact(folder, entry.file, entry.sha256), entry.name)
        check_shape(self._session, entry)
        self._input, self._output = entry.input, entry.output

    def probability(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of the exploit class (n,) for float32 rows (n, features)."""
        (answer,) = self._session.run([self._output], {self._input: rows})
        return np.asarray(answer, dtype=np.float32).reshape(-1)


def session(graph: bytes, name: str) -> Any:
    """An ONNX Runtime session with one thread, as the sensor runs it. Raises `ModelError`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises several unrelated classes, one for each status
        raise ModelError(
            f"{name}: not a graph that ONNX Runtime {onnxruntime.__version__} runs: {error}"
        ) from error


def check_shape(opened: Any, entry: ModelEntry) -> None:
    """Raises `ModelError` unless the graph maps float32 (N, features) to float32 (N,) or (N, 1), by the manifest."""
    features = len(entry.schema_names)
    inputs = {i.name: (i.type, i.shape) for i in opened.get_inputs()}
    outputs = {o.name: (o.type, o.shape) for o in opened.get_outputs()}
    kind, shape = inputs.get(entry.input, (None, []))
    if len(inputs) != 1 or kind != "tensor(float)" or len(shape) != 2 or shape[1] != features:
        raise ModelError(
            f"{entry.name}: input shape is {inputs}, expected {entry.input} float32 [N, {features}]"
        )
    if isinstance(shape[0], int):
        raise ModelError(f"{entry.name}: input shape is {inputs}: a fixed number of rows")
    kind, shape = outputs.get(entry.output, (None, []))
    if kind != "tensor(float)" or len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise ModelError(
            f"{entry.name}: output shape is {outputs}, expected {entry.output} float32 [N] or [N, 1]"
        )
