"""Figures against cases that can be counted by hand, and splits that must not leak."""

import math

import numpy as np
import pytest

from mempool_ids.model.training import metrics, splits

pytest.importorskip("sklearn", reason="training needs mempool-ids[train]")

LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
SCORES = np.array([0.1, 0.1, 0.2, 0.3, 0.6, 0.8, 0.2, 0.7, 0.8, 0.9], dtype=np.float32)


def test_counts_by_hand():
    m = metrics.measure(LABELS, SCORES, 0.7)
    assert (m.rows, m.exploits) == (10, 4)
    assert m.recall == 3 / 4
    assert m.precision == 3 / 4
    assert m.f1 == 3 / 4
    assert m.false_positive_rate == 1 / 6
    # Of the 24 pairs the exploit is above in 18, equal in 2 (0.2 and 0.8).
    assert m.auc == pytest.approx((18 + 0.5 * 2) / 24)
    assert m.brier == pytest.approx(np.mean((SCORES - LABELS) ** 2))


def test_a_missing_class_gives_nan_and_not_a_number_that_flatters():
    m = metrics.measure(np.zeros(3, dtype=int), SCORES[:3], 0.5)
    assert math.isnan(m.auc)
    assert math.isnan(m.average_precision)
    assert math.isnan(m.recall)
    assert m.false_positive_rate == 0


@pytest.mark.parametrize(
    ("target", "alarms"), [(0.0, 0), (0.17, 1), (0.34, 2), (0.5, 3), (0.99, 4), (1.0, 6)]
)
def test_a_threshold_admits_at_most_its_rate_even_among_equals(target, alarms):
    threshold = metrics.threshold_at(LABELS, SCORES, target)
    assert (SCORES[LABELS == 0] >= np.float32(threshold)).sum() == alarms


def test_a_threshold_needs_benign_rows_and_a_rate():
    with pytest.raises(ValueError, match="benign"):
        metrics.threshold_at(np.ones(3), SCORES[:3], 0.1)
    with pytest.raises(ValueError, match="not in"):
        metrics.threshold_at(LABELS, SCORES, 1.5)


@pytest.mark.parametrize(
    # R's binom.test(k, n)$conf.int
    ("k", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.3084971),
        (10, 10, 0.6915029, 1.0),
        (3, 10, 0.06673951, 0.6524529),
        (1, 114, 0.000222, 0.0479),
    ],
)
def test_clopper_pearson_as_r_gives_it(k, n, low, high):
    assert metrics.clopper_pearson(k, n) == pytest.approx((low, high), abs=5e-5)


def test_the_bootstrap_interval_holds_the_estimate_and_widens_with_fewer_groups():
    rng = np.random.default_rng(1)
    labels = (rng.random(300) < 0.2).astype(int)
    p = (0.4 * labels + rng.random(300)).astype(np.float32)
    value = metrics.measure(labels, p, 0.5).average_precision
    own = metrics.average_precision_interval(labels, p, np.arange(300), 0)
    few = metrics.average_precision_interval(labels, p, np.arange(300) % 12, 0)
    assert own[0] < value < own[1]
    assert own == metrics.average_precision_interval(labels, p, np.arange(300), 0)
    assert few[1] > few[0]


def test_the_bootstrap_of_one_group_a_class_is_the_average_precision_itself():
    constant = np.zeros(len(LABELS), dtype=int)
    low, high = metrics.average_precision_interval(LABELS, SCORES, constant, 0)
    assert low == high == pytest.approx(metrics.measure(LABELS, SCORES, 0.5).average_precision)


def test_operating_point_in_nature():
    point = metrics.operating_point(LABELS, SCORES, 0.7)
    assert point["alerts_per_day"] == pytest.approx(1.2e6 / 6 + 0.3 * 0.75)
    assert point["precision_at_natural_prevalence"] == pytest.approx(0.225 / (1.2e6 / 6 + 0.225))


def test_a_threshold_that_nothing_reaches_has_no_precision():
    point = metrics.operating_point(LABELS, SCORES, 1.0)
    assert point["alerts_per_day"] == 0
    assert point["precision_at_natural_prevalence"] is None


def grouped(n=400, groups=40):
    rng = np.random.default_rng(2)
    names = rng.integers(groups, size=n)
    labels = (names % 4 == 0).astype(int)
    return labels, np.array([f"group {i}" for i in names])


def test_a_holdout_keeps_groups_whole_and_both_classes_on_both_sides():
    labels, names = grouped()
    seen, unseen = splits.holdout(labels, names, 0.25, seed=0)
    assert not set(names[seen]) & set(names[unseen])
    assert len(seen) + len(unseen) == len(labels)
    assert set(labels[seen]) == set(labels[unseen]) == {0, 1}


@pytest.mark.parametrize("share", [0.0, 1.0, -1])
def test_a_holdout_of_nothing_or_all_is_refused(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        splits.holdout(*grouped(), share, seed=0)


def test_folds_keep_groups_whole_and_test_each_row_once():
    labels, names = grouped()
    tested = []
    for train, test in splits.grouped_folds(labels, names, seed=0):
        assert not set(names[train]) & set(names[test])
        tested.extend(test)
    assert sorted(tested) == list(range(len(labels)))


def test_time_windows_never_learn_from_the_future_or_from_half_a_group():
    rng = np.random.default_rng(3)
    year = 365.25 * 86400
    times = 2016 * year - 1970 * year + rng.random(500) * 9 * year
    times[:5] = np.nan
    names = np.array([f"group {i}" for i in rng.integers(60, size=500)])
    tested = []
    for train, test in splits.time_windows(times, names):
        assert np.nanmax(times[train]) < np.min(times[test])
        assert not set(names[train]) & set(names[test])
        tested.extend(test)
    assert len(tested) == len(set(tested))
    assert not set(tested) & set(range(5))
    assert sorted(tested) == list(np.flatnonzero(times >= splits.BOUNDARIES[0]))


def test_results_agree_within_a_share_at_every_depth():
    told = {"recall": 0.6, "rates": [{"false_positive_rate": 0.0002}], "hits": 3, "none": None}
    other = {"recall": 0.6004, "rates": [{"false_positive_rate": 0.0002001}], "hits": 3, "none": None}
    assert metrics.same(told, other, 1e-3)
    assert not metrics.same(told, other)
    assert not metrics.same(told, {**told, "recall": 0.601}, 1e-3)
    # One more false alarm among ten thousand is no rounding.
    assert not metrics.same(told, {**told, "rates": [{"false_positive_rate": 0.0003}]}, 1e-3)
    assert not metrics.same(told, {**told, "hits": 4}, 1.0)
    assert not metrics.same(told, {**told, "rates": []}, 1.0)
    assert metrics.same([1e-8], [2e-8])
