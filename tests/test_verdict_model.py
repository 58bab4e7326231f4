"""The shipped model over traces, evaluated by the core itself: bit by bit what ONNX Runtime makes of the same file."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mempool_ids._core import TraceModel
from mempool_ids.model import manifest
from mempool_ids.model.library import onnxruntime_library

WIDTH = len(manifest.TRACE_SCHEMA.names)


def rows(count: int) -> NDArray[np.float32]:
    """Around the training medians, at all scales, many of them whole numbers; and what is at the ends of float32."""
    rng = np.random.default_rng(20261128)
    baseline = np.array(manifest.trace_entry(manifest.read(manifest.BUILTIN)).baseline, dtype=np.float32)
    scale = rng.choice([0.1, 1, 3, 30, 1e4], size=(count, 1))
    some = rng.random((count, WIDTH)) < rng.random((count, 1))
    values = np.where(some, baseline + scale * rng.standard_normal((count, WIDTH)), baseline)
    values = np.where(rng.random((count, WIDTH)) < 0.3, np.round(values), values).astype(np.float32)
    ends = [0.0, -0.0, 1e-40, -1e-40, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan]
    return np.concatenate([values, *(np.full((1, WIDTH), end, dtype=np.float32) for end in ends)])


def test_the_core_answers_as_onnx_runtime_bit_by_bit() -> None:
    session = onnxruntime.InferenceSession(manifest.BUILTIN / "trace.onnx")
    # No library of that name: whoever needs ONNX Runtime for it fails.
    core = TraceModel(str(manifest.BUILTIN), "/absent/libonnxruntime.so")
    for features in np.array_split(rows(200_000), 20):
        expected = session.run(None, {"features": features})[0].reshape(-1)
        answer = np.frombuffer(core.predict(features.tobytes()), np.float32)
        same = (answer.view(np.uint32) == expected.view(np.uint32)) | (np.isnan(answer) & np.isnan(expected))
        assert same.all(), f"{features[~same][0].tolist()}: {answer[~same][0]!r}, not {expected[~same][0]!r}"


def test_a_row_alone_is_answered_as_among_others() -> None:
    core = TraceModel(str(manifest.BUILTIN), str(onnxruntime_library()))
    features = rows(100)[:100]
    together = np.frombuffer(core.predict(features.tobytes()), np.float32)
    alone = [np.frombuffer(core.predict(row.tobytes()), np.float32)[0] for row in features]
    assert together.tolist() == alone
