"""What `check` says of a defense: whether every pause would work, now and after the next fork, and for whom."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from mempool_ids.config import IDSConfig
from mempool_ids.defense.journal import Journal
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from mempool_ids.diagnostics import Finding, check_defense
from tests.defense.recorder import Recorder
from tests.defense.relay import Relay
from tests.defense.scenes import STAGES, Scene
from tests.defense.test_pauser import Managed, Module, Protected
from tests.e2e.harness import run
from tests.scenarios.stage import GWEI, Contract, path_of

STRANGER = "0x" + "5a" * 20


@pytest.fixture(scope="module")
def node(anvil_binary: Path) -> Iterator[Anvil]:
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        yield anvil


@pytest.fixture
async def rpc(node: Anvil) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        await connected.call("anvil_setBalance", (await connected.accounts())[0], hex(10**30))
        yield connected


@pytest.fixture
async def scene(rpc: Rpc) -> Scene:
    return await STAGES["price manipulation"](rpc)


class Checked:
    """Findings, by what was checked."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings

    def status(self, check: str) -> str:
        """The worst of them, and `nothing` where there is none."""
        said = [finding.status.value for finding in self.findings if finding.check == check]
        return next((one for one in ("failed", "warning", "ok") if one in said), "nothing")

    def says(self, check: str) -> str:
        return "\n".join(finding.detail for finding in self.findings if finding.check == check)


class Checker:
    def __init__(self, node: Anvil, chain_id: int, folder: Path) -> None:
        self._node, self._chain_id, self._folder = node, chain_id, folder
        self.journal = folder / "defense.db"

    def config(
        self, entry: dict[str, Any], guardian: str, mode: str = "active_defense", **defense: Any
    ) -> IDSConfig:
        section = {"shadow": True, "guardian": guardian, "journal": str(self.journal), **defense}
        return IDSConfig(
            operational_mode=mode,
            chain={"id": self._chain_id, "rpc_urls": [self._node.http_url]},
            contracts=[entry],
            defense=section,
        )

    async def __call__(self, entry: dict[str, Any], guardian: str, **more: Any) -> Checked:
        return Checked(await check_defense(self.config(entry, guardian, **more)))


@pytest.fixture
async def check(node: Anvil, rpc: Rpc, tmp_path: Path) -> Checker:
    return Checker(node, int(await rpc.call("eth_chainId"), 16), tmp_path)


def entry(contract: Contract, with_abi: bool = True, **pause: Any) -> dict[str, Any]:
    abi = {"abi": str(path_of(contract.name))} if with_abi else {}
    given = {"call": "pause()", "check": "paused()", **pause}
    set_ = {key: value for key, value in given.items() if value is not None}
    return {"name": contract.name, "address": contract.address, "pause": set_, **abi}


async def test_a_pause_that_works_is_ok_in_every_respect_and_nothing_is_sent(
    scene: Scene, node: Anvil, check: Checker
) -> None:
    config = check.config(scene.entry(), scene.guardian.address)
    async with Recorder(node.http_url) as recorder:
        chain = config.chain.model_copy(
            update={"rpc_urls": IDSConfig(chain={"rpc_urls": [recorder.http_url]}).chain.rpc_urls}
        )
        found = Checked(await check_defense(config.model_copy(update={"chain": chain})))
    assert {finding.check: finding.status.value for finding in found.findings} == dict.fromkeys(
        ("defense", "journal", "pause", "funds", "gas", "powers"), "ok"
    )
    assert "44,541 gas by the next block's rules (Osaka), 126,561 by Amsterdam's" in found.says("gas")
    assert not [name for name in recorder.methods if "send" in name.lower() or "sign" in name.lower()]
    assert not check.journal.exists()


@pytest.mark.parametrize(
    ("gas", "status", "said"),
    [
        (30_000, "failed", "pause.gas = 30,000 runs out"),
        (60_000, "warning", "pause.gas = 60,000 does today and runs out with the fork"),
        (200_000, "ok", "pause.gas = 200,000 does for both"),
    ],
)
async def test_a_fixed_gas_limit_is_tried_by_the_rules_of_now_and_of_the_fork(
    gas: int, status: str, said: str, scene: Scene, check: Checker
) -> None:
    contract = scene.entry()
    contract["pause"] = {**contract["pause"], "gas": gas}
    found = await check(contract, scene.guardian.address)
    assert found.status("gas") == status
    assert said in found.says("gas")
    assert found.status("pause") == "ok"


async def test_a_guardian_that_cannot_pause_or_pay_is_a_failure(
    scene: Scene, rpc: Rpc, check: Checker
) -> None:
    refused = await check(scene.entry(), STRANGER)
    assert refused.status("pause") == "failed"
    assert "does it have the role?" in refused.says("pause")
    await rpc.call("anvil_setBalance", scene.guardian.address, "0x0")
    poor = await check(scene.entry(), scene.guardian.address)
    assert (poor.status("pause"), poor.status("funds")) == ("ok", "failed")
    dear = await check(scene.entry(), scene.guardian.address, gas={"max_fee_gwei": 0.01})
    assert dear.status("pause") == "failed"


async def test_what_is_paused_already_is_a_warning(scene: Scene, rpc: Rpc, check: Checker) -> None:
    await scene.send(scene.signed_pause(GWEI))
    await rpc.mine()
    found = await check(scene.entry(), scene.guardian.address)
    assert (found.status("pause"), found.says("pause")) == ("warning", "it is paused already")
    assert found.status("powers") == "ok"


@pytest.mark.parametrize("with_abi", [True, False])
async def test_an_owner_as_guardian_can_do_too_much(with_abi: bool, rpc: Rpc, check: Checker) -> None:
    scene = await STAGES["takeover"](rpc)
    owner = scene.stage.deployer.address
    vault = entry(scene.contract, with_abi)
    found = await check(vault, scene.guardian.address)
    assert found.status("powers") == "ok"
    await scene.stage.send(scene.stage.deployer, scene.contract, "setGuardian(address)", owner)
    await scene.stage.settle()
    found = await check(vault, owner)
    assert found.status("powers") == "warning"
    assert "the guardian can unpause: unpause() succeeds for it" in found.says("powers")
    assert ("may call what strangers may not: setGuardian(address)" in found.says("powers")) == with_abi


async def test_who_may_set_a_flag_is_asked_to_clear_it(rpc: Rpc, check: Checker) -> None:
    it = await Protected.on(rpc, targets=1)
    target = entry(it.targets[0], False, call="setPaused(bool)", args=[True])
    found = await check(target, it.guardian.address)
    assert "setPaused(bool) with false succeeds" in found.says("powers")


async def test_what_a_pauser_stores_is_compared(rpc: Rpc, check: Checker) -> None:
    it = await Protected.on(rpc, targets=1)
    guardian = it.guardian.address
    same = await check(entry(it.targets[0], via=it.via), guardian)
    assert (same.status("pauser"), same.status("pause")) == ("ok", "ok")
    other = await check(entry(it.targets[0], via=it.via, call="setPaused(bool)", args=[True]), guardian)
    assert other.status("pauser") == "failed"
    assert "another call than the one that is configured" in other.says("pauser")
    await it.stage.send(it.owner, it.pauser, "revokeTarget(address)", it.targets[0].address)
    await it.stage.settle()
    none = await check(entry(it.targets[0], via=it.via), guardian)
    assert (none.status("pauser"), none.status("pause")) == ("failed", "failed")
    assert "stores no call" in none.says("pauser")
    no_pauser = await check(entry(it.targets[0], via=f"pauser:{it.targets[0].address}"), guardian)
    assert "does not answer as a Pauser" in no_pauser.says("pauser")


async def test_a_safes_module_needs_a_check_and_can_do_much(rpc: Rpc, check: Checker) -> None:
    it = await Module.on(rpc)
    via = f"safe_module:{it.safe.address}"
    found = await check(entry(it.vault, via=via), it.guardian.address)
    assert (found.status("pause"), found.status("via")) == ("ok", "nothing")
    # The Safe deployed nothing: the vault's owner is somebody else.
    assert found.status("powers") == "ok"
    blind = await check(entry(it.vault, via=via, check=None), it.guardian.address)
    assert blind.status("via") == "warning"
    await it.stage.send(it.stage.deployer, it.vault, "setGuardian(address)", STRANGER)
    await it.stage.settle()
    for pause in ({}, {"check": None}):
        lost = await check(entry(it.vault, via=via, **pause), it.guardian.address)
        assert "the Safe answers that the call inside fails" in lost.says("pause")


async def test_a_manager_that_closes_can_open(rpc: Rpc, check: Checker) -> None:
    it = await Managed.on(rpc, admin=True)
    closing = entry(it.vault, False, via=it.via, call="setTargetClosed(address,bool)", check=None)
    found = await check(closing, it.guardian.address)
    assert found.status("pause") == "ok"
    assert "setTargetClosed(address,bool) with false succeeds" in found.says("powers")
    narrow = await Managed.on(rpc, admin=False)
    found = await check(entry(narrow.vault, via=narrow.via), narrow.guardian.address)
    assert (found.status("pause"), found.status("powers")) == ("ok", "ok")


async def test_a_journal_that_others_read_or_of_another_chain_is_a_failure(
    scene: Scene, check: Checker
) -> None:
    guardian = scene.guardian.address
    journal = Journal(check.journal, chain_id=scene.stage.chain_id, guardian=guardian)
    in_use = await check(scene.entry(), guardian)
    journal.close()
    free = await check(scene.entry(), guardian)
    check.journal.chmod(0o644)
    open_ = await check(scene.entry(), guardian)
    check.journal.chmod(0o600)
    again = Journal(check.journal, chain_id=scene.stage.chain_id, guardian=guardian)
    again.close()
    assert (in_use.status("journal"), free.status("journal"), open_.status("journal")) == (
        "ok",
        "ok",
        "failed",
    )
    assert f"a sensor uses it (process {os.getpid()})" in in_use.says("journal")
    assert "no sensor uses it now" in free.says("journal")
    assert "chmod 600" in open_.says("journal")
    other = check.config(scene.entry(), guardian)
    chain = other.chain.model_copy(update={"id": 5})
    wrong = Checked(await check_defense(other.model_copy(update={"chain": chain})))
    assert "it is of chain 31337, not 5" in wrong.says("journal")


@pytest.mark.parametrize("public", [True, False])
async def test_builders_that_do_not_answer_matter_where_there_is_no_other_way(
    public: bool, scene: Scene, check: Checker, tmp_path: Path
) -> None:
    async with Relay("titan") as relay:
        file = tmp_path / "builders.toml"
        file.write_text(
            f'[[builders]]\nname = "here"\nurl = "{relay.url}"\nchains = [31337]\nsignature = "ignored"\n'
        )
        broadcast = {"public": public, "builders": ["here"], "builders_file": str(file)}
        there = await check(scene.entry(), scene.guardian.address, broadcast=broadcast)
    gone = await check(scene.entry(), scene.guardian.address, broadcast=broadcast)
    assert there.status("builder") == "ok"
    assert gone.status("builder") == ("warning" if public else "failed")
    assert "cannot connect" in gone.says("builder")
    unknown = await check(scene.entry(), scene.guardian.address, broadcast={"builders": ["nobody"]})
    assert unknown.status("builders") == "failed"


async def test_who_is_to_pause_and_whether_it_may_is_said(
    scene: Scene, check: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMPOOL_IDS_TEST_GUARDIAN", scene.guardian.key.key.hex())
    key = {"type": "environment", "key": "env:MEMPOOL_IDS_TEST_GUARDIAN"}
    guardian = scene.guardian.address
    both = await check(scene.entry(), guardian, shadow=False, armed=True, signer=key, backup=key)
    assert (both.status("defense"), both.status("signer"), both.status("backup")) == ("ok", "ok", "failed")
    assert "the same key" in both.says("backup")
    assert scene.guardian.key.key.hex() not in repr(both.findings)
    for changes, status, said in (
        ({"mode": "alert_only"}, "warning", "operational_mode is alert_only: nothing is paused"),
        ({"shadow": False}, "failed", "neither armed nor shadow"),
        ({"shadow": False, "armed": True}, "failed", "armed without defense.signer"),
    ):
        found = await check(scene.entry(), guardian, **changes)
        assert found.status("defense") == status
        assert said in found.says("defense")
    other = await check(scene.entry(), STRANGER, signer=key)
    assert other.status("guardian") == "warning"
    lost = await check(scene.entry(), guardian, signer={"type": "environment", "key": "env:NO_SUCH_KEY"})
    assert (lost.status("signer"), lost.status("guardian")) == ("failed", "nothing")


async def test_the_command_fails_where_a_pause_would(scene: Scene, node: Anvil, tmp_path: Path) -> None:
    given = {
        "chain.id": scene.stage.chain_id,
        "chain.websocket_urls": node.websocket_url,
        "chain.rpc_urls": node.http_url,
        "contracts": json.dumps([scene.entry()]),
        "operational_mode": "active_defense",
        "defense.shadow": True,
    }
    flags = [flag for key, value in given.items() for flag in ("--set", f"{key}={value}")]
    for guardian, code in ((scene.guardian.address, 0), (STRANGER, 1)):
        asked = [*flags, "--set", f"defense.guardian={guardian}", "--json"]
        done = await asyncio.to_thread(run, "check", *asked, cwd=tmp_path)
        assert done.returncode == code, done.stdout + done.stderr
        failed = {one["check"] for one in json.loads(done.stdout) if one["status"] == "failed"}
        assert failed == ({"pause"} if code else set())


@pytest.mark.parametrize(("seconds", "status"), [(0, "nothing"), (8, "ok"), (60, "warning")])
async def test_a_question_longer_than_a_block_is_a_warning(
    seconds: float, status: str, scene: Scene, check: Checker
) -> None:
    confirm = {"seconds": seconds, "default": "act"}
    found = await check(scene.entry("Fund"), scene.guardian.address, confirm=confirm)
    assert found.status("confirm") == status


async def test_the_example_of_the_documentation_passes_once_it_names_real_things(
    scene: Scene, node: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An armed configuration as it is printed, but for the chain, the contract, the guardian and the builders."""
    example = await asyncio.to_thread(run, "docs", "armed", cwd=tmp_path)
    (tmp_path / "ids.toml").write_text(example.stdout)
    (tmp_path / "vault.abi.json").write_bytes(path_of(scene.contract.name).read_bytes())
    keystore = tmp_path / "guardian.json"
    keystore.write_text(json.dumps(Account.encrypt(scene.guardian.key.key, "swordfish", iterations=2)))
    keystore.chmod(0o600)
    monkeypatch.setenv("GUARDIAN_PASSWORD", "swordfish")
    given = {
        "chain.id": scene.stage.chain_id,
        "chain.websocket_urls": node.websocket_url,
        "chain.rpc_urls": node.http_url,
        "contracts.0.address": scene.contract.address,
        "contracts.0.assets": json.dumps(scene.victim.assets),
        "defense.broadcast.builders": "[]",
    }
    flags = [flag for key, value in given.items() for flag in ("--set", f"{key}={value}")]
    done = await asyncio.to_thread(run, "check", "--json", *flags, cwd=tmp_path)
    told = [one for one in json.loads(done.stdout) if one["status"] != "ok"]
    assert done.returncode == 0, told
    assert [(one["check"], one["detail"]) for one in told] == []
