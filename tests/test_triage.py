"""What is passed on to be simulated."""

import json
from pathlib import Path

import orjson
import pytest
import rlp  # type: ignore[import-untyped]
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak

from mempool_ids import IDSConfig, _core
from mempool_ids.config.core import sensor_config
from tests.support import SENDER, VAULT, transaction

CREATED = "0x" + keccak(rlp.encode([to_canonical_address(SENDER), 1]))[12:].hex()
CREATION = transaction(1, to=None, input="0x60" + VAULT.removeprefix("0x"))
"""Its init code names the vault."""
CALL = transaction(2, to=CREATED)
"""It names nobody, and what is known of its function makes it no suspect: what is unknown may score 1.0."""


@pytest.mark.parametrize("order", [[CREATION, CALL], [CALL, CREATION]])
def test_a_call_touches_what_its_callees_creation_names_whichever_is_announced_first(
    order: list[dict[str, object]], tmp_path: Path
) -> None:
    capture = tmp_path / "c.jsonl"
    capture.write_text("".join(json.dumps(tx) + "\n" for tx in order))
    # By no score.
    config = IDSConfig(monitored_contracts=[VAULT], simulation={"threshold": 1.0})
    sensor = _core.Sensor(sensor_config(config, replay=[capture]))
    sensor.start()
    while all(kind != "end" for kind, _ in sensor.recv(1.0)):
        pass
    stats = orjson.loads(sensor.stats())
    assert (stats["triaged_contact"], stats["triaged_young"]) == (2, 0)
