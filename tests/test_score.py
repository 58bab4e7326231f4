import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.cli import main

# What solc makes of an empty contract's beginning, then a transfer of a token that it names.
RUNTIME = (
    "6080604052600436"
    "63a9059cbb14610123575473"
    + "11" * 20
    + "63a9059cbb60e01b6000526000600060006000600085 5af1".replace(" ", "")
)
# Returns 32 bytes of itself, 64 of them.
INIT = "6040600c60003960406000f3fe" + "5b00" * 32


def score(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code = 0
    try:
        main(["score", *arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_file_of_hex_has_a_line_with_all_that_is_promised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contract.hex"
    file.write_text(f"0x{RUNTIME[:20]}\n  {RUNTIME[20:]}\n")
    code, [line] = score(capsys, str(file))
    assert code == 0
    assert line["id"] == str(file)
    assert 0 <= line["score"] <= 1
    assert (
        line["high_recall"] is (line["score"] >= line["thresholds"]["high_recall"]) or line["high_precision"]
    )
    assert line["high_precision"] is (line["precise"] >= line["thresholds"]["high_precision"])
    assert line["function_signatures"] == ["0xa9059cbb"]
    assert line["contained_addresses"] == ["0x" + "11" * 20]
    assert line["factors"][0]["contribution"] != 0
    assert [abs(f["contribution"]) for f in line["factors"]] == sorted(
        (abs(f["contribution"]) for f in line["factors"]), reverse=True
    )


def test_init_code_is_run_whether_it_is_called_so_or_looks_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contracts.jsonl"
    kinds = ({"kind": "creation"}, {"kind": "runtime"}, {})
    file.write_text(
        "".join(json.dumps({"id": n, "code": INIT, **kind}) + "\n" for n, kind in enumerate(kinds))
    )
    _, lines = score(capsys, str(file))
    assert [(line["id"], line["scored"]) for line in lines] == [
        (0, "executed"),
        (1, "executed"),
        (2, "executed"),
    ]


def test_contracts_that_are_scored_together_have_the_scores_that_each_has_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contracts.jsonl"
    codes = [RUNTIME + "5b" * n for n in range(150)]
    file.write_text("".join(json.dumps({"id": n, "code": code}) + "\n" for n, code in enumerate(codes)))
    _, together = score(capsys, str(file))
    assert [line["id"] for line in together] == list(range(150))
    for number in (0, 63, 64, 149):
        file.write_text(codes[number])
        _, [alone] = score(capsys, str(file))
        for name in ("score", "precise"):
            assert together[number][name] == pytest.approx(alone[name], abs=1e-5)
        factors = [
            {f["feature"]: f["contribution"] for f in line["factors"] if abs(f["contribution"]) > 1e-3}
            for line in (together[number], alone)
        ]
        assert factors[0] == pytest.approx(factors[1], abs=1e-5)


def test_the_chain_picks_the_thresholds_and_not_the_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contract.hex"
    file.write_text(RUNTIME)
    _, [ethereum] = score(capsys, str(file), "--chain", "1")
    _, [other] = score(capsys, str(file), "--chain", "56")
    assert ethereum["score"] == other["score"]
    assert ethereum["thresholds"] != other["thresholds"]
    assert other["thresholds"]["high_recall"] >= ethereum["thresholds"]["high_recall"]


def test_bad_input_is_a_line_with_an_error_and_the_rest_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contracts.jsonl"
    bad = [
        ('{"id": "a", "code": ""}', "empty"),
        ('{"id": "b", "code": "0x123"}', "no whole number of bytes"),
        ('{"id": "c", "code": "0xzz"}', "not hex"),
        ('{"id": "d", "code": "%s"}' % ("00" * (1 << 20)), "too long"),
        ('{"id": "e", "code": "%s"}' % ("00" * (300 << 10)), "longer than"),
        ('{"id": "f"}', "no code"),
        ('{"id": "g", "code": "00", "kind": "proxy"}', "neither runtime nor creation"),
        ('{"id": "h", "code"', "not JSON"),
        ("[1]", "not a JSON object"),
    ]
    good = json.dumps({"id": "z", "code": RUNTIME})
    file.write_text("\n".join([text for text, _ in bad] + [good]) + "\n")
    code, lines = score(capsys, str(file))
    assert code == 0
    for line, (text, said) in zip(lines, bad, strict=False):
        assert said in line["error"], text[:40]
    assert lines[-1]["id"] == "z"
    assert "error" not in lines[-1]
    file.write_text("\n".join(text for text, _ in bad))
    assert score(capsys, str(file))[0] == 1
    assert score(capsys, str(tmp_path / "absent"))[0] == 1


def test_hex_comes_by_stdin_wrapped_or_a_contract_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(text: str) -> list[dict[str, Any]]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return score(capsys)[1]

    assert len(read(f"{RUNTIME[:10]}\n{RUNTIME[10:]}\n")) == 1
    assert [line["id"] for line in read(f"0x{RUNTIME}\n0x{INIT[:8]}\n{INIT[8:]}\n")] == ["stdin:1", "stdin:2"]


@pytest.mark.parametrize(
    "code",
    [
        "5b" * (64 << 10),
        "5b600056" * 6000,
        "".join(f"8063{n:08x}14610000 57".replace(" ", "") for n in range(10_000)),
        "a264697066735822" * 4000,
    ],
    ids=["jump destinations", "jump maze", "ten thousand selectors", "made-up metadata"],
)
def test_adversarial_code_has_a_score_in_bounded_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    file = tmp_path / "contracts.jsonl"
    file.write_text("".join(json.dumps({"id": n, "code": code}) + "\n" for n in range(20)))
    begun = time.monotonic()
    exit_code, lines = score(capsys, str(file))
    assert exit_code == 0
    assert all(0 <= line["score"] <= 1 for line in lines)
    assert time.monotonic() - begun < 20
    assert lines[0].get("cut", False) is (len(code) // 2 > 64 << 10)
