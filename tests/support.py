"""What several tests need: transactions, alerts, a node that answers on loopback."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

VAULT = "0x" + "5f" * 20
SENDER = "0x" + "a1" * 20
WITHDRAW = "0x2e1a7d4d" + f"{10**18:064x}"


def labelled_data() -> Path:
    """Where the data is that the package's models were trained with: `$MEMPOOL_IDS_DATA`. It may be absent."""
    return Path(os.environ.get("MEMPOOL_IDS_DATA", "../shared/data"))


def transaction(number: int, **changes: Any) -> dict[str, Any]:
    """A transaction object as `eth_getTransactionByHash` returns it; different numbers, different hashes."""
    return {
        "hash": f"0x{number:064x}",
        "from": SENDER,
        "to": VAULT,
        "value": "0x0",
        "nonce": hex(number),
        "gas": "0x186a0",
        "gasPrice": "0x77359400",
        "maxFeePerGas": "0x77359400",
        "maxPriorityFeePerGas": "0x3b9aca00",
        "input": WITHDRAW,
        "type": "0x2",
        "chainId": "0x1",
        "accessList": [],
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
        "v": "0x0",
        "r": "0x1",
        "s": "0x1",
        "yParity": "0x0",
        "timestamp_ms": 1_700_000_000_000 + number * 10,
        **changes,
    }


def write_capture(path: Path, count: int, first: int = 1) -> Path:
    """JSON lines of `count` transactions."""
    lines = [json.dumps(transaction(number)) for number in range(first, first + count)]
    path.write_text("".join(line + "\n" for line in lines))
    return path


UNANSWERED: Mapping[str, Any] = {
    "action_id": None,
    "decision": None,
    "asked": False,
    **dict.fromkeys(
        (
            "already_paused", "attack_gas", "attack_max_fee", "attack_payment", "attack_tip", "base_fee", "copyable",
            "harm_left", "includable", "includable_reason", "pause_gas", "pause_succeeds", "pauses", "targets", "why",
        )
    ),
}  # fmt: skip
"""An alert's response but for its mode, where nothing was asked about pauses."""


def alert(number: int, **changes: Any) -> dict[str, Any]:
    """An alert event with its response, as the engine stores and sends it."""
    return {
        "timestamp": f"2026-01-01T00:00:00.{number:06d}Z",
        "event_type": "alert",
        "sensor": "test",
        "chain_id": 1,
        "schema_version": 1,
        "alert_id": f"alert-{number}",
        "severity": "high",
        "threat_level": "HIGH",
        "score": 0.875,
        "notify": True,
        "tx": {
            "authenticity": "proven",
            "hash": f"0x{number:064x}",
            "from": SENDER,
            "to": VAULT,
            "value": str(2**256 - 1),
            "gas": 100_000,
            "max_fee_per_gas": "30000000000",
            "max_priority_fee_per_gas": "1000000000",
            "nonce": number,
            "selector": "0x2e1a7d4d",
            "seen_ms": 1_700_000_000_000,
            "function": "withdraw(uint256)",
            "arguments": [{"name": "amount", "type": "uint256", "value": "1000000000000000000"}],
        },
        "contracts": ["Vault"],
        "classification": {
            "model": "random_forest",
            "version": "1",
            "probability": 0.875,
            "threshold": 0.7,
            "factors": [{"feature": "call_depth", "value": 2.0, "contribution": 0.25}],
        },
        "signatures": [
            {"id": 1, "rev": 2, "name": "n", "classtype": "c", "severity": 1, "score": 0.5, "notify": True}
        ],
        "signature_score": 0.5,
        "features": [0.0] * 22,
        "simulation": {"status": "not_run"},
        "latency_us": {
            "decode": 1.0,
            "features": 1.0,
            "signatures": 1.0,
            "classify": 5.0,
            "simulate": None,
            "total": 9.5,
        },
        "watched_ms": 90_000,
        "grade": "likely",
        "victims": [
            {
                "contract": "Vault",
                "invariants": ["outflow"],
                "asset": "native",
                "amount": str(10**19),
                "share": 0.5,
                "beneficiary": SENDER,
            }
        ],
        "response": {**UNANSWERED, "mode": "alert_only"},
        **changes,
    }


async def eventually(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    """Returns once the condition holds; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        await asyncio.sleep(0.005)


class Node:
    """A node on loopback. It answers what a sensor asks and announces what a test gives it."""

    def __init__(self, chain_id: int = 1, *, whole: bool = True, code: str = "0x60006000") -> None:
        self.chain_id = chain_id
        self.whole = whole
        self.code = code
        #: By method, beside what it answers anyway; what can be called is, with the parameters.
        self.answers: dict[str, Any] = {}
        self.known: dict[str, dict[str, Any]] = {}
        self.url = ""
        self._subscribers: list[tuple[ServerConnection, str]] = []
        self.subscribed = asyncio.Event()

    def _answer(self, method: str, params: list[Any]) -> Any:
        head = {
            "number": "0x10",
            "hash": "0x" + "11" * 32,
            "parentHash": "0x" + "10" * 32,
            "timestamp": "0x1",
            "baseFeePerGas": "0x3b9aca00",
            "gasUsed": "0x0",
            "gasLimit": "0x1c9c380",
            "transactions": [],
        }
        answers: dict[str, Any] = {
            "eth_chainId": hex(self.chain_id),
            "net_version": str(self.chain_id),
            "eth_blockNumber": "0x10",
            "eth_getBlockByNumber": head,
            "eth_getBlockByHash": head,
            "eth_getCode": self.code,
            "eth_getTransactionCount": "0x0",
            "txpool_status": {"pending": "0x0", "queued": "0x0"},
            "txpool_content": {"pending": {}, "queued": {}},
            "web3_clientVersion": "test",
            **self.answers,
        }
        if method == "eth_getTransactionByHash":
            return self.known.get(params[0])
        if method not in answers:
            raise KeyError(method)
        answer = answers[method]
        return answer(params) if callable(answer) else answer

    async def _serve(self, connection: ServerConnection) -> None:
        async for message in connection:
            request = json.loads(message)
            batch = request if isinstance(request, list) else [request]
            answers = [self._reply(connection, each) for each in batch]
            await connection.send(json.dumps(answers if isinstance(request, list) else answers[0]))

    def _reply(self, connection: ServerConnection, request: dict[str, Any]) -> dict[str, Any]:
        base = {"jsonrpc": "2.0", "id": request["id"]}
        method, params = request["method"], request.get("params", [])
        if method == "eth_subscribe":
            if params[0] == "newPendingTransactions":
                if params[1:] == [True] and not self.whole:
                    return {**base, "error": {"code": -32602, "message": "too many arguments"}}
                self._subscribers.append((connection, "0xa1"))
                self.subscribed.set()
                return {**base, "result": "0xa1"}
            return {**base, "result": "0xb2"}
        try:
            return {**base, "result": self._answer(method, params)}
        except KeyError:
            return {**base, "error": {"code": -32601, "message": "method not found"}}

    async def announce(self, tx: dict[str, Any]) -> None:
        """Sends a pending transaction to every subscriber, and returns when each has read it."""
        self.known[tx["hash"]] = tx
        for connection, subscription in self._subscribers:
            params = {"subscription": subscription, "result": tx if self.whole else tx["hash"]}
            await connection.send(
                json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})
            )
            # The sensor answers a ping after it has read what came before.
            await (await connection.ping())


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    """The node, listening on a free port."""
    async with serve(node._serve, "127.0.0.1", 0) as server:
        node.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield node
