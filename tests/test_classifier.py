"""ExploitClassifier: what a notebook user relies on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mempool_ids._core import FEATURE_NAMES, ModelError
from mempool_ids.classifier import ClassificationResult, ExploitClassifier, ThreatLevel

pytest.importorskip("skl2onnx", reason="training needs mempool-ids[train]")

SELECTORS = np.array([0x095EA7B3, 0xA9059CBB], dtype=">u4").tobytes()


def small(kind: str) -> ExploitClassifier:
    """A classifier with few trees: these tests are about behaviour, not accuracy."""
    classifier = ExploitClassifier(kind)
    classifier.recipe = replace(classifier.recipe, parameters={"n_estimators": 25})
    return classifier


@pytest.fixture(scope="module")
def rows():
    return ExploitClassifier.generate_synthetic_training_data(1200, 0.2, seed=7)


@pytest.fixture(scope="module", params=["random_forest", "gradient_boosting"])
def trained(request, rows):
    classifier = small(request.param)
    classifier.train(*rows, validation_split=0.25)
    return classifier


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    return trained.save_model(tmp_path_factory.mktemp("model"), selectors=SELECTORS)


@pytest.mark.parametrize(
    ("probability", "level"),
    [
        (0.0, "BENIGN"),
        (0.29999, "BENIGN"),
        (0.3, "LOW"),
        (0.5, "MEDIUM"),
        (0.69999, "MEDIUM"),
        (0.7, "HIGH"),
        (0.9, "CRITICAL"),
        (1.0, "CRITICAL"),
        (float("nan"), "CRITICAL"),
    ],
)
def test_threat_level_by_the_cut_offs_of_the_design(probability, level):
    assert ThreatLevel.of(probability).name == level


def test_a_float32_probability_of_the_cut_off_is_the_higher_level():
    assert ThreatLevel.of(float(np.float32(0.7))) is ThreatLevel.HIGH


def test_threat_levels_compare_by_severity():
    assert sorted(ThreatLevel, reverse=True)[0] is ThreatLevel.CRITICAL
    assert ThreatLevel.LOW < ThreatLevel.HIGH


def test_training_reports_rows_it_has_not_seen(trained, rows):
    classifier = small(trained.name)
    metrics = classifier.train(*rows, validation_split=0.25)
    assert metrics.rows == 300
    assert 0.85 < metrics.auc <= 1
    assert metrics.average_precision > metrics.exploits / metrics.rows


def test_the_same_seed_gives_the_same_model(trained, rows):
    again = small(trained.name)
    again.train(*rows, validation_split=0.25)
    np.testing.assert_array_equal(again.predict_proba(rows[0]), trained.predict_proba(rows[0]))


def test_probabilities_are_between_zero_and_one_and_rank_exploits_first(trained, rows):
    p = trained.predict_proba(rows[0])
    assert p.dtype == np.float32
    assert p.min() >= 0
    assert p.max() <= 1
    assert p[rows[1] == 1].mean() > 3 * p[rows[1] == 0].mean()


def test_a_prediction_explains_itself_by_features_put_back_to_their_training_median(trained, saved, rows):
    x = rows[0][np.argmax(trained.predict_proba(rows[0]))]
    baseline = next(iter(json.loads((saved / "manifest.json").read_text())["models"].values()))["baseline"]
    result = trained.predict(x)
    assert isinstance(result, ClassificationResult)
    assert {f.feature for f in result.decision_factors} == set(FEATURE_NAMES)
    sizes = [abs(f.contribution) for f in result.decision_factors]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0
    for factor in result.decision_factors:
        changed = x.copy()
        changed[FEATURE_NAMES.index(factor.feature)] = baseline[FEATURE_NAMES.index(factor.feature)]
        moved = result.probability - float(trained.predict_proba(changed[None])[0])
        assert factor.contribution == pytest.approx(moved, abs=1e-6)


def test_is_exploit_follows_the_threshold(trained, rows):
    x = rows[0][0]
    p = trained.predict(x).probability
    trained.threshold = p
    assert trained.predict(x).is_exploit
    trained.threshold = float(np.nextafter(np.float32(p), np.float32(2)))
    assert not trained.predict(x).is_exploit
    trained.threshold = 0.7


def test_tuning_keeps_the_target_rate_and_not_a_step_more(trained, rows):
    x, y = rows
    p = trained.predict_proba(x)[y == 0]
    for target in (0.0, 0.01, 0.1):
        threshold = trained.tune_threshold(x, y, target)
        assert trained.threshold == threshold
        assert (p >= np.float32(threshold)).mean() <= target
        lower = np.max(p[p < np.float32(threshold)])
        assert (p >= lower).mean() > target
    trained.threshold = 0.7


def test_tuning_on_fewer_rows_than_can_show_the_rate_lets_none_of_them_pass(trained, rows):
    x, y = rows[0][rows[1] == 0][:50], np.zeros(50)
    threshold = trained.tune_threshold(x, y, 0.001)
    assert not (trained.predict_proba(x) >= np.float32(threshold)).any()
    with pytest.raises(ValueError, match="needs benign rows"):
        trained.tune_threshold(x, y + 1, 0.001)
    with pytest.raises(ValueError, match="not in"):
        trained.tune_threshold(x, y, 2)
    trained.threshold = 0.7


def test_features_may_come_as_an_object_with_a_vector(trained, rows):
    class Payload:
        def to_feature_vector(self):
            return list(rows[0][3])

    assert trained.predict(Payload()).probability == trained.predict(rows[0][3]).probability


def test_importance_names_each_feature_once_and_sums_to_one(trained):
    importance = trained.feature_importance()
    assert set(importance) == set(FEATURE_NAMES)
    assert sum(importance.values()) == pytest.approx(1)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 21)), [0, 1, 0, 1], r"shape \(4, 21\)"),
        (np.zeros((4, 22)), [0, 1, 0], "4 rows"),
        (np.zeros((4, 22)), [0, 1, 2, 1], "0 and 1"),
        (np.full((4, 22), np.nan), [0, 1, 0, 1], "selector_entropy of row 0 is not finite"),
        (np.zeros((4, 22)), [0, 0, 0, 0], "labelled 1"),
    ],
)
def test_training_refuses_what_it_cannot_use(x, y, message):
    with pytest.raises(ValueError, match=message):
        ExploitClassifier().train(x, y)


def test_an_untrained_classifier_says_so():
    with pytest.raises(ModelError, match="untrained"):
        ExploitClassifier().predict(np.zeros(22))
    with pytest.raises(ModelError, match="nothing to save"):
        ExploitClassifier().save_model("nowhere")


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="random_forest, gradient_boosting"):
        ExploitClassifier("svm")


def test_a_saved_model_answers_as_before_and_needs_no_pickle(trained, saved, rows):
    assert sorted(p.name for p in saved.iterdir()) == sorted(
        [f"{trained.name}.onnx", "manifest.json", "selectors.bin"]
    )
    loaded = ExploitClassifier().load_model(saved)
    assert loaded.name == trained.name
    assert loaded.threshold == trained.threshold
    assert loaded.version == trained.version
    np.testing.assert_allclose(
        loaded.predict_proba(rows[0]), trained.predict_proba(rows[0]), atol=1e-6, rtol=0
    )
    mine, theirs = trained.predict(rows[0][5]), loaded.predict(rows[0][5])
    assert theirs.probability == pytest.approx(mine.probability, abs=1e-6)
    contributions = {f.feature: f.contribution for f in mine.decision_factors}
    for factor in theirs.decision_factors:
        assert factor.contribution == pytest.approx(contributions[factor.feature], abs=2e-6)
    assert loaded.feature_importance() == pytest.approx(trained.feature_importance())


def copy_with(saved: Path, target: Path, change) -> Path:
    """A copy of a model folder, its manifest's only model changed."""
    for file in saved.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    document = json.loads((target / "manifest.json").read_text())
    change(document, next(iter(document["models"].values())))
    (target / "manifest.json").write_text(json.dumps(document))
    return target


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _, m: m.update(sha256="0" * 64), "hash is sha256"),
        (lambda _, m: m["feature_schema"].update(version=99), "feature schema version 99"),
        (lambda _, m: m["feature_schema"]["names"].reverse(), "feature schema names"),
        (lambda _, m: m["feature_schema"]["names"].pop(), "feature schema names"),
        (lambda _, m: m.update(input="x"), "input shape"),
        (lambda _, m: m.update(output="label"), "output shape"),
        (lambda _, m: m["baseline"].pop(), "baseline"),
        (lambda _, m: m.update(file="../model.onnx"), "not a file name"),
        (lambda d, _: d.update(format=2), "format 2"),
        (lambda d, _: d.update(default="other"), "'other' is not among"),
        (lambda _, m: m.pop("version"), "version"),
    ],
)
def test_a_wrong_model_is_refused_with_a_message_that_says_what(saved, tmp_path, change, message):
    folder = copy_with(saved, tmp_path, change)
    classifier = ExploitClassifier()
    with pytest.raises(ModelError, match=message):
        classifier.load_model(folder)
    with pytest.raises(ModelError, match="untrained"):
        classifier.predict(np.zeros(22))


def test_altered_bytes_are_refused(saved, tmp_path):
    folder = copy_with(saved, tmp_path, lambda _d, _m: None)
    graph = next(folder.glob("*.onnx"))
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(ModelError, match="hash"):
        ExploitClassifier().load_model(folder)


def test_a_graph_of_another_shape_is_refused(saved, tmp_path):
    import hashlib

    import onnx

    folder = copy_with(saved, tmp_path, lambda _d, _m: None)
    path = next(folder.glob("*.onnx"))
    graph = onnx.load(path)
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 21
    path.write_bytes(graph.SerializeToString())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    copy_with(folder, folder, lambda _, m: m.update(sha256=digest))
    with pytest.raises(ModelError, match="shape"):
        ExploitClassifier().load_model(folder)


def test_no_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ModelError, match=r"manifest\.json"):
        ExploitClassifier().load_model(tmp_path / "none")
