"""`mempool-ids model traces`: a chain's blocks become data that `model eval` reads, whatever happens meanwhile."""

import asyncio
import gzip
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mempool_ids.cli import main
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.model.training.data import DataError
from mempool_ids.model.training.trace_file import Asked, TraceFile, chain_name
from mempool_ids.model.training.traces import load_traces
from mempool_ids.node import traces
from mempool_ids.node.blocks import Blocks
from tests.e2e.harness import COMMAND
from tests.geth import Geth
from tests.through import KEY, through, without_debug

BLOCKS, A_BLOCK = 12, 3


async def fill(node: Node) -> None:
    """Blocks 1 to 12: three transactions in each, the last of which fails."""
    async with Rpc(node.http_url) as rpc:
        accounts = await rpc.accounts()
        for _ in range(BLOCKS):
            for i in range(A_BLOCK - 1):
                await rpc.send(accounts[i], accounts[5], value=1 + i, gas=50_000)
            await rpc.send(accounts[9], None, "0xfe", gas=100_000)
            await rpc.mine()


@pytest.fixture(scope="module")
def chain(anvil_binary: Path) -> Iterator[Node]:
    with Anvil(anvil_binary, AnvilOptions(chain_id=56)) as running:
        asyncio.run(fill(running))
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "PAUSES_S", (0.0, 0.0))


def record(url: str, blocks: str, output: Path, *more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["model", "traces", "--blocks", blocks, "-o", str(output), "--node", url, *more])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def rows(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def test_what_is_recorded_is_read_and_measured(
    chain: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn", reason="measuring needs mempool-ids[train]")
    path = tmp_path / "mine.jsonl.gz"
    assert record(chain.http_url, "latest-9..latest", path) == 0
    dataset = load_traces([path])
    assert len(dataset) == 10 * A_BLOCK
    assert not dataset.labels.any()
    assert set(dataset.sources) == {"mine/bsc"}
    assert len(set(dataset.groups)) == 10
    assert list(tmp_path.iterdir()) == [path]
    failed = [row for row in rows(path) if row["trace"].get("error")]
    assert len(failed) == 10
    assert set(failed[0]) == {"label", "hash", "chain", "block", "timestamp", "source", "trace"}
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["model", "eval", "--traces", str(path), "--fpr", "0.1", "--fpr", "0.001"])
    assert ended.value.code == 0
    said = capsys.readouterr()
    told = json.loads(said.out)["as_shipped"]
    assert told["at_thresholds"][0]["false_positive_rate"] == 0
    assert told["at_thresholds"][0]["recall"] is None
    assert [point["threshold"] is None for point in told["at_chosen_fpr"]] == [False, True]
    assert "0 of 30 benign rows (" in said.err


def test_websocket_a_single_block_and_plain_text(chain: Node, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    assert record(chain.websocket_url, "3", path, "--label", "exploit") == 0
    assert [(row["block"], row["label"]) for row in rows(path)] == [(3, "exploit")] * A_BLOCK
    assert load_traces([path]).labels.all()


async def pay(node: Node) -> dict[str, Any]:
    """The receipt of one payment of 7 wei."""
    async with Rpc(node.http_url) as rpc:
        (account,) = await rpc.accounts()
        return await rpc.receipt(await rpc.send(account, account, value=7), 20)


def test_geth_tells_the_same_way(geth: Geth, tmp_path: Path) -> None:
    receipt = asyncio.run(pay(geth))
    path = tmp_path / "mine.jsonl.gz"
    assert record(geth.http_url, f"0..{int(receipt['blockNumber'], 16)}", path) == 0
    (row,) = rows(path)
    assert (row["hash"], row["chain"], row["trace"]["value"]) == (receipt["transactionHash"], "1337", "0x7")
    assert len(load_traces([path])) == 1


def test_a_finished_file_is_not_overwritten_unless_forced(
    chain: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.jsonl"
    assert record(chain.http_url, "1..2", path) == 0
    before = path.read_bytes()
    assert record(chain.http_url, "1..3", path) == 1
    assert "exists; --force replaces it" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert record(chain.http_url, "1..3", path, "--force") == 0
    assert path.read_bytes().startswith(before)
    assert len(rows(path)) == 3 * A_BLOCK


def test_an_interrupted_run_goes_on_with_the_next_block(
    chain: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, path = tmp_path / "whole" / "mine.jsonl.gz", tmp_path / "mine.jsonl.gz"
    whole.parent.mkdir()
    assert record(chain.http_url, f"1..{BLOCKS}", whole) == 0
    asked = threading.Event()

    def hang(request: dict[str, Any]) -> None:
        if request["method"].startswith("debug_") and request["params"][0] == hex(8):
            asked.set()
            time.sleep(30)

    with through(chain, hang) as url:
        arguments = ["model", "traces", "--blocks", f"1..{BLOCKS}", "-o", str(path), "--node", url]
        running = subprocess.Popen([COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
        assert asked.wait(30)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=10)
    assert running.returncode == 1
    assert "the same command goes on" in said
    assert KEY not in said
    assert not path.exists()
    # As after a kill in the middle of a write.
    with path.with_name("mine.jsonl.gz.part").open("ab") as part:
        part.write(b"\x1f\x8bhalf a block")
    seen: list[str] = []
    with through(chain, lambda request: seen.append(str(request["params"]))) as url:
        assert record(url, f"1..{BLOCKS}", path) == 0
    assert "going on at block 8" in capsys.readouterr().err
    assert not any(repr(hex(7)) in params for params in seen)
    assert path.read_bytes() == whole.read_bytes()


def test_latest_stays_what_it_was_when_the_file_was_begun(chain: Node, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"

    def gone(request: dict[str, Any]) -> int | None:
        return 400 if request["params"][:1] == [hex(5)] else None

    def further(request: dict[str, Any]) -> dict[str, Any] | None:
        return {"result": hex(BLOCKS + 9)} if request["method"] == "eth_blockNumber" else None

    back = BLOCKS - 3
    with through(chain, gone) as url:
        assert record(url, f"latest-{back}..latest", path) == 1
    with through(chain, further) as url:
        assert record(url, f"latest-{back}..latest", path) == 0
    assert sorted({row["block"] for row in rows(path)}) == list(range(3, BLOCKS + 1))


def test_another_request_does_not_go_on_with_an_unfinished_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    with TraceFile(path, Asked("eth", "benign", "1..9"), range(1, 10)) as file:
        file.append(1, 10, {"0x1": {"type": "CALL", "from": "0x" + "11" * 20, "to": "0x" + "22" * 20}})
    for asked in (
        Asked("bsc", "benign", "1..9"),
        Asked("eth", "exploit", "1..9"),
        Asked("eth", "benign", "1..5"),
    ):
        with pytest.raises(
            DataError, match=r"was begun for blocks 1\.\.9 of chain eth, labelled benign; --force"
        ):
            TraceFile(path, asked, range(1, 6))
    with TraceFile(path, Asked("eth", "benign", "1..5"), range(1, 6), force=True) as file:
        assert (file.resumed, file.missing, file.traces) == (False, range(1, 6), 0)
        with pytest.raises(DataError, match="another process writes it"):
            TraceFile(path, Asked("eth", "benign", "1..5"), range(1, 6))
    (tmp_path / "mine.jsonl.part.json").write_text("{")
    with pytest.raises(DataError, match="not the progress of an unfinished file"):
        TraceFile(path, Asked("eth", "benign", "1..5"), range(1, 6))


def test_a_partial_file_that_lost_blocks_is_refused(tmp_path: Path) -> None:
    path, asked = tmp_path / "mine.jsonl", Asked("eth", "benign", "1..9")
    with TraceFile(path, asked, range(1, 10)) as file:
        file.append(1, 10, {"0x1": {"type": "CALL", "from": "0x" + "11" * 20, "to": "0x" + "22" * 20}})
    (tmp_path / "mine.jsonl.part").write_bytes(b"")
    with pytest.raises(DataError, match="lacks blocks that it had; --force"):
        TraceFile(path, asked, range(1, 10))


def test_a_trace_that_could_not_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    good = {"type": "CALL", "from": "0x" + "11" * 20, "to": "0x" + "22" * 20}
    with TraceFile(tmp_path / "mine.jsonl", Asked("eth", "benign", "1"), range(1, 2)) as file:
        left_out = file.append(1, 10, {"0x1": good, "0x2": {**good, "type": "LEAP"}}, untraced=1)
        file.finish()
    assert list(left_out) == ["0x2"]
    assert (file.traces, file.left_out) == (1, 2)
    assert len(load_traces([tmp_path / "mine.jsonl"])) == 1


def test_a_node_without_debug_is_an_error_that_says_what_it_needs(
    chain: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with through(chain, without_debug) as url:
        assert record(url, "1..2", tmp_path / "mine.jsonl") == 1
    said = capsys.readouterr().err
    assert "debug_traceBlockByNumber: the method does not exist" in said
    assert "must serve the debug namespace" in said
    assert KEY not in said
    assert "/v3/***" in said
    # What is asked of one that has it goes on.
    assert record(chain.http_url, "1..2", tmp_path / "mine.jsonl") == 0


@pytest.mark.parametrize(
    "failure", [503, 429, {"error": {"code": -32005, "message": "limit exceeded"}}, {"error": "rate limited"}]
)
def test_a_node_that_is_busy_is_asked_again(
    chain: Node, tmp_path: Path, failure: dict[str, Any] | int, capsys: pytest.CaptureFixture[str]
) -> None:
    failed: list[str] = []

    def busy(request: dict[str, Any]) -> dict[str, Any] | int | None:
        if request["method"].startswith("debug_") and len(failed) < 2:
            failed.append(request["method"])
            return failure
        return None

    with through(chain, busy) as url:
        assert record(url, "1..2", tmp_path / "mine.jsonl") == 0
    assert len(rows(tmp_path / "mine.jsonl")) == 2 * A_BLOCK
    said = capsys.readouterr().err
    assert said.count("asking again") == 2
    assert KEY not in said


def test_what_is_no_block_is_an_error(
    chain: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def odd(request: dict[str, Any]) -> dict[str, Any] | None:
        return {"result": {"transactions": None}} if request["method"] == "eth_getBlockByNumber" else None

    with through(chain, odd) as url:
        assert record(url, "1", tmp_path / "mine.jsonl") == 1
    assert "something else than a block" in capsys.readouterr().err


def test_a_node_that_does_not_come_back_is_an_error(
    chain: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with through(chain, lambda request: 503 if request["method"].startswith("debug_") else None) as url:
        assert record(url, "1..2", tmp_path / "mine.jsonl") == 1
    assert "error: http://127.0.0.1" in capsys.readouterr().err


def test_a_block_too_large_for_one_answer_is_asked_for_one_by_one(
    chain: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: list[str] = []

    def small(request: dict[str, Any]) -> dict[str, Any] | None:
        if request["method"] == "debug_traceBlockByNumber":
            return {"error": {"code": -32008, "message": "response is too big"}}
        if request["method"] == "debug_traceTransaction":
            refused.append(request["params"][0])
            return {"error": {"code": -32000, "message": "execution timeout"}} if len(refused) == 1 else None
        return None

    with through(chain, small) as url:
        assert record(url, "1", tmp_path / "mine.jsonl") == 0
    assert len(rows(tmp_path / "mine.jsonl")) == A_BLOCK - 1
    said = capsys.readouterr().err
    assert f"{refused[0]} left out: execution timeout" in said
    assert "1 transactions left out" in said


def test_older_nodes_tell_no_hashes_and_a_reorganized_block_is_asked_for_again(
    chain: Node, tmp_path: Path
) -> None:
    times = 0

    def older(request: dict[str, Any]) -> dict[str, Any] | None:
        nonlocal times
        if request["method"] != "debug_traceBlockByNumber":
            return None
        times += 1
        if times == 1:
            return {"result": [{"txHash": "0x" + "77" * 32, "result": {"type": "CALL"}}]}
        answer = httpx2.post(chain.http_url, json=request).json()["result"]
        return {"result": [{"result": entry["result"]} for entry in answer]}

    with through(chain, older) as url:
        assert record(url, "1", tmp_path / "older.jsonl") == 0
    assert record(chain.http_url, "1", tmp_path / "newer.jsonl") == 0
    without_source = [[{**row, "source": ""} for row in rows(path)] for path in sorted(tmp_path.iterdir())]
    assert without_source[0] == without_source[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--blocks", "x..3"], "'x' is no block"),
        (["--blocks", "1..2..3"], "no range of blocks"),
        (["--blocks", "1..99"], "the chain has blocks 0 to"),
        (["--blocks", "latest-99..latest"], "the chain has blocks 0 to"),
        (["--blocks", "3..2"], "block 3 comes after block 2"),
        (["--blocks", "1", "--node", f"ftp://node/{KEY}"], "begins with http://"),
        (["--blocks", "1", "--node", KEY], "not a URL"),
        (["--blocks", "1", "-o", "nowhere/x.jsonl"], "no folder"),
        (["--blocks", "1", "--label", "maybe"], "maybe"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    chain: Node, tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    node = ["--node", chain.http_url, "-o", str(tmp_path / "x.jsonl")]
    with pytest.raises(SystemExit) as ended:
        main(["model", "traces", *node, *arguments])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert said in " ".join(err.replace("│", " ").split())
    assert KEY not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("5", 5, 5),
        ("5..7", 5, 7),
        ("1_000", 1000, 1000),
        ("latest", 2000, 2000),
        ("latest-100..latest", 1900, 2000),
        (" latest-100 .. 1_950 ", 1900, 1950),
    ],
)
def test_blocks_are_written_so(text: str, first: int, last: int) -> None:
    assert Blocks.parse(text).at(2000) == range(first, last + 1)


def test_chains_are_named_as_in_the_training_data() -> None:
    assert [chain_name(number) for number in (1, 56, 8453)] == ["eth", "bsc", "8453"]
