"""A sensor weighs who made a contract: whose money that is, and whether it attacked before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import Event, SensorProcess, run
from tests.early.hostile import sensing
from tests.early.mixer import ETHER, HEADER, MIXER, pays
from tests.early.test_deployed import configure, early_alerts
from tests.early.traps import TRAPS, Trap
from tests.scenarios.stage import GWEI, Contract

pytestmark = pytest.mark.timeout(120)

GAS = 100_000


async def mined(rpc: Rpc, sender: str, to: str | None, data: str, value: int = 0) -> str:
    """The address that it creates, if it does."""
    sent = await rpc.send(sender, to, data, value=value, gas=GAS)
    receipt = await rpc.receipt(sent, 20)
    assert receipt["status"] == "0x1", receipt
    return str(receipt["contractAddress"] or "").lower()


#: Contracts are not called: what is told is told of their makers.
UNCALLED = "early.detonation.enabled=false"


async def told(sensor: SensorProcess, contracts: dict[str, Contract]) -> dict[str, Event]:
    """The alert of each, once all are there."""

    def all_there() -> bool:
        events = sensor.events()
        return all(early_alerts(events, contract) for contract in contracts.values())

    await sensor.until(all_there, "all to be told", 30)
    events = sensor.events()
    found = {name: early_alerts(events, contract) for name, contract in contracts.items()}
    assert {name: len(alerts) for name, alerts in found.items()} == dict.fromkeys(contracts, 1)
    return {name: alerts[0] for name, alerts in found.items()}


async def funded_by_a_mixer(node: Node, folder: Path) -> dict[str, Event]:
    """Of each trap's contract, whose maker has a mixer's money and which nobody calls."""
    async with Rpc(node.http_url) as rpc:
        (rich, *_) = await rpc.accounts()
        mixer = await mined(rpc, rich, None, MIXER)
        built = await asyncio.gather(*(build(rpc) for build in TRAPS.values()))
        traps: dict[str, Trap] = dict(zip(TRAPS, built, strict=True))
        early = '[early]\nsources = "sources.csv"\n'
        config = configure(folder, node, traps, early)
        chain_id = built[0].stage.chain_id
        (folder / "sources.csv").write_text(f"{HEADER}{chain_id},{mixer},Mixer,high,48\n")
        async with sensing(config, UNCALLED) as sensor:
            for trap in built:
                await mined(rpc, rich, mixer, pays(trap.attacker.address), ETHER)
            contracts = {name: await trap.place() for name, trap in traps.items()}
            for trap in built:
                await trap.stage.settle()
            return await told(sensor, contracts)


def check_funded(alert: Event) -> None:
    early = alert["early"]
    assert (early["name"], early["reason"]) == ("EARLY-ATTACK-DETECTOR-1", "funded")
    metadata, contract = early["metadata"], early["contract"]
    assert metadata["funding_labels"] == ["Mixer"]
    assert metadata["high_precision_model"] is False
    assert metadata["model_score"] >= metadata["model_threshold"]
    [funding] = contract["funding"]
    assert (funding["service"], funding["grade"], funding["hops"]) == ("Mixer", "high", 1)
    assert funding["amount"] == str(ETHER)
    assert contract["detonation"] is None
    assert {label["label"] for label in early["labels"]} == {"contract", "eoa"}


async def test_suspicious_code_is_told_where_a_mixer_paid_its_maker(
    anvil_binary: Path, tmp_path: Path
) -> None:
    with Anvil(anvil_binary, AnvilOptions(block_time=1)) as anvil:
        alerts = await funded_by_a_mixer(anvil, tmp_path / "run")
    for name in TRAPS:
        check_funded(alerts[name])


async def test_suspicious_code_is_told_where_a_mixer_paid_its_maker_on_geth(
    geth_binary: Path, tmp_path: Path
) -> None:
    from tests.geth import Geth

    with Geth(geth_binary, period=1) as geth:
        alerts = await funded_by_a_mixer(geth, tmp_path / "run")
    for name in TRAPS:
        check_funded(alerts[name])


async def test_what_is_paid_and_creates_in_one_block_is_told(anvil_binary: Path, tmp_path: Path) -> None:
    """While it is pending its maker has nothing of the mixer's yet."""
    folder = tmp_path / "run"
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            (rich, *_) = await rpc.accounts()
            created = await rpc.send(rich, None, MIXER, gas=GAS)
            await rpc.mine()
            mixer = (await rpc.receipt(created, 5))["contractAddress"].lower()
            trap = await TRAPS["reentrancy"](rpc)
            config = configure(folder, anvil, {"reentrancy": trap}, '[early]\nsources = "sources.csv"\n')
            (folder / "sources.csv").write_text(f"{HEADER}{trap.stage.chain_id},{mixer},Mixer,high,48\n")
            async with sensing(config, UNCALLED) as sensor:
                contract = await trap.place()

                def is_seen() -> bool:
                    deployed = [one for one in sensor.events() if one["event_type"] == "deploy"]
                    return [one["contract"]["address"] for one in deployed] == [contract.address]

                await sensor.until(is_seen, "the pending creation to be seen")
                assert early_alerts(sensor.events(), contract) == []
                # Builders are to take the payment in before what it pays for.
                await rpc.send(rich, mixer, pays(trap.attacker.address), value=ETHER, gas=GAS, tip=10 * 10**9)
                await trap.stage.settle()
                check_funded((await told(sensor, {"it": contract}))["it"])


@pytest.fixture
async def attackers(anvil_binary: Path, tmp_path: Path) -> AsyncIterator[tuple[Rpc, Trap, Path]]:
    """A protocol, and the configuration of a sensor that has its attacker in its list."""
    folder = tmp_path / "run"
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            trap = await TRAPS["takeover"](rpc)
            config = configure(folder, anvil, {"takeover": trap})
            row = f"{trap.attacker.address},attacker,Euler"
            (folder / "attackers.csv").write_text(f"address,role,incident\n{row}\n")
            listed = run("labels", "update", "attackers.csv", "-c", "ids.toml", cwd=folder)
            assert listed.returncode == 0, listed.stderr
            yield rpc, trap, config


async def test_whatever_a_known_attacker_creates_is_told(attackers: tuple[Rpc, Trap, Path]) -> None:
    _, trap, config = attackers
    async with sensing(config, UNCALLED) as sensor:
        contract = await trap.place()
        early = (await told(sensor, {"it": contract}))["it"]["early"]
    assert early["reason"] == "past_attacker"
    assert early["metadata"]["known_past_attacker"] == "Euler"
    assert {label["label"]: label["remove"] for label in early["labels"]} == {
        "contract": False,
        "eoa": False,
        "attacker": False,
    }


async def test_what_was_said_of_a_contract_that_never_came_is_taken_back(
    attackers: tuple[Rpc, Trap, Path],
) -> None:
    rpc, trap, config = attackers
    attacker = trap.attacker
    async with sensing(config) as sensor:
        token = await trap.stage.deploy("Token", 10**18, by=attacker)
        alert = (await told(sensor, {"it": token}))["it"]
        replaced = attacker.key.sign_transaction(
            {
                "chainId": trap.stage.chain_id,
                "nonce": attacker.nonce - 1,
                "to": bytes.fromhex(attacker.address[2:]),
                "data": b"",
                "value": 0,
                "gas": 21_000,
                "maxFeePerGas": 100 * GWEI,
                "maxPriorityFeePerGas": 10 * GWEI,
            }
        )
        await rpc.call("eth_sendRawTransaction", "0x" + replaced.raw_transaction.hex())
        await rpc.mine()

        def gone() -> list[Event]:
            deployed = [one for one in sensor.events() if one["event_type"] == "deploy"]
            return [one for one in deployed if one["contract"]["seen"] == "gone"]

        await sensor.until(lambda: bool(gone()), "its end to be told")
        [event] = gone()
    assert event["contract"]["address"] == token.address
    assert [label["id"] for label in event["labels"]] == [label["id"] for label in alert["early"]["labels"]]
    assert all(label["remove"] for label in event["labels"])
