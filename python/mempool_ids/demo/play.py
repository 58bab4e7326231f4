"""One run: a node with a scene for each act, a sensor that watches or defends it, and the stories."""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mempool_ids.config import IDSConfig
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.early.hearing import EarlyHearing
from mempool_ids.demo.early.judgement import judge as judge_early
from mempool_ids.demo.early.mixer import Mixer, fresh_account
from mempool_ids.demo.early.private import PrivateFlow
from mempool_ids.demo.early.result import Foreseen
from mempool_ids.demo.early.story import EarlyStory
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.guardian import guardian_address, guardian_key
from mempool_ids.demo.hearing import Hearing, Teller
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

#: Of the second act, in the run's.
EARLY_FOLDER = "early"
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


@dataclass(frozen=True)
class Played:
    """One run: the race of the first act, and what the second foresaw."""

    race: Result
    early: Foreseen

    @property
    def passed(self) -> bool:
        return not self.problems()

    def problems(self) -> list[str]:
        """Why it did not pass, for people."""
        return [*self.race.problems(), *(f"before the first call: {each}" for each in self.early.problems())]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the race's fields, and the second act's in `early`."""
        both = {"passed": self.passed, "problems": self.problems()}
        return {**self.race.to_dict(), "early": self.early.to_dict(), **both}


def play(setting: Setting, seed: int, teller: Teller) -> Played:
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
        (folder / EARLY_FOLDER).mkdir(parents=True, exist_ok=True)
        try:
            return asyncio.run(_play(node, setting, seed, teller, folder))
        except asyncio.CancelledError:
            raise SystemExit(128 + signal.SIGTERM) from None


async def _play(node: Anvil, setting: Setting, seed: int, teller: Teller, folder: Path) -> Played:
    this = asyncio.current_task()
    assert this is not None  # noqa: S101
    # As with Ctrl-C: unwind, so that the node and the folder go too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    async with Rpc(node.http_url) as rpc:
        teller.note(f"anvil mines a block every {setting.block_time} s at {node.http_url}")
        teller.note("deploying two vaults, one for each act, and letting their users use them for a day")
        guardian = await guardian_address(CHAIN_ID) if setting.is_defended else None
        dice = random.Random(seed)  # noqa: S311  (a story, not a secret)
        accounts = await rpc.accounts()
        # The second act's, first: it has the same day behind it.
        second = await Scene.build(rpc, dice.getrandbits(64), history_blocks=0, guardian=guardian)
        mixer = await Mixer.build(rpc, dice, second.cast.deployer, second.cast.attacker, accounts[-1])
        first = await Scene.build(rpc, seed, guardian=guardian)
        second.sent.clear()
        users = len(first.cast.users)
        teller.note(f"block {await rpc.block_number()}: each vault has {users} users")
        if guardian is not None:
            teller.note(f"their guardian {guardian} may pause them; the sensor has the guardian's key")
        race = await _race(node, first, setting, teller, folder)
        teller.end(race)
        early = await _early(node, second, mixer, dice, setting, teller, folder / EARLY_FOLDER)
        teller.early_end(early)
        return Played(race, early)


async def _race(node: Anvil, scene: Scene, setting: Setting, teller: Teller, folder: Path) -> Result:
    """The first act: a pending attack."""
    teller.act("act one: an attack waits in the public pool")
    async with Feed(node.websocket_url) as feed:
        story = Story(scene.rpc, scene, feed, teller, setting.block_time, is_defended=setting.is_defended)
        path = write_config(node, scene, folder, is_defended=setting.is_defended)
        async with _sensor(path, story.hearing, teller):
            attack = await story.play()
        return await judge(story, attack, read_events(folder))


async def _early(
    node: Anvil,
    scene: Scene,
    mixer: Mixer,
    dice: random.Random,
    setting: Setting,
    teller: Teller,
    folder: Path,
) -> Foreseen:
    """The second act: a contract before its first call, and an attack that is never seen pending."""
    teller.act("act two: another vault like it, and an attack that no pool ever shows")
    async with PrivateFlow(node.websocket_url) as flow, Feed(flow.websocket_url) as feed:
        address = await fresh_account(scene.rpc, dice)
        is_defended = setting.is_defended
        story = EarlyStory(
            scene, mixer, address, flow, feed, teller, setting.block_time, is_defended=is_defended
        )
        path = write_config(
            node,
            scene,
            folder,
            is_defended=is_defended,
            services=mixer.row(CHAIN_ID),
            websocket_url=flow.websocket_url,
        )
        async with _sensor(path, story.hearing, teller):
            attack = await story.play()
        return await judge_early(story, attack, read_events(folder))


@asynccontextmanager
async def _sensor(path: Path, hearing: Hearing | EarlyHearing, teller: Teller) -> AsyncIterator[None]:
    """A running sensor that tells `hearing` what it finds and does.

    Raises:
        NodeError: it did not subscribe in time.
    """
    engine = IDSEngine(IDSConfig.from_toml(path, environ={}))

    @engine.on_detection
    async def hear(detection: ThreatDetection) -> None:
        await hearing.hear(dict(detection.event))

    @engine.on_response
    async def follow(response: Response) -> None:
        await hearing.follow(dict(response.event))

    async with engine:
        if not await engine.wait_ready(_READY_SECONDS):
            raise NodeError(f"the sensor did not subscribe in {_READY_SECONDS:.0f} s")
        teller.note(f"the sensor is ready, {_armed(engine)}")
        yield


def _armed(engine: IDSEngine) -> str:
    """What is signed already, in words."""
    figures: Any = engine.get_statistics().defense
    if not figures:
        return "and only watches"
    return f"and armed: {figures['rungs_signed']} pauses are signed in advance, at rising bids"
