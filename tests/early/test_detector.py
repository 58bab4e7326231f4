"""`EarlyAttackDetector` without a node: codes, and what is none."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from mempool_ids import ConfigError, ContractScore, EarlyAttackDetector, IDSConfig
from mempool_ids.early.detector import LONGEST
from tests.support import VAULT
from tests.test_score import INIT, RUNTIME, score

ADDRESS = "0x" + "11" * 20
CODE = bytes.fromhex(RUNTIME)


@pytest.fixture(scope="module")
def detector() -> EarlyAttackDetector:
    return EarlyAttackDetector()


def test_a_score_is_a_record_of_what_the_line_has(
    detector: EarlyAttackDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = detector.score(CODE)
    assert isinstance(scored, ContractScore)
    assert scored.function_signatures == ("0xa9059cbb",)
    assert scored.contained_addresses == (ADDRESS,)
    assert (scored.scored, scored.cut, scored.implementation) == (None, False, None)
    assert scored.factors
    _, [line] = score(capsys, "0x" + RUNTIME)
    assert {**scored.event, "id": line["id"]} == line
    with pytest.raises(AttributeError):
        scored.score = 1.0  # type: ignore[misc]


def test_many_are_scored_in_order_and_by_their_kinds(detector: EarlyAttackDetector) -> None:
    init = bytes.fromhex(INIT)
    many = detector.score_many([init, CODE, init], ["creation", "runtime", None])
    assert [one.scored for one in many] == ["executed", None, "executed"]
    assert many[1].score == pytest.approx(detector.score(CODE).score, abs=1e-5)
    assert detector.score_many([]) == []


def test_thresholds_are_those_of_the_configuration() -> None:
    config = IDSConfig(early={"high_recall": 0.0, "high_precision": 1.0})
    scored = EarlyAttackDetector(config).score(CODE)
    assert dict(scored.thresholds) == {"high_recall": 0.0, "high_precision": 1.0}
    assert (scored.high_recall, scored.high_precision) == (True, False)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (b"", None, "empty"),
        (b"\x00" * (LONGEST + 1), None, "longer than 262,144 bytes"),
        (b"\x00", "proxy", "neither runtime nor creation"),
    ],
)
def test_what_is_no_code_is_refused(
    detector: EarlyAttackDetector, code: bytes, kind: str | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        detector.score(code, cast(Any, kind))


def test_as_many_kinds_as_codes_are_wanted(detector: EarlyAttackDetector) -> None:
    with pytest.raises(ValueError, match="zip"):
        detector.score_many([CODE, CODE], ["runtime"])


def test_an_address_needs_a_node_and_its_detonation_something_to_harm(detector: EarlyAttackDetector) -> None:
    with pytest.raises(ConfigError, match=r"chain\.rpc_urls"):
        detector.score_address(ADDRESS)
    nowhere = EarlyAttackDetector(IDSConfig(chain={"rpc_urls": ["http://127.0.0.1:9"]}))
    with pytest.raises(ConfigError, match="contracts is empty"):
        nowhere.detonate(ADDRESS)
    for wrong in ("0x11", "11" * 20, "0x" + "zz" * 20):
        with pytest.raises(ValueError, match="address"):
            nowhere.score_address(wrong)
        with pytest.raises(ValueError, match="address"):
            nowhere.detonate(ADDRESS, wrong)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((ADDRESS, "--deployer", ADDRESS), "--detonate"),
        ((ADDRESS, "--detonate"), "contracts"),
        ((ADDRESS,), "chain.rpc_urls"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from mempool_ids.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["score", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_json_line_may_have_an_address_and_codes_beside_it_are_scored(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"address": ADDRESS}, {"id": "b", "address": ADDRESS[:-1] + "g"}, {"id": "c", "code": RUNTIME}]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    contract = json.dumps([{"name": "Vault", "address": VAULT}])
    nowhere = ("--set", "chain.rpc_urls=http://127.0.0.1:9", "--set", f"contracts={contract}")
    code, lines = score(capsys, str(file), *nowhere)
    assert code == 0
    assert [line["id"] for line in lines] == [ADDRESS, "b", "c"]
    assert "127.0.0.1:9" in lines[0]["error"]
    assert "address" in lines[1]["error"]
    assert "error" not in lines[2]
