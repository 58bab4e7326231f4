"""Synthetic rows keep the feature schema's ranges and do not give a class away by what is missing."""

import numpy as np
import pytest

from mempool_ids._core import FEATURE_NAMES
from mempool_ids.model.training.columns import MASKED, MISSING, mask, used
from mempool_ids.model.training.synthetic import generate

RANGES = {
    "selector_entropy": (0, 3),
    "param_count": (0, 8.5),
    "value_log": (0, 30),
    "call_depth": (0, 16),
    "external_calls": (0, 10),
    "callee_age": (0, 20),
}


@pytest.fixture(scope="module")
def rows():
    return generate(20_000, 0.25, seed=1)


def test_shape_types_and_share(rows):
    x, y = rows
    assert x.shape == (20_000, 22)
    assert x.dtype == np.float32
    assert y.sum() == 5000


def test_every_feature_is_in_its_range_or_missing(rows):
    for i, name in enumerate(FEATURE_NAMES):
        low, high = RANGES.get(name, (0, 1))
        known = rows[0][:, i][rows[0][:, i] != MISSING]
        assert known.min() >= low, name
        assert known.max() <= high, name


def test_what_is_missing_is_as_often_missing_for_both_classes(rows):
    x, y = rows
    for i in range(22):
        share = [(x[y == label][:, i] == MISSING).mean() for label in (0, 1)]
        assert share[0] == pytest.approx(share[1], abs=0.03)


def test_the_same_seed_gives_the_same_rows_and_another_others():
    a, b, c = (generate(100, 0.5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a[0], b[0])
    assert not np.array_equal(a[0], c[0])


@pytest.mark.parametrize(("n", "ratio"), [(0, 0.5), (10, -0.1), (10, 1.1)])
def test_impossible_requests_are_refused(n, ratio):
    with pytest.raises(ValueError, match="cannot generate"):
        generate(n, ratio, 0)


def test_a_mask_hides_its_columns_and_nothing_else(rows):
    hidden = mask(rows[0])
    for i, name in enumerate(FEATURE_NAMES):
        if name in MASKED:
            assert (hidden[:, i] == MISSING).all()
        else:
            np.testing.assert_array_equal(hidden[:, i], rows[0][:, i])
    assert len(used()) + len(MASKED) == 22
    assert set(MASKED) < set(FEATURE_NAMES)
