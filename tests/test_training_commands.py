"""Data in, model folder out: `mempool-ids model train|eval|card`."""

import gzip
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

from mempool_ids.classifier import ExploitClassifier
from mempool_ids.model import manifest
from mempool_ids.model.training import commands, data, evaluate, metrics, model
from tests.support import labelled_data

pa = pytest.importorskip("pyarrow", reason="training needs mempool-ids[train]")
pq = pytest.importorskip("pyarrow.parquet", reason="training needs mempool-ids[train]")
pytest.importorskip("skl2onnx", reason="training needs mempool-ids[train]")

TRANSFER, APPROVE = "0xa9059cbb", "0x095ea7b3"
DATA = labelled_data()


def row(i: int, *, exploit: bool, year: int) -> dict[str, object]:
    """A token transfer, or a bare call of an unknown function; values differ so that trees can split."""
    word = (i * 2654435761 % 2**64).to_bytes(32, "big")
    calldata = (
        bytes.fromhex("6b%06x" % (i * 7919 % 2**24)) if exploit else bytes.fromhex(TRANSFER[2:]) + word * 2
    )
    return {
        "label": "exploit" if exploit else "benign",
        "source": "incident" if exploit else "mainnet-blocks",
        "incident": f"incident {i}" if exploit else None,
        "chain": "eth",
        "block": None if exploit else 1000 * year + i % 10,
        "timestamp": None if exploit else int((year - 1970 + (i % 10) / 12) * 365.25 * 86400) + 86400 * 40,
        "hash": "0x" + hashlib.sha256(str((i, exploit)).encode()).hexdigest(),
        "from": "0x" + "11" * 20,
        "to": "0x" + "22" * 20,
        "value": str(i % 3 * 10**18),
        "nonce": None,
        "gas": None if i % 2 else 100_000,
        "gas_price": None,
        "max_fee_per_gas": None,
        "max_priority_fee_per_gas": None,
        "input": calldata,
        "date": f"{year}/{i % 12 + 1}/{i % 28 + 1}" if exploit else None,
    }


def write_transactions(folder: Path, name: str = "train.parquet") -> Path:
    rows = [row(i, exploit=False, year=2019 + i % 6) for i in range(300)]
    rows += [row(i, exploit=True, year=2019 + i % 5) for i in range(60)]
    (folder / "transactions").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "transactions" / name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_transactions(tmp_path_factory.mktemp("data"))
    (folder / "signatures").mkdir()
    with gzip.open(folder / data.SELECTORS, "wt") as file:
        file.write(f'selector,signature\n{TRANSFER},"transfer(address,uint256)"\n')
        file.write(f'{APPROVE},"approve(address,uint256)"\n{TRANSFER},"again(uint256)"\n')
    return folder


FEW = {kind: {**values, "n_estimators": 5} for kind, values in model.PARAMETERS.items()}


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Hundreds of fits are made in an evaluation: small ones, here."""
    patch.setattr(model, "PARAMETERS", FEW)
    patch.setattr(model, "CALIBRATION_FOLDS", 2)
    patch.setattr(evaluate, "SYNTHETIC_ROWS", 200)
    patch.setattr(metrics, "BOOTSTRAP", 50)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        commands.train(folder, 0, "all", out, seed=3)
    return out


def test_selectors_are_sorted_unique_and_big_endian(folder):
    assert data.read_selectors(folder / data.SELECTORS).hex() == "095ea7b3a9059cbb"


@pytest.mark.parametrize("text", ["other\n1\n", "selector\nzz\n", "selector\n", "selector\n0x1ffffffff\n"])
def test_a_file_that_is_no_selector_table_is_refused(tmp_path, text):
    with gzip.open(tmp_path / "s.gz", "wt") as file:
        file.write(text)
    with pytest.raises(data.DataError, match=r"s\.gz"):
        data.read_selectors(tmp_path / "s.gz")


def test_rows_keep_label_group_time_and_source(folder):
    rows = data.load_transactions(folder, data.read_selectors(folder / data.SELECTORS))
    assert len(rows) == 360
    assert rows.labels.sum() == 60
    assert rows.features.shape == (360, 22)
    assert rows.features.dtype == np.float32
    assert len(np.unique(rows.groups[rows.labels == 1])) == 60
    assert set(rows.sources) == {"mainnet-blocks/eth", "incident/eth"}
    assert np.isfinite(rows.times).all()
    assert list(rows.hashes) == [data.TRANSACTIONS]


def test_creations_are_left_out_and_counted(folder, tmp_path):
    created = [row(1, exploit=True, year=2022) | {"to": to} for to in (None, "")]
    table = pa.Table.from_pylist([row(2, exploit=False, year=2022), *created])
    pq.write_table(table, tmp_path / "mine.parquet")
    rows = data.load_transactions(tmp_path / "mine.parquet", data.read_selectors(folder / data.SELECTORS))
    assert (len(rows), rows.labels.sum(), rows.creations) == (1, 0, 2)
    assert list(rows.places) == ["mine.parquet:1"]


def test_a_missing_column_and_a_missing_file_are_errors_that_name_the_file(folder, tmp_path):
    with pytest.raises(data.DataError, match="neither a Parquet file nor a folder"):
        data.load_transactions(tmp_path, b"")
    table = pq.read_table(folder / data.TRANSACTIONS).drop_columns(["incident"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(data.DataError, match=r"x\.parquet.*incident"):
        data.load_transactions(tmp_path / "x.parquet", b"\x00\x00\x00\x01")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "attack"}, r"row 1031: label 'attack' is neither exploit nor benign"),
        ({"label": None}, r"row 1031: it has no label"),
        ({"from": None}, r"row 1031: not a transaction: "),
        ({"value": "-1"}, r"row 1031: not a transaction: "),
        ({"label": "exploit", "date": "2023-13", "timestamp": None}, r"row 1031: date '2023-13' is none of"),
    ],
)
def test_a_row_that_cannot_be_understood_is_refused_with_file_row_and_value(tmp_path, change, said):
    rows = [row(i, exploit=False, year=2022) for i in range(data.BATCH + 10)]
    rows[1030] |= change
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    with pytest.raises(data.DataError, match=rf"mine\.parquet: {said}"):
        data.load_transactions(tmp_path / "mine.parquet", b"\x00\x00\x00\x01")


def test_a_date_without_a_day_dates_the_row(tmp_path):
    rows = [{**row(1, exploit=True, year=2022), "date": written} for written in ("2023-05", "2023", None)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    times = data.load_transactions(tmp_path / "mine.parquet", b"\x00\x00\x00\x01").times
    assert list(times[:2]) == [1_682_899_200, 1_672_531_200]
    assert math.isnan(times[2])


def test_training_writes_both_models_with_where_they_come_from(folder, trained):
    document = manifest.read(trained)
    assert set(document["models"]) == set(model.KINDS)
    assert document["selectors"]["count"] == 2
    for name, fields in document["models"].items():
        assert fields["training"]["data"] == {
            data.TRANSACTIONS: data.sha256(folder / data.TRANSACTIONS),
            data.SELECTORS: data.sha256(folder / data.SELECTORS),
        }
        assert fields["training"]["seed"] == 3
        assert "rust" in fields["probe"]["runners"]
        assert fields["probe"]["largest_difference"] <= 1e-6
        assert set(fields["thresholds"]) == {"0.001", "0.01", "0.05", "0.1"}
        assert len(fields["baseline"]) == 22
        assert ExploitClassifier().load_model(trained, name).name == name
    best = max(
        document["models"],
        key=lambda n: document["models"][n]["evaluation"]["time_ordered"]["average_precision"],
    )
    assert document["default"] == best


def test_masked_features_cannot_move_a_probability(trained):
    rng = np.random.default_rng(0)
    x = np.abs(rng.normal(size=(200, 22))).astype(np.float32)
    other = x.copy()
    hidden = [i for i, n in enumerate(manifest.FEATURE_NAMES) if n in commands.MASKED]
    other[:, hidden] = rng.normal(size=(200, len(hidden))) * 100
    for name in model.KINDS:
        classifier = ExploitClassifier().load_model(trained, name)
        np.testing.assert_array_equal(classifier.predict_proba(x), classifier.predict_proba(other))


def test_evaluation_on_the_training_data_trains_again_and_reproduces_the_manifest(
    folder, trained, monkeypatch, tmp_path
):
    hurry(monkeypatch)
    result = commands.evaluate(trained, folder, rates=[0.01], scores=tmp_path / "scores.jsonl")
    assert result["exploits"] == 60
    for answer in result["models"].values():
        assert answer["reproduces"]
        assert answer["grouped_folds"]["rows"] == 360
        assert "as_shipped" not in answer
        told = answer["out_of_fold"]
        assert told["at_thresholds"][0]["recall"] == answer["grouped_folds"]["at_alert_threshold"]["recall"]
        assert told["at_chosen_fpr"][0]["recall"] == answer["grouped_folds"]["at_fpr"][1]["recall"]
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [r["model"] for r in rows] == [name for name in result["models"] for _ in range(360)]
    assert sum(r["label"] == "exploit" for r in rows) == 2 * 60
    assert result["probes"]["missing_share"].keys() == set(manifest.FEATURE_NAMES)
    json.dumps(result, allow_nan=False)


def test_evaluation_on_other_data_measures_the_shipped_models(trained, tmp_path):
    rows = [row(i, exploit=i % 4 == 0, year=2024) for i in range(1000, 1200)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "later.parquet")
    result = commands.evaluate(trained, tmp_path / "later.parquet")
    for answer in result["models"].values():
        assert list(answer) == ["as_shipped"]
        assert answer["as_shipped"]["auc"] > 0.95
    assert "probes" not in result


@pytest.mark.parametrize("exploit", [True, False])
def test_one_class_alone_is_measured_as_far_as_it_goes(trained, tmp_path, exploit):
    rows = [{**row(i, exploit=exploit, year=2024), "block": None} for i in range(1000, 1200)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    said: list[str] = []
    result = commands.evaluate(trained, tmp_path / "mine.parquet", said.append, rates=[0.01])
    for answer in result["models"].values():
        told = answer["as_shipped"]
        alert = told["at_thresholds"][0]
        assert (alert["recall"] is None) != exploit
        assert (alert["false_positive_rate"] is None) == exploit
        assert "auc" not in told
    assert len(said) == 4
    json.dumps(result, allow_nan=False)


def test_one_class_of_the_training_data_is_measured_with_a_warning(trained, folder, monkeypatch, tmp_path):
    # A manifest of several files, of which one holds benign rows alone.
    rows = [row(i, exploit=False, year=2021) for i in range(20)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "benign.parquet")
    document = manifest.read(trained)
    for fields in document["models"].values():
        fields["training"]["data"]["benign.parquet"] = data.sha256(tmp_path / "benign.parquet")
    monkeypatch.setattr(manifest, "read", lambda _folder: document)
    monkeypatch.setattr(manifest, "known_selectors", lambda _folder: b"\x00\x00\x00\x01")
    result = commands.evaluate(trained, tmp_path / "benign.parquet")
    for answer in result["models"].values():
        assert answer["as_shipped"]["seen_in_training"] is True


def test_no_rows_are_an_error(trained, tmp_path):
    table = pa.Table.from_pylist([row(1, exploit=False, year=2021)])
    pq.write_table(table.slice(0, 0), tmp_path / "none.parquet")
    with pytest.raises(data.DataError, match="no rows"):
        commands.evaluate(trained, tmp_path / "none.parquet")


def test_the_card_is_made_of_the_manifests_figures(trained):
    text = (trained / "MODEL_CARD.md").read_text()
    assert text == commands.card(trained)
    document = manifest.read(trained)
    part = document["models"][document["default"]]["evaluation"]["time_ordered"]
    assert f"{part['auc']:.3f}" in text
    assert "Calldata alone cannot tell exploits from trades" in text
    for name in commands.MASKED:
        assert name in text
    assert "nan" not in text.lower().split()


def test_a_model_of_synthetic_rows_claims_nothing_about_exploits(tmp_path, monkeypatch):
    hurry(monkeypatch)
    monkeypatch.setattr(manifest, "known_selectors", lambda: b"\x00\x00\x00\x01")
    commands.train(None, 600, "random_forest", tmp_path, seed=1)
    text = commands.card(tmp_path)
    assert "Not measured on real data" in text
    assert "Measured on real data\n" not in text.replace("Not measured on real data", "")
    fields = manifest.read(tmp_path)["models"]["random_forest"]
    assert fields["training"] | {"importance": None} == {
        "data": {},
        "rows": 0,
        "exploits": 0,
        "creations": 0,
        "synthetic_rows": 600,
        "seed": 1,
        "parameters": FEW["random_forest"],
        "masked": {},
        "importance": None,
    }


def test_nothing_to_train_on_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "known_selectors", lambda: b"\x00\x00\x00\x01")
    with pytest.raises(data.DataError, match="nothing to train on"):
        commands.train(None, 0, "random_forest", tmp_path, seed=0)


def test_models_of_other_selectors_do_not_share_a_folder(trained, tmp_path):
    from mempool_ids._core import ModelError

    classifier = ExploitClassifier()
    classifier.recipe = model.Recipe(parameters=FEW["random_forest"])
    classifier.train(*ExploitClassifier.generate_synthetic_training_data(300, 0.3))
    before = (trained / "manifest.json").read_bytes()
    with pytest.raises(ModelError, match="other known selectors"):
        classifier.save_model(trained, selectors=b"\x00\x00\x00\x09")
    assert (trained / "manifest.json").read_bytes() == before


SHIPPED = manifest.BUILTIN


def test_the_shipped_models_load_and_their_card_is_current():
    document = manifest.read(SHIPPED)
    assert set(document["models"]) == set(model.KINDS)
    for name in document["models"]:
        classifier = ExploitClassifier().load_model(SHIPPED, name)
        assert 0 <= classifier.predict(np.zeros(22)).probability < 0.3
    assert len(manifest.known_selectors(SHIPPED)) == 4 * document["selectors"]["count"]
    assert commands.card(SHIPPED) == (SHIPPED / "MODEL_CARD.md").read_text()


def test_the_card_says_what_time_ordered_splits_know_of_the_future():
    text = " ".join(commands.card(SHIPPED).split())
    assert "known-selector set is today's collection" in text
    assert "a block beyond the first or last of these has that one's" in text


def test_the_shipped_selectors_are_sorted_and_hold_the_commonest():
    selectors = np.frombuffer(manifest.known_selectors(SHIPPED), dtype=">u4")
    assert (np.diff(selectors.astype(np.int64)) > 0).all()
    assert {int(TRANSFER, 16), int(APPROVE, 16)} <= set(selectors.tolist())


@pytest.mark.skipif(
    not (DATA if DATA.is_file() else DATA / data.TRANSACTIONS).is_file(),
    reason=f"the real transactions are not at {DATA} (set MEMPOOL_IDS_DATA)",
)
def test_the_shipped_models_come_from_the_real_transactions_and_rank_them():
    document = manifest.read(SHIPPED)
    rows = data.load_transactions(DATA, manifest.known_selectors(SHIPPED))
    for name, fields in document["models"].items():
        assert fields["training"]["data"].items() >= rows.hashes.items()
        metrics = ExploitClassifier().load_model(SHIPPED, name).evaluate(rows.features, rows.labels)
        # Rows it was trained on: only a check that features and model still fit each other.
        assert metrics.auc > 0.95
        assert not math.isnan(metrics.average_precision)


def test_what_was_trained_last_is_the_default_though_another_model_there_was_measured(trained, tmp_path):
    measured = manifest.read(trained)["models"]["gradient_boosting"]["evaluation"]
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        commands.train(None, 300, "gradient_boosting", tmp_path, seed=3)
        document = manifest.read(tmp_path)
        document["models"]["gradient_boosting"]["evaluation"] = measured
        (tmp_path / manifest.NAME).write_text(json.dumps(document))
        commands.train(None, 300, "random_forest", tmp_path, seed=3)
    assert manifest.read(tmp_path)["default"] == "random_forest"
    assert set(manifest.read(tmp_path)["models"]) == set(model.KINDS)
    # The other model's figures say nothing about this one.
    assert "Not measured on real data" in (tmp_path / "MODEL_CARD.md").read_text()
