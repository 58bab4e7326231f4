"""What tests on a live vault have in common: honest depositors, other contracts, and a sensor that watches."""

from __future__ import annotations

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import Artifact, Deployed
from mempool_ids.demo.rpc import Rpc
from tests.e2e.conftest import Protocol, Sensors
from tests.e2e.harness import Event, SensorProcess, alerts
from tests.scenarios.stage import path_of

ETHER = 10**18
GAS = 1_000_000
#: What honest users have in the vault once it is filled.
ALL_OF_IT = [{"contract": "Vault", "asset": "native", "amount": str(30 * ETHER)}]


async def fill(protocol: Protocol) -> None:
    """Three users have deposited ten ether each."""
    for account in (2, 3, 4):
        await protocol.deposit(10 * ETHER, account=account)
    await protocol.rpc.mine()


async def place(rpc: Rpc, name: str, creator: str, *arguments: str) -> Deployed:
    """A contract of the scenarios, in a block of its own."""
    artifact = Artifact.parse(path_of(name).read_text("utf-8"))
    created = await rpc.send(creator, None, artifact.creation(*arguments), gas=3_000_000)
    await rpc.mine()
    return Deployed(artifact, (await rpc.receipt(created, 5))["contractAddress"].lower())


async def watching(
    sensors: Sensors, monitored: Deployed, node: Anvil, *, more: str = "", **options: str
) -> SensorProcess:
    """A sensor that judges pending transactions by contact alone, once it knows the chain's head."""
    sensors.rules.write_text("rules: []")
    config = sensors.configure(monitored, node.websocket_url, more=more, simulation=True)
    settings = {
        "alerts.stats_interval_s": "0.05",
        "simulation.threshold": "1.0",
        # New contracts would be told of before anybody calls them.
        "early.enabled": "false",
        **options,
    }
    sensor = sensors.start(config, *(f"--set={key}={value}" for key, value in settings.items()))
    await sensor.wait_ready()
    await sensor.until(sensor.knows_the_head, "the head's state")
    return sensor


def alert_of(sensor: SensorProcess, tx_hash: str) -> Event:
    (alert,) = [event for event in alerts(sensor.events()) if event["tx"]["hash"] == tx_hash]
    return alert
