"""A capture of a live run, replayed, gives the same detections."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import artifact
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import ETHER, Scene
from tests.e2e.conftest import CHAIN_ID, Sensors
from tests.e2e.harness import Event, alerts, parse, read_events, run

_VOLATILE = ("timestamp", "latency_us")


def essence(events: list[Event]) -> list[dict[str, Any]]:
    """Alerts without what may differ: when the event was written and how long the stages took."""
    kept = [{key: value for key, value in event.items() if key not in _VOLATILE} for event in alerts(events)]
    return sorted(kept, key=lambda alert: str(alert["alert_id"]))


async def test_a_capture_replayed_gives_the_same_detections(
    node: Anvil, sensors: Sensors, tmp_path: Path
) -> None:
    async with Rpc(node.http_url) as rpc:
        scene = await Scene.build(rpc, seed=7, history_blocks=20)
        config = sensors.configure(scene.vault, node.websocket_url, more='[capture]\ndir = "capture"')
        config.write_text(config.read_text().replace("rules = [", 'rules = ["builtin", '))
        sensor = sensors.start(config)
        await sensor.wait_ready()
        for _ in range(3):
            for _ in range(10):
                await scene.act()
            await rpc.mine()
            await asyncio.sleep(0.1)
        code = artifact("Attacker").creation(scene.vault.address)
        created = await rpc.send(scene.cast.attacker, None, code, gas=700_000)
        await rpc.mine()
        contract = (await rpc.receipt(created, 5))["contractAddress"]
        attack = await rpc.send(
            scene.cast.attacker,
            contract,
            artifact("Attacker").calldata("attack()"),
            value=10 * ETHER,
            gas=1_500_000,
        )
        await sensor.wait_alerted([attack])
        await rpc.mine()
        await asyncio.sleep(0.5)
    assert await sensor.terminate() == 0

    live = essence(read_events(sensor.log))
    assert attack in {alert["tx"]["hash"] for alert in live}
    assert len(live) > 1, "honest deposits alert too, by the rule of these tests"

    done = run("replay", "capture", "-c", config, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert essence(parse(done.stdout.encode())) == live


async def test_what_was_captured_is_what_was_sent(node: Anvil, sensors: Sensors, tmp_path: Path) -> None:
    async with Rpc(node.http_url) as rpc:
        scene = await Scene.build(rpc, seed=8, history_blocks=20)
        config = sensors.configure(scene.vault, node.websocket_url, more='[capture]\ndir = "capture"')
        sensor = sensors.start(config)
        await sensor.wait_ready()
        sent = [(await scene.act()).tx_hash for _ in range(40)]
        await asyncio.sleep(1.0)
    assert await sensor.terminate() == 0
    done = run("replay", "capture", "--emit", "all", "--set", f"chain.id={CHAIN_ID}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    events = parse(done.stdout.encode())
    seen = [event["tx"]["hash"] for event in events if event["event_type"] == "tx"]
    assert sorted(seen) == sorted(sent)
