"""The connection fails in every way while transactions are pending: none is missed, none is alerted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.contracts import deploy
from mempool_ids.demo.rpc import Rpc
from tests.e2e.conftest import CHAIN_ID, Protocol, Sensors
from tests.e2e.harness import SensorProcess
from tests.e2e.proxy import Mode, Proxy

Cut = Callable[[Proxy], Awaitable[None]]


def once_each(sensor: SensorProcess, *sent: list[str]) -> None:
    """Every transaction sent has exactly one alert, and nothing else has one."""
    assert sorted(sensor.alerted()) == sorted(chain(*sent))


async def settle() -> None:
    """Time in which a duplicate would show itself."""
    await asyncio.sleep(0.7)


async def reset(proxy: Proxy) -> None:
    proxy.set(Mode.REFUSE)
    proxy.reset()


async def stall(proxy: Proxy) -> None:
    proxy.set(Mode.STALL)


async def drip(proxy: Proxy) -> None:
    proxy.set(Mode.DRIP)


@pytest.mark.parametrize("cut", [reset, stall, drip])
async def test_what_is_pending_during_a_cut_is_alerted_once(
    cut: Cut, node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    async with Proxy(node.port) as proxy:
        sensor = await sensors.run(protocol.vault, proxy.url)
        before = await protocol.deposits(5)
        await sensor.wait_alerted(before)

        await cut(proxy)
        during = await protocol.deposits(10, account=3)
        await sensor.until(lambda: proxy.abandoned > 0, "it to give the connection up")
        assert not set(during) & set(sensor.alerted()), "the cut let something through: this tests nothing"
        proxy.set(Mode.PASS)
        await sensor.wait_alerted(during)

        after = await protocol.deposits(5, account=4)
        await sensor.wait_alerted(after)
        await settle()
        once_each(sensor, before, during, after)


@pytest.mark.parametrize("cut", [reset, stall, drip])
async def test_an_attack_sent_during_a_cut_is_known_by_the_code_of_its_contract(
    cut: Cut, node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    sensors.rules = Path("builtin")
    thief = protocol.accounts[5]
    async with Proxy(node.port) as proxy:
        sensor = await sensors.run(protocol.vault, proxy.url)
        await protocol.deposits(5)
        await cut(proxy)
        attacker = await deploy(protocol.rpc, "Attacker", thief, protocol.vault.address)
        attack = await attacker.send(protocol.rpc, thief, "attack()", value=10**18, gas=600_000)
        await protocol.deposits(5, account=3)
        await sensor.until(lambda: proxy.abandoned > 0, "it to give the connection up")
        assert not sensor.alerted()
        proxy.set(Mode.PASS)
        await sensor.wait_alerted([attack])
        await settle()
        once_each(sensor, [attack])


async def test_a_stall_shorter_than_the_timeout_loses_and_repeats_nothing(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    async with Proxy(node.port) as proxy:
        sensor = await sensors.run(protocol.vault, proxy.url)
        before = await protocol.deposits(3)
        await sensor.wait_alerted(before)
        proxy.set(Mode.STALL)
        during = await protocol.deposits(5, account=3)
        await asyncio.sleep(0.5)
        proxy.set(Mode.PASS)
        await sensor.wait_alerted(during)
        await settle()
        once_each(sensor, before, during)


async def test_cuts_again_and_again_lose_and_repeat_nothing(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    async with Proxy(node.port) as proxy:
        sensor = await sensors.run(protocol.vault, proxy.url)
        sent: list[str] = []
        for number in range(8):
            sent += await protocol.deposits(3, account=2 + number % 3)
            proxy.reset()
            sent += await protocol.deposits(3, account=5 + number % 3)
        await sensor.wait_alerted(sent)
        await settle()
        once_each(sensor, sent)


async def test_a_transaction_mined_during_the_cut_is_still_reported(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    async with Proxy(node.port) as proxy:
        sensor = await sensors.run(protocol.vault, proxy.url)
        before = await protocol.deposits(2)
        await sensor.wait_alerted(before)
        await reset(proxy)
        during = await protocol.deposits(3, account=3)
        await protocol.rpc.mine()
        proxy.set(Mode.PASS)
        after = await protocol.deposits(2, account=4)
        await sensor.wait_alerted([*during, *after])
        await settle()
        once_each(sensor, before, during, after)


async def test_with_two_endpoints_the_cut_of_one_is_not_noticed(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    async with Proxy(node.port) as one, Proxy(node.port) as two:
        sensor = await sensors.run(protocol.vault, one.url, two.url)
        before = await protocol.deposits(4)
        await sensor.wait_alerted(before)
        await reset(one)
        during = await protocol.deposits(6, account=3)
        await sensor.wait_alerted(during, 2.0)
        one.set(Mode.PASS)
        await sensor.until(lambda: one.connections > 0, "the endpoint to be used again")
        after = await protocol.deposits(4, account=4)
        await sensor.wait_alerted(after)
        await settle()
        once_each(sensor, before, during, after)


async def test_a_killed_and_restarted_node_is_watched_again_and_old_alerts_do_not_repeat(
    anvil_binary: Path, sensors: Sensors
) -> None:
    options = AnvilOptions(chain_id=CHAIN_ID)
    first, second = Anvil(anvil_binary, options), Anvil(anvil_binary, options)
    first.start()
    try:
        async with Proxy(first.port) as proxy:
            async with Rpc(first.http_url) as rpc:
                protocol = await Protocol.on(rpc)
                sensor = await sensors.run(protocol.vault, proxy.url)
                before = [await protocol.deposit(10**15 + number, nonce=number) for number in range(4)]
                await sensor.wait_alerted(before)
            first.stop(kill=True)
            await asyncio.sleep(1.0)  # some attempts to reconnect fail

            second.start()
            async with Rpc(second.http_url) as rpc:
                protocol = await Protocol.on(rpc)  # the same vault at the same address
                again = [await protocol.deposit(10**15 + number, nonce=number) for number in range(4)]
                assert again == before, "the same transactions, as a rebroadcast would bring them"
                while_away = await protocol.deposits(3, account=3)
                proxy.target_port = second.port
                await sensor.wait_alerted(while_away)
                after = await protocol.deposits(3, account=4)
                await sensor.wait_alerted(after)
                await settle()
                once_each(sensor, before, while_away, after)
    finally:
        first.stop(kill=True)
        second.stop(kill=True)


async def test_a_sensor_started_before_its_node_becomes_ready_with_it(
    anvil_binary: Path, sensors: Sensors, node: Anvil, protocol: Protocol
) -> None:
    async with Proxy(node.port) as proxy:
        proxy.set(Mode.REFUSE)
        sensor = sensors.start(sensors.configure(protocol.vault, proxy.url))
        pending = await protocol.deposits(3)
        await asyncio.sleep(1.0)
        assert not any("sensor ready" in line for line in sensor.stderr)
        proxy.set(Mode.PASS)
        await sensor.wait_ready()
        await sensor.wait_alerted(pending)
        after = await protocol.deposits(2, account=3)
        await sensor.wait_alerted(after)
        await settle()
        once_each(sensor, pending, after)
