import csv
from pathlib import Path
from typing import Any

import orjson
import pytest

from mempool_ids.sinks.export import export
from tests.support import alert

MINED = {"timestamp": "t", "outcome": "mined", "block": 17}


def detections() -> list[dict[str, Any]]:
    return [{**alert(1), "outcomes": [MINED]}, {**alert(2), "outcomes": []}]


def test_json_is_an_array_and_jsonl_a_line_each(tmp_path: Path) -> None:
    assert export(detections(), tmp_path / "a.json") == 2
    assert orjson.loads((tmp_path / "a.json").read_bytes()) == detections()
    assert export(detections(), tmp_path / "a.jsonl") == 2
    assert [orjson.loads(line) for line in (tmp_path / "a.jsonl").read_bytes().splitlines()] == detections()


def test_csv_has_the_facts_and_the_last_outcome(tmp_path: Path) -> None:
    assert export(detections(), tmp_path / "a.CSV") == 2
    with (tmp_path / "a.CSV").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["value_wei"] == str(2**256 - 1)
    assert (first["outcome"], first["block"]) == ("mined", "17")
    assert (second["outcome"], second["block"]) == ("", "")
    assert first["signatures"] == "1 n"


def test_names_cannot_become_formulas(tmp_path: Path) -> None:
    event = {**alert(1, contracts=['=HYPERLINK("x")']), "outcomes": []}
    export([event], tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["contracts"].startswith("'=")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.json, \.jsonl, \.csv"):
        export(detections(), tmp_path / "a.xml")


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def broken() -> Any:
        yield detections()[0]
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        export(broken(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
