import csv
from pathlib import Path
from typing import Any

import orjson
import pytest

from mempool_ids.sinks.export import export
from tests.responses import response
from tests.support import alert

MINED = {"timestamp": "t", "outcome": "mined", "block": 17}

RESPONSES = [
    response(0),
    response(0, action_id="b", target="Bank", tx_hash=None, state="intent", shadow=True),
    response(1, state="confirmed", cost_wei="750000000000001", tx_hash=f"0x{0xF01:064x}"),
    response(0, action_id="c", target="Pool", state="failed", cost_wei="5"),
]


def detections() -> list[dict[str, Any]]:
    return [
        {**alert(1), "outcomes": [MINED], "responses": RESPONSES},
        {**alert(2), "outcomes": [], "responses": []},
    ]


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


def test_csv_has_how_each_action_stands_and_what_they_cost_together(tmp_path: Path) -> None:
    export(detections(), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["responses"] == "pause Vault confirmed;shadow pause Bank intent;pause Pool failed"
    assert first["response_tx_hashes"] == f"0x{0xF01:064x};0x{0xF00:064x}"
    assert first["response_cost_wei"] == "750000000000006"
    columns = ("responses", "response_tx_hashes", "response_cost_wei")
    assert [second[column] for column in columns] == ["", "", ""]


def test_names_cannot_become_formulas(tmp_path: Path) -> None:
    event = {**alert(1, contracts=['=HYPERLINK("x")']), "outcomes": [], "responses": []}
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
