"""One run: a node, a scene on it, a sensor that watches or defends it, and the story."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mempool_ids.config import IDSConfig
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.guardian import guardian_address, guardian_key
from mempool_ids.demo.hearing import Teller
from mempool_ids.demo.judgement import judge
from mempool_ids.demo.result import Result
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import HISTORY_BLOCKS, HISTORY_SECONDS_PER_BLOCK, Scene
from mempool_ids.demo.sensor import CHAIN_ID, read_events, write_config
from mempool_ids.demo.story import Story
from mempool_ids.engine import IDSEngine
from mempool_ids.exceptions import NodeError
from mempool_ids.records.detection import ThreatDetection
from mempool_ids.records.response import Response

_READY_SECONDS = 20.0
#: Setting the scene takes seconds of the chain's clock too; its last block shall not lie in the future.
_SETTING_SECONDS = 30


@dataclass(frozen=True)
class Setting:
    """What a run is played with. `block_time` is in seconds."""

    binary: Path
    block_time: int
    is_defended: bool
    keep: Path | None


def play(setting: Setting, seed: int, teller: Teller) -> Result:
    """Plays one run to its end; node and scratch folder are gone afterwards.

    Raises:
        MempoolIdsError: the node or the sensor did not start, or was lost.
    """
    age = HISTORY_BLOCKS * HISTORY_SECONDS_PER_BLOCK + _SETTING_SECONDS
    options = AnvilOptions(
        block_time=setting.block_time,
        chain_id=CHAIN_ID,
        timestamp=int(time.time()) - age,
        # Later rules write each block's hash to the state (EIP-2935), and anvil hashes the whole state for each block:
        # a day of blocks would take minutes.
        hardfork="cancun",
    )
    with (
        Anvil(setting.binary, options) as node,
        tempfile.TemporaryDirectory(prefix="mempool-ids-demo-") as scratch,
        guardian_key() if setting.is_defended else nullcontext(),
    ):
        folder = setting.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return asyncio.run(_play(node, setting, seed, teller, folder))
        except asyncio.CancelledError:
            raise SystemExit(128 + signal.SIGTERM) from None


async def _play(node: Anvil, setting: Setting, seed: int, teller: Teller, folder: Path) -> Result:
    this = asyncio.current_task()
    assert this is not None  # noqa: S101
    # As with Ctrl-C: unwind, so that the node and the folder go too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    async with Rpc(node.http_url) as rpc, Feed(node.websocket_url) as feed:
        teller.note(f"anvil mines a block every {setting.block_time} s at {node.http_url}")
        teller.note("deploying a vault, and letting its users use it for a day")
        guardian = await guardian_address(CHAIN_ID) if setting.is_defended else None
        scene = await Scene.build(rpc, seed, guardian=guardian)
        users = len(scene.cast.users)
        teller.note(f"block {await rpc.block_number()}: the vault at {scene.vault.address} has {users} users")
        if guardian is not None:
            teller.note(f"its guardian {guardian} may pause it; the sensor has the guardian's key")
        story = Story(rpc, scene, feed, teller, setting.block_time, is_defended=setting.is_defended)
        path = write_config(node, scene, folder, is_defended=setting.is_defended)
        engine = IDSEngine(IDSConfig.from_toml(path, environ={}))

        @engine.on_detection
        async def hear(detection: ThreatDetection) -> None:
            await story.hearing.hear(dict(detection.event))

        @engine.on_response
        async def follow(response: Response) -> None:
            await story.hearing.follow(dict(response.event))

        async with engine:
            if not await engine.wait_ready(_READY_SECONDS):
                raise NodeError(
                    f"the sensor did not subscribe at {node.websocket_url} in {_READY_SECONDS:.0f} s"
                )
            teller.note(f"the sensor is ready, {_armed(engine)}")
            attack = await story.play()
        return await judge(story, attack, read_events(folder))


def _armed(engine: IDSEngine) -> str:
    """What is signed already, in words."""
    figures: Any = engine.get_statistics().defense
    if not figures:
        return "and only watches"
    return f"and armed: {figures['rungs_signed']} pauses are signed in advance, at rising bids"
