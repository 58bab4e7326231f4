"""Runs the demo's story once or many times, with the real engine, and says whether it held."""

from __future__ import annotations

import asyncio
import json
import signal
import statistics
import tempfile
import time
from importlib import resources
from pathlib import Path

from rich.console import Console

from mempool_ids.config import IDSConfig
from mempool_ids.demo.anvil import Anvil, AnvilOptions, find_anvil
from mempool_ids.demo.result import Alert, Result
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import HISTORY_BLOCKS, HISTORY_SECONDS_PER_BLOCK, Scene
from mempool_ids.demo.story import Story, Teller
from mempool_ids.demo.terminal import SilentTeller, TerminalTeller, verdict
from mempool_ids.engine import IDSEngine
from mempool_ids.exceptions import ConfigError, NodeError
from mempool_ids.records.detection import ThreatDetection

CHAIN_ID = 31337
_READY_SECONDS = 20.0
#: Setting the scene takes seconds of the chain's clock too; its last block shall not lie in the future.
_SETTING_SECONDS = 30
_CONFIG = """\
sensor = "demo"

[chain]
id = {chain_id}
websocket_urls = ["{node.websocket_url}"]
rpc_urls = ["{node.http_url}"]

[[contracts]]
name = "Vault"
address = "{vault}"
abi = "vault.abi.json"

[alerts]
jsonl = "events.jsonl"
log = false

[storage]
url = "sqlite:///detections.db"

[capture]
dir = "capture"
"""


def run(
    *,
    runs: int = 1,
    block_time: int = 6,
    seed: int | None = None,
    keep: Path | None = None,
    as_json: bool = False,
) -> int:
    """Plays the story `runs` times on a chain with a block every `block_time` seconds.

    Talk goes to stderr; with `as_json` the results go to stdout, else the story of a single run does. What the sensor
    of a single run wrote, its configuration and the capture stay in `keep`, which must be new or empty.

    Returns:
        0 if in every run the alert preceded the block with the attack and no honest user raised one, else 1.

    Raises:
        AnvilError: no node could be had.
        ConfigError: `keep` cannot be used.
        MempoolIdsError: the sensor did not start.
    """
    if keep is not None and (runs > 1 or (keep.exists() and any(keep.iterdir()))):
        raise ConfigError("what is kept is one run's, in a folder that is new or empty")
    talk = Console(stderr=True)
    binary = find_anvil(lambda text: talk.print(text, style="dim"))
    out = Console()
    results = []
    for number in range(1, runs + 1):
        dice = seed if seed is not None else time.time_ns()
        teller: Teller = TerminalTeller(out) if runs == 1 and not as_json else SilentTeller()
        result = _run_once(binary, block_time, dice + number, teller, keep)
        results.append(result)
        if runs > 1:
            talk.print(f"run {number} of {runs}: {_in_short(result)}", soft_wrap=True)
        elif not as_json:
            out.print(verdict(result))
    if keep is not None:
        talk.print(
            f"judge it again: mempool-ids replay {keep / 'capture'} -c {keep / 'ids.toml'}", soft_wrap=True
        )
    if as_json:
        print(json.dumps(_summary(results)))  # noqa: T201
    elif runs > 1:
        out.print(f"{sum(result.passed for result in results)} of {runs} runs passed")
    return 0 if all(result.passed for result in results) else 1


def _run_once(binary: Path, block_time: int, seed: int, teller: Teller, keep: Path | None) -> Result:
    age = HISTORY_BLOCKS * HISTORY_SECONDS_PER_BLOCK + _SETTING_SECONDS
    options = AnvilOptions(
        block_time=block_time,
        chain_id=CHAIN_ID,
        timestamp=int(time.time()) - age,
        # Later rules write each block's hash to the state (EIP-2935), and anvil hashes the whole state for each block:
        # a day of blocks would take minutes.
        hardfork="cancun",
    )
    with Anvil(binary, options) as node, tempfile.TemporaryDirectory(prefix="mempool-ids-demo-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return asyncio.run(_play(node, block_time, seed, teller, folder))
        except asyncio.CancelledError:
            raise SystemExit(128 + signal.SIGTERM) from None


async def _play(node: Anvil, block_time: int, seed: int, teller: Teller, folder: Path) -> Result:
    this = asyncio.current_task()
    assert this is not None  # noqa: S101
    # As with Ctrl-C: unwind, so that the node and the folder go too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    async with Rpc(node.http_url) as rpc:
        teller.note(f"anvil mines a block every {block_time} s at {node.http_url}")
        teller.note("deploying a vault, and letting its users use it for a day")
        scene = await Scene.build(rpc, seed)
        users = len(scene.cast.users)
        teller.note(f"block {await rpc.block_number()}: the vault at {scene.vault.address} has {users} users")
        story = Story(rpc, scene, teller, block_time)
        engine = IDSEngine(IDSConfig.from_toml(_write_config(node, scene, folder), environ={}))

        async def hear(detection: ThreatDetection) -> None:
            await story.hear(dict(detection.event))

        engine.on_detection(hear)
        async with engine:
            if not await engine.wait_ready(_READY_SECONDS):
                raise NodeError(
                    f"the sensor did not subscribe at {node.websocket_url} in {_READY_SECONDS:.0f} s"
                )
            teller.note("the sensor is ready")
            attack = await story.play()
        return await story.result(attack, _alerts(folder / "events.jsonl"))


def _write_config(node: Anvil, scene: Scene, folder: Path) -> Path:
    artifacts = resources.files("mempool_ids.demo").joinpath("artifacts")
    (folder / "vault.abi.json").write_text(artifacts.joinpath("Vault.json").read_text("utf-8"), "utf-8")
    path = folder / "ids.toml"
    path.write_text(_CONFIG.format(chain_id=CHAIN_ID, node=node, vault=scene.vault.address), "utf-8")
    return path


def _alerts(log: Path) -> list[Alert]:
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [event for event in events if event["event_type"] == "alert"]


def _in_short(result: Result) -> str:
    if not result.passed:
        return "FAILED: " + "; ".join(result.problems())
    lead = (result.alert_to_inclusion_ms or 0.0) / 1000
    return (
        f"alert {result.sent_to_alert_ms:.1f} ms after the attack was sent, {lead:.2f} s before its block; "
        f"{result.honest_transactions} honest transactions, no alert"
    )


def _summary(results: list[Result]) -> dict[str, object]:
    leads = [result.alert_to_inclusion_ms for result in results if result.alert_to_inclusion_ms is not None]
    return {
        "runs": len(results),
        "passed": sum(result.passed for result in results),
        "preceded": sum(result.preceded for result in results),
        "alert_to_inclusion_ms": {"min": min(leads), "median": statistics.median(leads)} if leads else None,
        "results": [result.to_dict() for result in results],
    }
