"""A fire drill tells beforehand what would happen, and does nothing of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import IDSConfig, load
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.drill import drill as drill_here
from mempool_ids.defense.drill.blanks import Fired, Ground, fire
from mempool_ids.defense.guardian import Guardian
from mempool_ids.defense.journal import Journal
from mempool_ids.defense.protected import protected
from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.rpc import Rpc
from mempool_ids.exceptions import ConfigError
from tests.defense.journal_samples import Life, action, rung
from tests.defense.recorder import Recorder
from tests.defense.scenes import STAGES, Scene
from tests.defense.test_policy import ALERT, CONTRACTS
from tests.e2e.harness import run
from tests.geth import Geth

KINDS = pytest.mark.parametrize("kind", STAGES)
STRANGER = "0x" + "5a" * 20
PAUSED = ("pause simulated", "policy", "bid", "rung")

Report = dict[str, Any]


def settings(scene: Scene, url: str, **changes: Any) -> list[str]:
    """As `key=value`; dots in names are `__`, and None leaves one out."""
    given = {
        "chain__id": scene.stage.chain_id,
        "chain__rpc_urls": url,
        "contracts": json.dumps([scene.entry()]),
        "operational_mode": "active_defense",
        "defense__shadow": True,
        "defense__guardian": scene.guardian.address,
        **changes,
    }
    set_ = {name.replace("__", "."): value for name, value in given.items() if value is not None}
    return [f"{name}={value}" for name, value in set_.items()]


def flags(scene: Scene, url: str, **changes: Any) -> list[str]:
    """Of the command line."""
    return [flag for setting in settings(scene, url, **changes) for flag in ("--set", setting)]


async def drill(folder: Path, *arguments: str, code: int) -> Report:
    """What it prints for machines."""
    done = await asyncio.to_thread(run, "drill", *arguments, "--json", cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def steps(*timelines: list[Mapping[str, Any]]) -> list[str]:
    return [moment["step"] for timeline in timelines for moment in timeline]


@KINDS
async def test_a_pending_attack_is_answered_in_memory_alone(
    kind: str, node: Anvil, rpc: Rpc, tmp_path: Path
) -> None:
    scene = await STAGES[kind](rpc)
    attack = await scene.attack(2 * GWEI)
    done = await drill(tmp_path, "--attack", attack.tx_hash, *flags(scene, node.http_url), code=0)
    assert done["would_be_paused"]
    assert done["attack"]["tx"]["hash"] == attack.tx_hash
    assert done["attack"]["grade"] == "proved"
    assert {victim["contract"] for victim in done["attack"]["victims"]} == {kind}
    (one,) = done["contracts"]
    assert one["verdict"] == done["verdict"]
    assert one["verdict"].startswith("would be paused: its simulation proves that " + kind)
    assert steps(done["timeline"], one["timeline"]) == [
        "state read",
        "attack simulated",
        "pause simulated",
        "attack after it",
        "policy",
        "bid",
        "rung",
    ]
    assert all(moment["took_us"] > 0 and moment["is_fine"] for moment in one["timeline"])
    assert one["timeline"][1]["detail"] == "reverted; nobody is harmed (0% of the harm is left)"
    choice = one["choice"]
    assert choice["guardian"] == scene.guardian.address
    assert choice["nonce"] == 0
    assert int(choice["tip_wei"]) > 2 * GWEI
    # anvil orders by fee caps: it must be above the attack's, too.
    assert int(choice["max_fee_wei"]) > attack.max_fee
    assert int(choice["likely_cost_wei"]) < int(choice["worst_cost_wei"]) <= ETHER // 2
    assert int(choice["worst_cost_wei"]) == choice["gas_limit"] * int(choice["max_fee_wei"])
    # It is all as it was.
    assert not await scene.is_paused()
    assert int(await rpc.call("eth_getTransactionCount", scene.guardian.address, "pending"), 16) == 0
    await rpc.mine()
    assert await scene.harmed()


@KINDS
async def test_where_tips_decide_the_lowest_rung_is_chosen_that_reaches_the_bid(
    kind: str, geth: Geth, tmp_path: Path
) -> None:
    async with Rpc(geth.http_url) as rpc:
        scene = await STAGES[kind](rpc)
        attack = await scene.attack(2 * GWEI, send=False)
        config = load(None, settings(scene, geth.http_url, defense__journal=tmp_path / "defense.db"))
        done = await drill_here(config, kind, "0x" + attack.raw.hex())
    assert done.would_be_paused, done.verdict
    (one,) = done.contracts
    assert one.choice is not None
    assert one.wanted_tip_wei is not None
    assert 2 * GWEI < one.wanted_tip_wei <= one.choice.tip_wei < 2 * one.wanted_tip_wei


async def test_a_mined_attack_is_drilled_on_what_was_before_it(
    scene: Scene, node: Anvil, rpc: Rpc, tmp_path: Path
) -> None:
    attack = await scene.attack(2 * GWEI)
    await rpc.mine()
    mined = await rpc.receipt(attack.tx_hash, 10)
    done = await drill(tmp_path, "--attack", attack.tx_hash, *flags(scene, node.http_url), code=0)
    assert done["block"] == done["attack"]["block"] == int(mined["blockNumber"], 16)
    assert done["attack"]["victims"][0]["amount"] == str(30 * ETHER)
    assert done["contracts"][0]["timeline"][1]["detail"].startswith("reverted")


@pytest.mark.parametrize("armed", [False, True])
async def test_nothing_is_signed_written_or_sent(
    armed: bool, scene: Scene, node: Anvil, rpc: Rpc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMPOOL_IDS_TEST_GUARDIAN", scene.guardian.key.key.hex())
    attack = await scene.attack(2 * GWEI, send=False)
    journal = tmp_path / "journal" / "defense.db"
    changes = {
        "defense__armed": armed,
        "defense__shadow": not armed,
        "defense__guardian": None,
        "defense__signer": json.dumps({"type": "environment", "key": "env:MEMPOOL_IDS_TEST_GUARDIAN"}),
        "defense__journal": journal,
    }
    async with Recorder(node.http_url) as recorder:
        given = flags(scene, recorder.http_url, **changes)
        await drill(tmp_path, *given, code=0)
        done = await drill(tmp_path, "--attack", "0x" + attack.raw.hex(), *given, code=0)
    assert done["guardians"][0]["address"] == scene.guardian.address
    assert {"eth_getBalance", "eth_getTransactionCount", "debug_traceCall"} <= recorder.methods
    assert not [name for name in recorder.methods if "send" in name.lower() or "sign" in name.lower()]
    assert not recorder.says(scene.guardian.key.key.hex())
    assert not journal.parent.exists()
    pool = await rpc.call("txpool_status")
    assert pool == {"pending": "0x0", "queued": "0x0"}


async def test_a_signer_is_not_opened_where_the_guardian_is_known(
    scene: Scene, node: Anvil, tmp_path: Path
) -> None:
    lost = json.dumps({"type": "keystore", "path": "no-such-file.json", "password": "env:NO_SUCH_SECRET"})
    given = flags(scene, node.http_url, defense__signer=lost)
    assert (await drill(tmp_path, *given, code=0))["would_be_paused"]
    given = flags(scene, node.http_url, defense__signer=lost, defense__guardian=None)
    done = await asyncio.to_thread(run, "drill", *given, cwd=tmp_path)
    assert done.returncode != 0
    assert "no-such-file.json" in done.stderr


async def test_without_an_attack_one_is_supposed_that_pays_what_is_said(
    scene: Scene, node: Anvil, tmp_path: Path
) -> None:
    given = flags(scene, node.http_url)
    calm = await drill(tmp_path, scene.kind, *given, code=0)
    dear = await drill(
        tmp_path, scene.contract.address.upper().replace("X", "x"), "--gas-price", "80", *given, code=0
    )
    assert calm["attack"] is None
    assert calm["verdict"] == "would be paused: if an attack on it is proved"
    assert steps(calm["contracts"][0]["timeline"]) == list(PAUSED)
    assert int(calm["contracts"][0]["choice"]["tip_wei"]) == GWEI
    assert int(dear["contracts"][0]["choice"]["tip_wei"]) > 2 * 79 * GWEI


def _cut(**gas: Any) -> dict[str, Any]:
    return {f"defense__gas__{name}": value for name, value in gas.items()}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"operational_mode": "alert_only"}, "operational_mode is alert_only"),
        ({"defense__shadow": False}, "the defense is neither armed nor in shadow mode"),
        ({"defense__shadow": False, "defense__armed": True}, "armed without defense.signer"),
        ({"defense__guardian": STRANGER}, f"its pause by {STRANGER} fails (reverted: error 0x"),
        ({"simulation__enabled": False}, "it is suspected, and the defense acts on what is proved"),
        (_cut(max_fee_gwei=0.5), "not even the lowest bid is within the caps"),
        (_cut(reserve_eth=1_000), "above the guardian's balance less its reserve, 0 ETH"),
        (_cut(max_fee_gwei=50), "the bid comes too late: its tip is "),
        (
            {"defense__confirm__seconds": 30, "defense__confirm__default": "refuse"},
            "only if a human agrees within 30 s",
        ),
    ],
)
async def test_what_keeps_it_from_being_paused_is_said(
    changes: dict[str, Any], said: str, scene: Scene, node: Anvil, tmp_path: Path
) -> None:
    given = settings(scene, node.http_url, defense__journal=tmp_path / "defense.db", **changes)
    done = await drill_here(load(None, given), gas_price=80 * GWEI)
    assert not done.would_be_paused
    assert done.verdict.startswith("would NOT be paused: ")
    assert said in done.verdict


async def test_a_guardian_that_is_delegated_or_not_ours_alone_does_not_do(
    scene: Scene, node: Anvil, rpc: Rpc, tmp_path: Path
) -> None:
    given = flags(scene, node.http_url)
    await rpc.call("anvil_setCode", scene.guardian.address, "0xef0100" + "11" * 20)
    delegated = await drill(tmp_path, *given, code=1)
    await rpc.call("anvil_setCode", scene.guardian.address, "0x")
    await scene.send(scene.signed_pause(GWEI))
    shared = await drill(tmp_path, *given, code=1)
    assert "has code (EIP-7702)" in delegated["verdict"]
    assert f"not ours waits at nonce 0 of guardian {scene.guardian.address}" in shared["verdict"]
    await rpc.mine()
    paused = await drill(tmp_path, *given, code=1)
    assert paused["verdict"] == f"would NOT be paused: {scene.kind} is paused already"


async def test_what_the_sensor_itself_has_sent_is_no_strangers(
    scene: Scene, node: Anvil, rpc: Rpc, tmp_path: Path
) -> None:
    who, path = {"guardian": scene.guardian.address}, tmp_path / "defense.db"
    journal = Journal(path, chain_id=scene.stage.chain_id, **who)
    rungs = [rung(0, "other", number, chain_id=scene.stage.chain_id, **who) for number in range(4)]
    life = Life(journal, None, rungs=rungs, action=action(target="other", **who))
    for step in ("arm", "begin", "intend", "verify", "record"):
        life.play(step)
    await scene.send(scene.signed_pause(GWEI))
    config = load(None, settings(scene, node.http_url, defense__journal=path))
    done = await drill_here(config)
    # A sensor may write meanwhile, and what is promised to its response counts.
    journal.close()
    assert done.verdict == "would be paused: if an attack on it is proved"
    assert done.contracts[0].choice is not None
    assert done.contracts[0].choice.nonce == 1
    await rpc.mine()


async def test_a_journal_that_cannot_be_read_is_said(scene: Scene, node: Anvil, tmp_path: Path) -> None:
    path = tmp_path / "defense.db"
    path.write_bytes(b"no database" * 1000)
    done = await drill_here(load(None, settings(scene, node.http_url, defense__journal=path)))
    assert done.would_be_paused
    assert "what was spent today is not known" in done.notes[0]


async def test_what_harms_nobody_is_not_answered(scene: Scene, node: Anvil, tmp_path: Path) -> None:
    habit = scene.habits[0]
    raw = scene._signed(habit, habit.sender.nonce, 100 * GWEI, GWEI).raw_transaction
    file = tmp_path / "honest.txt"
    file.write_text("0x" + raw.hex())
    done = await drill(tmp_path, "--attack", str(file), *flags(scene, node.http_url), code=1)
    assert done["attack"]["victims"] == []
    assert "is below the threshold" in done["verdict"]


async def test_a_contract_is_not_paused_for_another_ones_attack(
    scene: Scene, node: Anvil, rpc: Rpc, tmp_path: Path
) -> None:
    other = await STAGES["takeover"](rpc, scene.guardian)
    both = json.dumps([scene.entry(), other.entry()])
    attack = await scene.attack(2 * GWEI, send=False)
    given = ["--attack", "0x" + attack.raw.hex(), *flags(scene, node.http_url, contracts=both)]
    assert [one["contract"] for one in (await drill(tmp_path, *given, code=0))["contracts"]] == [scene.kind]
    done = await drill(tmp_path, other.kind, *given, code=1)
    assert done["verdict"] == f"would NOT be paused: the policy pauses {scene.kind} instead"
    every = await drill(tmp_path, *flags(scene, node.http_url, contracts=both), code=0)
    assert every["verdict"] == f"would be paused: {scene.kind}, {other.kind}"


async def test_people_read_a_timeline_and_a_verdict(scene: Scene, node: Anvil, tmp_path: Path) -> None:
    given = flags(scene, node.http_url, defense__confirm__seconds=30)
    done = await asyncio.to_thread(run, "drill", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{scene.kind} {scene.contract.address} by guardian {scene.guardian.address}"
    for line, step in zip(lines[1:], ("state read", *PAUSED), strict=False):
        took, unit, rest = line.split(maxsplit=2)
        assert float(took.replace(",", "")) > 0
        assert unit == "µs"
        assert rest.startswith(step)
    assert "! defense.shadow: it would be written down, and not sent" in lines
    assert "! a human is asked first, for 30 s: blocks do not wait" in lines
    assert "would be paused: if an attack on it is proved" in lines
    assert lines[-1] == "nothing was signed, written or sent"


def test_help_teaches_with_examples() -> None:
    done = run("drill", "--help")
    assert done.returncode == 0
    for example in (
        "drill -c ids.toml",
        "--gas-price 80",
        "--attack 0x",
        "--json | jq",
        "defense.guardian=0x",
    ):
        assert example in done.stdout


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("Bank", {}, "no contract 'Bank' has a pause; known: reentrancy"),
        (None, {"defense__guardian": None}, "who is to pause?"),
        (None, {"contracts": None}, "no contract has a `pause`"),
        (None, {"chain__rpc_urls": None}, "set chain.rpc_urls"),
    ],
)
async def test_a_configuration_that_cannot_be_drilled_is_refused(
    name: str | None, changes: dict[str, Any], said: str, scene: Scene, node: Anvil
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        await drill_here(load(None, settings(scene, node.http_url, **changes)), name)


async def test_wrong_usage_is_told(scene: Scene, node: Anvil, tmp_path: Path) -> None:
    for arguments, said in (
        (["--attack", "0x12", "--gas-price", "3"], "--attack has its own"),
        (["--attack", "0x12"], "signed transaction"),
    ):
        given = [*arguments, *flags(scene, node.http_url)]
        done = await asyncio.to_thread(run, "drill", *given, cwd=tmp_path)
        assert done.returncode == 2, done.stdout + done.stderr
        assert said in done.stderr


async def shoot(spent: int, **changes: Any) -> Fired:
    """What would be done about a proved attack on the vault, on no chain at all."""
    config = IDSConfig(contracts=CONTRACTS, operational_mode="active_defense", defense={"shadow": True})
    guardian = Guardian("0x" + "0a" * 20, None, 3, 10 * ETHER)
    ground = Ground(100, 20 * GWEI, "eip1559", False, (guardian,), spent)
    return await fire(config, ground, protected(config.contracts), {"Vault": 50_000}, {**ALERT, **changes})


async def test_what_was_spent_today_counts() -> None:
    fresh, spent = await shoot(0), await shoot(2 * ETHER)
    rung = fresh.shots["Vault"].rung
    assert rung is not None
    assert (rung.nonce, rung.raw, rung.tx_hash, rung.gas_limit) == (3, b"", "", 65_000)
    assert spent.decision.act
    assert spent.shots["Vault"].rung is None
    assert "are spent within a day" in (spent.shots["Vault"].failure or "")


async def test_what_is_not_decided_is_not_bid_for() -> None:
    fired = await shoot(0, grade="likely")
    assert not fired.decision.act
    assert fired.shots == {}
