"""A real node, contracts on it, and sensors that watch it, each gone when its test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.contracts import Deployed, deploy
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import SensorProcess

CHAIN_ID = 31337
#: Alerts on each deposit, so that a test can follow every transaction it sends.
EVERY_DEPOSIT = """\
rules:
  - sid: 900001
    msg: a deposit
    classtype: policy
    weight: 1.0
    match: {to: monitored, selector: "0xd0e30db0"}
"""


@pytest.fixture
def node(anvil_binary: Path) -> Iterator[Anvil]:
    """Mines only when told to: what is sent stays pending."""
    with Anvil(anvil_binary, AnvilOptions(chain_id=CHAIN_ID)) as running:
        yield running


@dataclass
class Protocol:
    """A vault on a node, and somebody to use it."""

    rpc: Rpc
    accounts: list[str]
    vault: Deployed

    @classmethod
    async def on(cls, rpc: Rpc) -> Protocol:
        accounts = await rpc.accounts()
        return cls(rpc, accounts, await deploy(rpc, "Vault", accounts[0], accounts[1]))

    async def deposit(self, wei: int, *, account: int = 2, **options: int) -> str:
        """Sends a transaction that the rule of these tests alerts on."""
        sender = self.accounts[account]
        return await self.vault.send(self.rpc, sender, "deposit()", value=wei, gas=95_000, **options)

    async def deposits(self, count: int, *, account: int = 2) -> list[str]:
        return [await self.deposit(10**15 + number, account=account) for number in range(count)]


@pytest.fixture
async def protocol(node: Anvil) -> AsyncIterator[Protocol]:
    async with Rpc(node.http_url) as rpc:
        yield await Protocol.on(rpc)


class Sensors:
    """Starts sensors in the test's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules = folder / "rules.yaml"
        self.rules.write_text(EVERY_DEPOSIT)
        self._running: list[SensorProcess] = []

    def configure(
        self,
        vault: Deployed,
        *websocket_urls: str,
        chain: str = "",
        more: str = "",
        simulation: bool = False,
    ) -> Path:
        """Writes the configuration; `chain` adds lines to its section, `more` at the end.

        Without `simulation` the rules alone decide what alerts, and at once.
        """
        urls = ", ".join(f'"{url}"' for url in websocket_urls)
        path = self.folder / "ids.toml"
        path.write_text(
            f"""\
sensor = "test"
[chain]
id = {CHAIN_ID}
websocket_urls = [{urls}]
stall_timeout_ms = 1000
reconnect_initial_ms = 50
reconnect_max_ms = 500
{chain}
[[contracts]]
name = "Vault"
address = "{vault.address}"
[detection]
rules = ["{self.rules}"]
[simulation]
enabled = {str(simulation).lower()}
deadline_ms = 5_000
[alerts]
jsonl = "events.jsonl"
[storage]
url = "sqlite:///detections.db"
{more}
"""
        )
        return path

    def start(self, config: Path, *arguments: str) -> SensorProcess:
        sensor = SensorProcess(["run", "-c", str(config), *arguments], self.folder)
        self._running.append(sensor)
        return sensor

    async def run(
        self, vault: Deployed, *websocket_urls: str, chain: str = "", more: str = ""
    ) -> SensorProcess:
        """Configures, starts, and waits until it is ready."""
        sensor = self.start(self.configure(vault, *websocket_urls, chain=chain, more=more))
        await sensor.wait_ready()
        return sensor

    def close(self) -> None:
        for sensor in self._running:
            sensor.close()


@pytest.fixture
def sensors(tmp_path: Path) -> Iterator[Sensors]:
    made = Sensors(tmp_path)
    try:
        yield made
    finally:
        made.close()
