"""A sensor, run by its command line, watches contracts be deployed: attacks are told before their first call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import Event, SensorProcess, alerts
from tests.early.traps import TRAPS, Trap
from tests.scenarios.stage import Contract

pytestmark = pytest.mark.timeout(180)


def configure(folder: Path, node: Node, traps: dict[str, Trap], more: str = "") -> Path:
    """One sensor for all. A contract's name begins with its trap's."""
    contracts = "".join(
        monitored.toml(f"{name}: {monitored.contract.name}")
        for name, trap in traps.items()
        for monitored in trap.stage.monitored
    )
    folder.mkdir(parents=True)
    path = folder / "ids.toml"
    path.write_text(
        f"""\
sensor = "test"
[chain]
id = {next(iter(traps.values())).stage.chain_id}
websocket_urls = ["{node.websocket_url}"]
rpc_urls = ["{node.http_url}"]
[early.detonation]
# What is tested is what is found, however busy the machine is.
contract_ms = 5_000
head_ms = 60_000
[alerts]
jsonl = "events.jsonl"
stats_interval_s = 0.2
[storage]
url = "sqlite:///detections.db"
{more}
{contracts}"""
    )
    return path


def early_alerts(events: Iterable[Event], contract: Contract) -> list[Event]:
    """Of this new contract, in order."""
    told = (event for event in alerts(events) if event.get("early"))
    return [event for event in told if event["early"]["contract"]["address"] == contract.address]


@dataclass(frozen=True)
class Sprung:
    """What a sensor said of each trap's contract, which nobody called."""

    alerts: dict[str, list[Event]]
    contracts: dict[str, Contract]


async def spring(node: Node, folder: Path) -> Sprung:
    async with Rpc(node.http_url) as rpc:
        built = await asyncio.gather(*(build(rpc) for build in TRAPS.values()))
        traps = dict(zip(TRAPS, built, strict=True))
        sensor = SensorProcess(["run", "-c", str(configure(folder, node, traps))], folder)
        try:
            await sensor.wait_ready()
            await sensor.until(sensor.knows_the_head, "the head's state")
            contracts = {name: await trap.place() for name, trap in traps.items()}
            for trap in traps.values():
                await trap.stage.settle()

            def all_told() -> bool:
                events = sensor.events()
                return all(early_alerts(events, contract) for contract in contracts.values())

            await sensor.until(all_told, "all to be told", 90)
            assert await sensor.terminate() == 0
            events = sensor.events()
            told = {name: early_alerts(events, contract) for name, contract in contracts.items()}
            return Sprung(told, contracts)
        finally:
            sensor.close()


@pytest.fixture(scope="module", params=["anvil", "geth"])
def sprung(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sprung:
    folder = tmp_path_factory.mktemp("sensor") / "run"
    if request.param == "geth":
        from tests.geth import Geth

        with Geth(request.getfixturevalue("geth_binary"), period=1) as geth:
            return asyncio.run(spring(geth, folder))
    with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions(block_time=1)) as anvil:
        return asyncio.run(spring(anvil, folder))


@pytest.mark.parametrize("name", TRAPS)
def test_an_attack_is_told_before_its_first_call(name: str, sprung: Sprung) -> None:
    alert = sprung.alerts[name][-1]
    assert alert["early"]["name"] == "EARLY-ATTACK-DETECTOR-1"
    assert alert["grade"] in ("proved", "likely"), alert["early"]["reason"]
    assert {victim["contract"].partition(": ")[0] for victim in alert["victims"]} == {name}


@pytest.mark.parametrize("name", sorted(TRAPS.keys() - {"price"}))
def test_what_it_would_do_is_proved_by_calling_it(name: str, sprung: Sprung) -> None:
    alert = sprung.alerts[name][-1]
    assert (alert["grade"], alert["early"]["reason"]) == ("proved", "proof")
    proof = alert["early"]["contract"]["detonation"]["proof"]
    assert proof["calls"][-1]["to"] == sprung.contracts[name].address
    assert proof["simulation"]["invariants"]
