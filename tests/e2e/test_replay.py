"""A capture of a live run, replayed, gives the same detections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import artifact
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import ETHER, Scene
from mempool_ids.records.schema import event_schema
from tests.e2e.conftest import CHAIN_ID, Protocol, Sensors
from tests.e2e.harness import Event, SensorProcess, alerts, parse, read_events, run
from tests.e2e.scene import GAS, fill, place, watching

VALIDATOR = Draft202012Validator(event_schema())
_VOLATILE = ("timestamp", "latency_us", "watched_ms")


#: Statistics, to wait by.
OFTEN = "--set=alerts.stats_interval_s=0.05"


async def mined(rpc: Rpc, sensor: SensorProcess) -> None:
    """A block, until the sensor knows it and is done with what it looks at."""
    await rpc.mine()
    number = await rpc.block_number()
    await sensor.until(lambda: sensor.figures().get("head_number", 0) >= number, "the block")
    await sensor.until(lambda: sensor.under_way() == 0, "all to be done")


def simulated(events: list[Event]) -> list[Event]:
    return [event for event in events if event["simulation"]["status"] == "done"]


def essence(events: list[Event]) -> list[dict[str, Any]]:
    """Alerts without what may differ: when it was written, how long the stages took and the sensor watched."""
    kept = [{key: value for key, value in event.items() if key not in _VOLATILE} for event in alerts(events)]
    return sorted(kept, key=lambda alert: str(alert["alert_id"]))


async def test_a_capture_replayed_gives_the_same_detections(
    node: Anvil, sensors: Sensors, tmp_path: Path
) -> None:
    async with Rpc(node.http_url) as rpc:
        scene = await Scene.build(rpc, seed=7, history_blocks=20)
        config = sensors.configure(
            scene.vault, node.websocket_url, more='[capture]\ndir = "capture"', simulation=True
        )
        # What touches the vault alerts, whatever its simulation says: there is something to compare.
        detect = 'classification_threshold = 0.0\nmonitored_only = true\nrules = ["builtin", '
        config.write_text(config.read_text().replace("rules = [", detect))
        sensor = sensors.start(config, OFTEN)
        await sensor.wait_ready()
        for _ in range(3):
            for _ in range(10):
                await scene.act()
            await mined(rpc, sensor)
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
        await mined(rpc, sensor)
    assert await sensor.terminate() == 0

    events = read_events(sensor.log)
    for event in events:
        VALIDATOR.validate(event)
    live = essence(events)
    assert attack in {alert["tx"]["hash"] for alert in live}
    figures = [event for event in events if event["event_type"] == "stats"][-1]["stats"]
    done = {alert["tx"]["hash"]: alert["simulation"] for alert in simulated(live)}
    assert figures["simulated"] >= len(done), "what does not touch the vault is simulated too, and no alert"
    failed = sum(figures["simulation_failures"].values())
    triaged = sum(figures[f"triaged_{why}"] for why in ("contact", "score", "young"))
    assert triaged == figures["simulated"] + failed
    assert len(done) > 5, [alert["simulation"] for alert in live]
    assert done[attack]["harm"] > 0.9
    # Its contract was called before, and proved, too.
    others = [simulation for tx_hash, simulation in done.items() if tx_hash not in (attack, created)]
    assert all(simulation["harm"] < 0.5 for simulation in others)

    # A replay asks no node: what its simulations read comes from the capture.
    replayed = run("replay", "capture", "-c", config, cwd=tmp_path)
    assert replayed.returncode == 0, replayed.stderr
    assert essence(parse(replayed.stdout.encode())) == live


async def test_what_was_captured_is_what_was_sent(node: Anvil, sensors: Sensors, tmp_path: Path) -> None:
    async with Rpc(node.http_url) as rpc:
        scene = await Scene.build(rpc, seed=8, history_blocks=20)
        config = sensors.configure(scene.vault, node.websocket_url, more='[capture]\ndir = "capture"')
        sensor = sensors.start(config, OFTEN)
        await sensor.wait_ready()
        sent = [(await scene.act()).tx_hash for _ in range(40)]
        await sensor.until(lambda: sensor.figures().get("received", 0) >= len(sent), "all to be received")
    assert await sensor.terminate() == 0
    done = run("replay", "capture", "--emit", "all", "--set", f"chain.id={CHAIN_ID}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    events = parse(done.stdout.encode())
    seen = [event["tx"]["hash"] for event in events if event["event_type"] == "tx"]
    assert sorted(seen) == sorted(sent)


def test_the_recorded_demo_is_judged_as_when_it_was_played(tmp_path: Path) -> None:
    recorded = Path(__file__).parent.parent / "data" / "demo"
    done = run("replay", recorded / "capture", "-c", recorded / "ids.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (alert,) = alerts(parse(done.stdout.encode()))
    assert alert["tx"]["selector"] == "0x9e5faafc", "attack()"
    assert alert["contracts"] == ["Vault"]
    assert alert["simulation"]["status"] == "done"
    assert {broken["name"] for broken in alert["simulation"]["invariants"]} == {"outflow", "reentrancy"}
    assert list(tmp_path.iterdir()) == [], "a replay writes nothing but its output"


async def test_what_several_accounts_did_together_is_found_in_its_capture_too(
    node: Anvil, protocol: Protocol, sensors: Sensors, tmp_path: Path
) -> None:
    rpc, accounts = protocol.rpc, protocol.accounts
    await fill(protocol)
    sleeper = await place(rpc, "Sleeper", accounts[9])
    leaking = await place(rpc, "LeakingVault", accounts[9])
    await leaking.send(rpc, accounts[1], "deposit()", value=100 * ETHER, gas=GAS)
    await rpc.mine()
    more = f'[[contracts]]\nname = "Leaking"\naddress = "{leaking.address}"\n[capture]\ndir = "capture"'
    sensor = await watching(sensors, protocol.vault, node, more=more)
    aim = int(protocol.vault.address, 16)
    await sleeper.send(rpc, accounts[5], "aim(address)", aim, gas=GAS)
    # What fires names nobody: before it is known whom the sleeper aims at, it has no contact.
    await sensor.until(lambda: sensor.judged() >= 1, "the aim to be judged")
    sent = [await sleeper.send(rpc, accounts[6], "fire()", value=10 * ETHER, gas=GAS)]
    for count, taker in enumerate(accounts[7:9], 3):
        sent.append(await leaking.send(rpc, taker, "claim(uint256)", 4 * ETHER, gas=GAS))
        await sensor.until(lambda count=count: sensor.judged() >= count, "it to be judged")
    await sensor.wait_alerted([sent[0], sent[2]])
    assert await sensor.terminate() == 0
    live = essence(sensor.events())
    assert {alert["tx"]["hash"] for alert in live} == {sent[0], sent[2]}
    flags = ("--set", "simulation.threshold=1.0")
    replayed = run("replay", "capture", "-c", tmp_path / "ids.toml", *flags, cwd=tmp_path)
    assert replayed.returncode == 0, replayed.stderr
    assert essence(parse(replayed.stdout.encode())) == live
