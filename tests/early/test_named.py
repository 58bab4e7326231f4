"""What keeps a monitored contract's address in storage since a block is looked at, however old it is."""

from __future__ import annotations

from pathlib import Path

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import Event, SensorProcess, alerts
from tests.early.test_deployed import configure
from tests.early.traps import Trap
from tests.scenarios import reentrancy


async def test_an_old_contract_that_is_given_a_vault_is_called(anvil_binary: Path, tmp_path: Path) -> None:
    with Anvil(anvil_binary, AnvilOptions(block_time=1)) as node:
        async with Rpc(node.http_url) as rpc:
            stage, vault, owner, _ = await reentrancy.set_up(rpc)
            old = await stage.deploy("StoredRouter", by=owner)
            await stage.settle()
            # The sensor's first head is a later one.
            for _ in range(3):
                await rpc.mine()
            trap = Trap(stage, owner, lambda: stage.deploy("StoredRouter", by=owner))
            folder = tmp_path / "run"
            sensor = SensorProcess(["run", "-c", str(configure(folder, node, {"named": trap}))], folder)
            try:
                await sensor.wait_ready()
                await sensor.until(sensor.knows_the_head, "the head's state")
                new = await trap.place()
                await stage.settle()

                def told(address: str) -> list[Event]:
                    deployed = (one for one in sensor.events() if one["event_type"] == "deploy")
                    return [one for one in deployed if one["contract"]["address"] == address]

                await sensor.until(lambda: bool(told(new.address)), "the new one")
                assert not told(old.address), "it was there before"
                for router in (old, new):
                    await stage.send(owner, router, "set(address)", vault.address)
                await stage.settle()

                def called(address: str) -> bool:
                    return any(one["contract"]["detonation"] for one in told(address))

                await sensor.until(lambda: called(old.address) and called(new.address), "both to be called")
                contract = told(old.address)[0]["contract"]
                assert [held["place"] for held in contract["contained"]] == ["storage"]
                assert contract["deployer"] not in (owner.address, old.address), "nobody knows who made it"
                assert told(new.address)[-1]["contract"]["deployer"] == owner.address
                assert alerts(sensor.events()) == []
                assert await sensor.terminate() == 0
            finally:
                sensor.close()
