"""The real Clef, with the rule file of docs/signers.md."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers import JsonRpcSigner
from mempool_ids.defense.transaction import SignerError, Transaction
from tests.clef import PROGRAM, Clef, ClefError
from tests.defense.keys import ADDRESS, CONTRACT, KEY, LEGACY, OTHER, PAUSE, signed_by

DOCS = Path(__file__).resolve().parents[2] / "docs" / "signers.md"


def rules() -> str:
    """The file that people copy, with its two addresses filled in."""
    found = re.search(r"```js\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found
    return found[1].replace("0x" + "0" * 39 + "1", ADDRESS).replace("0x" + "0" * 39 + "2", CONTRACT)


@pytest.fixture(scope="module")
def clef(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clef]:
    try:
        binary = PROGRAM.find()
    except ClefError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("clef")
    with Clef(binary, folder, key=KEY, rules=rules(), chain_id=1337) as running:
        yield running


def asking(clef: Clef, address: str = ADDRESS) -> JsonRpcSigner:
    values = {"type": "jsonrpc", "url": clef.http_url, "address": address, "timeout_s": 20.0}
    return JsonRpcSigner(sections.JsonRpcSigner.model_validate(values))


@pytest.mark.parametrize("transaction", [PAUSE, LEGACY])
async def test_clef_signs_the_pause(clef: Clef, transaction: Transaction) -> None:
    it = asking(clef)
    await it.open(1337)
    assert (await it.sign(transaction)).raw == signed_by(KEY, transaction)
    await it.close()


async def test_clef_signs_what_takes_it_back(clef: Clef) -> None:
    it = asking(clef)
    await it.open(1337)
    cancel = dataclasses.replace(PAUSE, to=ADDRESS, data=b"", gas=21_000)
    assert (await it.sign(cancel)).raw == signed_by(KEY, cancel)
    await it.close()


REFUSED: dict[str, dict[str, Any]] = {
    "another contract": {"to": "0x" + "66" * 20},
    "unpause": {"data": bytes.fromhex("3f4ba83a")},
    "more than the call": {"data": PAUSE.data + bytes(32)},
    "no call": {"data": b""},
    "ether": {"value": 1},
    "ether to oneself": {"to": ADDRESS, "data": b"", "value": 1},
    "a call of oneself": {"to": ADDRESS},
    "too dear": {"max_fee": 501 * 10**9},
    "far too dear": {"max_fee": 2**127},
    "too much gas": {"gas": 200_001},
}


@pytest.mark.parametrize("what", REFUSED)
async def test_clef_signs_nothing_else(clef: Clef, what: str) -> None:
    it = asking(clef)
    await it.open(1337)
    with pytest.raises(SignerError, match=r"did not sign: (request denied|validation failed)"):
        await it.sign(dataclasses.replace(PAUSE, **REFUSED[what]))
    # It was no accident: the same Clef still signs the pause.
    assert await it.sign(PAUSE)
    await it.close()


async def test_clef_signs_for_no_other_chain(clef: Clef) -> None:
    it = asking(clef)
    await it.open(1)
    with pytest.raises(SignerError, match="chainid 1 does not match"):
        await it.sign(dataclasses.replace(PAUSE, chain_id=1))
    await it.close()


async def test_a_key_that_clef_does_not_have_is_told(clef: Clef) -> None:
    with pytest.raises(SignerError, match=f"no key of {OTHER}.*{ADDRESS}"):
        await asking(clef, OTHER).open(1337)
