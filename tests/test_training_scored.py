"""What is said of scores where both classes are there, and where one is not."""

import json

import numpy as np
import pytest

from mempool_ids.model.training.data import Dataset
from mempool_ids.model.training.metrics import clopper_pearson
from mempool_ids.model.training.score_file import write_scores
from mempool_ids.model.training.scored import Scored, in_words, report

pytest.importorskip("scipy", reason="training needs mempool-ids[train]")


def scored(benign, exploits, threshold=0.7):
    labels = np.array([0] * len(benign) + [1] * len(exploits))
    n = len(labels)
    dataset = Dataset(
        features=np.zeros((n, 22), np.float32),
        labels=labels,
        groups=np.array([f"incident {i}" if label else "eth block 1" for i, label in enumerate(labels)]),
        times=np.array([np.nan if i % 2 else 1e9 + i for i in range(n)]),
        sources=np.array(["mine/eth"] * n),
        hashes={},
        transactions=np.array(["" if i % 2 else f"0x{i:064x}" for i in range(n)]),
        places=np.array([f"mine.jsonl:{i + 1}" for i in range(n)]),
    )
    scores = np.array([*benign, *exploits], dtype=np.float32)
    return Scored("model", dataset, scores, threshold, {"0.001": 0.9})


BENIGN = np.linspace(0, 0.999, 1000)


def test_benign_rows_alone_give_false_positive_rate_quantiles_and_the_highest():
    told = report(scored(BENIGN, []))
    assert (told["rows"], told["benign"], told["exploits"]) == (1000, 1000, 0)
    alert, at_shipped = told["at_thresholds"]
    assert alert["name"] == "alert"
    assert alert["false_positives"] == 300
    assert alert["false_positive_rate"] == 0.3
    assert alert["false_positive_rate_interval"] == list(clopper_pearson(300, 1000))
    assert alert["recall"] is alert["recall_interval"] is None
    assert at_shipped["name"] == "training FPR 0.001"
    assert at_shipped["false_positives"] == 100
    assert told["score_quantiles"]["benign"]["0.5"] == pytest.approx(0.4995)
    assert told["score_quantiles"]["benign"]["1"] == pytest.approx(0.999)
    assert told["score_quantiles"]["exploit"] is None
    assert [row["row"] for row in told["highest_benign"]][:2] == ["mine.jsonl:1000", "mine.jsonl:999"]
    assert told["missed"] == []
    json.dumps(told, allow_nan=False)


def test_exploits_alone_give_recall_and_no_false_positive_rate():
    told = report(scored([], [0.9, 0.8, 0.2]))
    alert = told["at_thresholds"][0]
    assert alert["recall"] == 2 / 3
    assert alert["recall_interval"] == list(clopper_pearson(2, 3))
    assert alert["false_positive_rate"] is alert["alerts_per_day"] is None
    assert [(row["incident"], row["outranked_by"]) for row in told["missed"]] == [("2", None)]
    json.dumps(told, allow_nan=False)


def test_what_is_missed_is_named_with_the_share_of_benign_rows_that_outrank_it():
    told = report(scored([0.1, 0.2, 0.3, 0.65], [0.7, 0.3, 0.6, 0.05]))
    assert [(row["incident"], row["hash"], row["row"], row["outranked_by"]) for row in told["missed"]] == [
        ("6", f"0x{6:064x}", "mine.jsonl:7", 0.25),
        ("5", None, "mine.jsonl:6", 0.5),
        ("7", None, "mine.jsonl:8", 1.0),
    ]


def test_a_rate_that_the_benign_rows_cannot_tell_is_no_number():
    told = report(scored(BENIGN, [0.9995, 0.5]), rates=[0.001, 0.0001])
    fine, too_fine = told["at_chosen_fpr"]
    assert fine["false_positives"] == 1
    assert fine["recall"] == 0.5
    assert too_fine == {"target_fpr": 0.0001, "threshold": None, "benign": 1000, "benign_needed": 10_000}
    assert "0.0001 takes 10,000 benign rows, and there are 1,000" in in_words("m", told)[-1]
    for rate in (0.001, 0.01, 0.05, 0.1, 0.3):  # 1 / 0.1 and so on are no whole numbers
        enough = report(scored(np.zeros(round(1 / rate) + (rate == 0.3)), []), rates=[rate])
        assert enough["at_chosen_fpr"][0]["threshold"] is not None


def test_words_say_what_is_there_and_no_more():
    assert "exploits" not in in_words("m", report(scored(BENIGN, [])))[0]
    assert "benign" not in in_words("m", report(scored([], [0.9])))[0]


def test_rows_without_a_score_are_in_the_file_and_in_no_figure(tmp_path):
    some = scored([0.1, np.nan], [0.9, np.nan])
    told = report(some)
    assert (told["rows"], told["exploits"], told["missed"]) == (2, 1, [])
    write_scores(some.rows(), tmp_path / "s.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [row["alert"] for row in rows] == [False, None, True, None]
    assert rows[0] == {
        "row": "mine.jsonl:1",
        "hash": f"0x{0:064x}",
        "label": "benign",
        "source": "mine/eth",
        "timestamp": 1e9,
        "model": "model",
        "score": pytest.approx(0.1),
        "alert": False,
    }
    assert (rows[1]["hash"], rows[1]["timestamp"], rows[1]["score"]) == (None, None, None)
    assert rows[2]["incident"] == "2"


def test_scores_that_are_not_all_there_leave_the_old_file(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text("old")

    def broken():
        yield {"row": 1}
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        write_scores(broken(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
