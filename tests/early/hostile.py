"""Contracts that want to hold a sensor up, and a sensor with the budgets that it has unless told otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import Event, SensorProcess
from tests.scenarios.stage import ETHER, GWEI, Actor

#: Budgets of detonation as in docs/early.md: other tests give more.
SHIPPED = ("early.detonation.contract_ms=100", "early.detonation.head_ms=1000")
_FUNDS = 1_000 * ETHER


def creation(code: str) -> str:
    """Init code, hex without 0x, that leaves this code: PUSH2 size DUP1 PUSH1 10 PUSH0 CODECOPY PUSH0 RETURN."""
    return f"61{len(code) // 2:04x}80600a5f395ff3{code}"


def endless(victim: str) -> str:
    """A constructor that never ends and holds its victim's address: JUMPDEST PUSH0 JUMP."""
    return f"5b5f5673{victim[2:]}"


def hungry(victim: str) -> dict[str, str]:
    """Init code of contracts that hold their victim's address and take all they can get, whatever is called."""
    # Code under 60 bytes is left alone.
    holds = "5b" * 40 + f"73{victim[2:]}"
    codes = {
        "loops": "5b5f56",
        # MSTORE ever farther away: MSIZE MSIZE MSTORE.
        "takes memory": "5b5959525f56",
        # RETURN of 512 KiB.
        "returns a bomb": "620800005ff3",
        # CALL of itself with all its gas, over and over.
        "calls itself": "5b5f5f5f5f5f305af1505f56",
        # CREATE of nothing, over and over.
        "creates": "5b5f5f5ff0505f56",
    }
    return {name: creation(code + "00" + holds) for name, code in codes.items()}


async def rich(rpc: Rpc, count: int) -> list[Actor]:
    """So many accounts that have ether (anvil only)."""
    actors = [Actor.create() for _ in range(count)]
    for actor in actors:
        await rpc.call("anvil_setBalance", actor.address, hex(_FUNDS))
    return actors


async def create(rpc: Rpc, actor: Actor, init_code: str, gas: int = 3_000_000) -> str:
    """Sends a creation that its actor signs; its hash."""
    signed = actor.key.sign_transaction(
        {
            "chainId": 31_337,
            "nonce": actor.nonce,
            "to": b"",
            "data": bytes.fromhex(init_code),
            "value": 0,
            "gas": gas,
            "maxFeePerGas": 50 * GWEI,
            "maxPriorityFeePerGas": 2 * GWEI,
        }
    )
    actor.nonce += 1
    sent: str = await rpc.call("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    return sent


@asynccontextmanager
async def sensing(config: Path, *settings: str) -> AsyncIterator[SensorProcess]:
    """A sensor that ends well, whatever it met."""
    flags = [part for setting in settings for part in ("--set", setting)]
    sensor = SensorProcess(["run", "-c", str(config), *flags], config.parent)
    try:
        await sensor.wait_ready()
        await sensor.until(sensor.knows_the_head, "the head's state")
        yield sensor
        assert await sensor.terminate() == 0
    finally:
        sensor.close()


def early(sensor: SensorProcess) -> dict[str, Any]:
    """The latest figures of new contracts."""
    figures: dict[str, Any] = sensor.figures().get("early", {})
    return figures


def anomalies(events: Iterable[Event], text: str) -> list[Event]:
    """Those whose reason has this in it."""
    told = (event for event in events if event["event_type"] == "anomaly")
    return [event for event in told if text in event["reason"]]


async def heads(rpc: Rpc, sensor: SensorProcess, count: int) -> None:
    """So many blocks, each looked at before the next."""

    def looked_at() -> int:
        figures = sensor.figures()
        return int(figures.get("state_carried", 0) + figures.get("state_discarded", 0))

    for _ in range(count):
        before = looked_at()
        await rpc.mine()
        await sensor.until(lambda before=before: looked_at() > before, "the head")  # type: ignore[misc]
