"""Trouble for an armed sensor on a chain whose blocks are made when a test says so.

Nothing waits for a clock: a block is mined once what must come before it has been seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mempool_ids.config import IDSConfig
from mempool_ids.config.values import Url
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.engine import IDSEngine
from mempool_ids.records.detection import ThreatDetection
from mempool_ids.records.response import Response
from tests.defense.races import KEY, PATIENCE_MS, WAIT_S, Ring, configuration, name_of
from tests.defense.scenes import Scene
from tests.scenarios.stage import Actor, Stage

ENDS = ("confirmed", "superseded", "cancelled", "failed")
#: Of `pause()`.
PAUSE = "0x8456cb59"
#: How long a block is kept open for what is to happen before the next one.
_TURN_S = 0.25


@dataclass(frozen=True)
class Mined:
    """A transaction of the guardian in the chain."""

    nonce: int
    to: str
    input: str
    block: int
    position: int
    tx_hash: str
    succeeded: bool

    @property
    def is_pause(self) -> bool:
        return self.input.startswith(PAUSE)


async def mined_by(rpc: Rpc, sender: str) -> list[Mined]:
    """All that a sender has in the chain, in order."""
    found = []
    for number in range(await rpc.block_number() + 1):
        block = await rpc.call("eth_getBlockByNumber", hex(number), True)
        for one in block["transactions"]:
            if one["from"].lower() != sender.lower():
                continue
            receipt = await rpc.call("eth_getTransactionReceipt", one["hash"])
            found.append(
                Mined(
                    nonce=int(one["nonce"], 16),
                    to=(one["to"] or "").lower(),
                    input=one["input"],
                    block=number,
                    position=int(one["transactionIndex"], 16),
                    tx_hash=one["hash"],
                    succeeded=receipt["status"] == "0x1",
                )
            )
    return found


async def paid_by(rpc: Rpc, sender: str) -> int:
    """Wei for gas, by the receipts of all that a sender has in the chain."""
    receipts = [await rpc.receipt(one.tx_hash, WAIT_S) for one in await mined_by(rpc, sender)]
    return sum(int(one["gasUsed"], 16) * int(one["effectiveGasPrice"], 16) for one in receipts)


async def pending_of(rpc: Rpc, sender: str, *parts: str) -> dict[int, dict[str, Any]]:
    """What the node's pool has of a sender, by nonce (anvil, geth)."""
    pool = await rpc.call("txpool_content")
    found: dict[int, dict[str, Any]] = {}
    for part in parts or ("pending", "queued"):
        for address, by_nonce in pool[part].items():
            if address.lower() == sender.lower():
                found.update({int(nonce): one for nonce, one in by_nonce.items()})
    return found


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        await asyncio.sleep(0.02)


async def until_pending(rpc: Rpc, sender: str, nonce: int = 0) -> dict[str, Any]:
    """The transaction of a sender at this nonce, once the next block could have it."""

    async def is_there() -> bool:
        return nonce in await pending_of(rpc, sender, "pending")

    await until(is_there, f"a pending transaction of {sender} at nonce {nonce}")
    return (await pending_of(rpc, sender))[nonce]


async def mine_until(fight: Ring, condition: Callable[[], bool], what: str, blocks: int = 40) -> None:
    """Makes blocks, each after a while, until it holds."""
    for _ in range(blocks):
        if condition():
            return
        await fight.rpc.mine()
        try:
            await fight.until(condition, what, _TURN_S)
        except AssertionError:
            continue
    raise AssertionError(f"{blocks} blocks in vain for {what}\n{fight.story()}")


async def mine_to_end(fight: Ring, *names: str) -> dict[str, Response]:
    """Makes blocks until these contracts' responses are over; how each ended."""
    await mine_until(fight, lambda: all(fight.of(name, *ENDS) for name in names), f"{names} to end")
    return {name: fight.of(name, *ENDS)[-1] for name in names}


async def put(
    stage: Stage,
    sender: Actor,
    *,
    nonce: int,
    tip: int,
    max_fee: int,
    to: str = "",
    data: bytes = b"",
    gas: int = 21_000,
    value: int = 0,
) -> str:
    """Signs and sends whatever it is, to the sender itself unless told; its hash."""
    signed = sender.key.sign_transaction(
        {
            "chainId": stage.chain_id,
            "nonce": nonce,
            "to": bytes.fromhex((to or sender.address)[2:]),
            "data": data,
            "value": value,
            "gas": gas,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
        }
    )
    return await stage.rpc.send_raw(signed.raw_transaction)


async def withdraw(scene: Scene) -> str:
    """The attacker replaces its attack by a transfer to itself."""
    last = scene.sent[-1]
    tip, max_fee = last.tip * 5 // 4, last.max_fee * 5 // 4
    return await put(scene.stage, scene.attacker, nonce=last.nonce, tip=tip, max_fee=max_fee)


def alarms(folder: Path) -> list[str]:
    """What the defense raised so far, each as `kind: reason`."""
    path = folder / "events.jsonl"
    if not path.exists():
        return []
    events = [
        json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")
    ]
    told = [one for one in events if one["event_type"] == "anomaly" and one["kind"] == "defense"]
    return [f"{one['origin']}: {one['reason']}" for one in told]


async def until_alarm(fight: Ring, text: str, seconds: float = WAIT_S) -> str:
    """The first alarm that says so."""

    def found() -> list[str]:
        return [one for one in alarms(fight.folder) if text in one]

    await fight.until(lambda: bool(found()), f"an alarm {text!r}, of {alarms(fight.folder)}", seconds)
    return found()[0]


async def looked(fight: Ring, times: int = 3) -> None:
    """Until the watch has looked at everything so often since now."""
    defense = fight.engine._defense
    assert defense is not None
    upkeep = defense._run.upkeep
    for _ in range(times):
        last = upkeep._looked_at
        await fight.until(lambda last=last: upkeep._looked_at != last, "a look at the chain")  # type: ignore[misc]


async def head_seen(fight: Ring) -> None:
    """Until the defense knows the last block."""
    defense = fight.engine._defense
    assert defense is not None
    height = await fight.rpc.block_number()
    await fight.until(lambda: defense._run.state.head >= height, f"block {height} to be seen")


def check_journal(folder: Path) -> None:
    """It is whole; no action is open, and none has another's nonce on the chain."""
    with sqlite3.connect(folder / "defense.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


async def check_nonces(rpc: Rpc, guardian: Actor) -> list[Mined]:
    """Each nonce of the guardian is in the chain at most once, without a gap; what is there."""
    mined = await mined_by(rpc, guardian.address)
    assert [one.nonce for one in mined] == list(range(len(mined)))
    return mined


def settings(node: Node, scenes: Sequence[Scene], folder: Path, **defense: Any) -> dict[str, Any]:
    """What `configuration` is made of, as a file has it."""
    made = configuration(node, scenes, folder, **defense)
    return {
        "operational_mode": "active_defense",
        "sensor": "test",
        "chain": {
            "id": made.chain.id,
            "websocket_urls": [node.websocket_url],
            "rpc_urls": [node.http_url],
        },
        "contracts": [scene.entry(name_of(scenes, scene)) for scene in scenes],
        "simulation": {"deadline_ms": PATIENCE_MS},
        "early": {"enabled": False},
        "alerts": {"jsonl": str(folder / "events.jsonl"), "log": False},
        "storage": {"url": f"sqlite:///{folder / 'detections.db'}"},
        "defense": {
            "armed": True,
            "signer": {"type": "environment", "key": f"env:{KEY}"},
            "journal": str(folder / "defense.db"),
            "depth": 1,
            "gas": {"max_fee_gwei": 2_000, "max_cost_eth": 0.4, "daily_budget_eth": 50.0},
            **defense,
        },
    }


def toml_file(folder: Path, values: dict[str, Any]) -> Path:
    """An `ids.toml` with these values."""
    path = folder / "ids.toml"
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in values.items()))
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def with_urls(config: IDSConfig, *urls: str) -> IDSConfig:
    """The same with other endpoints for what is asked and sent over HTTP."""
    chain = config.chain.model_copy(update={"rpc_urls": tuple(Url(url) for url in urls)})
    return config.model_copy(update={"chain": chain})


@asynccontextmanager
async def sensor(config: IDSConfig, rpc: Rpc, folder: Path) -> AsyncIterator[Ring]:
    """As `ring`, of a configuration."""
    engine = IDSEngine(config)
    running = Ring(rpc, engine, folder)

    @engine.on_detection
    async def hear(detection: ThreatDetection) -> None:
        running.detections.append(detection)
        running.told.set()

    @engine.on_response
    async def follow(response: Response) -> None:
        running.responses.append(response)
        running.told.set()

    async with engine:
        assert await engine.wait_ready(WAIT_S)
        yield running


class Victim:
    """The sensor's process."""

    def __init__(self, folder: Path, values: dict[str, Any], point: str, key: str) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(values))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.defense.trouble_victim", str(path), point],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, KEY: key},
        )

    def hear(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == word + "\n"

    def kill(self) -> None:
        self._process.kill()
        assert self._process.wait(30) == -signal.SIGKILL

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(30)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def victim(folder: Path, values: dict[str, Any], point: str, scene: Scene) -> Iterator[Victim]:
    running = Victim(folder, values, point, scene.guardian.key.key.hex())
    try:
        yield running
    finally:
        running.end()
