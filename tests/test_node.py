import asyncio
import contextlib
import errno
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from mempool_ids.config import Url
from mempool_ids.exceptions import ConfigError
from mempool_ids.node import HttpClient, Refused, RpcError, Unanswered, WebSocketClient, client, jsonrpc

KEY = "0123456789abcdef"

Said = Callable[[dict[str, Any]], list[str | bytes]]


def over_http(answer: httpx2.Response | Exception) -> HttpClient:
    def handle(_request: httpx2.Request) -> httpx2.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return HttpClient(Url(f"https://node.test/v3/{KEY}"), transport=httpx2.MockTransport(handle))


@asynccontextmanager
async def over_websocket(said: Said, **options: float) -> AsyncIterator[WebSocketClient]:
    """A client of a node that says to each request what `said` gives."""

    async def handle(connection: ServerConnection) -> None:
        async for request in connection:
            for message in said(json.loads(request)):
                await connection.send(message)

    async with serve(handle, "127.0.0.1", 0) as server:
        url = Url(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v3/{KEY}")
        async with WebSocketClient(url, **options) as node:
            yield node


async def test_a_request_is_json_rpc_and_its_number_is_its_own() -> None:
    seen: list[dict[str, Any]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, json={"jsonrpc": "2.0", "id": seen[-1]["id"], "result": "0x1"})

    async with HttpClient(Url("http://node.test"), transport=httpx2.MockTransport(handle)) as node:
        assert await node.call("eth_chainId") == "0x1"
        assert await node.call("eth_getCode", "0x01", "latest") == "0x1"
    assert seen == [
        {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []},
        {"jsonrpc": "2.0", "id": 2, "method": "eth_getCode", "params": ["0x01", "latest"]},
    ]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"id": 1, "result": "0x1"}, "0x1"),
        ({"id": "1", "result": "0x1", "error": None}, "0x1"),
        ({"id": 1, "result": None}, None),
    ],
)
async def test_a_null_error_is_none_and_an_id_may_be_a_text(answer: dict[str, Any], result: object) -> None:
    async with over_http(httpx2.Response(200, json=answer)) as node:
        assert await node.call("eth_chainId") == result
    async with over_websocket(lambda _request: [json.dumps(answer)]) as node:
        assert await node.call("eth_chainId") == result


@pytest.mark.parametrize(
    ("answer", "reason", "code"),
    [
        ({"id": 1, "error": {"code": -32601, "message": "method not found"}}, "method not found", -32601),
        ({"id": None, "error": {"code": -32700, "message": "parse error"}}, "parse error", -32700),
        ({"id": 1, "error": "no"}, "no", None),
        ({"id": 1, "error": {"message": "x" * 9999}}, "x" * 200, None),
        ({"id": 1}, "answers with something else than JSON-RPC", None),
        ([], "answers with something else than JSON-RPC", None),
        ("", "answers with something else than JSON-RPC", None),
    ],
)
async def test_a_refusal_has_reason_and_code(answer: object, reason: str, code: int | None) -> None:
    async def refused(node: HttpClient | WebSocketClient) -> None:
        with pytest.raises(Refused) as raised:
            await node.call("eth_x")
        assert (str(raised.value), raised.value.reason, raised.value.code) == (
            f"eth_x: {reason}",
            reason,
            code,
        )

    async with over_http(httpx2.Response(200, json=answer)) as node:
        await refused(node)
    async with over_websocket(lambda _request: [json.dumps(answer)]) as node:
        await refused(node)


async def test_a_status_that_is_no_success_is_told_unless_the_error_is() -> None:
    async with over_http(httpx2.Response(429, text="<html>")) as node:
        with pytest.raises(Refused, match=r"^eth_x: answered 429$"):
            await node.call("eth_x")
    async with over_http(httpx2.Response(429, json={"error": {"message": "slow down"}})) as node:
        with pytest.raises(Refused, match=r"^eth_x: slow down$"):
            await node.call("eth_x")
    async with over_http(httpx2.Response(307, headers={"Location": "https://elsewhere.test"})) as node:
        with pytest.raises(Refused, match=r"^eth_x: answered 307$"):
            await node.call("eth_x")


async def test_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER_BYTES", 1 << 20)
    large = json.dumps({"id": 1, "result": "x" * (1 << 20)})
    async with over_http(httpx2.Response(200, text=large)) as node:
        with pytest.raises(Refused, match=r"^eth_x: answers with more than 1 MiB$"):
            await node.call("eth_x")
    async with over_websocket(lambda _request: [large]) as node:
        with pytest.raises(RpcError, match=r"^eth_x: ConnectionClosedError$"):
            await node.call("eth_x")


async def test_notifications_and_answers_to_what_was_given_up_are_passed_over() -> None:
    asked = asyncio.Event()

    def said(request: dict[str, Any]) -> list[str | bytes]:
        asked.set()
        if request["id"] == 1:
            return []  # too late: it comes with the next
        before = {"id": request["id"] - 1, "result": "late"}
        news = {"method": "eth_subscription", "params": {}}
        return [
            json.dumps(news),
            json.dumps(before).encode(),
            json.dumps({**before, **request, "result": "own"}),
        ]

    async with over_websocket(said) as node:
        given_up = asyncio.create_task(node.call("eth_x"))
        await asked.wait()
        given_up.cancel()
        assert await asyncio.gather(node.call("eth_y"), node.call("eth_z")) == ["own", "own"]


async def test_no_answer_in_time_is_told() -> None:
    async with over_websocket(lambda _request: [], timeout_s=0.25) as node:
        with pytest.raises(Unanswered, match=r"^eth_x: no answer within 0.25 s$"):
            await node.call("eth_x")


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (httpx2.ReadTimeout(f"{KEY} is late"), Unanswered, "no answer within 10 s"),
        (httpx2.ConnectError(f"no way to {KEY}"), RpcError, "cannot connect"),
        (httpx2.ReadError(KEY), RpcError, "ReadError"),
        (ConnectionRefusedError(errno.ECONNREFUSED, KEY), RpcError, "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, KEY), RpcError, "cannot connect"),
        (ssl.SSLCertVerificationError(1, KEY), RpcError, "no TLS: SSLCertVerificationError"),
    ],
)
async def test_what_fails_on_the_way_is_told_without_the_key(
    error: Exception, kind: type[RpcError], reason: str
) -> None:
    async with over_http(error) as node:
        with pytest.raises(kind, match=rf"^eth_x: {reason}$") as raised:
            await node.call("eth_x")
        assert type(raised.value) is kind
        assert raised.value.__suppress_context__
        assert KEY not in repr(node)


async def test_where_no_websocket_is_that_is_told_without_the_key() -> None:
    with pytest.raises(RpcError, match=r"^(?!.*0123456789abcdef)"):
        await WebSocketClient(Url(f"ws://127.0.0.1:9/v3/{KEY}")).__aenter__()
    with pytest.raises(RpcError, match=r"^not a WebSocket URL$"):
        await WebSocketClient(Url(f"http://127.0.0.1:9/v3/{KEY}")).__aenter__()
    with pytest.raises(RpcError, match=r"^eth_x: not connected$"):
        await WebSocketClient(Url("ws://127.0.0.1:9")).call("eth_x")


async def test_no_log_has_the_key_of_a_node(caplog: pytest.LogCaptureFixture) -> None:
    for logger in ("", "httpx2", "httpcore2", "websockets"):
        caplog.set_level(logging.DEBUG, logger)
    async with over_http(httpx2.Response(200, json={"result": 1})) as node:
        await node.call("eth_x")
    async with over_websocket(lambda request: [json.dumps({**request, "result": 1})]) as node:
        await node.call("eth_x")
    of_ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert any("HTTP Request: POST https://node.test/v3/***" in record.getMessage() for record in of_ours)
    assert not any(KEY in record.getMessage() for record in of_ours)


def test_what_cannot_be_asked_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:hunter22@127.0.0.1:9")
    with pytest.raises(ConfigError, match="the environment's proxy") as raised:
        HttpClient(Url("http://node.test"))
    assert "hunter22" not in str(raised.value)
    HttpClient(Url("http://node.test"), environment=False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=9,
)


@given(st.binary(max_size=200) | json_values.map(json.dumps))
def test_whatever_a_node_says_is_a_message_or_refused(raw: bytes | str) -> None:
    try:
        assert isinstance(jsonrpc.message("eth_x", raw), dict)
    except Refused as refused:
        reason = refused.reason
    else:
        reason = "answers with something else than JSON"
    assert reason.startswith("answers with something else than JSON")


@given(st.dictionaries(st.sampled_from(["id", "error", "result", "code", "message"]), json_values))
def test_whatever_an_answer_holds_is_a_result_or_refused(said: dict[str, Any]) -> None:
    refused = said.get("error") is not None or "result" not in said
    with pytest.raises(Refused) if refused else contextlib.nullcontext():
        assert jsonrpc.result("eth_x", said) == said["result"]
    assert jsonrpc.answers(said, 1) in (True, False)
