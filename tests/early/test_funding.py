"""`mempool-ids funding`: what accounts had of services is read from a node's blocks, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mempool_ids import ConfigError, FundingTracker, IDSConfig, MempoolIdsError, _core
from mempool_ids.cli import main
from mempool_ids.config import funding_config
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.early.backfill import without
from mempool_ids.node import traces
from mempool_ids.records.deployment import Funding
from tests.e2e.harness import COMMAND
from tests.early.mixer import ETHER, HEADER, POOL, Mixed, creation, fresh, mix, pays
from tests.geth import Geth
from tests.through import KEY, through, without_debug


@pytest.fixture(scope="module")
def chain(anvil_binary: Path) -> Iterator[Node]:
    with Anvil(anvil_binary, AnvilOptions()) as running:
        yield running


@pytest.fixture(scope="module")
def mixed(chain: Node) -> Mixed:
    return asyncio.run(mix(chain))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "PAUSES_S", (0.0, 0.0))


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["funding", *map(str, arguments)])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def backfill(url: str, config: Path, *more: object) -> int:
    return run("backfill", "--node", url, "-c", config, *more)


def known(config: Path, address: str) -> list[tuple[str, int, str, int]]:
    with FundingTracker(IDSConfig.from_toml(config)) as tracker:
        return [(one.service, one.hops, one.grade, one.amount) for one in tracker.funding_of(address)]


def test_who_was_paid_by_services_is_known_two_accounts_far(
    chain: Node, mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = mixed.config(tmp_path)
    assert backfill(chain.http_url, config) == 0
    said = capsys.readouterr().err
    assert f"reading {mixed.blocks + 1} blocks, 0 to {mixed.blocks}" in said
    assert "without traces" not in said
    # The mixer pays from within: only traces tell.
    assert known(config, mixed.customer) == [("Mixer", 1, "high", 5 * ETHER)]
    assert known(config, mixed.swapped) == [("Swap", 1, "medium", ETHER)]
    assert known(config, mixed.friend) == [("Mixer", 2, "medium", 2 * ETHER)]
    for nobody in (mixed.relayer, mixed.stranger, mixed.mixer, fresh(3)):
        assert known(config, nobody) == []


def test_the_tracker_tells_all_that_is_known(chain: Node, mixed: Mixed, tmp_path: Path) -> None:
    config = mixed.config(tmp_path)
    assert backfill(chain.http_url, config) == 0
    with FundingTracker(IDSConfig.from_toml(config)) as tracker:
        (one,) = tracker.funding_of(mixed.friend)
        assert isinstance(one, Funding)
        assert (one.source.lower(), str(one.via).lower()) == (mixed.mixer, mixed.customer)
        assert (one.token, one.block, len(one.tx)) == (None, 4, 66)
        assert abs((datetime.now(UTC) - one.timestamp).total_seconds()) < 3600
        assert tracker.funding_of(mixed.friend, one.timestamp) == (one,)
        assert tracker.funding_of(mixed.friend, int(one.timestamp.timestamp()) - 1) == ()
        # The window of two days is over.
        assert tracker.funding_of(mixed.friend, int(one.timestamp.timestamp()) + 48 * 3600 + 1) == ()
        state = tracker.state()
        assert (state.blocks, state.records, state.sources) == (((0, mixed.blocks),), 3, 2)
        with pytest.raises(ValueError, match="checksum"):
            tracker.funding_of("0xB2698C2D99aD2c302a95A8DB26B08D17a77ceDD4")
        with pytest.raises(ValueError, match="zone"):
            tracker.funding_of(mixed.friend, datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(MempoolIdsError, match="closed"):
        tracker.funding_of(mixed.friend)


def test_show_prints_what_is_known_for_people_and_programs(
    chain: Node, mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = mixed.config(tmp_path)
    assert backfill(chain.http_url, config) == 0
    table = tmp_path / "mine.csv"
    table.write_text(f"address,role,incident\n{mixed.friend},attacker,Euler\n")
    with pytest.raises(SystemExit):
        main(["labels", "update", str(table), "-c", str(config)])
    capsys.readouterr()
    assert run("show", mixed.friend, "-c", config) == 0
    told = capsys.readouterr()
    assert "attacker, by own (confidence 0.9): incident Euler" in told.out
    assert "Mixer" in told.out
    assert f"known: blocks 0 to {mixed.blocks}" in told.err
    assert run("show", mixed.friend, "-c", config, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["service"], one["amount"]) for one in found["funding"]] == [("Mixer", str(2 * ETHER))]
    assert found["labels"][0]["metadata"] == {"incident": "Euler"}
    assert run("show", mixed.stranger, "-c", config) == 0
    assert "no money of a service" in capsys.readouterr().out
    assert run("show", "0x12", "-c", config) == 2


def test_a_second_run_reads_what_is_missing_and_no_more(
    chain: Node, mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = mixed.config(tmp_path)
    assert backfill(chain.http_url, config, "--blocks", "0..2") == 0
    capsys.readouterr()
    assert backfill(chain.http_url, config) == 0
    assert f"blocks, 3 to {mixed.blocks}" in capsys.readouterr().err
    assert known(config, mixed.friend) == [("Mixer", 2, "medium", 2 * ETHER)]
    assert backfill(chain.http_url, config) == 0
    assert "has these blocks" in capsys.readouterr().err


def test_earlier_blocks_than_the_last_are_read_anew_or_not_at_all(
    chain: Node, mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = mixed.config(tmp_path)
    assert backfill(chain.http_url, config, "--blocks", f"4..{mixed.blocks}") == 0
    # That the money was a mixer's could not be known.
    assert known(config, mixed.friend) == []
    assert backfill(chain.http_url, config) == 2
    assert "--anew" in capsys.readouterr().err
    assert backfill(chain.http_url, config, "--blocks", "0..3", "--anew") == 0
    assert f"blocks, 0 to {mixed.blocks}" in capsys.readouterr().err
    assert known(config, mixed.friend) == [("Mixer", 2, "medium", 2 * ETHER)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_where_it_ended(
    chain: Node, mixed: Mixed, tmp_path: Path, how: signal.Signals
) -> None:
    config = mixed.config(tmp_path)
    reached, go_on = threading.Event(), threading.Event()

    def stalls(request: dict[str, Any]) -> None:
        if request["method"] == "eth_getBlockByNumber" and request["params"] == ["0x3", False]:
            reached.set()
            go_on.wait(30)

    with through(chain, stalls) as url:
        command = [COMMAND, "funding", "backfill", "--node", url, "-c", config, "--blocks", "0..latest"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert reached.wait(30)
        process.send_signal(how)
        go_on.set()
        _, said = process.communicate(timeout=30)
    killed = how is signal.SIGKILL
    assert process.returncode == (-signal.SIGKILL if killed else 1)
    assert killed or "goes on where this ended" in said
    with FundingTracker(IDSConfig.from_toml(config)) as tracker:
        assert tracker.state().blocks == ((0, 2),)
    assert backfill(chain.http_url, config) == 0
    assert known(config, mixed.friend) == [("Mixer", 2, "medium", 2 * ETHER)]


def test_without_traces_what_transactions_send_is_known_and_it_is_said(
    chain: Node, mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = mixed.config(tmp_path)
    with through(chain, without_debug) as url:
        assert backfill(url, config) == 0
    said = capsys.readouterr().err
    assert "no traces before block" in said
    assert f"{mixed.blocks + 1} of them without traces" in said
    assert known(config, mixed.swapped) == [("Swap", 1, "medium", ETHER)]
    assert known(config, mixed.customer) == []


def test_blocks_that_the_node_has_no_state_of_any_more_are_read_without_traces(
    chain: Node, mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def pruned(request: dict[str, Any]) -> dict[str, Any] | None:
        old = request["method"] == "debug_traceBlockByNumber" and int(request["params"][0], 16) < 3
        return {"error": {"code": -32000, "message": "historical state is not available"}} if old else None

    config = mixed.config(tmp_path)
    with through(chain, pruned) as url:
        assert backfill(url, config) == 0
    assert "no traces before block 3:" in capsys.readouterr().err
    assert known(config, mixed.customer) == []
    assert known(config, mixed.swapped) == [("Swap", 1, "medium", ETHER)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"result": "what?"},
        {"result": [{"transactionHash": "0x1"}]},
        {"result": [{"transactionHash": 7, "logs": 3}]},
        {"result": None},
    ],
)
def test_receipts_that_are_none_are_told_and_nothing_is_taken_in(
    chain: Node, mixed: Mixed, tmp_path: Path, wrong: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def liar(request: dict[str, Any]) -> dict[str, Any] | None:
        return wrong if request["method"] == "eth_getBlockReceipts" else without_debug(request)

    with through(chain, liar) as url:
        assert backfill(url, mixed.config(tmp_path)) == 1
    said = capsys.readouterr().err
    assert "eth_getBlockReceipts" in said
    assert KEY not in said


def test_wrapped_ether_that_is_only_logged_counts(anvil_binary: Path, tmp_path: Path) -> None:
    # Logs Transfer(caller, address in the calldata, 1 ether).
    topic = _core.keccak256(b"Transfer(address,address,uint256)").hex()
    runtime = f"670de0b6b3a76400005f525f35337f{topic}60205fa300"

    async def log(node: Node) -> tuple[str, str]:
        async with Rpc(node.http_url) as rpc:
            owner, swap, *_ = await rpc.accounts()
            created = await rpc.send(owner, None, creation(runtime))
            await rpc.mine()
            token = str((await rpc.receipt(created, 20))["contractAddress"]).lower()
            sent = await rpc.send(swap, token, pays(fresh(5)))
            await rpc.mine()
            assert len((await rpc.receipt(sent, 20))["logs"]) == 1
            return token, swap

    with Anvil(anvil_binary, AnvilOptions()) as node:
        token, swap = asyncio.run(log(node))
        (tmp_path / "sources.csv").write_text(f"{HEADER}31337,{swap},Swap,medium,\n")
        config = tmp_path / "ids.toml"
        early = f'[early]\nsources = "sources.csv"\nwrapped_native = "{token}"\n'
        config.write_text("[chain]\nid = 31337\n" + early)
        with through(node, without_debug) as url:
            assert backfill(url, config) == 0
    with FundingTracker(IDSConfig.from_toml(config)) as tracker:
        (one,) = tracker.funding_of(fresh(5))
    assert (one.amount, str(one.token).lower()) == (ETHER, token)


@pytest.mark.parametrize("traced", [True, False])
def test_a_withdrawal_from_tornado_cash_is_seen_with_traces_and_without(
    anvil_binary: Path, tmp_path: Path, traced: bool
) -> None:
    async def withdraw(node: Node) -> str:
        async with Rpc(node.http_url) as rpc:
            owner, relayer, *_ = await rpc.accounts()
            created = await rpc.send(owner, None, POOL, value=ETHER)
            await rpc.mine()
            pool = str((await rpc.receipt(created, 20))["contractAddress"]).lower()
            sent = await rpc.send(relayer, pool, pays(fresh(6)))
            await rpc.mine()
            assert (await rpc.receipt(sent, 20))["status"] == "0x1"
            return pool

    with Anvil(anvil_binary, AnvilOptions()) as node:
        pool = asyncio.run(withdraw(node))
        rows = f"31337,{pool},TornadoCash,high,4320\n31337,{fresh(7)},Swap,medium,\n"
        (tmp_path / "sources.csv").write_text(HEADER + rows)
        config = tmp_path / "ids.toml"
        config.write_text('[chain]\nid = 31337\n[early]\nsources = "sources.csv"\n')
        with through(node, lambda request: None if traced else without_debug(request)) as url:
            assert backfill(url, config) == 0
    assert known(config, fresh(6)) == [("TornadoCash", 1, "high", ETHER)]


def test_geth_tells_the_same_way(geth: Geth, tmp_path: Path) -> None:
    async def pay(node: Node) -> tuple[str, int]:
        async with Rpc(node.http_url) as rpc:
            (account,) = await rpc.accounts()
            receipt = await rpc.receipt(await rpc.send(account, fresh(1), value=ETHER), 20)
            return account, int(receipt["blockNumber"], 16)

    account, block = asyncio.run(pay(geth))
    (tmp_path / "sources.csv").write_text(f"{HEADER}1337,{account},Swap,medium,\n")
    config = tmp_path / "ids.toml"
    config.write_text('[chain]\nid = 1337\n[early]\nsources = "sources.csv"\n')
    assert backfill(geth.http_url, config, "--blocks", f"0..{block}") == 0
    assert known(config, fresh(1)) == [("Swap", 1, "medium", ETHER)]


def test_one_process_writes_and_others_look_in(chain: Node, mixed: Mixed, tmp_path: Path) -> None:
    config = mixed.config(tmp_path)
    assert backfill(chain.http_url, config) == 0
    writer = _core.FundingIndex(funding_config(IDSConfig.from_toml(config)), write=True)
    assert backfill(chain.http_url, config) == 1
    assert known(config, mixed.swapped) == [("Swap", 1, "medium", ETHER)]
    writer.close()
    assert backfill(chain.http_url, config) == 0


def test_a_damaged_index_is_put_aside_said_and_made_anew(
    chain: Node, mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = mixed.config(tmp_path)
    (tmp_path / "funding.db").write_bytes(b"\0" * 5000)
    with pytest.raises(MempoolIdsError):
        FundingTracker(IDSConfig.from_toml(config))
    assert backfill(chain.http_url, config) == 0
    assert "was damaged" in capsys.readouterr().err
    assert (tmp_path / "funding.db.damaged").read_bytes() == b"\0" * 5000
    assert known(config, mixed.swapped) == [("Swap", 1, "medium", ETHER)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["--set", "chain.id=1"], "chain 31337, not on 1"),
        (["--blocks", "5..2"], "comes after"),
        (["--blocks", "0..100000"], "the chain has blocks"),
        (
            ["--set", "early.windows.Mixr=3"],
            "early.windows.Mixr: no such service on this chain; there are: Mixer, Swap",
        ),
        (["--set", "early.windws.Mixer=3"], "did you mean early.windows?"),
        (["--set", "early.sources=nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_read(
    chain: Node,
    mixed: Mixed,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: list[str],
    said: str,
) -> None:
    assert backfill(chain.http_url, mixed.config(tmp_path), *changes) in (1, 2)
    assert said in capsys.readouterr().err


def test_without_services_there_is_nothing_to_look_for(chain: Node, mixed: Mixed, tmp_path: Path) -> None:
    config = tmp_path / "ids.toml"
    config.write_text(f"[chain]\nid = {mixed.chain_id}\n")
    assert backfill(chain.http_url, config) == 2
    with pytest.raises(ConfigError, match="funding backfill"):
        FundingTracker(IDSConfig(early={"funding": tmp_path / "none.db"}))


def test_windows_and_the_least_amount_are_configured(chain: Node, mixed: Mixed, tmp_path: Path) -> None:
    config = mixed.config(tmp_path, least=1.5)
    assert backfill(chain.http_url, config, "--set", "early.windows.Mixer=1") == 0
    assert known(config, mixed.swapped) == []
    assert known(config, mixed.customer) == [("Mixer", 1, "high", 5 * ETHER)]


def test_the_first_missing_block_is_the_first_that_no_range_has() -> None:
    assert without(range(10), []) == range(10)
    assert without(range(2, 10), [(0, 4)]) == range(5, 10)
    assert without(range(2, 10), [(0, 4), (5, 7)]) == range(8, 10)
    assert without(range(2, 10), [(0, 4), (6, 20)]) == range(5, 10)
    assert list(without(range(2, 10), [(0, 20)])) == []
    assert without(range(2, 10), [(5, 7)]) == range(2, 10)
