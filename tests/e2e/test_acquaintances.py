"""Who has to do with a vault without naming it in code or calldata: live, on anvil."""

from __future__ import annotations

from typing import Literal

import pytest

from mempool_ids._core import INVARIANT_NAMES
from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import Deployed
from mempool_ids.demo.rpc import Rpc
from tests.e2e.conftest import Protocol, Sensors
from tests.e2e.harness import SensorProcess
from tests.e2e.scene import ALL_OF_IT, ETHER, GAS, alert_of, fill, place, watching

#: Blocks: an age at which a contract is not simulated for its age alone.
YOUNG, OLD = 16, 64
#: `deposit()`: nothing that is simulated for its calldata alone.
DEPOSIT = "0xd0e30db0"


async def grow_old(rpc: Rpc) -> None:
    await rpc.call("anvil_mine", hex(OLD))


async def watching_old(sensors: Sensors, protocol: Protocol, node: Anvil) -> SensorProcess:
    return await watching(sensors, protocol.vault, node, **{"simulation.young_blocks": str(YOUNG)})


@pytest.mark.parametrize("aimed", ["before", "after"])
async def test_an_old_contract_that_keeps_its_victim_in_storage_is_seen(
    aimed: Literal["before", "after"], node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, accounts = protocol.rpc, protocol.accounts
    await fill(protocol)
    sleeper = await place(rpc, "Sleeper", accounts[9])
    vault = int(protocol.vault.address, 16)

    async def aim() -> None:
        await sleeper.send(rpc, accounts[9], "aim(address)", vault, gas=GAS)
        await rpc.mine()

    if aimed == "before":
        await aim()
    await grow_old(rpc)
    sensor = await watching_old(sensors, protocol, node)
    if aimed == "after":
        # Neither its code nor its storage names anybody yet.
        await sleeper.send(rpc, accounts[8], "fire()", gas=GAS)
        await sensor.until(lambda: sensor.figures()["classified"] == 1, "it to be passed")
        assert sensor.figures()["triaged_contact"] == 0
        await aim()
        await sensor.until(lambda: sensor.figures()["outcomes"]["mined"] == 2, "the block")
    fired = await sleeper.send(rpc, accounts[5], "fire()", value=10 * ETHER, gas=GAS)
    await sensor.wait_alerted([fired])
    alert = alert_of(sensor, fired)
    assert alert["simulation"]["outflows"] == ALL_OF_IT
    assert alert["contracts"] == ["Vault"]
    assert sensor.figures()["triaged_young"] == sensor.figures()["triaged_score"] == 0
    assert sensor.alerted() == [fired]


@pytest.mark.parametrize("aimed_first", [True, False])
async def test_what_one_account_aims_and_another_fires_is_seen_while_both_are_pending(
    aimed_first: bool, node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, accounts = protocol.rpc, protocol.accounts
    await fill(protocol)
    sleeper = await place(rpc, "Sleeper", accounts[9])
    await grow_old(rpc)
    sensor = await watching_old(sensors, protocol, node)
    vault = int(protocol.vault.address, 16)

    async def aims() -> str:
        return await sleeper.send(rpc, accounts[5], "aim(address)", vault, gas=GAS)

    async def fires() -> str:
        return await sleeper.send(rpc, accounts[6], "fire()", value=10 * ETHER, gas=GAS)

    if aimed_first:
        aimed = await aims()
        await sensor.until(lambda: sensor.judged() == 1, "who aims to be judged")
        fired = await fires()
    else:
        fired = await fires()
        await sensor.until(lambda: sensor.figures()["classified"] == 1, "who fires to be passed")
        aimed = await aims()
    await sensor.wait_alerted([fired])
    alert = alert_of(sensor, fired)
    assert alert["simulation"]["before_hashes"] == [aimed]
    assert alert["simulation"]["outflows"] == ALL_OF_IT
    assert await rpc.is_pending(aimed)
    assert await rpc.is_pending(fired)
    assert sensor.alerted() == [fired]


async def clone_of(rpc: Rpc, implementation: Deployed, creator: str) -> Deployed:
    """An EIP-1167 clone, in a block of its own."""
    runtime = f"363d3d373d3d3d363d73{implementation.address[2:]}5af43d82803e903d91602b57fd5bf3"
    created = await rpc.send(creator, None, f"0x602d8060093d393df3{runtime}", gas=GAS)
    await rpc.mine()
    return Deployed(implementation.artifact, (await rpc.receipt(created, 5))["contractAddress"].lower())


async def test_a_clone_whose_implementation_names_the_vault_has_contact(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, accounts = protocol.rpc, protocol.accounts
    router = await place(rpc, "Router", accounts[9], protocol.vault.address)
    clone = await clone_of(rpc, router, accounts[9])
    await grow_old(rpc)
    sensor = await watching_old(sensors, protocol, node)
    await rpc.send(accounts[5], clone.address, DEPOSIT, gas=GAS)
    await sensor.until(lambda: sensor.judged() == 1, "it to be simulated")
    assert sensor.figures()["triaged_contact"] == 1
    assert await sensor.terminate() == 0
    assert sensor.alerted() == []


async def test_an_honest_router_that_keeps_the_vault_in_storage_is_simulated_and_silent(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, accounts = protocol.rpc, protocol.accounts
    await fill(protocol)
    router = await place(rpc, "StoredRouter", accounts[9])
    await router.send(rpc, accounts[9], "set(address)", int(protocol.vault.address, 16), gas=GAS)
    await grow_old(rpc)
    sensor = await watching_old(sensors, protocol, node)
    for account in accounts[2:6]:
        await router.send(rpc, account, "route()", value=ETHER, gas=GAS)
    await sensor.until(lambda: sensor.judged() == 4, "all to be simulated")
    assert sensor.figures()["triaged_contact"] == 4
    assert await sensor.terminate() == 0
    assert sensor.alerted() == []


async def test_the_statistics_say_how_much_of_what_changes_the_vault_was_seen(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, accounts = protocol.rpc, protocol.accounts
    sensor = await watching(sensors, protocol.vault, node)
    await sensor.until(lambda: sensor.figures()["mined_contact"] == 1, "its creation, in the first head")
    for account in (2, 3):
        await protocol.deposit(ETHER, account=account)
    await rpc.send(accounts[4], accounts[5], value=ETHER, gas=21_000)
    await sensor.until(lambda: sensor.judged() == 2, "the deposits to be simulated")
    await rpc.mine()
    await sensor.until(lambda: sensor.figures()["mined_contact"] == 3, "the block's trace")
    assert sensor.figures()["mined_contact_seen"] == 2
    # Neither a share price nor administrators are configured.
    assert sensor.figures()["invariants_speaking"] == {"Vault": len(INVARIANT_NAMES) - 1}
    assert sensor.figures()["invariants_silent"] == {"Vault": 2}
    # What nobody announces is told from it.
    await rpc.call("evm_setAutomine", True)
    hidden = await protocol.deposit(ETHER, account=6)
    assert (await rpc.receipt(hidden, 5))["status"] == "0x1"
    await sensor.until(lambda: sensor.figures()["mined_contact"] == 4, "the next block's trace")
