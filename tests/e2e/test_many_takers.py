"""Many accounts take a little each, pending or mined: live, on anvil."""

from __future__ import annotations

import pytest

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import Deployed
from mempool_ids.demo.rpc import Rpc
from tests.e2e.conftest import Protocol, Sensors
from tests.e2e.harness import alerts
from tests.e2e.scene import ETHER, GAS, alert_of, place, watching

#: Of 100 ether: less by itself than the twentieth that alarms.
A_LITTLE = 4 * ETHER


async def leaking(rpc: Rpc, owner: str) -> Deployed:
    """A vault with a hole, and 100 ether of others in it."""
    vault = await place(rpc, "LeakingVault", owner)
    await vault.send(rpc, owner, "deposit()", value=100 * ETHER, gas=GAS)
    await rpc.mine()
    return vault


@pytest.mark.parametrize("mined", [False, True])
async def test_a_little_each_is_an_alert_from_the_one_that_makes_it_too_much_on(
    mined: bool, node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, accounts = protocol.rpc, protocol.accounts
    vault = await leaking(rpc, accounts[1])
    sensor = await watching(sensors, vault, node)
    sent: list[str] = []
    for taker in accounts[2:6]:
        sent.append(await vault.send(rpc, taker, "claim(uint256)", A_LITTLE, gas=GAS))
        await sensor.until(lambda: sensor.judged() == len(sent), "it to be judged")
        if mined:
            heads = sensor.figures()["state_carried"]
            await rpc.mine()
            await sensor.until(lambda heads=heads: sensor.figures()["state_carried"] > heads, "the block")
            await sensor.until(lambda: sensor.figures()["outcomes"]["mined"] == len(sent), "its end")
    await sensor.wait_alerted(sent[1:])
    assert sent[0] not in sensor.alerted()
    for count, tx_hash in enumerate(sent[1:], 1):
        alert = alert_of(sensor, tx_hash)
        (broken,) = alert["simulation"]["invariants"]
        assert broken["name"] == "cumulative_outflow"
        others = "another transaction" if count == 1 else f"{count} other transactions"
        assert f"with {others}, pending or in the last blocks, {4 * (count + 1)} ETH" in broken["explanation"]
        assert alert["grade"] == "likely"
        (victim,) = alert["victims"]
        assert (victim["contract"], int(victim["amount"])) == ("Vault", A_LITTLE)


async def test_honest_withdrawals_of_most_of_it_are_no_alert(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, accounts = protocol.rpc, protocol.accounts
    vault = await place(rpc, "LeakingVault", accounts[1])
    for user in accounts[1:9]:
        await vault.send(rpc, user, "deposit()", value=10 * ETHER, gas=GAS)
    await rpc.mine()
    sensor = await watching(sensors, vault, node)
    for user in accounts[1:9]:
        for _ in range(2):
            await vault.send(rpc, user, "withdraw(uint256)", 3 * ETHER, gas=GAS)
    await sensor.settle(16)
    await rpc.mine()
    assert await rpc.balance(vault.address) == 32 * ETHER
    assert await sensor.terminate() == 0
    assert alerts(sensor.events()) == []
