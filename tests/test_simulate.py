"""`mempool-ids simulate` without a node: a recorded trace, and everything that is no transaction."""

import copy
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mempool_ids import _core
from mempool_ids.cli import main
from mempool_ids.cli.simulate import render
from mempool_ids.config import IDSConfig, sensor_config
from tests.support import SENDER, VAULT, WITHDRAW, transaction

ROBBER = "0x" + "b2" * 20
CONTRACTS = ("--set", f'contracts=[{{"name": "Vault", "address": "{VAULT}"}}]')
#: Nothing listens there.
NOWHERE = ("--set", "chain.rpc_urls=http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ids.toml of the developer's, no variable of his."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("MEMPOOL_IDS_"):
            monkeypatch.delenv(name)


def call(sender: str, to: str, *calls: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A frame as `callTracer` writes it."""
    frame = {"type": "CALL", "from": sender, "to": to, "value": "0x0", "input": "0x", "output": "0x"}
    return {**frame, "gas": "0x30d40", "gasUsed": "0x186a0", "calls": list(calls), **fields}


def robbery() -> dict[str, Any]:
    """A withdrawal that is entered again by its own payment, as in The DAO."""
    ether = hex(10**18)
    paid = call(VAULT, ROBBER, value=ether)
    again = call(VAULT, ROBBER, call(ROBBER, VAULT, paid, input=WITHDRAW), value=ether)
    first = call(ROBBER, VAULT, again, input=WITHDRAW)
    failed = call(ROBBER, VAULT, input="0x12345678", error="execution reverted")
    loot = call(ROBBER, SENDER, value=hex(2 * 10**18))
    return call(SENDER, ROBBER, first, failed, loot, input="0x9e5faafc")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(robbery()))
    return path


def invoke(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def inspected(trace: dict[str, Any]) -> dict[str, Any]:
    config = IDSConfig(monitored_contracts=[{"name": "Vault", "address": VAULT}])
    raw = _core.inspect_transaction(sensor_config(config, listen=False), json.dumps(trace))
    report: dict[str, Any] = json.loads(raw)
    return report


def shown(report: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=200, highlight=False).print(render(report))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_recorded_trace_is_judged_by_its_calls(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(str(trace), *CONTRACTS, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [(each["depth"], each["function"]) for each in report["calls"]] == [
        (0, None),
        (1, "withdraw(uint256)"),
        (2, None),
        (3, "withdraw(uint256)"),
        (4, None),
        (1, None),
        (1, None),
    ]
    done = report["simulation"]
    assert (done["outcome"], done["frames"], done["depth"], done["touched"]) == ("succeeded", 7, 4, ["Vault"])
    gained = {flow["account"]: int(flow["amount"]) for flow in done["flows"]}
    assert gained == {VAULT: -2 * 10**18, SENDER: 2 * 10**18}
    harmless = inspected(call(SENDER, VAULT, input="0xd0e30db0", value="0x1"))
    assert done["probability"] > 0.2 > harmless["simulation"]["probability"]
    assert report["verdict"]["probability"] > harmless["verdict"]["probability"]


def test_a_trace_is_taken_alone_as_a_nodes_answer_and_from_stdin(
    trace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke(str(trace), "--json") == 0
    alone = capsys.readouterr().out
    trace.write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "result": robbery()}))
    assert invoke(str(trace), "--json") == 0
    assert capsys.readouterr().out == alone
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(robbery())))
    assert invoke("-", "--json") == 0
    assert capsys.readouterr().out == alone


def test_calls_are_drawn_as_a_tree_with_the_names_that_people_know() -> None:
    lines = shown(inspected(robbery()))
    assert lines[:8] == [
        f"sender {SENDER}",
        f"└── {ROBBER}.0x9e5faafc 100,000 gas",
        "    ├── Vault.withdraw(amount=1000000000000000000) 100,000 gas",
        f"    │   └── {ROBBER} 1 ETH 100,000 gas",
        "    │       └── Vault.withdraw(amount=1000000000000000000) 100,000 gas",
        f"    │           └── {ROBBER} 1 ETH 100,000 gas",
        "    ├── Vault.0x12345678 100,000 gas execution reverted",
        "    └── sender 2 ETH 100,000 gas",
    ]
    assert "Vault    -2.000000  ETH" in lines
    assert "sender   +2.000000  ETH" in lines
    # Where it ran and what the block's builder got is not in a call tree; nor what would prove that it is harmless.
    assert lines[-3:-1] == [
        "succeeded, 100,000 gas, calls: 7",
        "this does not show that it is harmless: calldata and rules count in full",
    ]


def test_a_failed_trace_proves_nothing() -> None:
    report = inspected({**robbery(), "error": "execution reverted"})
    assert report["simulation"]["outcome"] == "reverted"
    assert report["simulation"]["probability"] is None
    assert report["simulation"]["flows"] == []
    first = report["stage_one"]
    assert report["verdict"]["probability"] == max(first["probability"], first["signature_score"])
    lines = shown(report)
    assert "reverted, 100,000 gas, calls: 7" in lines
    assert "what it does –" in lines[-1]


def test_what_speaks_against_a_transaction_is_said_in_words() -> None:
    report = copy.deepcopy(inspected(robbery()))
    done = report["simulation"]
    done["block"] = 18_000_000
    done["coinbase_payment"] = str(5 * 10**16)
    done["invariants"] = [
        {
            "name": "reentrancy",
            "contract": "Vault",
            "weight": 0.9,
            "severe": False,
            "explanation": "2 ETH leave",
        }
    ]
    done["variations"] = [
        {"of": "coinbase", "harm": 0.9, "probability": None, "finished": True},
        {"of": "time", "harm": 0.0, "probability": None, "finished": False},
        {"of": "all", "harm": 0.5, "probability": 0.25, "finished": True},
    ]
    done["cut"] = True
    lines = shown(report)
    assert "✗ reentrancy of Vault: 2 ETH leave" in lines
    assert "! does more harm with another coinbase: invariants 0.900, what it does –" in lines
    assert "! comes to no end with another time" in lines
    assert "! does more harm with all of that changed: invariants 0.500, what it does 0.250" in lines
    assert "! parts of its trace are beyond the limits and were not judged" in lines
    assert "succeeded in block 18,000,000, 100,000 gas, calls: 7, 0.05 ETH to the block's builder" in lines


def test_a_trace_may_be_as_deep_as_calls_can_be() -> None:
    deep = call(ROBBER, VAULT)
    for _ in range(300):
        deep = call(SENDER, ROBBER, deep)
    report = inspected(deep)
    assert report["simulation"]["depth"] == 300
    assert max(line.count("│   ") + line.count("    ") for line in shown(report)) <= 64


def test_of_a_long_trace_the_first_calls_are_drawn() -> None:
    report = inspected(call(SENDER, ROBBER, *(call(ROBBER, VAULT) for _ in range(1000))))
    assert len(report["calls"]) == 1001
    lines = shown(report)
    assert sum("Vault 100,000 gas" in line for line in lines) == 399
    assert any("… and 601 more calls (the JSON has all)" in line for line in lines)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("none.json", "none.json: no such file, and no hash or signed bytes (0x and hexadecimal digits)"),
        ("0xnothex", "0xnothex: no such file"),
        ("words.txt", "neither a transaction's hash, nor signed bytes in hex, nor JSON"),
        ("half.json", "trace: EOF while parsing"),
        ("binary", "binary: not text"),
        ("0x" + "12" * 32, "chain.rpc_urls is empty: which node has the state?"),
    ],
)
def test_what_is_no_transaction_or_has_no_node_is_exit_code_2(
    argument: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.txt").write_text("to whom it may concern")
    (tmp_path / "half.json").write_text('{"type": "CALL"')
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert invoke(argument) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("content", ['{"a": 1}', '{"from": "0x12", "hash": "0x"}'])
def test_json_that_is_no_transaction_is_exit_code_2(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tx.json"
    file.write_text(content)
    assert invoke(str(file), *NOWHERE) == 2
    assert "error: configuration: transaction: " in capsys.readouterr().err


def test_without_the_node_it_is_exit_code_1_and_the_nodes_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("0x" + "12" * 32, *NOWHERE) == 1
    assert "eth_getTransactionByHash: http://127.0.0.1:9: " in capsys.readouterr().err
    file = tmp_path / "tx.json"
    file.write_text(json.dumps(transaction(1)))
    assert invoke(str(file), *NOWHERE) == 1
    assert "eth_getBlockByNumber: http://127.0.0.1:9: " in capsys.readouterr().err


def test_signed_bytes_of_any_length_are_no_file_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("0x02" + "f8" * 3000, *NOWHERE) == 2
    assert "signed transaction: " in capsys.readouterr().err
