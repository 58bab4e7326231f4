"""The early models: from labelled contracts to a model folder that scores, and back to the card's figures."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mempool_ids._core import ContractScorer, running_contract
from mempool_ids.cli import main
from mempool_ids.model import manifest
from mempool_ids.model.library import onnxruntime_library
from mempool_ids.model.training.data import DataError
from mempool_ids.model.training.early import commands
from mempool_ids.model.training.early.data import (
    BENIGN,
    BLOCKS,
    EXPLOIT,
    MADE_UP,
    load_contracts,
    load_made_up,
    period,
)
from mempool_ids.model.training.early.model import HARD, Recipe, harder, mask, row_weights
from mempool_ids.model.training.early.obfuscate import WAYS
from mempool_ids.model.training.early.splits import grouped, ordered

SELECTORS = manifest.known_selectors()


def token(rng: np.random.Generator) -> bytes:
    """A dispatcher, storage, events: what most contracts are made of."""
    entries = b"".join(
        b"\x80\x63" + rng.bytes(4) + b"\x14\x61\x01\x23\x57" for _ in range(int(rng.integers(4, 12)))
    )
    body = [b"\x54\x55", b"\x33\x54\x14\x15\x57", b"\x20\x54\x10\x55\xa1", b"\x51\x52\xfd", b"\x5b\x56"]
    return (
        b"\x60\x80\x60\x40\x52"
        + entries
        + b"".join(body[int(i)] for i in rng.integers(0, len(body), size=120))
    )


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    blank = {"source": "mine", "kind": "runtime", "incident": None, "chain": None, "date": None}
    pq.write_table(pa.Table.from_pylist([{**blank, **row} for row in rows]), path)
    return path


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    with gzip.open(MADE_UP, "rt") as file:
        attacks = [bytes.fromhex(json.loads(line)["init"]) for _, line in zip(range(24), file, strict=False)]
    rows: list[dict[str, Any]] = [
        {
            "label": "exploit",
            "kind": "creation",
            "code": code,
            "incident": f"Hack {number // 2}",
            "chain": "bsc" if number % 4 < 2 else "eth",
            "date": f"{2022 + number // 12}/3/1",
        }
        for number, code in enumerate(attacks)
    ]
    rows += [
        {"label": "benign", "code": token(rng), "source": "mev-bot" if n < 3 else "mine"} for n in range(160)
    ]
    rows += [{"label": "ponzi", "code": token(rng)}]
    return write(tmp_path_factory.mktemp("data") / "contracts.parquet", rows)


def evaluated(capsys: pytest.CaptureFixture[str], models: Path, data: Path) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main(["model", "eval", str(models), "--early", str(data)])
    assert ended.value.code in (0, None)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_rows_are_read_with_what_must_stay_together(contracts: Path) -> None:
    data = load_contracts(contracts, SELECTORS)
    assert (data.labels == EXPLOIT).sum() == 24
    assert (data.labels == BENIGN).sum() == 160
    assert set(data.origins[data.labels == EXPLOIT]) <= {"executed", "embedded", "constructor"}
    for split in (*grouped(data, 0), ordered(data)):
        train, test = split
        assert not set(data.groups[train]) & set(data.groups[test][data.labels[test] == EXPLOIT])
        assert (data.labels[train] >= 0).all()
    train, test = ordered(data)
    exploits = data.labels == EXPLOIT
    assert np.nanmax(data.times[train][exploits[train]]) < np.nanmin(data.times[test][exploits[test]])
    weights = row_weights(data.rows(data.labels >= 0))
    learned = data.labels[data.labels >= 0]
    assert weights[learned == EXPLOIT].sum() == pytest.approx(weights[learned == BENIGN].sum())


def test_one_contract_is_never_on_both_sides(tmp_path: Path) -> None:
    with gzip.open(MADE_UP, "rt") as file:
        init = bytes.fromhex(json.loads(next(file))["init"])
    left, _ = running_contract(init, True)
    rows = [
        {"label": "exploit", "kind": "creation", "code": init},
        {"label": "exploit", "kind": "runtime", "code": left},
    ]
    assert len(set(load_contracts(write(tmp_path / "both.parquet", rows), SELECTORS).groups)) == 1


def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a Parquet file nor a folder"):
        load_contracts(tmp_path, SELECTORS)
    with pytest.raises(DataError, match="no label"):
        load_contracts(write(tmp_path / "a.parquet", [{"label": None, "code": b"\x00"}]), SELECTORS)
    dated = [{"label": "exploit", "code": b"\x00", "date": "lately"}]
    with pytest.raises(DataError, match="lately"):
        load_contracts(write(tmp_path / "b.parquet", dated), SELECTORS)
    pq.write_table(pa.table({"label": ["benign"]}), tmp_path / "c.parquet")
    with pytest.raises(DataError, match="no column chain, code"):
        load_contracts(tmp_path / "c.parquet", SELECTORS)


def test_the_compiler_dates_a_contract() -> None:
    metadata = b"\xa2\x64ipfs\x58\x22" + bytes(34) + b"\x64solc\x43\x00\x08\x13\x00\x33"
    assert period(b"\x00" + metadata) == "0.8.18 and later"
    assert period(b"\x00" * 100) == "none"


def test_what_hides_code_changes_what_it_says_and_nothing_else() -> None:
    code = token(np.random.default_rng(1))
    changed = {way: change(code, np.random.default_rng(2)) for way, change in WAYS.items()}
    assert changed["junk behind the code"].startswith(code)
    assert len(changed["functions renamed"]) == len(changed["dispatcher in another order"]) == len(code)
    assert sorted(changed["dispatcher in another order"]) == sorted(code)
    assert changed["functions renamed"] != code


@pytest.mark.timeout(600)
def test_the_folder_scores_as_it_was_trained_and_its_figures_come_again(
    contracts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "models"
    entry = commands.train(contracts, out, seed=3)
    scorer = ContractScorer(str(out), str(onnxruntime_library()), 1)
    data = load_contracts(contracts, SELECTORS)
    recall, precise = (
        np.frombuffer(p, dtype=np.float32)
        for p in scorer.predict(np.ascontiguousarray(data.features).tobytes())
    )
    for p in (recall, precise):
        assert p[data.labels == EXPLOIT].mean() > p[data.labels == BENIGN].mean() + 0.3
    scored = [json.loads(text) for text in scorer.score(list(data.codes), [False] * len(data))]
    plain = data.origins == "told"
    assert [one["score"] for one in scored][-5:] == pytest.approx(recall[plain][-5:].tolist(), abs=1e-6)
    assert entry["evaluation"]["grouped"]["high_recall"]["average_precision"] > 0.5
    assert entry["thresholds"]["ethereum"]["high_recall"] == pytest.approx(0.5, abs=1e-4)
    assert entry["thresholds"]["others"]["high_recall"] >= entry["thresholds"]["ethereum"]["high_recall"]
    assert 0 < entry["prevalence"] < 1
    text = (out / "MODEL_CARD.md").read_text()
    assert "# Early models" in text
    assert "Random forest" in text  # the package's other models came along

    again = evaluated(capsys, out, contracts)
    assert again["reproduces"] is True

    benign = write(
        tmp_path / "benign.parquet", [{"label": "benign", "code": token(np.random.default_rng(9))}]
    )
    shipped = evaluated(capsys, out, benign)["as_shipped"]
    assert shipped["high_recall"]["ethereum"]["false_positives"] == 0


def test_benign_contracts_that_look_most_like_attacks_weigh_more() -> None:
    labels = np.repeat([EXPLOIT, BENIGN], [2, 40])
    margins = np.r_[9.0, 8.0, np.arange(40.0)]
    weights = np.full(42, 0.5)
    found = harder(weights, labels, margins)
    assert np.flatnonzero(found != weights).tolist() == [40, 41]
    assert found[40:].tolist() == [0.5 * HARD] * 2


def test_ablations_hold_columns_at_zero() -> None:
    keep = mask(("called", "metadata"))
    start = BLOCKS["grams"] + BLOCKS["effects"] + BLOCKS["steps"]
    assert not keep[start : start + BLOCKS["called"]].any()
    assert keep[:start].all()
    assert (~keep).sum() == BLOCKS["called"] + 1
    assert mask(()).all()
    assert Recipe().made_up


def test_made_up_contracts_are_many_kinds_of_code() -> None:
    made_up = load_made_up(SELECTORS)
    assert len(made_up.features) > 200
    assert len(set(made_up.compilers)) == 6
    assert len(np.unique(made_up.features, axis=0)) > 0.95 * len(made_up.features)


def test_the_shipped_models_are_those_of_the_manifest() -> None:
    document = manifest.read(manifest.BUILTIN)
    entry = manifest.early_entry(document)
    scorer = ContractScorer(str(manifest.BUILTIN), str(onnxruntime_library()), 1)
    answer = json.loads(scorer.score([b"\x00" * 100], [None])[0])
    assert answer["version"] == entry["version"]
    assert answer["thresholds"] == pytest.approx(entry["thresholds"]["ethereum"], rel=1e-6)
    assert answer["thresholds"]["high_recall"] == pytest.approx(0.5, abs=1e-4)
    assert answer["thresholds"]["high_precision"] > 0.9
    code, origin = running_contract(b"\x00", None)
    assert (code, origin) == (b"\x00", "told")
