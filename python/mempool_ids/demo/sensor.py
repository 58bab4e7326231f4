"""The sensor of the demo: its configuration, and what it wrote."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.guardian import VARIABLE
from mempool_ids.demo.result import Alert
from mempool_ids.demo.scene import Scene

CHAIN_ID = 31337
_LOG = "events.jsonl"
_CONFIG = """\
sensor = "demo"
{mode}
[chain]
id = {chain_id}
websocket_urls = ["{websocket_url}"]
rpc_urls = ["{http_url}"]

[[contracts]]
name = "Vault"
address = "{vault}"
abi = "vault.abi.json"
{pause}
[alerts]
jsonl = "events.jsonl"
log = false

[storage]
url = "sqlite:///detections.db"

{early}
[capture]
dir = "capture"
"""
_SERVICES = "services.csv"
#: What calls new contracts before anybody else does would have the vault paused as soon as the attacker's is there:
#: there would be no race to see.
_NOT_EARLY = """\
[early]
enabled = false
"""
_EARLY = f"""\
[early]
sources = "{_SERVICES}"
"""
_MODE = 'operational_mode = "active_defense"\n'
_PAUSE = 'pause = { call = "pause()", check = "paused()" }\n'
#: A key of the environment that is gone after the run; one block on top of the pause's is enough on a chain without
#: reorgs.
_DEFENSE = """
[defense]
armed = true
signer = {{ type = "environment", key = "env:{variable}" }}
journal = "defense.db"
depth = 1
"""


def write_config(
    node: Anvil,
    scene: Scene,
    folder: Path,
    *,
    is_defended: bool,
    services: str | None = None,
    websocket_url: str | None = None,
) -> Path:
    """Writes `ids.toml` and what it needs into `folder`; returns its path.

    Args:
        services: rows of `early.sources`; None looks at no new contracts.
        websocket_url: where the sensor hears the node; None is at the node itself.
    """
    artifacts = resources.files("mempool_ids.demo").joinpath("artifacts")
    (folder / "vault.abi.json").write_text(artifacts.joinpath("Vault.json").read_text("utf-8"), "utf-8")
    if services is not None:
        (folder / _SERVICES).write_text(f"chain_id,address,service,grade,hours\n{services}\n", "utf-8")
    text = _CONFIG.format(
        mode=_MODE if is_defended else "",
        chain_id=CHAIN_ID,
        websocket_url=websocket_url or node.websocket_url,
        http_url=node.http_url,
        vault=scene.vault.address,
        pause=_PAUSE if is_defended else "",
        early=_NOT_EARLY if services is None else _EARLY,
    )
    path = folder / "ids.toml"
    path.write_text(text + (_DEFENSE.format(variable=VARIABLE) if is_defended else ""), "utf-8")
    return path


def read_events(folder: Path) -> list[Alert]:
    """The event log."""
    return [json.loads(line) for line in (folder / _LOG).read_text("utf-8").splitlines()]
