"""A sensor, run by its command line, watches the scenarios' contracts on a real chain while they are played."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import Event, SensorProcess, alerts
from tests.scenarios import SCENARIOS
from tests.scenarios.stage import Scenario, Stage

#: The first test of each node waits until all scenarios are set and played.
pytestmark = pytest.mark.timeout(120)


#: Alerts on all that touches the contracts, whatever it thinks of it.
EVERYTHING = "classification_threshold = 0.0\nmonitored_only = true"
DEFAULTS = ""
#: What is tested is the verdict, however busy the machine is.
PATIENCE_MS = 5_000


@dataclass(frozen=True)
class Played:
    #: What a sensor that alerts on everything says, by the scenario's name.
    seen: dict[str, Event]
    #: Scenarios that a sensor with the usual thresholds alerts on.
    alerted: set[str]


def configure(folder: Path, node: Node, stages: list[Stage], detection: str) -> Path:
    """One sensor for all stages. A contract's name begins with its scenario's."""
    contracts = "".join(
        monitored.toml(f"{scenario.name}: {monitored.contract.name}")
        for scenario, stage in zip(SCENARIOS, stages, strict=True)
        for monitored in stage.monitored
    )
    folder.mkdir()
    path = folder / "ids.toml"
    path.write_text(
        f"""\
sensor = "test"
[chain]
id = {stages[0].chain_id}
websocket_urls = ["{node.websocket_url}"]
rpc_urls = ["{node.http_url}"]
[detection]
{detection}
[simulation]
deadline_ms = {PATIENCE_MS}
[alerts]
jsonl = "events.jsonl"
stats_interval_s = 0.2
[storage]
url = "sqlite:///detections.db"
{contracts}"""
    )
    return path


async def play(node: Node, folder: Path) -> Played:
    """Plays all scenarios under the eyes of two sensors."""
    async with Rpc(node.http_url) as rpc:
        stages = list(await asyncio.gather(*(scenario.build(rpc) for scenario in SCENARIOS)))
        sensors = [
            SensorProcess(
                ["run", "-c", str(configure(folder / name, node, stages, detection))], folder / name
            )
            for name, detection in (("everything", EVERYTHING), ("usual", DEFAULTS))
        ]
        everything, usual = sensors
        try:
            for sensor in sensors:
                await sensor.wait_ready()
                await sensor.until(sensor.knows_the_head, "the head's state")
            sent = {
                await stage.act(): scenario.name for scenario, stage in zip(SCENARIOS, stages, strict=True)
            }
            await everything.wait_alerted(sent)
            await usual.until(lambda: _ended(usual) >= len(sent), "all simulations to end")
            # It writes what it has found before it ends.
            assert await usual.terminate() == 0
            seen = {sent[event["tx"]["hash"]]: event for event in alerts(everything.events())}
            return Played(seen, {sent[tx_hash] for tx_hash in usual.alerted()})
        finally:
            for sensor in sensors:
                sensor.close()


def _ended(sensor: SensorProcess) -> int:
    """Transactions whose first simulation has come to an end, if only by failing."""
    return sensor.judged() + sum(sensor.figures().get("simulation_failures", {}).values())


@pytest.fixture(scope="module")
def played(still_node: Node, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return asyncio.run(play(still_node, tmp_path_factory.mktemp("sensors")))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_an_attack_is_told_from_what_looks_like_one(scenario: Scenario, played: Played) -> None:
    alert = played.seen[scenario.name]
    assert alert["simulation"]["status"] == "done", alert["simulation"]
    assert (alert["threat_level"] in ("HIGH", "CRITICAL")) == (scenario.kind == "attack"), alert["simulation"]


@pytest.mark.parametrize(
    ("name", "grade", "invariant"),
    [
        ("gift to an empty vault", "proved", "donation"),
        # The victim's own transaction: what harmed it was another.
        ("deposit for no share", "likely", "donation"),
        ("votes of the moment", "proved", "governance"),
        ("release that nobody signed", "proved", "outflow"),
        ("release that one signed twice", "proved", "outflow"),
    ],
)
def test_an_attack_is_graded_by_what_it_breaks(name: str, grade: str, invariant: str, played: Played) -> None:
    alert = played.seen[name]
    assert alert["grade"] == grade
    assert invariant in {broken["name"] for broken in alert["simulation"]["invariants"]}


@pytest.mark.parametrize(
    ("name", "authority"),
    [
        ("grant by vote", "it had been decided before"),
        ("large release that validators signed", "signed for it"),
    ],
)
def test_what_leaves_by_authority_says_whose_it_was(name: str, authority: str, played: Played) -> None:
    [broken] = played.seen[name]["simulation"]["invariants"]
    assert authority in broken["explanation"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_usual_thresholds_alert_on_attacks_alone(scenario: Scenario, played: Played) -> None:
    assert (scenario.name in played.alerted) == (scenario.kind == "attack")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_sensor_sees_which_contracts_a_pending_transaction_is_about(
    scenario: Scenario, played: Played
) -> None:
    named = [name.partition(": ")[0] for name in played.seen[scenario.name]["contracts"]]
    assert set(named) == {scenario.name}


def test_a_price_is_told_to_the_market_and_not_to_the_lender_whose_borrower_moves_it(played: Played) -> None:
    for scenario in ("flash-loan price manipulation", "flash-loan arbitrage", "liquidation"):
        broken = played.seen[scenario]["simulation"]["invariants"]
        told = [
            one["contract"].removeprefix(f"{scenario}: ")
            for one in broken
            if one["name"] == "price_manipulation"
        ]
        assert told == (["LendingMarket"] if scenario == "flash-loan price manipulation" else []), broken
