"""A sensor, run by its command line, watches the scenarios' contracts on a real chain while they are played."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import Event, SensorProcess, alerts
from tests.scenarios import SCENARIOS
from tests.scenarios.stage import Scenario, Stage

#: The first test of each node waits until all scenarios are set and played.
pytestmark = pytest.mark.timeout(120)


def configure(folder: Path, node: Node, stages: list[Stage]) -> Path:
    """One sensor for all stages, which alerts on all that touches their contracts, whatever it thinks of it.

    A contract's name begins with its scenario's.
    """
    contracts = "".join(
        monitored.toml(f"{scenario.name}: {monitored.contract.name}")
        for scenario, stage in zip(SCENARIOS, stages, strict=True)
        for monitored in stage.monitored
    )
    path = folder / "ids.toml"
    path.write_text(
        f"""\
sensor = "test"
[chain]
id = {stages[0].chain_id}
websocket_urls = ["{node.websocket_url}"]
rpc_urls = ["{node.http_url}"]
[detection]
classification_threshold = 0.0
monitored_only = true
[alerts]
jsonl = "events.jsonl"
[storage]
url = "sqlite:///detections.db"
{contracts}"""
    )
    return path


async def play(node: Node, folder: Path) -> dict[str, Event]:
    """Plays all scenarios under the eyes of one sensor; its alert of each, by the scenario's name."""
    async with Rpc(node.http_url) as rpc:
        stages = list(await asyncio.gather(*(scenario.build(rpc) for scenario in SCENARIOS)))
        sensor = SensorProcess(["run", "-c", str(configure(folder, node, stages))], folder)
        try:
            await sensor.wait_ready()
            sent = {
                await stage.act(): scenario.name for scenario, stage in zip(SCENARIOS, stages, strict=True)
            }
            await sensor.wait_alerted(sent)
            return {sent[event["tx"]["hash"]]: event for event in alerts(sensor.events())}
        finally:
            sensor.close()


@pytest.fixture(scope="module")
def seen(live_node: Node, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Event]:
    return asyncio.run(play(live_node, tmp_path_factory.mktemp("sensor")))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_an_attack_is_told_from_what_looks_like_one(scenario: Scenario, seen: dict[str, Event]) -> None:
    alert = seen[scenario.name]
    assert alert["simulation"]["status"] == "done", alert["simulation"]
    assert (alert["threat_level"] in ("HIGH", "CRITICAL")) == (scenario.kind == "attack"), alert["simulation"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_sensor_sees_which_contracts_a_pending_transaction_is_about(
    scenario: Scenario, seen: dict[str, Event]
) -> None:
    named = [name.partition(": ")[0] for name in seen[scenario.name]["contracts"]]
    assert set(named) == {scenario.name}
