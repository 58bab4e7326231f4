"""What its simulation shows decides whether a suspect becomes an alert: live, on anvil."""

from __future__ import annotations

import rlp  # type: ignore[import-untyped]
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import artifact
from tests.e2e.conftest import EVERY_DEPOSIT, Protocol, Sensors
from tests.e2e.harness import Event, SensorProcess, alerts
from tests.e2e.scene import fill

ETHER = 10**18


def alert_of(sensor: SensorProcess, tx_hash: str) -> Event:
    (alert,) = [event for event in alerts(sensor.events()) if event["tx"]["hash"] == tx_hash]
    return alert


async def watching(
    sensors: Sensors, protocol: Protocol, node: Anvil, *, weight: float, **options: str
) -> SensorProcess:
    """A sensor with a rule of this weight for deposits, once it knows the chain's head."""
    sensors.rules.write_text(EVERY_DEPOSIT.replace("1.0", str(weight)))
    config = sensors.configure(protocol.vault, node.websocket_url, simulation=True)
    settings = {"alerts.stats_interval_s": "0.05", **options}
    sensor = sensors.start(config, *(f"--set={key}={value}" for key, value in settings.items()))
    await sensor.wait_ready()
    await sensor.until(sensor.knows_the_head, "the head's state")
    return sensor


async def test_what_a_simulation_finds_harmless_is_no_alert_and_is_counted(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    sensor = await watching(sensors, protocol, node, weight=0.9)
    for account in range(2, 7):
        await protocol.deposit(ETHER, account=account)
    await sensor.until(lambda: sensor.figures()["exonerated"] == 5, "five to be exonerated")
    await sensor.until(lambda: sensor.judged() == 5, "five to be judged")
    assert sensor.figures()["triaged_contact"] == 5
    assert await sensor.terminate() == 0
    assert sensor.alerted() == []


async def test_a_rule_of_full_weight_alerts_whatever_the_simulation_says(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    sensor = await watching(sensors, protocol, node, weight=1.0)
    sent = await protocol.deposit(ETHER)
    await sensor.wait_alerted([sent])
    alert = alert_of(sensor, sent)
    assert alert["score"] == 1.0
    assert alert["simulation"]["status"] == "done"
    assert alert["simulation"]["harm"] == 0.0
    assert alert["latency_us"]["simulate"] > 0


async def test_what_is_too_much_to_simulate_and_touches_a_monitored_contract_is_an_alert(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    await protocol.deposit(ETHER)
    await protocol.rpc.mine()
    sensor = await watching(sensors, protocol, node, weight=0.1, **{"simulation.frames": "1"})
    # The payment is a second call.
    sent = await protocol.vault.send(
        protocol.rpc, protocol.accounts[2], "withdraw(uint256)", ETHER, gas=95_000
    )
    await sensor.wait_alerted([sent])
    alert = alert_of(sensor, sent)
    reason = "makes more than 1 calls"
    assert alert["simulation"] == {"status": "failed", "failure": "budget", "reason": reason}
    assert alert["threat_level"] == "HIGH"
    assert alert["classification"]["probability"] < 0.5
    await sensor.until(lambda: sensor.figures()["simulation_failures"]["budget"] >= 1, "it to be counted")


async def test_an_attack_is_seen_before_the_contract_that_carries_it_out_is_there(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, robber = protocol.rpc, protocol.accounts[5]
    await fill(protocol)
    sensor = await watching(sensors, protocol, node, weight=0.1)
    code = artifact("Attacker").creation(protocol.vault.address)
    created = await rpc.send(robber, None, code, gas=1_000_000)
    contract = "0x" + keccak(rlp.encode([to_canonical_address(robber), 0]))[12:].hex()
    call = artifact("Attacker").calldata("attack()")
    attack = await rpc.send(robber, contract, call, value=10 * ETHER, gas=1_000_000)
    await sensor.wait_alerted([attack])
    assert await rpc.is_pending(created)
    alert = alert_of(sensor, attack)
    simulation = alert["simulation"]
    assert simulation["before"] == ["succeeded"]
    assert simulation["outflows"] == [{"contract": "Vault", "asset": "native", "amount": str(30 * ETHER)}]
    assert alert["contracts"] == ["Vault"]
    assert alert["threat_level"] == "CRITICAL"


async def test_what_was_harmless_is_an_alert_as_soon_as_the_state_makes_it_an_attack(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, robber = protocol.rpc, protocol.accounts[5]
    await rpc.send(robber, None, artifact("Attacker").creation(protocol.vault.address))
    await rpc.mine()
    contract = "0x" + keccak(rlp.encode([to_canonical_address(robber), 0]))[12:].hex()
    sensor = await watching(sensors, protocol, node, weight=0.1)
    # Nobody else has anything in the vault yet; and a block that has the deposit has no room for it.
    call = artifact("Attacker").calldata("attack()")
    attack = await rpc.send(robber, contract, call, value=10 * ETHER, tip=1, max_fee=2 * 10**9)
    await rpc.call("evm_setBlockGasLimit", hex(1_010_000))
    await sensor.until(lambda: sensor.judged() == 1, "it to be simulated")
    assert sensor.alerted() == []
    await protocol.deposit(30 * ETHER)
    await sensor.until(lambda: sensor.judged() == 2, "the deposit to be simulated")
    await rpc.mine()
    await sensor.wait_alerted([attack])
    assert await rpc.is_pending(attack)
    await sensor.until(lambda: sensor.figures()["state_carried"] == 1, "the only new block to be counted")
    simulation = alert_of(sensor, attack)["simulation"]
    assert simulation["outflows"] == [{"contract": "Vault", "asset": "native", "amount": str(30 * ETHER)}]


def hiding(attacker: str) -> str:
    """Init code of a contract that creates the attacker and passes every call with calldata on to it.

    The attacker's argument, its last word, stands there inverted: neither its code nor its calldata name the vault.
    """
    code = bytearray.fromhex(attacker.removeprefix("0x"))
    code[-32:] = bytes(byte ^ 0xFF for byte in code[-32:])
    selector = artifact("Attacker").calldata("attack()").removeprefix("0x")
    # Without calldata it takes ether. MSTORE of the selector; CALL of the first slot's address with the value.
    runtime = bytes.fromhex(f"3660055700 5b 63{selector}60e01b5f52 5f5f60045f345f545af100")

    def init(at: int) -> bytes:
        length, argument = f"{len(code):04x}", f"{len(code) - 32:04x}"
        create = f"61{length}61{at + len(runtime):04x}5f39 61{argument}80511990 52 61{length}5f5ff05f55"
        return bytes.fromhex(f"{create} 60{len(runtime):02x}61{at:04x}5f39 60{len(runtime):02x}5ff3")

    return "0x" + (init(len(init(0))) + runtime + code).hex()


async def test_a_young_contract_that_hides_whom_it_is_for_is_seen_by_what_it_does(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    rpc, robber = protocol.rpc, protocol.accounts[5]
    await protocol.deposit(30 * ETHER)
    attacker = artifact("Attacker").creation(protocol.vault.address)
    await rpc.send(robber, None, hiding(attacker), gas=2_000_000)
    await rpc.mine()
    contract = "0x" + keccak(rlp.encode([to_canonical_address(robber), 0]))[12:].hex()
    # By its age alone.
    sensor = await watching(sensors, protocol, node, weight=0.1, **{"simulation.threshold": "1.0"})
    attack = await rpc.send(robber, contract, "0x12345678", value=10 * ETHER)
    await sensor.wait_alerted([attack])
    alert = alert_of(sensor, attack)
    assert alert["contracts"] == ["Vault"]
    flows = [{"contract": "Vault", "asset": "native", "amount": str(30 * ETHER)}]
    assert alert["simulation"]["outflows"] == flows
    await sensor.until(lambda: sensor.judged() == 1, "it to be counted")
    assert sensor.figures()["triaged_young"] == 1
    assert sensor.figures()["triaged_contact"] == sensor.figures()["triaged_score"] == 0
