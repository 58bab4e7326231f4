"""A sensor with an armed defense on a real node, and what happens when one of its contracts is attacked."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mempool_ids.config import IDSConfig
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.engine import IDSEngine
from mempool_ids.records.detection import ThreatDetection
from mempool_ids.records.response import Response
from tests.defense.scenes import Scene
from tests.scenarios.stage import GWEI

#: However busy the machine is: a test asks what is done, not how fast.
PATIENCE_MS = 5_000
WAIT_S = 30.0
#: Names the guardian's key in the environment.
KEY = "MEMPOOL_IDS_TEST_GUARDIAN"

Place = tuple[int, int]
"""Block, and index in it."""


@dataclass
class Ring:
    """An engine in active defense, and all that it told."""

    rpc: Rpc
    engine: IDSEngine
    folder: Path
    detections: list[ThreatDetection] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = WAIT_S) -> None:
        """Fails with what was told so far, if `condition` does not come true."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{self.story()}")
            self.told.clear()
            try:
                await asyncio.wait_for(self.told.wait(), min(left, 0.2))
            except TimeoutError:
                continue

    def of(self, target: str, *states: str) -> list[Response]:
        return [one for one in self.responses if one.target == target and (not states or one.state in states)]

    async def until_state(self, target: str, *states: str, count: int = 1) -> Response:
        """The last change of a contract's response to one of these states, once there are so many."""
        await self.until(lambda: len(self.of(target, *states)) >= count, f"{target} to be {states}")
        return self.of(target, *states)[-1]

    async def until_alerted(self, tx_hash: str) -> ThreatDetection:
        def found() -> bool:
            return any(one.tx_hash == tx_hash for one in self.detections)

        await self.until(found, f"an alert for {tx_hash}")
        return next(one for one in self.detections if one.tx_hash == tx_hash)

    def story(self) -> str:
        alerts = [
            f"alert {one.tx_hash} {one.event.get('grade')} {one.event.get('response')}"
            for one in self.detections
        ]
        changes = [f"{one.target}: {one.state}: {one.reason}" for one in self.responses]
        return "\n".join([*alerts, *changes, str(self.engine.get_statistics().defense)])

    async def place(self, tx_hash: str) -> tuple[Place, bool]:
        """Where a mined transaction is, and whether it succeeded."""
        receipt = await self.rpc.receipt(tx_hash, WAIT_S)
        return (int(receipt["blockNumber"], 16), int(receipt["transactionIndex"], 16)), receipt[
            "status"
        ] == "0x1"


#: Most are about attacks that are pending: what is proved of their contracts would be answered before them.
NOT_EARLY = {"enabled": False}


def configuration(
    node: Node,
    scenes: Sequence[Scene],
    folder: Path,
    early: Mapping[str, Any] = NOT_EARLY,
    **defense: Any,
) -> IDSConfig:
    """Of an armed sensor over these scenes, which have one guardian. `defense` overrides its section."""
    guardian = scenes[0].guardian
    assert all(scene.guardian is guardian for scene in scenes)
    os.environ[KEY] = guardian.key.key.hex()
    section = {
        "armed": True,
        "signer": {"type": "environment", "key": f"env:{KEY}"},
        "journal": str(folder / "defense.db"),
        "depth": 1,
        "gas": {"max_fee_gwei": 2_000, "max_cost_eth": 0.4, "daily_budget_eth": 50.0},
        **defense,
    }
    return IDSConfig(
        operational_mode="active_defense",
        sensor="test",
        chain={
            "id": scenes[0].stage.chain_id,
            "websocket_urls": [node.websocket_url],
            "rpc_urls": [node.http_url],
        },
        contracts=[scene.entry(name_of(scenes, scene)) for scene in scenes],
        simulation={"deadline_ms": PATIENCE_MS},
        early={"funding": str(folder / "funding.db"), "labels": str(folder / "labels"), **early},
        alerts={"jsonl": str(folder / "events.jsonl"), "log": False},
        storage={"url": f"sqlite:///{folder / 'detections.db'}"},
        defense=section,
    )


def name_of(scenes: Sequence[Scene], scene: Scene) -> str:
    return f"{scene.kind} {scenes.index(scene)}"


@asynccontextmanager
async def ring(
    node: Node,
    rpc: Rpc,
    scenes: Sequence[Scene],
    folder: Path,
    early: Mapping[str, Any] = NOT_EARLY,
    **defense: Any,
) -> AsyncIterator[Ring]:
    """Ready: subscribed, and armed for every scene."""
    engine = IDSEngine(configuration(node, scenes, folder, early, **defense))
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


async def next_block(rpc: Rpc) -> None:
    """Returns right after a block: there is all the time until the next."""
    height = await rpc.block_number()
    while await rpc.block_number() == height:  # noqa: ASYNC110  (a node, not a task, makes blocks)
        await asyncio.sleep(0.01)


def key() -> str:
    return secrets.token_hex(32)


__all__ = ["GWEI", "KEY", "Place", "Ring", "configuration", "key", "name_of", "next_block", "ring"]
