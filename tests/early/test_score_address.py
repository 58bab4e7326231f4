"""`mempool-ids score ADDRESS --detonate` as a user runs it, beside a protocol in use: what attacks is proved."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mempool_ids import EarlyAttackDetector, IDSConfig, MempoolIdsError, NodeError
from mempool_ids.config.values import Url, checksummed
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import run
from tests.early.test_deployed import configure
from tests.early.traps import TRAPS, Trap
from tests.scenarios.stage import ETHER, GWEI, Actor, Contract
from tests.through import through, without_debug

pytestmark = pytest.mark.timeout(180)

NOBODY = "0x" + "00" * 19 + "42"
ATTACK = "0x9e5faafc"


@dataclass(frozen=True)
class Scene:
    """Traps, an ordinary contract, and a configuration for the protocols beside them."""

    node: Node
    config: Path
    traps: dict[str, Trap]
    contracts: dict[str, Contract]
    ordinary: Contract

    def settings(self, url: str = "") -> IDSConfig:
        """With this node instead of its own."""
        config = IDSConfig.from_toml(self.config)
        chain = config.chain.model_copy(update={"rpc_urls": (Url(url),)} if url else {})
        return config.model_copy(update={"chain": chain})

    def score(self, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
        done = run("score", *arguments, "-c", self.config, timeout=150)
        return done, [json.loads(line) for line in done.stdout.splitlines()]


async def set_up(node: Node, folder: Path) -> Scene:
    async with Rpc(node.http_url) as rpc:
        built = await asyncio.gather(*(build(rpc) for build in TRAPS.values()))
        traps = dict(zip(TRAPS, built, strict=True))
        contracts = {name: await trap.place() for name, trap in traps.items()}
        stage = traps["reentrancy"].stage
        vault = stage.monitored[0].contract
        ordinary = await stage.deploy("SmartWallet", vault.address, by=stage.people[1])
        for trap in traps.values():
            await trap.stage.settle()
        return Scene(node, configure(folder, node, traps), traps, contracts, ordinary)


@pytest.fixture(scope="module", params=["anvil", "geth"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("score") / "run"
    if request.param == "geth":
        from tests.geth import Geth

        with Geth(request.getfixturevalue("geth_binary"), period=1) as geth:
            yield asyncio.run(set_up(geth, folder))
        return
    with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions()) as anvil:
        yield asyncio.run(set_up(anvil, folder))


def test_what_attacks_is_proved_and_what_does_not_is_not(scene: Scene) -> None:
    addresses = [contract.address for contract in scene.contracts.values()]
    done, lines = scene.score(*addresses, scene.ordinary.address, "--detonate")
    assert done.returncode == 0, done.stderr
    assert [line["id"] for line in lines] == [*addresses, scene.ordinary.address]
    attacks = dict(zip(scene.contracts, lines, strict=False))
    for name, line in attacks.items():
        assert line["deployer"] == line["called_as"] == scene.traps[name].attacker.address
        assert line["grade"] in ("proved", "likely"), name
        assert {victim["contract"].partition(": ")[0] for victim in line["victims"]} == {name}
        assert line["detonation"]["proof"]["calls"][-1]["to"] == line["id"]
        # The root is the proof's last call.
        assert (line["calls"][0]["depth"], line["calls"][0]["to"]) == (0, line["id"])
    assert {name for name, line in attacks.items() if line["grade"] != "proved"} <= {"price"}
    ordinary = lines[-1]
    assert (ordinary["detonation"]["proof"], ordinary["grade"], ordinary["calls"]) == (None, None, [])
    assert ordinary["detonation"]["touched"] > 0
    robber = scene.contracts["reentrancy"].address
    assert (
        f"{robber}: proved: calling {ATTACK}() as its deployer takes 30 ether out of reentrancy: Vault"
        in (done.stderr)
    )
    assert f"contract.{ATTACK} 1 ETH" in done.stderr
    assert "reentrancy: Vault.withdraw(amount=" in done.stderr
    assert f"{scene.ordinary.address}: no proof of harm" in done.stderr


async def test_where_it_was_created_is_found(scene: Scene) -> None:
    address = scene.contracts["reentrancy"].address
    _, [line] = scene.score(checksummed(address), "--detonate")
    async with Rpc(scene.node.http_url) as rpc:
        receipt = await rpc.receipt(line["creation"]["tx"], 1)
    assert receipt["contractAddress"] == address
    assert int(receipt["blockNumber"], 16) == line["creation"]["block"]
    assert line["creation"]["creator"] == receipt["from"]


def test_a_score_of_an_address_is_that_of_its_code_and_calls_nothing(scene: Scene) -> None:
    address = scene.contracts["takeover"].address
    done, [line] = scene.score(address)
    assert "detonation" not in line
    assert done.stderr == ""
    detector = EarlyAttackDetector(scene.settings())
    score = detector.score_address(address)
    assert (score.event, score.implementation) == ({k: v for k, v in line.items() if k != "id"}, None)
    assert set(score.function_signatures) == set(line["function_signatures"])


def test_without_traces_the_deployer_is_in_the_receipts(scene: Scene) -> None:
    address, attacker = scene.contracts["reentrancy"].address, scene.traps["reentrancy"].attacker.address
    with through(scene.node, without_debug) as url:
        done = EarlyAttackDetector(scene.settings(url)).detonate(address)
    assert (done.deployer, done.grade) == (attacker, "proved")


def test_without_old_states_its_deployer_is_unknown_until_it_is_told(scene: Scene) -> None:
    address, attacker = scene.contracts["reentrancy"].address, scene.traps["reentrancy"].attacker.address

    def pruned(request: dict[str, Any]) -> dict[str, Any] | None:
        """Of the head alone the state is there; by hash it is asked for there alone."""
        old = request["method"] == "eth_getCode" and isinstance(request["params"][1], str)
        return {"error": {"code": -32000, "message": "missing trie node"}} if old else None

    with through(scene.node, pruned) as url:
        detector = EarlyAttackDetector(scene.settings(url))
        alone = detector.detonate(address)
        told = detector.detonate(address, attacker)
    assert alone.deployer is None
    assert "missing trie node" in (alone.deployer_unknown or "")
    assert alone.called_as not in (attacker, address)
    # Whom its guard asks for, its code shows.
    assert alone.grade == "proved"
    assert alone.proof is not None
    assert alone.proof["calls"][-1]["from"] == attacker
    assert (told.deployer, told.called_as, told.grade) == (attacker, attacker, "proved")


async def stand_for(node: Node, robber: str, form: str) -> tuple[str, str]:
    """An account that runs the robber's code: a clone (EIP-1167) or a delegation (EIP-7702); and who made it so."""
    maker, account = Actor.create(), Actor.create()
    async with Rpc(node.http_url) as rpc:
        (rich, *_) = await rpc.accounts()
        sent = [await rpc.send(rich, maker.address, value=ETHER, gas=21_000)]
        transaction: dict[str, Any] = {
            "chainId": int(await rpc.call("eth_chainId"), 16),
            "nonce": 0,
            "gas": 200_000,
            "maxFeePerGas": 50 * GWEI,
            "maxPriorityFeePerGas": GWEI,
            "value": 0,
        }
        if form == "clone":
            runtime = f"363d3d373d3d3d363d73{robber}5af43d82803e903d91602b57fd5bf3"
            transaction |= {"to": b"", "data": "0x3d602d80600a3d3981f3" + runtime}
        else:
            delegation = {"chainId": transaction["chainId"], "address": bytes.fromhex(robber), "nonce": 0}
            transaction |= {"to": bytes.fromhex(maker.address[2:]), "data": b"", "type": 4}
            transaction["authorizationList"] = [account.key.sign_authorization(delegation)]
        if isinstance(node, Anvil):
            await rpc.mine()
        await rpc.receipt(sent[0], 20)
        signed = maker.key.sign_transaction(transaction)
        made = await rpc.call("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
        if isinstance(node, Anvil):
            await rpc.mine()
        receipt = await rpc.receipt(made, 20)
        assert receipt["status"] == "0x1"
        return (receipt["contractAddress"] or account.address).lower(), maker.address


@pytest.mark.parametrize("form", ["clone", "delegation"])
async def test_who_runs_anothers_code_is_led_to_it(scene: Scene, form: str) -> None:
    robber, owner = scene.contracts["reentrancy"].address, scene.traps["reentrancy"].attacker.address
    address, maker = await stand_for(scene.node, robber[2:], form)
    detector = EarlyAttackDetector(scene.settings())
    score = await asyncio.to_thread(detector.score_address, address)
    own = await asyncio.to_thread(detector.score_address, robber)
    assert score.implementation == robber
    assert (score.score, score.function_signatures) == (own.score, own.function_signatures)
    done = await asyncio.to_thread(detector.detonate, address)
    assert (done.deployer, done.grade) == (maker, "proved")
    assert done.proof is not None
    assert (done.proof["calls"][-1]["from"], done.proof["calls"][-1]["to"]) == (owner, address)


def test_each_line_that_cannot_be_scored_says_what_to_do(scene: Scene) -> None:
    good = scene.ordinary.address
    mistyped = checksummed(good).replace("a", "A") + ("" if "a" in checksummed(good) else "x")
    done, lines = scene.score(NOBODY, mistyped, good)
    assert done.returncode == 0
    assert "no code at" in lines[0]["error"]
    assert "error" in lines[1]
    assert "error" not in lines[2]
    assert scene.score(NOBODY)[0].returncode == 1
    down, [line] = scene.score(good, "--set", "chain.rpc_urls=http://127.0.0.1:9", "--detonate")
    assert down.returncode == 1
    assert "chain.rpc_urls" in line["error"]
    elsewhere, [line] = scene.score(good, "--chain", "5")
    assert elsewhere.returncode == 1
    assert "chain.id = 5" in line["error"]
    code, [line] = scene.score("0x6001600155", "--detonate")
    assert code.returncode == 1
    assert "--detonate calls what is at an address" in line["error"]


def test_from_python_what_cannot_be_asked_is_an_error(scene: Scene) -> None:
    detector = EarlyAttackDetector(scene.settings())
    with pytest.raises(MempoolIdsError, match="no code at"):
        detector.detonate(NOBODY)
    with pytest.raises(ValueError, match="address"):
        detector.score_address("0x12")
    down = EarlyAttackDetector(scene.settings("http://127.0.0.1:9"))
    with pytest.raises(NodeError, match=r"chain\.rpc_urls"):
        down.score_address(scene.ordinary.address)
