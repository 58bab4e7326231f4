"""A signer that is asked by JSON-RPC may be dead, slow, unwilling, or not ours any more."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers import JsonRpcSigner
from mempool_ids.defense.signers.jsonrpc import signed_bytes
from mempool_ids.defense.transaction import SignerError, Transaction
from tests.defense.answering import Answering, Asked, Never, answering
from tests.defense.keys import ADDRESS, KEY, LEGACY, OTHER, OTHER_KEY, PAUSE, signed_by
from tests.defense.test_transaction import CHANGES, NAMES

NOT_FOUND = {"code": -32601, "message": "the method does not exist/is not available"}


class Stand:
    """Web3Signer's answers, or Clef's; a test changes what they are."""

    def __init__(self, *, clef: bool = False) -> None:
        self.clef = clef
        self.accounts: Any = [ADDRESS]
        self.sign: Callable[[dict[str, Any]], Any] = lambda asked: signed_by(KEY, read(asked))

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        request = asked.json
        said = self.answer(request["method"], request["params"])
        key = "error" if isinstance(said, dict) and "code" in said else "result"
        return 200, {"jsonrpc": "2.0", "id": request["id"], key: said}

    def answer(self, method: str, params: list[Any]) -> Any:
        names = (
            ("account_list", "account_signTransaction")
            if self.clef
            else ("eth_accounts", "eth_signTransaction")
        )
        if method == names[0]:
            return self.accounts
        if method != names[1]:
            return NOT_FOUND
        said = self.sign(params[0])
        if not isinstance(said, bytes):
            return said
        return {"raw": "0x" + said.hex(), "tx": {}} if self.clef else "0x" + said.hex()


def read(asked: dict[str, Any]) -> Transaction:
    """The transaction that a request asks for."""
    legacy = "gasPrice" in asked
    return Transaction(
        chain_id=int(asked["chainId"], 16),
        nonce=int(asked["nonce"], 16),
        to=asked["to"].lower(),
        value=int(asked["value"], 16),
        data=bytes.fromhex(asked["data"][2:]),
        gas=int(asked["gas"], 16),
        max_fee=int(asked["gasPrice" if legacy else "maxFeePerGas"], 16),
        tip=int(asked["gasPrice" if legacy else "maxPriorityFeePerGas"], 16),
        kind="legacy" if legacy else "eip1559",
    )


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.fixture
def server(stand: Stand) -> Iterator[Answering]:
    with answering(stand) as found:
        yield found


def asking(url: str, timeout_s: float = 10.0) -> JsonRpcSigner:
    return JsonRpcSigner(
        sections.JsonRpcSigner.model_validate(
            {"type": "jsonrpc", "url": url, "address": ADDRESS, "timeout_s": timeout_s}
        )
    )


async def refusal(it: JsonRpcSigner, transaction: Transaction = PAUSE) -> str:
    with pytest.raises(SignerError) as caught:
        await it.sign(transaction)
    await it.close()
    return str(caught.value)


@pytest.mark.parametrize("clef", [False, True])
@pytest.mark.parametrize("transaction", [PAUSE, LEGACY])
async def test_both_forms_of_an_answer_are_read(
    stand: Stand, server: Answering, clef: bool, transaction: Transaction
) -> None:
    stand.clef = clef
    it = asking(server.url)
    await it.open(1337)
    assert it.address == ADDRESS
    assert (await it.sign(transaction)).raw == signed_by(KEY, transaction)
    await it.close()


async def test_many_are_signed_at_once(server: Answering) -> None:
    it = asking(server.url)
    await it.open(1337)
    asked = [dataclasses.replace(PAUSE, nonce=nonce) for nonce in range(20)]
    signed = await asyncio.gather(*map(it.sign, asked))
    assert [one.raw for one in signed] == [signed_by(KEY, each) for each in asked]
    await it.close()


async def test_opened_anew_it_leaves_no_connection_behind(server: Answering) -> None:
    it = asking(server.url)
    await it.open(1)
    first = it._client
    await it.open(1337)
    assert first is not None
    with pytest.raises(RuntimeError, match="closed"):
        await first.call("eth_accounts")
    assert await it.sign(PAUSE)
    await it.close()


async def test_addresses_go_out_with_their_checksum(server: Answering) -> None:
    it = asking(server.url)
    await it.open(1337)
    # The first example of EIP-55.
    await it.sign(dataclasses.replace(PAUSE, to="0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"))
    assert server.asked[-1].json["params"][0]["to"] == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    await it.close()


async def test_a_signer_without_the_key_is_told_at_once(stand: Stand, server: Answering) -> None:
    stand.accounts = [OTHER]
    with pytest.raises(SignerError, match=rf"no key of {ADDRESS}.*{OTHER}"):
        await asking(server.url).open(1337)


async def test_who_does_not_list_its_keys_is_believed_until_it_signs(stand: Stand, server: Answering) -> None:
    stand.clef = True
    stand.accounts = {"code": -32000, "message": "request denied"}
    it = asking(server.url)
    await it.open(1337)
    stand.sign = lambda asked: signed_by(OTHER_KEY, read(asked))
    assert "another key" in await refusal(it)


async def test_what_is_no_signer_is_told(server: Answering, stand: Stand) -> None:
    stand.accounts = {"not": "a list"}
    with pytest.raises(SignerError, match="no signer that we know"):
        await asking(server.url).open(1337)


async def test_nobody_there_is_told_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        it = asking(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(SignerError, match=r"cannot be reached .*start it, or correct `url`"):
            await it.open(1337)


async def test_a_signer_that_dies_later_is_told(stand: Stand) -> None:
    with answering(stand) as server:
        it = asking(server.url)
        await it.open(1337)
    assert "cannot be reached" in await refusal(it)


async def test_an_answer_that_never_comes_ends(stand: Stand, server: Answering) -> None:
    def never(_asked: object) -> None:
        raise Never

    stand.sign = never
    it = asking(server.url, timeout_s=0.5)
    await it.open(1337)
    assert "no answer within 0.5 s" in (said := await refusal(it))
    assert "timeout_s" in said


async def test_a_refusal_is_told_with_its_reason(stand: Stand, server: Answering) -> None:
    stand.sign = lambda _asked: {"code": -32000, "message": "request denied"}
    it = asking(server.url)
    await it.open(1337)
    said = await refusal(it)
    assert "did not sign: request denied" in said
    assert "rules" in said


@pytest.mark.parametrize("key", CHANGES)
async def test_a_signer_that_signs_something_else_is_caught(
    stand: Stand, server: Answering, key: str
) -> None:
    it = asking(server.url)
    await it.open(1337)
    stand.sign = lambda asked: signed_by(KEY, dataclasses.replace(read(asked), **{key: CHANGES[key]}))
    assert f"something else: {NAMES.get(key, key)} is" in await refusal(it)


async def test_another_key_is_caught(stand: Stand, server: Answering) -> None:
    it = asking(server.url)
    await it.open(1337)
    stand.sign = lambda asked: signed_by(OTHER_KEY, read(asked))
    assert f"another key: of {OTHER}" in await refusal(it)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["0x", "0x0", "0x0g"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["raw", "tx"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(JSON)
def test_any_other_answer_is_no_signed_transaction(said: Any) -> None:
    found = signed_bytes(said)
    told = said.get("raw") if isinstance(said, dict) else said
    assert found is None or told.lower() == "0x" + found.hex()


async def test_what_is_no_signed_transaction_is_told(stand: Stand, server: Answering) -> None:
    it = asking(server.url)
    await it.open(1337)
    stand.sign = lambda _asked: {"raw": None}
    assert "something else than a signed transaction" in await refusal(it)


async def test_a_key_in_the_url_is_not_shown(stand: Stand) -> None:
    with answering(stand) as server:
        it = asking(server.url + "/a-long-secret-token?key=another-secret")
        await it.open(1337)
    assert "secret" not in await refusal(it)
    assert "secret" not in repr(it)
