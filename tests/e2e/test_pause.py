"""Would a pause help: asked on a real chain while the attack is pending, again in a replay, and by hand."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from mempool_ids import _core
from mempool_ids.config import IDSConfig, sensor_config
from mempool_ids.config.models import Capture
from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import artifact
from tests.e2e.conftest import CHAIN_ID, Protocol
from tests.e2e.scene import fill

ETHER = 10**18
GUARDIAN = 1
THIEF = 5
_PATIENCE_SECONDS = 20.0

Event = dict[str, Any]


def configuration(node: Anvil, protocol: Protocol) -> IDSConfig:
    return IDSConfig(
        chain={"id": CHAIN_ID, "websocket_urls": [node.websocket_url], "rpc_urls": [node.http_url]},
        contracts=[{"name": "Vault", "address": protocol.vault.address}],
        simulation={"deadline_ms": 5_000},
        # What is proved of the thief's contract would be told before its call.
        early={"enabled": False},
    )


def pauses(protocol: Protocol) -> dict[str, dict[str, Any]]:
    vault, calldata = protocol.vault.address, artifact("Vault").calldata
    check = {"to": vault, "input": calldata("paused()")}
    guardian = protocol.accounts[GUARDIAN]
    return {"Vault": {"from": guardian, "to": vault, "input": calldata("pause()"), "check": check}}


async def set_up(protocol: Protocol) -> str:
    """The thief's contract."""
    code = artifact("Attacker").creation(protocol.vault.address)
    created = await protocol.rpc.send(protocol.accounts[THIEF], None, code, gas=700_000)
    await protocol.rpc.mine()
    return str((await protocol.rpc.receipt(created, 5.0))["contractAddress"])


async def attack(protocol: Protocol, contract: str) -> str:
    calldata = artifact("Attacker").calldata("attack()")
    return await protocol.rpc.send(
        protocol.accounts[THIEF], contract, calldata, value=10 * ETHER, gas=1_000_000
    )


def pull(sensor: _core.Sensor, kind: str, timeout: float = _PATIENCE_SECONDS) -> Event:
    """The first event of this kind."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for told, raw in sensor.recv(0.1):
            if told == kind:
                return dict(orjson.loads(raw or b"{}"))
    raise TimeoutError(f"no {kind}: {sensor.stats().decode()}")


def until_rehearsed(sensor: _core.Sensor, after: int = 0) -> Event:
    """The rehearsal on a block after this one: then its state is known, too."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        (latest,) = orjson.loads(sensor.stats())["pauses"]
        if (latest["block"] or 0) > after:
            return dict(latest)
        time.sleep(0.02)
    raise TimeoutError(sensor.stats().decode())


async def test_an_alert_says_whether_the_pause_would_help_and_a_replay_says_the_same(
    node: Anvil, protocol: Protocol, tmp_path: Path
) -> None:
    await fill(protocol)
    contract = await set_up(protocol)
    config = configuration(node, protocol)
    capture = Capture(dir=tmp_path / "capture")
    sensor = _core.Sensor(sensor_config(config, capture=capture, pauses=pauses(protocol)))
    sensor.start()
    await asyncio.to_thread(pull, sensor, "ready")
    rehearsed = await asyncio.to_thread(until_rehearsed, sensor)
    assert rehearsed["succeeds"]
    assert not rehearsed["paused"]
    assert rehearsed["reason"] is None
    assert 25_000 < rehearsed["gas"] < 31_000
    assert rehearsed["gas_amsterdam"] > 0
    tx_hash = await attack(protocol, contract)
    alert = await asyncio.to_thread(pull, sensor, "alert")
    assert alert["tx"]["hash"] == tx_hash
    assert alert["tx"]["gas"] == 1_000_000
    assert int(alert["tx"]["max_fee_per_gas"]) > 0
    assert alert["grade"] == "proved"
    (victim,) = alert["victims"]
    assert victim["contract"] == "Vault"
    assert victim["asset"] == "native"
    assert victim["share"] == 1.0
    assert {"outflow", "reentrancy"} <= set(victim["invariants"])
    assert int(victim["amount"]) == 30 * ETHER
    assert victim["beneficiary"] == protocol.accounts[THIEF]
    response = alert["response"]
    assert (response["asked"], response["targets"], response["pause_succeeds"]) == (True, ["Vault"], True)
    assert response["harm_left"] == 0.0
    assert not response["already_paused"]
    # The contract obeys its creator alone.
    assert response["copyable"] is False
    assert response["includable"] is True
    assert response["includable_reason"] is None
    assert response["attack_gas"] == alert["simulation"]["gas_used"]
    assert response["attack_payment"] == alert["simulation"]["coinbase_payment"]
    assert response["action_id"] is None
    assert response["decision"] is None
    await asyncio.to_thread(stop, sensor)

    again = _core.Sensor(sensor_config(config, replay=[capture.dir], pauses=pauses(protocol)))
    again.start()
    replayed = await asyncio.to_thread(pull, again, "alert")
    for changing in ("timestamp", "latency_us", "watched_ms"):
        del alert[changing], replayed[changing]
    assert replayed == alert
    # Who replays without pauses asks nothing, and has the same alert.
    plain = _core.Sensor(sensor_config(config, replay=[capture.dir]))
    plain.start()
    unasked = await asyncio.to_thread(pull, plain, "alert")
    assert unasked["response"]["asked"] is False
    assert unasked["response"]["why"] is None
    assert unasked["victims"] == alert["victims"]
    assert unasked["simulation"] == alert["simulation"]


def stop(sensor: _core.Sensor) -> None:
    sensor.stop()
    pull(sensor, "end")


async def test_a_recording_that_did_not_ask_cannot_answer_and_alerts_all_the_same(
    node: Anvil, protocol: Protocol, tmp_path: Path
) -> None:
    await fill(protocol)
    contract = await set_up(protocol)
    config = configuration(node, protocol)
    capture = Capture(dir=tmp_path / "capture")
    sensor = _core.Sensor(sensor_config(config, capture=capture))
    sensor.start()
    await asyncio.to_thread(pull, sensor, "ready")
    await attack(protocol, contract)
    alert = await asyncio.to_thread(pull, sensor, "alert")
    assert orjson.loads(sensor.stats())["pauses"] == []
    await asyncio.to_thread(stop, sensor)
    again = _core.Sensor(sensor_config(config, replay=[capture.dir], pauses=pauses(protocol)))
    again.start()
    replayed = await asyncio.to_thread(pull, again, "alert")
    assert replayed["response"]["asked"] is False
    assert "state" in replayed["response"]["why"]
    for key in ("score", "simulation", "victims", "grade", "classification"):
        assert replayed[key] == alert[key]


async def test_a_drill_pauses_first_and_spends_nothing(node: Anvil, protocol: Protocol) -> None:
    await fill(protocol)
    contract = await set_up(protocol)
    pending = await attack(protocol, contract)
    config = sensor_config(configuration(node, protocol), listen=False)
    pause = pauses(protocol)["Vault"]
    paused = {"view": pause.pop("check")}
    call = {"call": pause}

    def rehearse(steps: Any, block: str | None = None) -> Event:
        return dict(orjson.loads(_core.rehearse(config, orjson.dumps(steps).decode(), block)))

    alone = await asyncio.to_thread(rehearse, [{"tx": pending}, paused])
    assert [step["kind"] for step in alone["steps"]] == ["tx", "view"]
    assert alone["steps"][0]["succeeded"]
    assert int(alone["steps"][1]["output"], 16) == 0
    assert alone["simulation"]["verdict"]["threat_level"] == "CRITICAL"
    assert alone["simulation"]["grade"] == "proved"
    both = await asyncio.to_thread(rehearse, [paused, call, paused, {"tx": pending}])
    before, done, after, attacked = both["steps"]
    assert int(before["output"], 16) == 0
    assert int(after["output"], 16) == 1
    assert done["succeeded"]
    assert 25_000 < done["gas_spent"] < 31_000
    assert done["took_us"] > 0
    assert attacked["outcome"] == "reverted"
    assert both["simulation"]["simulation"]["harm"] == 0.0
    later = await asyncio.to_thread(rehearse, {"steps": [call], "rules": "amsterdam"})
    assert later["fork"] == "Amsterdam"
    assert later["simulation"] is None
    # By its bytes and by its JSON, too.
    told = await protocol.rpc.call("eth_getTransactionByHash", pending)
    as_json = await asyncio.to_thread(rehearse, [call, {"tx": told}])
    assert as_json["steps"][1]["outcome"] == "reverted"
    # Nothing was sent.
    await protocol.rpc.mine()
    assert int((await protocol.rpc.receipt(pending, 5.0))["status"], 16) == 1


def test_what_is_no_script_is_refused() -> None:
    config = sensor_config(IDSConfig(), listen=False)
    for steps in ("", "[]", "{}", '[{"tx": 1, "view": {}}]', '[{"sleep": 1}]'):
        with pytest.raises(_core.ConfigError, match="steps"):
            _core.rehearse(config, steps)


async def started(
    node: Anvil, protocol: Protocol, capture: Capture | None = None, **simulation: int
) -> _core.Sensor:
    config = configuration(node, protocol)
    if simulation:
        changed = config.simulation.model_copy(update=simulation)
        config = config.model_copy(update={"simulation": changed})
    sensor = _core.Sensor(sensor_config(config, capture=capture, pauses=pauses(protocol)))
    sensor.start()
    await asyncio.to_thread(pull, sensor, "ready")
    await asyncio.to_thread(until_rehearsed, sensor)
    return sensor


def replayed(node: Anvil, protocol: Protocol, capture: Capture) -> list[Event]:
    """All alerts of a replay."""
    config = sensor_config(configuration(node, protocol), replay=[capture.dir], pauses=pauses(protocol))
    sensor = _core.Sensor(config)
    sensor.start()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    told: list[tuple[str, bytes | None]] = []
    while not any(kind == "end" for kind, _ in told):
        assert time.monotonic() < deadline
        told.extend(sensor.recv(0.1))
    return [dict(orjson.loads(raw or b"{}")) for kind, raw in told if kind == "alert"]


async def alert_of(sensor: _core.Sensor, tx_hash: str) -> Event:
    while True:
        alert = await asyncio.to_thread(pull, sensor, "alert")
        if alert["tx"]["hash"] == tx_hash:
            return alert


def is_answered(alert: Event) -> bool:
    response = alert["response"]
    stops = response["asked"] and response["pause_succeeds"] and response["harm_left"] == 0.0
    return bool(stops and alert["grade"] == "proved")


async def test_a_plain_transfer_in_front_of_the_attack_changes_nothing(
    node: Anvil, protocol: Protocol
) -> None:
    await fill(protocol)
    contract = await set_up(protocol)
    sensor = await started(node, protocol)
    thief = protocol.accounts[THIEF]
    for _ in range(3):
        await protocol.rpc.send(thief, thief, value=1, gas=21_000)
    alert = await alert_of(sensor, await attack(protocol, contract))
    assert alert["simulation"]["before"] == ["succeeded"] * 3
    assert is_answered(alert)
    assert alert["response"]["includable"] is True
    await asyncio.to_thread(stop, sensor)


async def test_what_was_replaced_is_not_executed_before_an_attack(node: Anvil, protocol: Protocol) -> None:
    await fill(protocol)
    contract = await set_up(protocol)
    sensor = await started(node, protocol)
    thief = protocol.accounts[THIEF]
    nonce = await protocol.rpc.nonce(thief)
    first = await alert_of(sensor, await attack(protocol, contract))
    # A transfer in its place, and the attack behind it: after the first one it would find nothing.
    await protocol.rpc.send(thief, thief, gas=21_000, nonce=nonce, tip=3 * 10**9, max_fee=99 * 10**9)
    second = await alert_of(sensor, await attack(protocol, contract))
    assert second["tx"]["nonce"] == first["tx"]["nonce"] + 1
    assert is_answered(first)
    assert is_answered(second)
    await asyncio.to_thread(stop, sensor)


async def test_an_attack_below_the_base_fee_is_told_once_more_when_the_next_block_can_have_it(
    node: Anvil, protocol: Protocol, tmp_path: Path
) -> None:
    await fill(protocol)
    contract = await set_up(protocol)
    capture = Capture(dir=tmp_path / "capture")
    sensor = await started(node, protocol, capture)
    gwei = 10**9

    async def base_fee(fee: int) -> None:
        await protocol.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(fee))

    known = await asyncio.to_thread(until_rehearsed, sensor)
    await base_fee(100 * gwei)
    await protocol.rpc.mine()
    await asyncio.to_thread(until_rehearsed, sensor, known["block"])
    # An empty block lowers it by an eighth: 87.5, then 76.6.
    await base_fee(gwei)
    calldata = artifact("Attacker").calldata("attack()")
    thief = protocol.accounts[THIEF]
    sent = await protocol.rpc.send(
        thief, contract, calldata, value=10 * ETHER, gas=1_000_000, tip=gwei, max_fee=80 * gwei
    )
    first = await alert_of(sensor, sent)
    assert is_answered(first)
    assert first["response"]["includable"] is False
    assert "fee cap" in first["response"]["includable_reason"]
    await base_fee(875 * gwei // 10)
    await protocol.rpc.mine()
    second = await alert_of(sensor, sent)
    assert second["alert_id"] == first["alert_id"]
    assert is_answered(second)
    assert second["response"]["includable"] is True
    assert second["response"]["base_fee"] < first["response"]["base_fee"]
    # Once: nothing is in its way any more.
    await base_fee(90 * gwei)
    await protocol.rpc.mine()
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(pull, sensor, "alert", 1.0)
    assert orjson.loads(sensor.stats())["detections"] == 1
    await asyncio.to_thread(stop, sensor)
    both = await asyncio.to_thread(replayed, node, protocol, capture)
    for alert in (first, second, *both):
        for changing in ("timestamp", "latency_us", "watched_ms"):
            del alert[changing]
    assert both == [first, second]


def burner(vault: str) -> str:
    """Init code: creates the attacker's contract, then one that asks for its surroundings, burns its gas, and has the
    attacker's contract attack."""
    attacker = bytes.fromhex(artifact("Attacker").creation(vault).removeprefix("0x"))

    def push(number: int) -> bytes:
        return b"\x61" + number.to_bytes(2, "big")

    # COINBASE, TIMESTAMP, GASPRICE, GASLIMIT, each popped.
    asks = bytes.fromhex("41504250 3a504550")
    # While more than 700,000 gas is left: many JUMPDESTs.
    burns = b"\x5b" * 4_000 + bytes.fromhex("63000aae60 5a11") + push(len(asks)) + b"\x57"
    # CALL of slot 0 with attack() and the value.
    selector = bytes.fromhex(artifact("Attacker").calldata("attack()").removeprefix("0x"))
    attacks = b"\x63" + selector + bytes.fromhex("60e01b5f52 5f5f60045f345f545af1 00")
    code = asks + burns + attacks

    def copies(length: int, at: int) -> bytes:
        return push(length) + push(at) + b"\x5f\x39"

    def init(at: int) -> bytes:
        creates = copies(len(attacker), at) + push(len(attacker)) + bytes.fromhex("5f5ff0 5f55")
        return creates + copies(len(code), at + len(attacker)) + push(len(code)) + b"\x5f\xf3"

    return "0x" + (init(len(init(0))) + attacker + code).hex()


async def test_who_burns_the_time_for_other_surroundings_takes_neither_proof_nor_answer(
    node: Anvil, protocol: Protocol
) -> None:
    await fill(protocol)
    thief = protocol.accounts[THIEF]
    created = await protocol.rpc.send(thief, None, burner(protocol.vault.address), gas=3_000_000)
    await protocol.rpc.mine()
    contract = str((await protocol.rpc.receipt(created, 5.0))["contractAddress"])
    # How long all takes on this machine now: one run, five in other surroundings, two with the pause before it.
    patient = await started(node, protocol, deadline_ms=20_000)
    sent = await protocol.rpc.send(thief, contract, value=ETHER, gas=16_000_000)
    whole_ms = (await alert_of(patient, sent))["latency_us"]["simulate"] / 1_000
    await asyncio.to_thread(stop, patient)
    sensor = await started(node, protocol, deadline_ms=round(whole_ms / 2))
    sent = await protocol.rpc.send(protocol.accounts[THIEF + 1], contract, value=ETHER, gas=16_000_000)
    alert = await alert_of(sensor, sent)
    assert alert["simulation"]["gas_used"] > 14_000_000
    assert is_answered(alert)
    assert alert["response"]["includable"] is True
    await asyncio.to_thread(stop, sensor)
