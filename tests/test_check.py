import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from mempool_ids.diagnostics import Finding, check_nodes, check_parts
from tests.support import VAULT, Node, running

TOKEN = "0x" + "70" * 20


async def findings(node: Node, chain_id: int = 1) -> dict[str, Finding]:
    config = IDSConfig(websocket_url=node.url, monitored_contracts=[VAULT], chain={"id": chain_id})
    return {finding.check: finding for finding in await check_nodes(config)}


async def test_a_good_node_passes_with_its_latency() -> None:
    async with running(Node()) as node:
        found = await findings(node)
    # The test's block is of 1970.
    assert {check: finding.status.value for check, finding in found.items()} == {
        "websocket": "ok",
        "chain id": "ok",
        "head": "warning",
        "pending transactions": "ok",
        "heads": "ok",
        "txpool": "ok",
        "contract": "ok",
        "invariants": "ok",
        "age of contracts": "ok",
        "simulation": "warning",  # it traces nothing
    }
    assert found["chain id"].latency_ms is not None


async def test_what_the_simulation_will_have_of_a_node_is_said(anvil_binary: Path) -> None:
    async with running(Node()) as node:
        poor = await check_nodes(IDSConfig(websocket_url=node.url))
        off = await check_nodes(IDSConfig(websocket_url=node.url, simulation={"enabled": False}))
    assert told(poor) == [
        ("warning", "eth_getBalance: nothing can be simulated (method not found)"),
        ("warning", "debug_traceCall: what a suspect reads is asked for piece by piece (method not found)"),
        (
            "warning",
            "debug_traceBlockByHash: what is known of the state is thrown away with each block (method not found)",
        ),
    ]
    assert told(off) == []
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        whole = await check_nodes(IDSConfig(websocket_url=anvil.websocket_url, chain={"id": 31337}))
        asked = {"id": 31337, "rpc_urls": [anvil.http_url]}
        apart = await check_nodes(IDSConfig(websocket_url=anvil.websocket_url, chain=asked))
    assert [status for status, _ in told(whole)] == ["ok", "ok", "ok"]
    assert told(apart) == told(whole)
    assert {finding.subject for finding in apart if finding.check == "simulation"} == {anvil.http_url}


async def test_whether_a_node_can_tell_how_old_contracts_are_is_said() -> None:
    def since(first: int) -> Callable[[list[Any]], str]:
        def code(params: list[Any]) -> str:
            block = params[1]
            if block != "latest" and int(block, 16) < first:
                raise KeyError("eth_getCode")
            return "0x6000"

        return code

    async with running(Node()) as node:
        node.answers["eth_blockNumber"] = hex(10_000)
        ages = []
        for first in (0, 9_872, 10_000):
            node.answers["eth_getCode"] = since(first)
            ages.append((await findings(node))["age of contracts"])
    assert [age.status.value for age in ages] == ["ok", "ok", "warning"]
    assert "any former block" in ages[0].detail
    assert "100 blocks" in ages[1].detail
    assert "no rule takes a contract for young" in ages[2].detail


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(each.status.value, each.detail) for each in findings if each.check == "simulation"]


async def test_hashes_only_is_a_warning_and_a_wrong_chain_or_no_code_a_failure() -> None:
    async with running(Node(chain_id=5, whole=False, code="0x")) as node:
        found = await findings(node)
    assert found["pending transactions"].status.value == "warning"
    assert found["chain id"].status.value == "failed"
    assert "chain is 5, the configuration's 1" in found["chain id"].detail
    assert found["contract"].status.value == "failed"


async def test_a_node_that_is_not_there_fails_without_its_key() -> None:
    config = IDSConfig(
        websocket_url="ws://127.0.0.1:9/v3/0123456789abcdef", chain={"rpc_urls": ["http://127.0.0.1:9"]}
    )
    found = await check_nodes(config)
    assert [finding.status.value for finding in found] == ["failed", "failed"]
    assert "0123456789abcdef" not in repr(found)


def test_parts_are_checked_one_by_one(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    config = IDSConfig(
        operational_mode="active_defense",
        detection={"rules": [str(tmp_path / "none.yaml")]},
        alerts={
            "jsonl": tmp_path / "e.jsonl",
            "webhooks": [{"url": "https://h.test/", "secret": "env:NO_SUCH_SECRET"}],
        },
        storage={"url": f"sqlite:///{tmp_path}/ids.db"},
    )
    found = {finding.check: finding.status.value for finding in check_parts(config)}
    assert found == {
        "model": "ok",
        "rules": "failed",
        "storage": "ok",
        "event log": "ok",
        "webhook secret": "failed",
        "mode": "ok",
    }


def test_a_chain_without_a_public_pool_and_a_spec_that_is_wrong_are_said(tmp_path: Path) -> None:
    def chain(**section: object) -> list[tuple[str, str]]:
        parts = check_parts(IDSConfig(chain=section, storage={"url": f"sqlite:///{tmp_path}/ids.db"}))
        return [(each.status.value, each.detail) for each in parts if each.check == "chain"]

    assert chain(id=1) == chain(id=31337) == []
    for quiet in ("Base", 8453), ("Arbitrum One", 42161):
        [(status, detail)] = chain(id=quiet[1])
        assert status == "warning"
        assert f"{quiet[0]} has no public pool" in detail
    own = tmp_path / "own.toml"
    own.write_text("id = 99\nname = 'Own'\nnative = 'OWN'\nblock_time_ms = 500\n")
    assert chain(id=99, spec=own) == [("ok", "Own: a block every 0.5 s")]
    own.write_text("id = 99\nname = 'Own'\nnative = 'OWN'\nblock_time = 500\n")
    [(status, detail)] = chain(id=99, spec=own)
    assert status == "failed"
    assert "own.toml" in detail
    assert "block_time" in detail


async def test_an_asset_without_code_is_a_failure(anvil_binary: Path) -> None:
    nobody = "0x" + "77" * 20
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            for address in (VAULT, TOKEN):
                await rpc.call("anvil_setCode", address, "0x00")
        contract = {"name": "Vault", "address": VAULT, "assets": ["native", TOKEN, nobody]}
        config = IDSConfig(websocket_url=anvil.websocket_url, contracts=[contract], chain={"id": 31337})
        found = [each for each in await check_nodes(config) if each.check == "asset"]
    assert [(each.status.value, each.subject) for each in found] == [("failed", f"Vault {nobody}")]


ABI = [
    {"type": "function", "name": name, "inputs": [], "outputs": [{"type": kind}], "stateMutability": "view"}
    for name, kind in (("totalAssets", "uint256"), ("paused", "bool"))
]


def test_a_view_that_the_abi_does_not_have_is_a_failure_that_names_the_nearest(tmp_path: Path) -> None:
    abi = tmp_path / "vault.json"
    for content in (ABI, {"abi": ABI}):
        abi.write_text(json.dumps(content))
        contract = {"name": "Vault", "address": VAULT, "abi": abi, "views": {"total_assets": "totalAsset()"}}
        config = IDSConfig(contracts=[contract], storage={"url": f"sqlite:///{tmp_path}/ids.db"})
        [found] = [each for each in check_parts(config) if each.check == "views"]
        assert found.status.value == "failed"
        assert "views.total_assets: the ABI has no view totalAsset()" in found.detail
        assert "did you mean totalAssets()?" in found.detail


async def test_a_view_that_answers_no_number_is_a_warning_and_one_that_does_is_ok() -> None:
    contract = {"name": "Vault", "address": VAULT, "views": {"total_assets": "totalAssets()"}}
    node = Node()
    told = []
    for answers in ({"eth_call": f"0x{7:064x}"}, {"eth_call": "0x"}, {}):
        node.answers = answers
        async with running(node):
            found = await check_nodes(IDSConfig(websocket_url=node.url, contracts=[contract]))
        told += [(each.status.value, each.detail) for each in found if each.check == "views"]
    assert [status for status, _ in told] == ["ok", "warning", "warning"]
    assert "total_assets = totalAssets() does not answer one number" in told[1][1]
    assert "total_assets = totalAssets() fails (method not found)" in told[2][1]


@pytest.mark.parametrize(("mode", "said"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_keystore_or_a_secret_that_others_read_is_a_warning(mode: int, said: bool, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("guardian.json", "password", "hook")]
    for file in files:
        file.write_text("x")
        file.chmod(mode)
    config = IDSConfig(
        defense={"signer": {"type": "keystore", "path": files[0], "password": f"file:{files[1]}"}},
        alerts={"webhooks": [{"url": "https://h.test/", "secret": f"file:{files[2]}"}]},
        storage={"url": f"sqlite:///{tmp_path}/ids.db"},
    )
    found = [each for each in check_parts(config) if each.check == "secret file"]
    assert [each.subject for each in found] == ([str(file) for file in files] if said else [])
    assert all(each.status.value == "warning" and "chmod 600" in each.detail for each in found)
