"""Checks of the nodes: reachable, the right chain, how fast, what they can do; and the contracts on them."""

import asyncio
import os
import time
from typing import Any

import httpx2
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from mempool_ids.config import IDSConfig, Url
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.diagnostics.state import Call, check_state

TIMEOUT_S = 10.0
# What a block changed is told in one answer.
_MAX_ANSWER = 64 << 20


class _Refused(Exception):
    """The node answered with an error, or with nothing that is an answer."""


async def check_nodes(config: IDSConfig) -> list[Finding]:
    """All endpoints at the same time."""
    chain = config.chain
    if not chain.websocket_urls:
        return [Finding("websocket", "-", Status.FAILED, "chain.websocket_urls is empty: nothing to watch")]
    # Code and state are asked for where the sensor asks for them.
    asked = 0 if not chain.rpc_urls else None
    checks = [_websocket(url, config, asked=index == asked) for index, url in enumerate(chain.websocket_urls)]
    checks += [_http(url, config, asked=index == 0) for index, url in enumerate(chain.rpc_urls)]
    return [finding for findings in await asyncio.gather(*checks) for finding in findings]


async def _websocket(url: Url, config: IDSConfig, asked: bool) -> list[Finding]:
    started = time.monotonic()
    try:
        async with connect(url.full, open_timeout=TIMEOUT_S, max_size=_MAX_ANSWER, proxy=None) as socket:
            connected = (time.monotonic() - started) * 1000
            call = _over(socket)
            return [
                Finding("websocket", str(url), Status.OK, "connected", connected),
                *await _chain(call, str(url), config),
                *await _subscriptions(call, str(url)),
                *(await _questions(call, str(url), config) if asked else ()),
            ]
    except Exception as error:
        return [Finding("websocket", str(url), Status.FAILED, _reason(error))]


async def _http(url: Url, config: IDSConfig, asked: bool) -> list[Finding]:
    async with httpx2.AsyncClient(timeout=TIMEOUT_S) as client:

        async def call(method: str, params: list[Any]) -> Any:
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            return _result((await client.post(url.full, json=request)).content)

        try:
            return [
                *await _chain(call, str(url), config),
                *(await _questions(call, str(url), config) if asked else ()),
            ]
        except Exception as error:
            return [Finding("rpc", str(url), Status.FAILED, _reason(error))]


def _over(socket: ClientConnection) -> Call:
    numbers = iter(range(1, 1 << 30))

    async def call(method: str, params: list[Any]) -> Any:
        number = next(numbers)
        await socket.send(
            orjson.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).decode()
        )
        return await asyncio.wait_for(_answer(socket, number), TIMEOUT_S)

    return call


async def _answer(socket: ClientConnection, number: int) -> Any:
    while True:
        message = await socket.recv()
        raw = message.encode() if isinstance(message, str) else message
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise _Refused("answers with something else than JSON") from None
        # Notifications of a subscription come in between.
        if isinstance(answer, dict) and answer.get("id") == number:
            return _result(raw)


def _result(body: bytes) -> Any:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _Refused("answers with something else than JSON") from None
    if not isinstance(answer, dict):
        raise _Refused("answers with something else than JSON-RPC")
    if "error" in answer:
        error = answer["error"]
        raise _Refused(
            str(error.get("message", error))[:200] if isinstance(error, dict) else str(error)[:200]
        )
    return answer.get("result")


async def _chain(call: Call, subject: str, config: IDSConfig) -> list[Finding]:
    started = time.monotonic()
    chain_id = int(await call("eth_chainId", []), 16)
    latency = (time.monotonic() - started) * 1000
    if chain_id != config.chain.id:
        detail = f"the node's chain is {chain_id}, the configuration's {config.chain.id}"
        return [Finding("chain id", subject, Status.FAILED, detail, latency)]
    findings = [Finding("chain id", subject, Status.OK, str(chain_id), latency)]
    head = await call("eth_getBlockByNumber", ["latest", False])
    if not isinstance(head, dict):
        return [*findings, Finding("head", subject, Status.FAILED, "the node has no latest block")]
    age = time.time() - int(head["timestamp"], 16)
    detail = f"block {int(head['number'], 16):,}, {age:,.0f} s old"
    late = age > 300
    text = f"{detail}: the node is behind, or the chain is idle" if late else detail
    return [*findings, Finding("head", subject, Status.WARNING if late else Status.OK, text)]


async def _subscriptions(call: Call, subject: str) -> list[Finding]:
    findings = []
    try:
        await call("eth_subscribe", ["newPendingTransactions", True])
        findings.append(
            Finding("pending transactions", subject, Status.OK, "whole transactions are announced")
        )
    except _Refused as error:
        findings.append(await _hashes(call, subject, str(error)))
    try:
        await call("eth_subscribe", ["newHeads"])
        findings.append(Finding("heads", subject, Status.OK, "announced"))
    except _Refused as error:
        detail = f"not announced ({error}): no outcomes, no base fee"
        findings.append(Finding("heads", subject, Status.FAILED, detail))
    try:
        await call("txpool_status", [])
        findings.append(Finding("txpool", subject, Status.OK, "what a lost connection missed can be fetched"))
    except _Refused as error:
        detail = f"not served ({error}): what a lost connection missed stays missed"
        findings.append(Finding("txpool", subject, Status.WARNING, detail))
    return findings


async def _hashes(call: Call, subject: str, refusal: str) -> Finding:
    try:
        await call("eth_subscribe", ["newPendingTransactions"])
    except _Refused as error:
        return Finding("pending transactions", subject, Status.FAILED, f"not announced: {error}")
    detail = f"hashes only ({refusal}): each transaction is fetched, which costs a round trip"
    return Finding("pending transactions", subject, Status.WARNING, detail)


async def _questions(call: Call, subject: str, config: IDSConfig) -> list[Finding]:
    simulates = config.simulation.enabled
    state = await check_state(call, subject, _Refused) if simulates else []
    return [*await _contracts(call, subject, config), *state]


async def _contracts(call: Call, subject: str, config: IDSConfig) -> list[Finding]:
    findings = []
    for contract in config.contracts:
        code = await call("eth_getCode", [contract.address, "latest"])
        size = (len(code) - 2) // 2 if isinstance(code, str) else 0
        detail = f"{size:,} bytes of code" if size else f"no code at this address, says {subject}"
        status = Status.OK if size else Status.FAILED
        findings.append(Finding("contract", f"{contract.name} {contract.address}", status, detail))
    return findings


def _reason(error: Exception) -> str:
    """Without the URL, which may hold a key."""
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, (TimeoutError, httpx2.TimeoutException)):
        return f"no answer within {TIMEOUT_S:.0f} s"
    if isinstance(error, InvalidURI):
        return "not a WebSocket URL"
    if isinstance(error, InvalidHandshake):
        return f"no WebSocket there: {error}"[:200]
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else "cannot connect"
    if isinstance(error, httpx2.ConnectError):
        return "cannot connect"
    if isinstance(error, (WebSocketException, httpx2.HTTPError)):
        return type(error).__name__
    return f"unexpected answer ({type(error).__name__})"
