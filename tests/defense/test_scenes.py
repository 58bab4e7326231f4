"""Each attack takes what it is after, unless the pause is before it; and a sensor sees it for what it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config.abi import read_abi
from mempool_ids.config.contracts import Contract
from mempool_ids.defense.calls import check_call, is_paused, pause_call
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError
from tests.defense.scenes import STAGES, Scene
from tests.e2e.harness import SensorProcess, alerts, run
from tests.nodes import mining
from tests.scenarios.stage import ACT_TIP, ETHER, GWEI

KINDS = pytest.mark.parametrize("kind", STAGES)
MINED_SECONDS = 20.0


@pytest.fixture(scope="module", params=["anvil", "geth"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A block a second."""
    with mining(request, 1) as running:
        yield running


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


async def receipt(scene: Scene, tx_hash: str) -> dict[str, Any]:
    return await scene.stage.rpc.receipt(tx_hash, MINED_SECONDS)


def place(mined: dict[str, Any]) -> tuple[int, int]:
    return int(mined["blockNumber"], 16), int(mined["transactionIndex"], 16)


@KINDS
async def test_an_attack_succeeds_where_nobody_pauses(kind: str, rpc: Rpc) -> None:
    scene = await STAGES[kind](rpc)
    for tx_hash in await scene.honest():
        assert (await receipt(scene, tx_hash))["status"] == "0x1"
    assert await scene.harm() == 0
    sent = await scene.attack(2 * GWEI)
    mined = await receipt(scene, sent.tx_hash)
    assert mined["status"] == "0x1"
    assert mined["from"] == scene.attacker.address
    assert await scene.harm() > 20 * ETHER
    assert not await scene.is_paused()


@KINDS
async def test_an_attack_fails_after_the_pause_however_often_it_raises_its_bid(kind: str, rpc: Rpc) -> None:
    scene = await STAGES[kind](rpc)
    assert (await receipt(scene, await scene.send(scene.signed_pause(GWEI))))["status"] == "0x1"
    assert await scene.is_paused()
    # A nonce before it is missing: no block can have the attack while it is replaced.
    missing = scene.attacker.nonce
    scene.attacker.nonce += 1
    bids = [await scene.attack(2 * GWEI), await scene.escalate(3 * GWEI), await scene.escalate(5 * GWEI)]
    assert {bid.nonce for bid in bids} == {missing + 1}
    await scene.fill(missing)
    assert (await receipt(scene, bids[-1].tx_hash))["status"] == "0x0"
    for bid in bids[:-1]:
        assert await rpc.call("eth_getTransactionReceipt", bid.tx_hash) is None
    assert not await scene.harmed()


@KINDS
async def test_users_cannot_go_on_while_it_is_paused_and_only_the_guardian_pauses(
    kind: str, rpc: Rpc
) -> None:
    scene = await STAGES[kind](rpc)
    with pytest.raises(RpcError):
        await scene.contract.read(rpc, "pause()", sender=scene.attacker)
    with pytest.raises(RpcError):
        await scene.contract.read(rpc, "unpause()", sender=scene.guardian)
    assert (await receipt(scene, await scene.send(scene.signed_pause(GWEI))))["status"] == "0x1"
    for tx_hash in await scene.honest():
        assert (await receipt(scene, tx_hash))["status"] == "0x0"


@KINDS
async def test_a_pause_that_pays_more_comes_before_the_attack_in_the_same_block(
    kind: str, anvil_binary: Path
) -> None:
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            scene = await STAGES[kind](rpc)
            attack = await scene.attack(2 * GWEI)
            pause = scene.signed_pause(3 * GWEI)
            await scene.send(pause)
            await rpc.mine()
            paused, attacked = await receipt(scene, pause.tx_hash), await receipt(scene, attack.tx_hash)
            assert place(attacked) == (place(paused)[0], place(paused)[1] + 1)
            assert (paused["status"], attacked["status"]) == ("0x1", "0x0")
            assert await scene.harm() == 0


@KINDS
async def test_what_is_configured_pauses_it(kind: str, rpc: Rpc) -> None:
    scene = await STAGES[kind](rpc)
    contract = Contract.model_validate(scene.entry())
    assert contract.abi is not None
    abi = read_abi(contract.abi)
    call, check = pause_call(contract, abi), check_call(contract, abi)
    assert check is not None
    assert (call.to, call.data) == (scene.contract.address, scene.contract.data("pause()"))

    async def asked() -> bool:
        request = {"to": check.to, "data": "0x" + check.data.hex()}
        return is_paused(bytes.fromhex((await rpc.call("eth_call", request, "latest"))[2:]))

    assert not await asked()
    await receipt(scene, await scene.send(scene.signed_pause(GWEI)))
    assert await asked()


def settings(node: Node, scenes: list[Scene]) -> list[str]:
    """As flags of the command line."""
    entries = [scene.entry() for scene in scenes]
    given = {
        "sensor": "test",
        "chain.id": scenes[0].stage.chain_id,
        "chain.websocket_urls": node.websocket_url,
        "chain.rpc_urls": node.http_url,
        "contracts": json.dumps(entries),
        "simulation.deadline_ms": 5_000,
        "alerts.jsonl": "events.jsonl",
        "storage.url": "sqlite:///detections.db",
    }
    return [flag for key, value in given.items() for flag in ("--set", f"{key}={value}")]


@KINDS
async def test_an_attack_breaks_an_invariant_of_the_victim_severely(
    kind: str, node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    scene = await STAGES[kind](rpc)
    signed = await scene.attack(2 * GWEI, send=False)
    flags = settings(node, [scene])
    done = await asyncio.to_thread(run, "simulate", "0x" + signed.raw.hex(), *flags, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["simulation"]["outcome"] == "succeeded"
    assert report["verdict"]["threat_level"] in ("HIGH", "CRITICAL")
    broken = [one for one in report["simulation"]["invariants"] if one["contract"] == scene.entry()["name"]]
    assert any(one["severe"] for one in broken), report["simulation"]["invariants"]


async def test_a_running_sensor_says_of_each_attack_that_it_is_proved(
    still_node: Node, tmp_path: Path
) -> None:
    async with Rpc(still_node.http_url) as rpc:
        scenes = list(await asyncio.gather(*(deploy(rpc) for deploy in STAGES.values())))
        sensor = SensorProcess(["run", *settings(still_node, scenes)], tmp_path)
        try:
            await sensor.wait_ready()
            honest = [tx_hash for scene in scenes for tx_hash in await scene.honest()]
            attacks = {(await scene.attack(ACT_TIP)).tx_hash: scene for scene in scenes}
            await sensor.wait_alerted(attacks)
            told = {event["tx"]["hash"]: event for event in alerts(sensor.events())}
        finally:
            sensor.close()
    assert not told.keys() & set(honest)
    for tx_hash, scene in attacks.items():
        alert = told[tx_hash]
        assert alert["simulation"]["status"] == "done"
        assert scene.kind in alert["contracts"]
        assert alert["grade"] == "proved"
        assert {victim["contract"] for victim in alert["victims"]} == {scene.kind}
