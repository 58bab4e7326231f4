"""What contracts answer of themselves is proposed for their entries, on a real node."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from mempool_ids._core import INVARIANT_NAMES
from mempool_ids.config import Contract, IDSConfig, Url
from mempool_ids.config.speaking import silent, speaking
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from mempool_ids.diagnostics import Finding
from mempool_ids.diagnostics.coverage import check_coverage
from mempool_ids.diagnostics.suggestions import Suggestion, suggest
from mempool_ids.node import HttpClient
from tests.e2e.harness import run
from tests.scenarios.stage import Contract as Deployed
from tests.scenarios.stage import Stage

ADMIN_SLOT = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"


@pytest.fixture(scope="module")
def anvil(anvil_binary: Path) -> Iterator[Anvil]:
    with Anvil(anvil_binary, AnvilOptions()) as node:
        yield node


def entry(deployed: Deployed, **more: object) -> Contract:
    return Contract.model_validate({"name": deployed.name, "address": deployed.address, **more})


async def asked(anvil: Anvil, contract: Contract) -> Suggestion:
    async with HttpClient(Url(anvil.http_url)) as node:
        return await suggest(node, contract)


async def checked(anvil: Anvil, contract: Contract) -> Finding:
    async with HttpClient(Url(anvil.http_url)) as node:
        return await check_coverage(node, contract)


async def test_shares_pairs_owners_and_proxies_say_what_they_are(anvil: Anvil) -> None:
    async with Rpc(anvil.http_url) as rpc:
        stage = await Stage.on(rpc, people=0)
        token, other = await stage.token(1_000), await stage.token(1_000)
        shares = await stage.deploy("ShareVault", token.address)
        pair = await stage.deploy("Pair", token.address, other.address)
        vault = await stage.deploy("Vault", stage.deployer.address)
        proxied = await stage.deploy("UpgradeableVault")
        await stage.settle()
        owner = "0x" + vault.address[2:].rjust(64, "0")
        await rpc.call("anvil_setStorageAt", proxied.address, ADMIN_SLOT, owner)
    found = await asked(anvil, entry(shares))
    assert found.assets == {token.address: "asset()"}
    assert found.views == {
        "share_price": "sharePrice()",
        "total_assets": "totalAssets()",
        "total_supply": "totalSupply()",
    }
    assert not found.admins
    assert (await asked(anvil, entry(pair))).assets == {
        token.address: "token0()",
        other.address: "token1()",
    }
    assert (await asked(anvil, entry(vault))).admins == {stage.deployer.address: "owner()"}
    assert (await asked(anvil, entry(proxied))).admins == {
        vault.address: "EIP-1967's admin",
        stage.deployer.address: "owner() of EIP-1967's admin",
    }
    assert not await asked(anvil, entry(token)), "a mere supply says nothing that is checked"


async def test_what_is_printed_can_be_used_and_leaves_nothing_to_say(anvil: Anvil, tmp_path: Path) -> None:
    async with Rpc(anvil.http_url) as rpc:
        stage = await Stage.on(rpc, people=0)
        token = await stage.token(1_000)
        shares = await stage.deploy("ShareVault", token.address)
        await stage.settle()
    config = tmp_path / "ids.toml"
    own = f'[[contracts]]\nname = "Shares"\naddress = "{shares.address}"\nassets = ["native"]\n'
    node = (
        f'[chain]\nid = 31337\nrpc_urls = ["{anvil.http_url}"]\nwebsocket_urls = ["{anvil.websocket_url}"]\n'
    )
    config.write_text(node + own)
    done = run("check", "-c", "ids.toml", "--suggest", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    [contract] = IDSConfig(**tomllib.loads(done.stdout)).contracts
    assert contract.assets == ("native", token.address)
    assert list(silent(contract)) == [("takeover as proof", "admins")]
    config.write_text(node + done.stdout)
    again = run("check", "-c", "ids.toml", "--suggest", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing to suggest for 1 contracts" in again.stderr


async def test_check_warns_of_what_is_silent_only_where_the_chain_would_speak(anvil: Anvil) -> None:
    async with Rpc(anvil.http_url) as rpc:
        stage = await Stage.on(rpc, people=0)
        vault = await stage.deploy("Vault", stage.deployer.address)
        await stage.settle()
    contract = entry(vault)
    found = await checked(anvil, contract)
    assert found.status.value == "warning"
    every = len(INVARIANT_NAMES)
    assert found.detail.startswith(f"{every - 1} of {every} can speak; silent: solvency (views.share_price")
    assert f"admins {stage.deployer.address} (owner())" in found.detail
    told = entry(vault, admins=[stage.deployer.address], invariants={"disabled": ["solvency", "donation"]})
    found = await checked(anvil, told)
    said = f"{every - 2} of {every} can speak; silent: solvency (disabled); donation (disabled)"
    assert (found.status.value, found.detail) == ("ok", said)


def test_the_checks_that_may_speak_are_those_that_are_documented() -> None:
    text = files("mempool_ids").joinpath("docs/invariants.md").read_text("utf-8")
    table = text.partition("## The checks")[2].partition("###")[0]
    documented = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(documented) == sorted(INVARIANT_NAMES)


def test_what_is_not_configured_is_silent_and_what_is_disabled_does_not_speak() -> None:
    named = {"name": "Vault", "address": "0x" + "11" * 20}
    bare = Contract(**named)
    # The last as proof alone.
    assert [name for name, _ in silent(bare)] == ["solvency", "takeover as proof"]
    assert speaking(bare) == len(INVARIANT_NAMES) - 1
    views = {"share_price": "price()", "total_supply": "totalSupply()"}
    whole = Contract(**named, admins=["0x" + "22" * 20], views=views)
    assert (list(silent(whole)), speaking(whole)) == ([], len(INVARIANT_NAMES))
    off = Contract(**named, invariants={"disabled": ["outflow", "donation"]})
    assert speaking(off) == len(INVARIANT_NAMES) - 3
