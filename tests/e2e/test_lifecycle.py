"""What a sensor has emitted stays, however it ends; what it did not emit was not lost on the way out."""

from __future__ import annotations

import asyncio
import signal

import pytest

from mempool_ids.demo.anvil import Anvil
from tests.e2e.conftest import EVERY_DEPOSIT, Protocol, Sensors
from tests.e2e.harness import alerts, read_events, stored_alert_ids


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_stop_flushes_every_event(
    number: signal.Signals, node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    sensor = await sensors.run(protocol.vault, node.websocket_url)
    sent = await protocol.deposits(60)
    await sensor.wait_alerted(sent[:1])  # in the midst of it
    assert await sensor.terminate(number) == 0
    raw = sensor.log.read_bytes()
    assert raw.endswith(b"\n")
    events = read_events(sensor.log)
    ids = [alert["alert_id"] for alert in alerts(events)]
    assert ids
    assert len(set(ids)) == len(ids)
    assert sorted(ids) == sorted(sensor.stored())
    last = [event for event in events if event["event_type"] == "stats"][-1]
    assert last["stats"]["detections"] == len(ids), "the core detected more than was written"


async def test_kill_9_loses_no_alert_that_the_event_log_shows(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    sensor = await sensors.run(protocol.vault, node.websocket_url)

    async def burst() -> None:
        for account in range(2, 12):
            await protocol.deposits(20, account=account)

    sending = asyncio.create_task(burst())
    await sensor.until(lambda: len(sensor.alerted()) >= 10, "the first alerts")
    await sensor.kill()
    await sending
    shown = {alert["alert_id"] for alert in alerts(read_events(sensor.log))}
    assert len(shown) >= 10
    assert shown <= set(stored_alert_ids(sensor.database))

    # Started again, it finds the rest in the pool, and says nothing twice.
    again = await sensors.run(protocol.vault, node.websocket_url)
    await again.until(lambda: len(set(again.alerted())) == 200, "the rest")
    await asyncio.sleep(0.7)
    assert len(again.alerted()) == 200
    assert len(again.stored()) == 200


async def test_sighup_reloads_the_rules_and_a_broken_file_keeps_the_old(
    node: Anvil, protocol: Protocol, sensors: Sensors
) -> None:
    sensor = await sensors.run(protocol.vault, node.websocket_url)
    first = await protocol.deposits(3)
    await sensor.wait_alerted(first)

    sensors.rules.write_text(
        EVERY_DEPOSIT.replace("a deposit", "a deposit, reloaded").replace("900001", "900002")
    )
    sensor.send_signal(signal.SIGHUP)

    async def signature_of_a_new_deposit(account: int) -> int:
        (tx_hash,) = await protocol.deposits(1, account=account)
        await sensor.wait_alerted([tx_hash])
        (alert,) = [event for event in alerts(sensor.events()) if event["tx"]["hash"] == tx_hash]
        return int(alert["signatures"][0]["id"])

    account = 3
    while await signature_of_a_new_deposit(account) != 900002:  # each is alerted, before and after
        account += 1
        assert account < 19, "the rules were never reloaded"
        await asyncio.sleep(0.1)

    said = len(sensor.stderr)
    sensors.rules.write_text("rules:\n  - sid: 900003\n    msg: [not a text\n")
    sensor.send_signal(signal.SIGHUP)
    await sensor.until(
        lambda: any("rules.yaml" in line for line in sensor.stderr[said:]), "the file to be named"
    )
    assert await signature_of_a_new_deposit(19) == 900002
    assert await sensor.terminate() == 0


async def test_how_a_transaction_ended_is_reported(node: Anvil, protocol: Protocol, sensors: Sensors) -> None:
    sensor = await sensors.run(protocol.vault, node.websocket_url)
    mined = await protocol.deposit(10**15, account=2)
    replaced = await protocol.deposit(10**15, account=3, nonce=0)
    await sensor.wait_alerted([mined, replaced])
    by = await protocol.deposit(2 * 10**15, account=3, nonce=0, tip=3 * 10**9, max_fee=100 * 10**9)
    await sensor.wait_alerted([by])
    await protocol.rpc.mine()
    block = await protocol.rpc.block_number()

    def ends() -> dict[str, dict[str, object]]:
        return {event["hash"]: event for event in sensor.events() if event["event_type"] == "outcome"}

    await sensor.until(lambda: {mined, replaced, by} <= set(ends()), "all outcomes")
    assert ends()[mined]["outcome"] == "mined"
    assert ends()[mined]["block"] == block
    assert ends()[by]["outcome"] == "mined"
    assert ends()[replaced]["outcome"] == "replaced"
    assert ends()[replaced]["by"] == by
