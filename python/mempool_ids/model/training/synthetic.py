"""Invented feature rows: training, tests and demonstrations run without data. They prove nothing about exploits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mempool_ids._core import FEATURE_NAMES
from mempool_ids.model.training.columns import FEATURES, MISSING

CODE = ("delegatecall", "external_calls", "state_change", "callee_age")
SEQUENCE = ("tip_percentile", "tip_anomaly", "timing_anomaly")
# Live, callee code and the pending sequence are unknown for a while; as often for exploits as for the others.
MISSING_SHARE = 0.3

# Where a kind of transaction says nothing: a range (uniform), or for a binary feature a probability.
USUAL: dict[str, tuple[float, float] | float] = {
    "selector_entropy": (1.5, 3.0),
    "unknown_function": 0.05,
    "zero_address_param": 0.05,
    "max_uint_param": 0.01,
    "small_value_ratio": (0.0, 0.1),
    "large_value_ratio": (0.0, 0.1),
    "param_count": (0.7, 2.0),
    "param_complexity": (0.05, 0.3),
    "value_log": (0.0, 0.0),
    "tip_percentile": (0.0, 1.0),
    "tip_anomaly": 0.03,
    "gas_limit_log": (0.6, 0.8),
    "call_depth": (0.0, 0.0),
    "delegatecall": 0.05,
    "external_calls": (0.5, 3.0),
    "state_change": (0.2, 0.5),
    "reentrancy_match": (0.0, 0.05),
    "flash_loan_match": (0.0, 0.0),
    "price_manipulation_match": (0.0, 0.0),
    "new_sender": 0.15,
    "timing_anomaly": (0.0, 0.4),
    "callee_age": (8.0, 16.0),
}


@dataclass(frozen=True)
class Archetype:
    """A kind of transaction: its share within its class and what is unlike `USUAL`."""

    share: float
    differs: Mapping[str, tuple[float, float] | float]


BENIGN = (
    Archetype(  # plain transfer
        0.3,
        {
            "selector_entropy": (0.0, 0.0),
            "unknown_function": 0.0,
            "zero_address_param": 0.0,
            "max_uint_param": 0.0,
            "small_value_ratio": (0.0, 0.0),
            "large_value_ratio": (0.0, 0.0),
            "param_count": (0.0, 0.0),
            "param_complexity": (0.0, 0.0),
            "value_log": (15.0, 20.0),
            "gas_limit_log": (0.599, 0.65),
        },
    ),
    Archetype(0.25, {"param_count": (1.0, 1.4), "param_complexity": (0.1, 0.25)}),  # token transfer
    Archetype(0.1, {"param_count": (1.0, 1.1), "max_uint_param": 0.6}),  # approval
    Archetype(  # swap through a router
        0.2,
        {
            "param_count": (1.8, 3.2),
            "param_complexity": (0.2, 0.5),
            "value_log": (0.0, 19.0),
            "call_depth": (0.0, 2.0),
            "external_calls": (2.0, 4.0),
            "price_manipulation_match": (0.0, 0.3),
        },
    ),
    Archetype(  # searcher's bot: the hardest
        0.1,
        {
            "unknown_function": 0.8,
            "param_count": (0.7, 3.5),
            "large_value_ratio": (0.0, 0.5),
            "tip_percentile": (0.7, 1.0),
            "tip_anomaly": 0.3,
            "gas_limit_log": (0.7, 0.85),
            "external_calls": (2.0, 4.0),
            "flash_loan_match": (0.0, 1.0),
            "new_sender": 0.02,
            "callee_age": (5.0, 14.0),
        },
    ),
    Archetype(0.05, {"param_count": (4.0, 8.0), "param_complexity": (0.3, 0.6)}),  # batch, rollup data
)

EXPLOIT = (
    Archetype(  # one call into the attacker's own, new contract
        0.5,
        {
            "unknown_function": 0.6,
            "param_count": (0.0, 1.6),
            "param_complexity": (0.0, 0.3),
            "gas_limit_log": (0.8, 1.0),
            "external_calls": (2.0, 4.5),
            "flash_loan_match": (0.0, 1.0),
            "price_manipulation_match": (0.0, 1.0),
            "new_sender": 0.7,
            "callee_age": (0.0, 6.0),
        },
    ),
    Archetype(  # a victim called directly: reentrancy, missing access control
        0.25,
        {
            "value_log": (0.0, 20.0),
            "small_value_ratio": (0.0, 0.4),
            "reentrancy_match": (0.2, 0.9),
            "gas_limit_log": (0.65, 1.0),
            "new_sender": 0.6,
        },
    ),
    Archetype(  # crafted payload with nested calls
        0.25,
        {
            "unknown_function": 0.3,
            "zero_address_param": 0.2,
            "param_count": (2.5, 5.5),
            "param_complexity": (0.2, 0.6),
            "call_depth": (0.0, 4.0),
            "flash_loan_match": (0.0, 1.0),
            "gas_limit_log": (0.75, 1.0),
            "new_sender": 0.6,
            "callee_age": (0.0, 14.0),
        },
    ),
)


def generate(rows: int, exploit_ratio: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """`rows` feature rows (n, 22) and labels (n,), shuffled; the same seed gives the same rows.

    Raises `ValueError` if `rows` < 1 or `exploit_ratio` is not in [0, 1].
    """
    if rows < 1 or not 0 <= exploit_ratio <= 1:
        raise ValueError(f"cannot generate {rows} rows with an exploit ratio of {exploit_ratio}")
    rng = np.random.default_rng(seed)
    exploits = round(rows * exploit_ratio)
    features = np.concatenate([_draw(rng, BENIGN, rows - exploits), _draw(rng, EXPLOIT, exploits)])
    labels = np.repeat(np.array([0, 1]), [rows - exploits, exploits])
    for unknown in (CODE, SEQUENCE):
        hidden = rng.random(rows) < MISSING_SHARE
        columns = np.array([FEATURE_NAMES.index(name) for name in unknown])
        features[np.ix_(np.flatnonzero(hidden), columns)] = MISSING
    order = rng.permutation(rows)
    return features[order], labels[order].astype(np.int64)


def _draw(rng: np.random.Generator, archetypes: tuple[Archetype, ...], rows: int) -> NDArray[np.float32]:
    features = np.empty((rows, FEATURES), dtype=np.float32)
    kinds = rng.choice(len(archetypes), size=rows, p=np.array([a.share for a in archetypes]))
    for kind, archetype in enumerate(archetypes):
        mine = np.flatnonzero(kinds == kind)
        for column, name in enumerate(FEATURE_NAMES):
            law = archetype.differs.get(name, USUAL[name])
            if isinstance(law, tuple):
                values = rng.uniform(*law, size=len(mine))
                features[mine, column] = np.floor(values) if name == "call_depth" else values
            else:
                features[mine, column] = rng.random(len(mine)) < law
    return features
