"""The export: exact where it can be, refused where it is not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mempool_ids._core import ModelError
from mempool_ids.model.training import export, model
from mempool_ids.model.training.synthetic import generate

onnx = pytest.importorskip("onnx", reason="training needs mempool-ids[train]")
pytest.importorskip("skl2onnx", reason="training needs mempool-ids[train]")


SMALL = {kind: model.Recipe(kind, parameters={"n_estimators": 25}) for kind in model.KINDS}


@pytest.fixture(scope="module", params=model.KINDS)
def fitted(request):
    x, y = generate(1200, 0.2, seed=3)
    return model.fit(SMALL[request.param], x, y)


def test_the_graph_is_one_tree_node_and_scalar_operations(fitted):
    graph = onnx.load_from_string(export.to_onnx(fitted)).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds[0] == "TreeEnsembleRegressor"
    assert len(kinds) <= 7
    assert [i.name for i in graph.input] == ["features"]
    assert [o.name for o in graph.output] == ["probability"]
    assert [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim][1] == 22


def test_onnxruntime_agrees_with_scikit_learn_on_every_probe_row(fitted):
    from mempool_ids.model.inference import session

    run = session(export.to_onnx(fitted), "model")
    rows = export.probe_rows(fitted)
    runners = {"scikit-learn": fitted.probability, "onnxruntime": lambda x: run.run(None, {"features": x})[0]}
    assert export.refuse_disagreement(rows, runners) <= 1e-6


def test_the_probe_stands_on_both_sides_of_every_split(fitted):
    rows = export.probe_rows(fitted)
    scaled = fitted.scaler.transform(rows)
    for tree in np.ravel(fitted.estimator.estimators_)[:10]:
        inner = tree.tree_.children_left >= 0
        for column, threshold in zip(tree.tree_.feature[inner], tree.tree_.threshold[inner], strict=True):
            values = scaled[:, column]
            assert (values <= threshold).any()
            assert (values > threshold).any()


def test_a_forest_and_its_calibration_are_compared_with_scikit_learns_own_probability(fitted):
    x = fitted.sample[:200]
    votes = fitted.estimator.predict_proba(fitted.scaler.transform(x))[:, 1]
    order = np.argsort(votes, kind="stable")
    assert (np.diff(fitted.probability(x)[order]) >= -1e-6).all()


def test_an_export_that_disagrees_is_refused_with_row_and_answers(fitted):
    rows = export.probe_rows(fitted)[:50]

    def skewed(x):
        p = fitted.probability(x).copy()
        p[17] += 3e-6
        return p

    with pytest.raises(ModelError, match=r"scikit-learn gives .* and rust .* probe row 17 of 50"):
        export.refuse_disagreement(rows, {"scikit-learn": fitted.probability, "rust": skewed})


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_a_runner_without_a_finite_answer_is_refused(fitted, answer):
    rows = export.probe_rows(fitted)[:5]

    def broken(x):
        return np.full(len(x), answer, dtype=np.float32)

    with pytest.raises(ModelError):
        export.refuse_disagreement(rows, {"scikit-learn": fitted.probability, "rust": broken})
    with pytest.raises(ModelError):
        export.refuse_disagreement(rows, {"rust": broken, "scikit-learn": fitted.probability})


def test_a_runner_that_skips_rows_is_refused(fitted):
    rows = export.probe_rows(fitted)[:5]
    runners = {"scikit-learn": fitted.probability, "rust": lambda x: fitted.probability(x)[:-1]}
    with pytest.raises(ModelError, match="answers 4 of 5"):
        export.refuse_disagreement(rows, runners)


def test_the_scaler_is_the_same_in_float32_and_float64():
    x, _ = generate(2000, 0.2, seed=5)
    scaler = model.exact_scaler(x)
    mean, scale = scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)
    np.testing.assert_array_equal(scaler.transform(x), (x - mean) / scale)
    np.testing.assert_array_equal(scaler.mean_, mean)
    np.testing.assert_array_equal(np.log2(scaler.scale_) % 1, 0)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=200, deadline=None)
@given(
    threshold=st.floats(-8, 8, width=32),
    mean=st.floats(-100, 100, width=32),
    power=st.integers(-10, 10),
    values=st.lists(finite, min_size=1, max_size=20),
)
def test_a_threshold_moved_through_the_scaler_splits_all_float32_values_alike(threshold, mean, power, values):
    class Scaler:
        mean_, scale_ = np.array([mean], dtype=np.float64), np.array([2.0**power])

    moved = export.unscaled_thresholds(np.array([threshold], dtype=np.float32), np.array([0]), Scaler())
    near = [np.nextafter(moved[0], np.float32(s)) for s in (-np.inf, np.inf)]
    x = np.array([*values, moved[0], *near], dtype=np.float32)
    x = x[np.isfinite(x)]
    with np.errstate(over="ignore"):
        scaled = ((x - Scaler.mean_).astype(np.float32) / Scaler.scale_).astype(np.float32)
    np.testing.assert_array_equal(x <= moved[0], scaled <= np.float32(threshold))


def test_calibration_recovers_a_known_sigmoid():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=40_000)
    labels = (rng.random(40_000) < 1 / (1 + np.exp(-(1.7 * raw - 2)))).astype(np.int64)
    slope, intercept = model.platt(raw, labels)
    assert slope == pytest.approx(1.7, abs=0.1)
    assert intercept == pytest.approx(-2, abs=0.1)


def test_another_prevalence_multiplies_all_odds_by_the_ratio_of_the_prevalences_odds():
    x, y = generate(1500, 0.3, seed=9)
    rare, common = (
        model.fit(replace(SMALL["random_forest"], prevalence=share), x, y).probability(x).astype(float)
        for share in (0.02, 0.3)
    )
    middle = (common > 0.05) & (common < 0.95)
    rare, common = rare[middle], common[middle]
    ratio = (rare / (1 - rare)) / (common / (1 - common))
    np.testing.assert_allclose(ratio, (0.02 / 0.98) / (0.3 / 0.7), rtol=1e-4)
