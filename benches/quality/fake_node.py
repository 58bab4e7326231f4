"""A node that has the state before one recorded block, and that block's transactions pending, for one sensor.

It speaks WebSocket on loopback, which is all that a sensor needs, and answers what a sensor asks. It has no `debug_`
methods: what is not known is read piece by piece, so that what a record lacks is counted where it is asked for.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benches.quality.recorded import Account, Block

NO_METHOD = {"code": -32601, "message": "the method does not exist/is not available"}
KEPT_BLOCKS = 128
"""Of which a full node has the state."""
NOBODY = Account(0, 0, "0x", {})

Params = list[Any]


class NotRecorded(LookupError):
    """It was there and nobody wrote it down."""


class FakeNode:
    """See the module.

    Attributes:
        url: where it listens.
        asked: questions by method.
        unrecorded: what was asked for and is not in the record, by account, slot or block: answered as if it were
            empty, but for code that there was.
    """

    def __init__(self, block: Block) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.unrecorded: Counter[str] = Counter()
        self._block = block
        self._head = block.parent()
        self._pending = {transaction["hash"]: transaction for transaction in block.pending()}
        self._subscribers: list[tuple[ServerConnection, str]] = []
        self._subscribed = asyncio.Event()
        self._last = time.monotonic()
        self._answers: dict[str, Callable[[Params], Any]] = {
            "eth_chainId": lambda _: "0x1",
            "eth_blockNumber": lambda _: self._head["number"],
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": lambda params: self._head if params[0] == self._head["hash"] else None,
            "eth_getTransactionByHash": lambda params: self._pending.get(params[0]),
            "eth_getBalance": lambda params: hex(self._account(params[0]).balance),
            "eth_getTransactionCount": lambda params: hex(self._account(params[0]).nonce),
            "eth_getCode": self._code,
            "eth_getStorageAt": lambda params: f"0x{self._slot(params[0], int(params[1], 16)):064x}",
            "eth_getProof": self._proof,
        }

    @classmethod
    @asynccontextmanager
    async def running(cls, block: Block) -> AsyncIterator[Self]:
        """The node, listening on a free port."""
        node = cls(block)
        async with serve(node._serve, "127.0.0.1", 0, compression=None, max_size=None) as server:
            node.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield node

    @property
    def idle_s(self) -> float:
        """Since the last question."""
        return time.monotonic() - self._last

    async def subscribed(self) -> None:
        """Returns once somebody listens to pending transactions."""
        await self._subscribed.wait()

    async def announce(self, transaction_hash: str) -> None:
        """Tells every subscriber of a transaction, with all that it has; returns when each has read it."""
        transaction = self._pending[transaction_hash]
        for connection, subscription in self._subscribers:
            params = {"subscription": subscription, "result": transaction}
            event = {"jsonrpc": "2.0", "method": "eth_subscription", "params": params}
            await connection.send(orjson.dumps(event), text=True)
            await (await connection.ping())

    async def _serve(self, connection: ServerConnection) -> None:
        # A sensor that stops says no farewell.
        with suppress(ConnectionClosed):
            async for message in connection:
                said = orjson.loads(message)
                several = isinstance(said, list)
                answers = [self._reply(connection, one) for one in (said if several else [said])]
                await connection.send(orjson.dumps(answers if several else answers[0]), text=True)

    def _reply(self, connection: ServerConnection, said: dict[str, Any]) -> dict[str, Any]:
        self._last = time.monotonic()
        method, params = said["method"], said.get("params", [])
        self.asked[method] += 1
        answer = {"jsonrpc": "2.0", "id": said["id"]}
        if method == "eth_subscribe":
            return answer | {"result": self._subscribe(connection, params[0])}
        if method not in self._answers:
            return answer | {"error": NO_METHOD}
        try:
            return answer | {"result": self._answers[method](params)}
        except NotRecorded as error:
            return answer | {"error": {"code": -32000, "message": str(error)}}

    def _subscribe(self, connection: ServerConnection, kind: str) -> str:
        subscription = hex(len(self._subscribers) + 1)
        if kind != "newPendingTransactions":
            return f"{subscription}0"
        self._subscribers.append((connection, subscription))
        self._subscribed.set()
        return subscription

    def _block_by_number(self, params: Params) -> dict[str, Any] | None:
        if params[0] in ("latest", "safe", "finalized", self._head["number"]):
            return self._head
        self.unrecorded[f"block {params[0]}"] += 1
        return None

    def _account(self, address: str) -> Account:
        address = address.lower()
        if address not in self._block.state:
            self.unrecorded[address] += 1
        return self._block.state.get(address, NOBODY)

    def _code(self, params: Params) -> str:
        address, at = params
        is_number = isinstance(at, str) and at.startswith("0x") and len(at) < 66
        if is_number and int(at, 16) < self._block.number - KEPT_BLOCKS:
            raise NotRecorded("missing trie node")
        code = self._account(address).code
        if code is None:
            self.unrecorded[f"code of {address.lower()}"] += 1
            raise NotRecorded("this code was not recorded")
        return code

    def _slot(self, address: str, slot: int) -> int:
        storage = self._account(address).storage
        if slot not in storage:
            self.unrecorded[f"{address.lower()} {slot:#x}"] += 1
        return storage.get(slot, 0)

    def _proof(self, params: Params) -> dict[str, Any]:
        address, slots = params[0], params[1]
        account = self._account(address)
        proofs = [
            {"key": slot, "value": hex(self._slot(address, int(slot, 16))), "proof": []} for slot in slots
        ]
        return {
            "address": address,
            "balance": hex(account.balance),
            "nonce": hex(account.nonce),
            "storageProof": proofs,
        }
