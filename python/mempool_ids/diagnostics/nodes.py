"""Checks of the nodes: reachable, the right chain, how fast, what they can do; and the contracts on them."""

import asyncio
import time

from mempool_ids.config import Contract, IDSConfig, Url
from mempool_ids.diagnostics.coverage import check_coverage
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.diagnostics.state import check_state
from mempool_ids.diagnostics.suggestions import Suggestion, suggest
from mempool_ids.diagnostics.views import check_views
from mempool_ids.exceptions import ConfigError
from mempool_ids.node import Client, HttpClient, Refused, RpcError, Unanswered, WebSocketClient

_NOBODY = "0x" + "00" * 20
# Blocks back at which the sensor looks first for a creation; for an older one it looks from the first block on.
_RECENT = 100


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


async def suggestions(config: IDSConfig) -> list[Suggestion]:
    """What the contracts say of themselves that is not configured, of the first node that is asked about contracts.

    Raises:
        ConfigError: there is no node.
        RpcError: it does not answer.
    """
    chain = config.chain
    if not chain.rpc_urls and not chain.websocket_urls:
        raise ConfigError("there is no node to ask: set chain.rpc_urls or chain.websocket_urls")
    client = HttpClient(chain.rpc_urls[0]) if chain.rpc_urls else WebSocketClient(chain.websocket_urls[0])
    async with client as node:
        found = [await suggest(node, contract) for contract in config.contracts]
    return [one for one in found if one]


async def _websocket(url: Url, config: IDSConfig, asked: bool) -> list[Finding]:
    started = time.monotonic()
    try:
        async with WebSocketClient(url) as node:
            connected = (time.monotonic() - started) * 1000
            return [
                Finding("websocket", str(url), Status.OK, "connected", connected),
                *await _chain(node, config),
                *await _subscriptions(node),
                *(await _questions(node, config) if asked else ()),
            ]
    except Exception as error:
        return [Finding("websocket", str(url), Status.FAILED, _reason(error))]


async def _http(url: Url, config: IDSConfig, asked: bool) -> list[Finding]:
    try:
        async with HttpClient(url) as node:
            return [*await _chain(node, config), *(await _questions(node, config) if asked else ())]
    except Exception as error:
        return [Finding("rpc", str(url), Status.FAILED, _reason(error))]


async def _chain(node: Client, config: IDSConfig) -> list[Finding]:
    subject = str(node.url)
    started = time.monotonic()
    chain_id = int(await node.call("eth_chainId"), 16)
    latency = (time.monotonic() - started) * 1000
    if chain_id != config.chain.id:
        detail = f"the node's chain is {chain_id}, the configuration's {config.chain.id}"
        return [Finding("chain id", subject, Status.FAILED, detail, latency)]
    findings = [Finding("chain id", subject, Status.OK, str(chain_id), latency)]
    head = await node.call("eth_getBlockByNumber", "latest", False)
    if not isinstance(head, dict):
        return [*findings, Finding("head", subject, Status.FAILED, "the node has no latest block")]
    age = time.time() - int(head["timestamp"], 16)
    detail = f"block {int(head['number'], 16):,}, {age:,.0f} s old"
    late = age > 300
    text = f"{detail}: the node is behind, or the chain is idle" if late else detail
    return [*findings, Finding("head", subject, Status.WARNING if late else Status.OK, text)]


async def _subscriptions(node: Client) -> list[Finding]:
    subject = str(node.url)
    findings = []
    try:
        await node.call("eth_subscribe", "newPendingTransactions", True)
        findings.append(
            Finding("pending transactions", subject, Status.OK, "whole transactions are announced")
        )
    except Refused as error:
        findings.append(await _hashes(node, error.reason))
    try:
        await node.call("eth_subscribe", "newHeads")
        findings.append(Finding("heads", subject, Status.OK, "announced"))
    except Refused as error:
        detail = f"not announced ({error.reason}): no outcomes, no base fee"
        findings.append(Finding("heads", subject, Status.FAILED, detail))
    try:
        await node.call("txpool_status")
        findings.append(Finding("txpool", subject, Status.OK, "what a lost connection missed can be fetched"))
    except Refused as error:
        detail = f"not served ({error.reason}): what a lost connection missed stays missed"
        findings.append(Finding("txpool", subject, Status.WARNING, detail))
    return findings


async def _hashes(node: Client, refusal: str) -> Finding:
    subject = str(node.url)
    try:
        await node.call("eth_subscribe", "newPendingTransactions")
    except Refused as error:
        return Finding("pending transactions", subject, Status.FAILED, f"not announced: {error.reason}")
    detail = f"hashes only ({refusal}): each transaction is fetched, which costs a round trip"
    return Finding("pending transactions", subject, Status.WARNING, detail)


async def _questions(node: Client, config: IDSConfig) -> list[Finding]:
    state = await check_state(node) if config.simulation.enabled else []
    return [*await _contracts(node, config), await _ages(node), *state]


async def _ages(node: Client) -> Finding:
    """Whether the node can tell how old a contract is: by what code it had before."""

    async def told(block: int) -> bool:
        try:
            await node.call("eth_getCode", _NOBODY, hex(block))
        except (Refused, Unanswered):
            return False
        return True

    head = int(await node.call("eth_blockNumber"), 16)
    status, detail = Status.OK, "the code of any former block is served"
    if not await told(0):
        status, detail = (
            Status.OK,
            f"served for {_RECENT} blocks: what is older is of unknown age, and not young",
        )
        if not await told(max(head - _RECENT, 0)):
            status = Status.WARNING
            detail = "not served: no rule takes a contract for young, nor is any simulated for that"
    return Finding("age of contracts", str(node.url), status, detail)


async def _contracts(node: Client, config: IDSConfig) -> list[Finding]:
    findings = []
    for contract in config.contracts:
        code = await node.call("eth_getCode", contract.address, "latest")
        size = (len(code) - 2) // 2 if isinstance(code, str) else 0
        detail = f"{size:,} bytes of code" if size else f"no code at this address, says {node.url}"
        status = Status.OK if size else Status.FAILED
        findings.append(Finding("contract", f"{contract.name} {contract.address}", status, detail))
        if size:
            findings += [*await _assets(node, contract), *await check_views(node, contract)]
            findings.append(await check_coverage(node, contract))
    return findings


async def _assets(node: Client, contract: Contract) -> list[Finding]:
    """A failure for each token that is none: its outflow would never be seen."""
    tokens = [asset for asset in contract.assets if asset != "native"]
    missing = [token for token in tokens if await node.call("eth_getCode", token, "latest") in ("0x", None)]
    detail = "no code at the address of this asset: mistyped, or of another chain?"
    return [Finding("asset", f"{contract.name} {token}", Status.FAILED, detail) for token in missing]


def _reason(error: Exception) -> str:
    if isinstance(error, RpcError):
        return error.reason
    return str(error) if isinstance(error, ConfigError) else f"unexpected answer ({type(error).__name__})"
