"""Which of the 22 features a model may learn from, and why the others are masked.

A masked column holds one constant in every training row, so no tree can split on it and no live value of it can
change a probability. What those features say about a transaction still reaches a detection through the signatures.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mempool_ids._core import FEATURE_NAMES

FEATURES = len(FEATURE_NAMES)
MISSING = np.float32(-1.0)

NO_SEQUENCE = "needs the pending transactions around it; training rows are no sequence"
NO_CODE = "reads the callee's code, which training rows lack: live values would be of another distribution"

MASKED: dict[str, str] = {
    "tip_percentile": NO_SEQUENCE,
    "tip_anomaly": NO_SEQUENCE,
    "gas_limit_log": "exploits on Ethereum lack it, elsewhere it means gas level of the chain or of a trace:"
    " it names the collection",
    "delegatecall": NO_CODE,
    "external_calls": NO_CODE,
    "state_change": NO_CODE,
    "reentrancy_match": NO_CODE,
    "flash_loan_match": NO_CODE,
    "price_manipulation_match": NO_CODE,
    "new_sender": "only one benign collection has nonces: it names the collection",
    "timing_anomaly": NO_SEQUENCE,
    "callee_age": NO_CODE,
}


def used(masked: Iterable[str] = MASKED) -> list[int]:
    """Columns that are not masked, in schema order."""
    hidden = set(masked)
    return [i for i, name in enumerate(FEATURE_NAMES) if name not in hidden]


def mask(features: NDArray[np.float32], masked: Iterable[str] = MASKED) -> NDArray[np.float32]:
    """A copy of `features` (n, 22) whose masked columns are MISSING."""
    result = np.array(features, dtype=np.float32, order="C")
    result[:, [FEATURE_NAMES.index(name) for name in masked]] = MISSING
    return result


def as_matrix(features: object) -> NDArray[np.float32]:
    """`features` as finite float32 (n, 22).

    Raises `ValueError` that says which of shape and finiteness is wrong.
    """
    matrix = np.ascontiguousarray(features, dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[1] != FEATURES:
        raise ValueError(f"features have shape {matrix.shape}, expected (n, {FEATURES})")
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(f"feature {FEATURE_NAMES[column]} of row {row} is not finite")
    return matrix
