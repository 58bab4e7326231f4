"""The guardian's key is one run's and nobody else's; the sensor's configuration names it, and has it not."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from mempool_ids.config import IDSConfig, IDSMode
from mempool_ids.demo import command
from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import Deployed, artifact
from mempool_ids.demo.guardian import VARIABLE, check_installed, guardian_address, guardian_key
from mempool_ids.demo.scene import Cast, Scene
from mempool_ids.demo.sensor import write_config
from mempool_ids.exceptions import ConfigError


async def test_each_run_has_a_key_of_its_own_that_is_gone_afterwards() -> None:
    addresses = []
    for _ in range(2):
        with guardian_key():
            addresses.append(await guardian_address(31337))
        assert VARIABLE not in os.environ
    assert addresses[0] != addresses[1]
    assert all(len(address) == 42 and address == address.lower() for address in addresses)


def test_the_key_is_gone_after_a_failure_too() -> None:
    with pytest.raises(RuntimeError), guardian_key():
        raise RuntimeError
    assert VARIABLE not in os.environ


@pytest.mark.parametrize("missing", ["coincurve", "web3"])
def test_without_its_packages_it_says_what_to_install_or_to_do_without(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("mempool_ids.defense")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=r"mempool-ids\[defense\]"):
        check_installed()


def test_nothing_is_started_where_its_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConfigError("active defense needs web3")

    monkeypatch.setattr(command, "check_installed", refuse)
    monkeypatch.setattr(command, "find_anvil", lambda _say: pytest.fail("a node was looked for"))
    with pytest.raises(ConfigError, match="web3"):
        command.run()


def configured(folder: Path, *, is_defended: bool) -> IDSConfig:
    node = Anvil(Path("anvil"))
    node.port = 8545
    vault = Deployed(artifact("Vault"), "0x" + "0c" * 20)
    accounts = [f"0x{number:040x}" for number in range(20)]
    scene = Scene(
        cast(Any, None),
        Cast.of(accounts),
        vault,
        cast(Any, None),
        cast(Any, None),
        random.Random(1),
    )
    return IDSConfig.from_toml(write_config(node, scene, folder, is_defended=is_defended), environ={})


def test_the_defended_sensor_is_armed_and_its_file_has_no_secret(tmp_path: Path) -> None:
    with guardian_key():
        config = configured(tmp_path, is_defended=True)
        key = os.environ[VARIABLE]
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert key.encode() not in kept
    assert config.operational_mode is IDSMode.ACTIVE_DEFENSE
    assert config.defense.armed
    assert config.defense.journal == tmp_path / "defense.db"
    assert config.contracts[0].pause is not None


def test_the_watching_sensor_defends_nothing(tmp_path: Path) -> None:
    config = configured(tmp_path, is_defended=False)
    assert config.operational_mode is not IDSMode.ACTIVE_DEFENSE
    assert not config.defense.armed
    assert config.contracts[0].pause is None
