"""Labelled traces in, a verdict model out: `mempool-ids model train|eval --traces`."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mempool_ids._core import ModelError, TraceModel, trace_matrix
from mempool_ids.cli import app
from mempool_ids.model import manifest
from mempool_ids.model.library import onnxruntime_library
from mempool_ids.model.training import data, traces, verdict
from tests.support import labelled_data

pytest.importorskip("skl2onnx", reason="training needs mempool-ids[train]")

SHARED = labelled_data() / "traces"
FEW = {"C": 0.1}


def frame(n: int, to: str, selector: str, calls: list[dict[str, object]]) -> dict[str, object]:
    return {
        "type": "CALL",
        "from": "0x" + "11" * 20,
        "to": "0x" + to * 20,
        "value": hex(n),
        "gas": "0x5208",
        "gasUsed": "0x5208",
        "input": selector + f"{n:064x}",
        "output": None,
        "error": None,
        "calls": calls,
    }


def line(i: int, *, exploit: bool) -> str:
    """A transfer, or a contract that asks a vault again and again; both vary."""
    year = 2020 + i % 4
    calls = [frame(i, "fa", "0x3ccfd60b", []) for _ in range(3 + i % 5)] if exploit else []
    calls += [frame(i, "70", "0xa9059cbb", []) for _ in range(i % 3)]
    row: dict[str, object] = {
        "label": "exploit" if exploit else "benign",
        "hash": f"0x{i:064x}",
        "chain": "bsc" if exploit and i % 2 else "eth",
        "trace": frame(i, "1e", "0xdeadbeef" if exploit else "0xa9059cbb", calls),
    }
    if exploit:
        row |= {"incident": f"incident {i}", "date": f"{year}/3/{1 + i % 28}"}
    else:
        row |= {"block": 9_000_000 + i % 40, "timestamp": 1_577_836_800 + (year - 2020) * 31_557_600 + i}
    return json.dumps(row)


def write(path: Path, rows: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.write("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    rows = [line(i, exploit=False) for i in range(160)] + [line(i, exploit=True) for i in range(40)]
    return write(tmp_path_factory.mktemp("traces") / "train.jsonl.gz", rows)


@pytest.fixture(scope="module")
def folder(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "trained"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict, "PARAMETERS", FEW)
        patch.setattr(verdict, "REPEATS", 1)
        verdict.train([file], out, seed=0)
    return out


def test_rows_are_labelled_grouped_and_dated(file):
    dataset = traces.load_traces([file.parent])
    assert len(dataset) == 200
    assert dataset.labels.sum() == 40
    assert dataset.features.shape == (200, len(manifest.TRACE_SCHEMA.names))
    assert set(dataset.sources) == {"train/eth", "incidents/eth", "incidents/bsc"}
    assert len(np.unique(dataset.groups[dataset.labels == 1])) == 40
    assert np.isfinite(dataset.times).all()
    assert dataset.schema == manifest.TRACE_SCHEMA


def test_a_block_without_a_time_is_dated_between_forks(tmp_path):
    row = json.loads(line(1, exploit=False))
    del row["timestamp"]
    row["block"] = 12_244_000
    dataset = traces.load_traces([write(tmp_path / "a.jsonl.gz", [json.dumps(row)])])
    assert dataset.times[0] == 1_618_481_223


@pytest.mark.parametrize(
    "bad",
    [
        "not json",
        "{}",
        line(1, exploit=True).replace('"CALL"', '"LEAP"'),
        line(1, exploit=False).replace("benign", "x"),
    ],
)
def test_a_line_that_is_no_labelled_trace_is_refused_by_file(bad, tmp_path):
    path = write(tmp_path / "bad.jsonl.gz", [line(1, exploit=False), bad])
    with pytest.raises(data.DataError, match=r"bad\.jsonl\.gz"):
        traces.load_traces([path])
    with pytest.raises(data.DataError, match="neither a file"):
        traces.load_traces([tmp_path / "absent"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": None}, "line 3: it has no label"),
        ({"label": "scam"}, "line 3: label 'scam' is neither exploit nor benign"),
        ({"date": "May 2023"}, "line 3: date 'May 2023' is none of"),
        ({"timestamp": "0x5"}, "line 3: timestamp '0x5' is not in Unix seconds"),
    ],
)
def test_what_a_row_says_wrongly_of_itself_is_refused_with_line_and_value(change, said, tmp_path):
    bad = json.dumps(json.loads(line(1, exploit=True)) | change)
    path = write(tmp_path / "bad.jsonl.gz", [line(1, exploit=False), "", bad])
    with pytest.raises(data.DataError, match=rf"bad\.jsonl\.gz: {said}"):
        traces.load_traces([path])


def test_rows_without_hash_block_or_day_stand_alone_and_are_dated(tmp_path):
    row = json.loads(line(1, exploit=False)) | {
        "hash": None,
        "block": None,
        "timestamp": None,
        "date": "2023-05",
    }
    dataset = traces.load_traces([write(tmp_path / "mine.jsonl.gz", [json.dumps(row)] * 2)])
    assert list(dataset.groups) == ["transaction mine.jsonl.gz:1", "transaction mine.jsonl.gz:2"]
    assert list(dataset.transactions) == ["", ""]
    assert list(dataset.times) == [1_682_899_200, 1_682_899_200]


def test_how_a_recorder_writes_does_not_change_the_row():
    tree = json.loads(line(4, exploit=True))["trace"]

    def rewrite(frame, depth=0):
        frame |= {
            "gas": None,
            "gasUsed": "0x1",
            "output": "0x",
            "value": frame["value"] if int(frame["value"], 16) else None,
        }
        frame["to"] = frame["to"].upper().replace("0X", "0x")
        frame["calls"] = [rewrite(call, depth + 1) for call in frame["calls"]] or None
        return {key: value for key, value in frame.items() if value is not None}

    first, second = (
        np.frombuffer(trace_matrix([json.dumps(t)]), np.float32)
        for t in (tree, rewrite(json.loads(json.dumps(tree))))
    )
    assert first.any()
    np.testing.assert_array_equal(first, second)


def test_the_trained_model_is_verified_loaded_and_explains_itself(folder, file):
    document = manifest.read(folder)
    entry = manifest.trace_entry(document)
    assert entry.file == "trace.onnx"
    assert document["trace"]["probe"]["largest_difference"] <= 1e-6
    assert document["default"] in document["models"], "the package's transaction models came along"
    core = TraceModel(str(folder), str(onnxruntime_library()))
    dataset = traces.load_traces([file])
    p = np.frombuffer(core.predict(dataset.features.tobytes()), np.float32)
    assert p[dataset.labels == 1].mean() > p[dataset.labels == 0].mean()
    factors = json.loads(core.explain(dataset.features[-1].tobytes()))
    assert factors
    assert {factor["feature"] for factor in factors} <= set(manifest.TRACE_SCHEMA.names)
    assert "# Verdict model" in (folder / "MODEL_CARD.md").read_text()


def test_another_schema_or_an_altered_graph_is_refused(folder, tmp_path):
    for name, change, said in (
        ("schema", lambda trace: trace["feature_schema"].update(version=0), "feature schema version 0"),
        ("names", lambda trace: trace["feature_schema"]["names"].reverse(), "number 1 is"),
        ("baseline", lambda trace: trace["baseline"].pop(), "baseline has"),
        ("hash", lambda trace: trace.update(sha256="00" * 32), "hash is sha256"),
    ):
        altered = tmp_path / name
        altered.mkdir()
        for part in folder.iterdir():
            os.link(part, altered / part.name)
        document = manifest.read(folder)
        change(document["trace"])
        (altered / "manifest.json").unlink()
        (altered / "manifest.json").write_text(json.dumps(document))
        with pytest.raises(ModelError, match=said):
            TraceModel(str(altered), str(onnxruntime_library()))
    document.pop("trace")
    with pytest.raises(ModelError, match="no model over traces"):
        manifest.trace_entry(document)


def test_eval_on_its_own_data_reproduces_and_on_other_data_measures_as_shipped(
    folder, file, tmp_path, monkeypatch
):
    monkeypatch.setattr(verdict, "REPEATS", 1)
    again = verdict.evaluate(folder, [file], scores=tmp_path / "scores.jsonl")
    assert again["reproduces"] is True
    alert = again["grouped_folds"]["at_alert_threshold"]
    assert again["out_of_fold"]["at_thresholds"][0] == {"name": "alert", **alert}
    rows = [json.loads(text) for text in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert sum(row["alert"] for row in rows if row["label"] == "exploit") == alert["hits"]
    assert len(again["out_of_fold"]["missed"]) == 40 - alert["hits"]
    rows = [line(i, exploit=i % 4 == 0) for i in range(300, 360)]
    other = verdict.evaluate(folder, [write(tmp_path / "later.jsonl.gz", rows)])
    assert other["as_shipped"]["exploits"] == 15
    assert other["as_shipped"]["benign"] == 45
    assert other["as_shipped"]["at_fpr"][1]["recall"] > 0.5


def test_what_is_newest_is_not_learned_from_but_tells_what_a_threshold_is_worth_later(
    file, tmp_path, monkeypatch
):
    monkeypatch.setattr(verdict, "PARAMETERS", FEW)
    monkeypatch.setattr(verdict, "REPEATS", 1)
    rows = [json.loads(line(i, exploit=False)) for i in range(200, 260)]
    newest = [row | {"timestamp": 1_704_067_200 + i, "block": 19_000_000 + i} for i, row in enumerate(rows)]
    later = write(tmp_path / "later.jsonl.gz", [json.dumps(row) for row in newest])
    verdict.train([file, later], tmp_path / "with", seed=0, newest_from=datetime(2024, 1, 1, tzinfo=UTC))
    verdict.train([file], tmp_path / "without", seed=0)
    assert (tmp_path / "with" / "trace.onnx").read_bytes() == (
        tmp_path / "without" / "trace.onnx"
    ).read_bytes()
    told = manifest.read(tmp_path / "with")[manifest.TRACE]
    assert (told["training"]["rows"], told["training"]["newest_from"]) == (200, 1_704_067_200)
    periods = {part["from"]: (part["benign"], part["exploits"]) for part in told["evaluation"]["drift"]}
    assert periods == {"2022-01-01": (40, 10), "2023-01-01": (60, 10), "2024-01-01": (60, 0)}
    last = told["evaluation"]["drift"][-1]
    assert last["at_stated_threshold"]["recall"] is None
    shipped = verdict.evaluate(tmp_path / "with", [later])["as_shipped"]["at_thresholds"][0]
    assert last["at_alert_threshold"] == {key: shipped[key] for key in last["at_alert_threshold"]}
    assert verdict.evaluate(tmp_path / "with", [file, later])["reproduces"] is True


def test_the_command_line_takes_traces_or_transactions_but_not_both(folder, file):
    run = CliRunner().invoke(app, ["model", "train", "--traces", str(file), "--synthetic", "10", "-o", "x"])
    assert run.exit_code == 2
    run = CliRunner().invoke(app, ["model", "eval", str(folder)])
    assert run.exit_code == 2
    newest = ["--newest-from", "2024-01-01"]
    run = CliRunner().invoke(app, ["model", "train", "--synthetic", "10", "-o", "x", *newest])
    assert run.exit_code == 2


@pytest.mark.skipif(not SHARED.exists(), reason="shared data is absent")
def test_the_shipped_model_ranks_recorded_exploits_first():
    dataset = traces.load_traces([SHARED])
    assert dataset.labels.sum() == 114
    core = TraceModel(str(manifest.BUILTIN), str(onnxruntime_library()))
    p = np.frombuffer(core.predict(dataset.features.tobytes()), np.float32)
    assert np.median(p[dataset.labels == 1]) > np.quantile(p[dataset.labels == 0], 0.99)
