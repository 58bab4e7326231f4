"""What is honest and looks like an attack pauses nothing, while the same sensor pauses what is attacked."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import KEY, PATIENCE_MS, Ring
from tests.defense.trouble import head_seen, mined_by, pending_of, sensor
from tests.scenarios import SCENARIOS
from tests.scenarios.stage import ETHER, Actor, Monitored, Scenario, Stage, path_of

pytestmark = pytest.mark.timeout(120)
#: Closes what it is told to, and says what it closed. `setTargetClosed(address,bool)` is the longer call.
CLOSER = "0x" + "c1" * 20
CODE = "0x366028106013576004355460005260206000f35b60016004355500"


def entry(scenario: Scenario, monitored: Monitored) -> dict[str, Any]:
    """Few of these contracts have a pause of their own: the guardian closes them elsewhere. That stops no attack, and
    the defense is told not to mind: whatever it is sure of, it answers."""
    return {
        "name": f"{scenario.name}: {monitored.contract.name}",
        "address": monitored.contract.address,
        "abi": str(path_of(monitored.contract.name)),
        "assets": list(monitored.assets),
        "admins": list(monitored.admins),
        "receivers": list(monitored.receivers),
        "views": dict(monitored.views),
        "pause": {"call": "setTargetClosed(address,bool)", "via": f"access_manager:{CLOSER}"},
    }


def configuration(node: Node, folder: Path, stages: list[Stage], guardian: Actor) -> IDSConfig:
    os.environ[KEY] = guardian.key.key.hex()
    contracts = [
        entry(scenario, monitored)
        for scenario, stage in zip(SCENARIOS, stages, strict=True)
        for monitored in stage.monitored
    ]
    return IDSConfig(
        operational_mode="active_defense",
        sensor="test",
        chain={
            "id": stages[0].chain_id,
            "websocket_urls": [node.websocket_url],
            "rpc_urls": [node.http_url],
        },
        contracts=contracts,
        simulation={"deadline_ms": PATIENCE_MS},
        alerts={"jsonl": str(folder / "events.jsonl"), "log": False},
        storage={"url": f"sqlite:///{folder / 'detections.db'}"},
        defense={
            "armed": True,
            "signer": {"type": "environment", "key": f"env:{KEY}"},
            "journal": str(folder / "defense.db"),
            # More eager than by default.
            "act_on": "likely",
            "harm_left": 1.0,
            "nonces": 8,
            "rungs": 4,
            "gas": {"max_fee_gwei": 2_000, "max_cost_eth": 0.4, "daily_budget_eth": 50.0},
        },
    )


async def judged(fight: Ring, count: int) -> None:
    """Until so many simulations have ended since the start."""

    def done() -> bool:
        figures = fight.engine.core_statistics()
        ended = int(figures["simulated"]) + sum(figures["simulation_failures"].values())
        return bool(ended >= count)

    await fight.until(done, f"{count} simulations")


async def test_nothing_honest_is_paused(node: Node, tmp_path: Path) -> None:
    async with Rpc(node.http_url) as rpc:
        await rpc.call("anvil_setCode", CLOSER, CODE)
        guardian = Actor.create()
        await rpc.call("anvil_setBalance", guardian.address, hex(100 * ETHER))
        stages = [await scenario.build(rpc) for scenario in SCENARIOS]
        by_kind: dict[str, list[tuple[Scenario, Stage]]] = {"honest": [], "attack": []}
        for scenario, stage in zip(SCENARIOS, stages, strict=True):
            by_kind[scenario.kind].append((scenario, stage))
        async with sensor(configuration(node, tmp_path, stages, guardian), rpc, tmp_path) as fight:
            await rpc.mine()
            await head_seen(fight)
            proofs = await fight.engine._defense.prove()  # type: ignore[union-attr]
            assert all(proof.ready for proof in proofs), proofs
            for _, stage in by_kind["honest"]:
                await stage.act()
            await judged(fight, len(by_kind["honest"]))
            # Pending at first, then one after the other in blocks.
            await rpc.mine()
            await head_seen(fight)
            assert [one for one in fight.detections if one.event["grade"] != "suspected"] == [], fight.story()
            assert fight.responses == [], fight.story()
            assert await pending_of(rpc, guardian.address) == {}

            attacks = [await stage.act() for _, stage in by_kind["attack"]]
            await asyncio.gather(*(fight.until_alerted(tx_hash) for tx_hash in attacks))
            # But where the loss is known in ether: a closing that saves nothing of it is not worth its gas.
            expected = {scenario.name for scenario, _ in by_kind["attack"]} - {"reentrancy drain"}
            await fight.until(lambda: answered(fight) == expected, f"{expected} to be answered")
        assert len(await pending_of(rpc, guardian.address)) >= len(expected)
        assert await mined_by(rpc, guardian.address) == []


def answered(fight: Ring) -> set[str]:
    return {one.target.partition(": ")[0] for one in fight.responses if one.state == "sent"}
