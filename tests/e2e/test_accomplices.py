"""Several accounts at once, all pending: one prepares, another one takes. Live, on anvil."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import Deployed
from mempool_ids.demo.rpc import Rpc
from tests.e2e.conftest import Protocol, Sensors
from tests.e2e.harness import Event
from tests.e2e.scene import ALL_OF_IT, ETHER, GAS, alert_of, fill, place, watching


@dataclass
class Accomplices:
    """A vault with 30 ether of honest users, and a contract that robs it once somebody has prepared that."""

    rpc: Rpc
    vault: Deployed
    sleeper: Deployed
    #: Two accounts of the attacker.
    first: str
    second: str

    async def arms(self) -> str:
        # Builders are to take it in before what fires.
        return await self.sleeper.send(self.rpc, self.first, "arm()", gas=GAS, tip=2 * 10**9)

    async def fires(self) -> str:
        call = "fireAt(address)"
        return await self.sleeper.send(
            self.rpc, self.second, call, int(self.vault.address, 16), value=10 * ETHER, gas=GAS
        )


@pytest.fixture
async def accomplices(protocol: Protocol) -> Accomplices:
    rpc, accounts = protocol.rpc, protocol.accounts
    await fill(protocol)
    sleeper = await place(rpc, "Sleeper", accounts[9])
    return Accomplices(rpc, protocol.vault, sleeper, accounts[5], accounts[6])


def stolen(alert: Event) -> list[dict[str, str]]:
    return alert["simulation"]["outflows"]


@pytest.mark.parametrize("armed_first", [True, False])
async def test_what_one_account_arms_and_another_fires_is_seen_while_both_are_pending(
    armed_first: bool, node: Anvil, accomplices: Accomplices, sensors: Sensors
) -> None:
    sensor = await watching(sensors, accomplices.vault, node)
    if armed_first:
        armed = await accomplices.arms()
        await sensor.until(lambda: sensor.figures()["classified"] >= 1, "the first to be seen")
        fired = await accomplices.fires()
    else:
        fired = await accomplices.fires()
        await sensor.until(lambda: sensor.judged() == 1, "what fires to be found harmless by itself")
        assert sensor.alerted() == []
        armed = await accomplices.arms()
    await sensor.wait_alerted([fired])
    alert = alert_of(sensor, fired)
    assert stolen(alert) == ALL_OF_IT
    assert alert["grade"] == "proved"
    assert alert["simulation"]["before"] == ["succeeded"]
    assert alert["simulation"]["before_hashes"] == [armed]
    assert all(armed in broken["explanation"] for broken in alert["simulation"]["invariants"])
    assert await accomplices.rpc.is_pending(armed)
    assert await accomplices.rpc.is_pending(fired)
    assert sensor.alerted() == [fired]


async def test_what_is_never_armed_is_no_alert_however_many_call_it(
    node: Anvil, accomplices: Accomplices, sensors: Sensors
) -> None:
    sensor = await watching(sensors, accomplices.vault, node)
    await accomplices.fires()
    vault = int(accomplices.vault.address, 16)
    for account in (await accomplices.rpc.accounts())[2:5]:
        call = "fireAt(address)"
        await accomplices.sleeper.send(accomplices.rpc, account, call, vault, value=ETHER, gas=GAS)
    await sensor.until(lambda: sensor.figures()["simulated_after_others"] >= 3, "all after the others")
    await sensor.settle(4)
    assert await sensor.terminate() == 0
    assert sensor.alerted() == []


async def test_honest_users_of_one_vault_are_no_accomplices(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    for account in range(2, 10):
        await protocol.deposit(5 * ETHER, account=account)
    await protocol.rpc.mine()
    sensor = await watching(sensors, protocol.vault, node)
    # Of 40 ether 24 leave, by eight withdrawals that the books account for, among deposits.
    for account in range(2, 10):
        user = protocol.accounts[account]
        await protocol.vault.send(protocol.rpc, user, "withdraw(uint256)", 3 * ETHER, gas=95_000)
        await protocol.deposit(ETHER, account=account)
    await sensor.settle(16)
    assert sensor.figures()["simulated_after_others"] > 0
    assert await sensor.terminate() == 0
    assert sensor.alerted() == []
