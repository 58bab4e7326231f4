"""The regression: what it ranks by, how far one number counts, and that its graph answers as it does."""

import numpy as np
import pytest

from mempool_ids.model.training import export, logistic, model
from mempool_ids.model.training.synthetic import generate

onnx = pytest.importorskip("onnx", reason="training needs mempool-ids[train]")

RECIPE = model.Recipe(model.LOGISTIC, parameters={"C": 0.1})


@pytest.fixture(scope="module")
def fitted():
    x, y = generate(1200, 0.2, seed=3)
    return model.fit(RECIPE, x, y)


def test_exploits_of_another_draw_rank_before_most_benign_rows(fitted):
    x, y = generate(1200, 0.2, seed=4)
    p = fitted.probability(x)
    assert np.median(p[y == 1]) > np.quantile(p[y == 0], 0.9)


def test_onnxruntime_agrees_with_scikit_learn_on_every_probe_row(fitted):
    from mempool_ids.model.inference import session

    run = session(export.to_onnx(fitted), "model")
    rows = export.probe_rows(fitted)
    runners = {"scikit-learn": fitted.probability, "onnxruntime": lambda x: run.run(None, {"features": x})[0]}
    assert export.refuse_disagreement(rows, runners) <= 1e-6


def test_the_probe_stands_on_both_sides_of_where_a_feature_ceases_to_count(fitted):
    scaled = fitted.scaler.transform(export.probe_rows(fitted))
    for edge in (-logistic.REACH, logistic.INNOCENCE, logistic.REACH):
        near = np.abs(scaled - edge) < 0.2
        assert (near & (scaled < edge)).any(axis=0).all()
        assert (near & (scaled > edge)).any(axis=0).all()


def test_a_number_counts_no_further_than_its_reach(fitted):
    rows = np.repeat(fitted.sample[:1], 3, axis=0)
    mean, scale = fitted.scaler.mean_[8], fitted.scaler.scale_[8]
    rows[:, 8] = [mean + (logistic.REACH + 1) * scale, 1e30, mean]
    p = fitted.probability(rows)
    assert p[0] == p[1] != p[2]


def test_what_speaks_for_innocence_can_be_added_up_to_little(fitted):
    """Of an exploit as many signs of innocence as there are, each as strong as there is."""
    both = fitted.estimator
    x, y = generate(1200, 0.2, seed=4)
    exploits = fitted.scaler.transform(x[y == 1])
    padded = np.where(both.whole.weights < 0, np.float32(logistic.REACH), exploits)
    lost = [np.median(score(exploits) - score(padded)) for score in (both.whole.of, both.decision_function)]
    assert lost[1] < lost[0] / 2


def test_importance_is_by_what_a_feature_adds_and_sums_to_one(fitted):
    importance = fitted.importance()
    assert list(importance) == sorted(importance, key=lambda name: -importance[name])
    assert sum(importance.values()) == pytest.approx(1)
