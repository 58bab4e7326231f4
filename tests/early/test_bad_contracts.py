"""Contracts that want to hold a sensor up, live: an attack among them is proved, and what they take is counted."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import Event, SensorProcess, alerts
from tests.early.hostile import SHIPPED, create, early, endless, hungry, rich, sensing
from tests.early.test_deployed import configure, early_alerts
from tests.early.traps import TRAPS, Trap
from tests.scenarios.stage import Contract

pytestmark = pytest.mark.timeout(120)

#: Of the attack, while a machine that others share does all that was asked of it before.
SECONDS = 30.0
#: Seconds between heads.
BLOCK = 5.0


@dataclass(frozen=True)
class Scene:
    """A protocol on a chain that mines when it is asked to, and who watches it."""

    rpc: Rpc
    trap: Trap
    sensor: SensorProcess

    @property
    def vault(self) -> str:
        return self.trap.stage.monitored[0].contract.address

    async def proved(self, contract: Contract) -> float:
        """Seconds until the contract is proved to attack, with a head now and then, as on any chain."""
        begun = time.monotonic()
        await self.eventually(
            lambda: any(alert["grade"] == "proved" for alert in early_alerts(self.sensor.events(), contract)),
            "the attack to be proved",
        )
        return time.monotonic() - begun

    async def eventually(self, condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
        """Waits for it, with a head now and then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline - BLOCK:
            try:
                await self.sensor.until(condition, what, BLOCK)
                return
            except AssertionError:
                await self.rpc.mine()
        await self.sensor.until(condition, what, BLOCK)


@pytest.fixture
async def scene(anvil_binary: Path, tmp_path: Path) -> AsyncIterator[Scene]:
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            trap = await TRAPS["reentrancy"](rpc)
            config = configure(tmp_path / "run", anvil, {"reentrancy": trap})
            async with sensing(config, *SHIPPED) as sensor:
                yield Scene(rpc, trap, sensor)


@pytest.mark.parametrize("gas", [16_000_000, 30_000_000])
async def test_fifty_endless_constructors_hold_nobody_up(scene: Scene, gas: int) -> None:
    for actor in await rich(scene.rpc, 50):
        await create(scene.rpc, actor, endless(scene.vault), gas)
    contract = await scene.trap.place()
    took = await scene.proved(contract)
    print(f"proved after {took:.1f} s")

    def tried() -> int:
        figures = early(scene.sensor)
        return int(figures["deployments_unexecuted"] + figures["deployments_failed"])

    # Those are counted that come to their turn, or are mined before; of none it is said that it does harm.
    await scene.eventually(lambda: tried() >= 50, "all to be tried", 90)
    await scene.sensor.until(lambda: early(scene.sensor)["proved"] >= 1, "the proof to be counted")
    assert len(early_alerts(scene.sensor.events(), contract)) == len(alerts(scene.sensor.events()))


async def test_who_floods_starves_nobody_else(scene: Scene) -> None:
    (flooder,) = await rich(scene.rpc, 1)
    await scene.rpc.call("evm_setBlockGasLimit", hex(10**9))
    for _ in range(20):
        for init_code in hungry(scene.vault).values():
            await create(scene.rpc, flooder, init_code)
    await scene.rpc.mine()
    await scene.sensor.until(lambda: early(scene.sensor)["deployments"] >= 100, "the flood to be seen")
    contract = await scene.trap.place()
    await scene.trap.stage.settle()
    await scene.proved(contract)
    await scene.sensor.until(lambda: early(scene.sensor)["detonated"] > 1, "the flood to be called")
    # An eighth of those that wait may be one deployer's.
    await scene.sensor.until(
        lambda: early(scene.sensor)["detonations_dropped"] >= 100 - 32, "the rest to be dropped"
    )
    await scene.sensor.until(lambda: early(scene.sensor)["proved"] >= 1, "the proof to be counted")


async def test_a_constructor_that_looks_whether_it_is_simulated_is_run_as_a_block_would(scene: Scene) -> None:
    """It leaves the attack only where everything is as in a block; else it fails, and is seen when it is mined."""
    (actor,) = await rich(scene.rpc, 1)
    checks = (
        "3a1515",  # GASPRICE > 0
        "431515",  # NUMBER > 0
        f"63{1_700_000_000:08x}4211",  # TIMESTAMP > …
        "61ea605a11",  # GAS > 60,000
        "620f42404511",  # GASLIMIT > 1,000,000
        "481515",  # BASEFEE > 0
        "323314",  # ORIGIN == CALLER
        "60043b15",  # EXTCODESIZE of the identity precompile == 0
    )
    # Else an invalid jump.
    looks = checks[0] + "".join(check + "16" for check in checks[1:]) + "15600057"
    code = "5b" * 60 + "73" + scene.vault[2:]
    init_code = looks + f"61{len(code) // 2:04x}8060{len(looks) // 2 + 11:02x}5f395ff3fe" + code
    await create(scene.rpc, actor, init_code)
    await scene.sensor.until(lambda: early(scene.sensor).get("deployments") == 1, "it to be seen")
    assert early(scene.sensor)["deployments_unexecuted"] == 0
    told = next(event for event in scene.sensor.events() if event["event_type"] == "deploy")
    assert told["contract"]["contained"]


async def test_ten_thousand_deployments_in_a_block_are_bounded_and_counted(scene: Scene) -> None:
    (actor,) = await rich(scene.rpc, 1)
    await scene.rpc.call("evm_setBlockGasLimit", hex(2 * 10**9))
    for first in range(0, 10_000, 2_500):
        await create(scene.rpc, actor, many(first, first + 2_500), 200_000_000)
    await scene.rpc.mine()
    contract = await scene.trap.place()
    print(f"proved after {await scene.proved(contract):.1f} s")
    await scene.sensor.until(lambda: early(scene.sensor)["deployments"] >= 4_096, "the block to be seen", 60)
    figures = early(scene.sensor)
    assert figures["deployments"] + figures["deployments_dropped"] >= 10_000


async def test_ten_thousand_clones_of_an_attack_are_one_alert_that_lists_the_rest(scene: Scene) -> None:
    contract = await scene.trap.place()
    await scene.trap.stage.settle()
    await scene.proved(contract)
    await scene.sensor.until(lambda: early(scene.sensor)["deployments"] >= 1, "it to be counted")
    before = early(scene.sensor)["deployments"]
    (actor,) = await rich(scene.rpc, 1)
    await scene.rpc.call("evm_setBlockGasLimit", hex(2 * 10**9))
    await create(scene.rpc, actor, clones(contract.address, 10_000), 10**9)
    await scene.rpc.mine()

    def told() -> list[Event]:
        events = (event for event in scene.sensor.events() if event["event_type"] == "deploy")
        contracts = [event["contract"] for event in events]
        return [one for one in contracts if one["deployer"] == actor.address and one["twins"]]

    def alerted() -> list[Event]:
        contracts = [one["early"]["contract"] for one in alerts(scene.sensor.events()) if one.get("early")]
        return [one for one in contracts if one["deployer"] == actor.address]

    await scene.sensor.until(lambda: bool(alerted()), "the clones to be alerted", 30)
    assert {one["address"] for one in told()} == {one["address"] for one in alerted()}
    (one,) = alerted()
    assert len(one["twins"]) + one["twins_more"] == 9_999
    assert early(scene.sensor)["deployments"] <= before + 2


def _repeats(child: str, first: int, end: int, patched: str) -> str:
    """Init code that creates many children; `patched` puts the number, which is on the stack, into their init code."""
    size, body = len(child) // 2, f"5b{patched}60{len(child) // 2:02x}5f5ff050600101"
    loop = f"{body}8063{end:08x}11600b5700"
    tail = 6 + 5 + len(loop) // 2
    return f"60{size:02x}60{tail:02x}5f3963{first:08x}{loop}{child}"


def many(first: int, end: int) -> str:
    """Each child's code begins with another number."""
    child = "7f" + "00" * 32 + "5f52" + "7f" + "5b" * 32 + "602052" + "60405ff3"
    return _repeats(child, first, end, "80600152")


def clones(of: str, count: int) -> str:
    """EIP-1167."""
    return _repeats(
        f"602d8060093d393df3363d3d373d3d3d363d73{of[2:]}5af43d82803e903d91602b57fd5bf3", 0, count, ""
    )
