"""What a node answers, and what a user sees of it."""

from __future__ import annotations

import httpx2
import pytest

from mempool_ids import cli
from mempool_ids.demo import command
from mempool_ids.demo.rpc import Rpc
from mempool_ids.exceptions import MempoolIdsError
from mempool_ids.node import RpcError


def answering(*answers: httpx2.Response | httpx2.HTTPError) -> Rpc:
    """An Rpc whose node answers just these, in order."""
    left = iter(answers)

    def handle(_request: httpx2.Request) -> httpx2.Response:
        answer = next(left)
        if isinstance(answer, httpx2.HTTPError):
            raise answer
        return answer

    return Rpc("http://node.test", httpx2.MockTransport(handle))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx2.Response(200, json={"error": {"message": "nonce too low"}}), "eth_chainId: nonce too low"),
        (httpx2.Response(500), "eth_chainId: answered 500"),
        (httpx2.Response(200, text="<html>"), "eth_chainId: answers with something else than JSON"),
        (httpx2.ConnectError("refused"), "eth_chainId: cannot connect"),
    ],
)
async def test_what_goes_wrong_is_one_kind_of_error_with_the_method(
    answer: httpx2.Response | httpx2.HTTPError, said: str
) -> None:
    async with answering(answer) as rpc:
        with pytest.raises(RpcError, match=said) as raised:
            await rpc.call("eth_chainId")
    assert isinstance(raised.value, MempoolIdsError)


async def test_a_node_that_still_indexes_does_not_know_a_transaction_yet() -> None:
    indexing = httpx2.Response(200, json={"error": {"message": "transaction indexing is in progress"}})
    mined = httpx2.Response(200, json={"result": {"status": "0x1"}})
    async with answering(indexing, indexing, mined) as rpc:
        assert not await rpc.is_pending("0x01")
        assert await rpc.receipt("0x01", 5) == {"status": "0x1"}


async def test_a_pool_that_is_behind_its_chain_is_asked_anew() -> None:
    poor = httpx2.Response(200, json={"error": {"message": "insufficient funds for gas * price + value"}})
    low = httpx2.Response(200, json={"error": {"message": "nonce too low"}})
    taken = httpx2.Response(200, json={"result": "0x01"})
    async with answering(low, poor, taken) as rpc:
        assert await rpc.send("0x00", None) == "0x01"
    async with answering(poor, taken) as rpc:
        assert await rpc.send_raw(b"") == "0x01"
    # Who chose the nonce is to hear that it is gone.
    async with answering(low) as rpc:
        with pytest.raises(RpcError, match="nonce too low"):
            await rpc.send_raw(b"")


def test_the_command_says_what_the_node_refused_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_options: object) -> int:
        raise RpcError("eth_sendTransaction: nonce too low")

    monkeypatch.setattr(command, "run", refuse)
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo"])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "error: eth_sendTransaction: nonce too low" in said
    assert "Traceback" not in said
