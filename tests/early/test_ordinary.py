"""Ordinary contracts are deployed beside a vault that is monitored: none is an attack, whatever it is called with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.sinks.log import describe
from tests.e2e.harness import SensorProcess, alerts
from tests.early.ordinary import ordinary_contracts
from tests.early.test_deployed import configure
from tests.early.traps import Trap
from tests.geth import Geth
from tests.scenarios import reentrancy

pytestmark = pytest.mark.timeout(300)

#: In one block.
BATCH = 32
GAS = 15_000_000
ROOM = "contracts = 8_000\n"


@pytest.fixture(params=["anvil", "geth"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """anvil mines when it is told to, geth each second."""
    if request.param == "geth":
        with Geth(request.getfixturevalue("geth_binary"), period=1) as geth:
            yield geth
    else:
        with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions()) as anvil:
            yield anvil


async def test_none_raises_an_alert(node: Node, tmp_path: Path) -> None:
    corpus = list(ordinary_contracts())
    async with Rpc(node.http_url) as rpc:
        is_anvil = isinstance(node, Anvil)
        if is_anvil:
            await rpc.call("evm_setBlockGasLimit", hex(BATCH * GAS))
        stage, vault, attacker, _ = await reentrancy.set_up(rpc)
        token = await stage.token(10**24)
        await stage.settle()
        trap = Trap(stage, attacker, lambda: stage.deploy("Attacker", vault.address, by=attacker))
        folder = tmp_path / "run"
        config = configure(folder, node, {"ordinary": trap})
        config.write_text(config.read_text().replace("head_ms", f"{ROOM}head_ms"))
        sensor = SensorProcess(["run", "-c", str(config)], folder)
        try:
            await sensor.wait_ready()
            await sensor.until(sensor.knows_the_head, "the head's state")
            accounts = await rpc.accounts()
            for first in range(0, len(corpus), BATCH):
                hashes = []
                for number, each in enumerate(corpus[first : first + BATCH]):
                    deployer = accounts[number % len(accounts)]
                    code = each.creation(vault.address, token.address, deployer)
                    hashes.append(await rpc.send(deployer, None, code, gas=GAS))
                if is_anvil:
                    await rpc.mine()
                receipts = [await rpc.receipt(tx_hash, 30) for tx_hash in hashes]
                assert {receipt["status"] for receipt in receipts} == {"0x1"}

            def all_called() -> bool:
                figures = sensor.figures().get("early", {})
                told = figures.get("deployments", 0) + figures.get("deployments_small", 0)
                return told >= len(corpus) and figures["waiting"] == 0

            await sensor.until(all_called, "all to be called", 200)
            figures = sensor.figures()["early"]
            assert await sensor.terminate() == 0
            assert [describe(event) for event in alerts(sensor.events())] == []
            assert figures["detonations_dropped"] == 0
            assert figures["detonated"] > 200
        finally:
            sensor.close()
