"""What the slow half asks of a chain: web3.py over the package's own JSON-RPC client, which bounds and redacts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from eth_typing import HexStr
from web3 import AsyncWeb3
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3Exception
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse, TxParams, Wei

from mempool_ids.config import Url
from mempool_ids.defense.armed import Call, Kind
from mempool_ids.defense.heads import Heads
from mempool_ids.exceptions import NodeError
from mempool_ids.node import HttpClient, Refused, RpcError

T = TypeVar("T")

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Head:
    number: int
    hash: str
    timestamp: int
    base_fee: int | None
    """Of this block, wei a gas; None where the chain has none."""
    next_base_fee: int
    """Of the next block by EIP-1559; 0 where the chain has none."""
    gas_limit: int

    def kind(self, configured: Kind | Literal["auto"]) -> Kind:
        """Of transactions here, unless the configuration names one."""
        if configured != "auto":
            return configured
        return "legacy" if self.base_fee is None else "eip1559"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction in a block."""

    tx_hash: str
    block: int
    block_hash: str
    position: int
    succeeded: bool
    cost: int
    """Wei paid for gas."""


class _Provider(AsyncJSONBaseProvider):
    """web3's way to our client."""

    def __init__(self, node: HttpClient) -> None:
        super().__init__()
        self._node = node

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        try:
            answer = await self._node.call(method, *params)
        except Refused as error:
            if error.code is None:
                raise  # no error of JSON-RPC: it answered with something else
            refusal: Any = {"code": error.code, "message": error.reason}
            return cast(RPCResponse, {"jsonrpc": "2.0", "id": 0, "error": refusal})
        return cast(RPCResponse, {"jsonrpc": "2.0", "id": 0, "result": answer})

    async def is_connected(self, show_traceback: bool = False) -> bool:  # noqa: ARG002  (web3's)
        with contextlib.suppress(RpcError):
            await self._node.call("eth_chainId")
            return True
        return False


class Reverted(NodeError):
    """A call does not succeed now."""


Endpoint = tuple[HttpClient, AsyncWeb3[Any]]


class Chain:
    """The nodes of one chain, asked one after the other until one answers: first those that have the freshest head,
    and none that is far behind it.

    Args:
        urls: HTTP endpoints, the preferred first.
        chain_id: an endpoint that says another one is not asked (`leave_out_wrong`); None where any will do.

    Raises:
        NodeError: from every question, where none of them answers.
    """

    def __init__(
        self, urls: Sequence[Url], chain_id: int | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._chain_id = chain_id
        self.nodes = [HttpClient(url, timeout_s=timeout_s) for url in urls]
        self._all: list[Endpoint] = [(node, AsyncWeb3(_Provider(node))) for node in self.nodes]
        self._asked = list(self._all)
        self._heads: Heads[Endpoint, Head] = Heads(_head)

    async def close(self) -> None:
        self._heads.close()
        for node in self.nodes:
            await node.close()

    async def _ask(self, question: Callable[[AsyncWeb3[Any]], Awaitable[T]]) -> T:
        return await self._ask_node(lambda _, web3: question(web3))

    async def _ask_node(self, question: Callable[[HttpClient, AsyncWeb3[Any]], Awaitable[T]]) -> T:
        """The first answer; an endpoint that gave none is asked last from then on."""
        failure: Exception | None = None
        for pair in [pair for pair in self._asked if pair not in self._heads.behind]:
            try:
                return await question(*pair)
            except Reverted:
                raise
            except Exception as error:
                # Whatever: of a node's nonsense web3 makes any kind of them.
                failure = error
                if pair in self._asked:
                    self._asked.remove(pair)
                    self._asked.append(pair)
        raise self._unanswered(failure) from None

    def _unanswered(self, failure: Exception | None) -> NodeError:
        if isinstance(failure, RpcError):
            return failure
        if failure is None:
            return NodeError(f"no endpoint is on chain {self._chain_id}")
        return NodeError(f"no usable answer: {type(failure).__name__}: {str(failure)[:200]}")

    async def is_ours(self) -> bool:
        """Whether the endpoint that is asked first is on the configured chain."""
        return int(await self._ask(lambda web3: web3.eth.chain_id)) == self._chain_id

    async def leave_out_wrong(self) -> list[str]:
        """Asks every endpoint for its chain: one on another chain is asked nothing more until it is on ours again.

        Returns:
            Which are on another one, in words.

        Raises:
            NodeError: none answers.
        """

        async def chain_of(web3: AsyncWeb3[Any]) -> int | Exception:
            try:
                return int(await web3.eth.chain_id)
            except Exception as error:
                return error

        said = await asyncio.gather(*(chain_of(web3) for _, web3 in self._all))
        if all(isinstance(one, Exception) for one in said):
            raise NodeError(f"no endpoint answers: {said[0]}")
        expected = self._chain_id
        wrong = {
            node: one
            for (node, _), one in zip(self._all, said, strict=True)
            if isinstance(one, int) and expected is not None and one != expected
        }
        kept = [pair for pair in self._asked if pair[0] not in wrong]
        back = [pair for pair in self._all if pair[0] not in wrong and pair not in kept]
        self._asked = [*kept, *back]
        return [
            f"{node.url} is on chain {one}, the configuration says {expected}" for node, one in wrong.items()
        ]

    async def orders_by_fee_cap(self) -> bool:
        """Whether the node that makes the blocks puts the higher fee cap first, not the higher tip. anvil does, unless
        told otherwise; it is known by its name, and who does not tell one is another."""
        try:
            version = str(await self._ask(lambda web3: web3.client_version))
        except NodeError:
            return False
        return version.startswith("anvil/")

    async def head(self) -> Head:
        """The freshest of all endpoints': one that stands still, and answers first, is not believed."""
        if not self._asked:
            raise self._unanswered(None)
        try:
            head, order = await self._heads.freshest(self._asked)
        except Exception as error:
            raise self._unanswered(error) from None
        # Meanwhile some may have been left out.
        self._asked = [pair for pair in order if pair in self._asked]
        return head

    def behind(self) -> list[str]:
        """Endpoints that were far behind the freshest head when it was last asked for. They are asked nothing else."""
        return [str(pair[0].url) for pair in self._asked if pair in self._heads.behind]

    async def block_hash(self, number: int) -> str | None:
        """Of the canonical block of that number; None where there is none."""

        async def ask(web3: AsyncWeb3[Any]) -> str | None:
            try:
                block = await web3.eth.get_block(number)
            except BlockNotFound:
                return None
            return "0x" + bytes(block["hash"]).hex()

        return await self._ask(ask)

    async def block(self, number: int) -> dict[str, Any] | None:
        """With whole transactions, as the node's JSON has it."""
        answer = await self._ask_node(lambda node, _: node.call("eth_getBlockByNumber", hex(number), True))
        return answer if isinstance(answer, dict) else None

    async def nonces(self, address: str) -> tuple[int, int]:
        """The next nonce by the chain, and by the pool."""

        async def ask(web3: AsyncWeb3[Any]) -> tuple[int, int]:
            whose = web3.to_checksum_address(address)
            latest = await web3.eth.get_transaction_count(whose, "latest")
            return latest, max(latest, await web3.eth.get_transaction_count(whose, "pending"))

        return await self._ask(ask)

    async def balance(self, address: str) -> int:
        """Wei."""
        return await self._ask(lambda web3: web3.eth.get_balance(web3.to_checksum_address(address)))

    async def code(self, address: str) -> bytes:
        return bytes(await self._ask(lambda web3: web3.eth.get_code(web3.to_checksum_address(address))))

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """None where no block has it."""

        async def ask(web3: AsyncWeb3[Any]) -> Receipt | None:
            try:
                receipt = await web3.eth.get_transaction_receipt(HexStr(tx_hash))
            except TransactionNotFound:
                return None
            price = receipt.get("effectiveGasPrice", 0)
            return Receipt(
                tx_hash=tx_hash,
                block=int(receipt["blockNumber"]),
                block_hash="0x" + bytes(receipt["blockHash"]).hex(),
                position=int(receipt["transactionIndex"]),
                succeeded=int(receipt["status"]) == 1,
                cost=int(receipt["gasUsed"]) * int(price),
            )

        return await self._ask(ask)

    async def transaction(self, tx_hash: str) -> dict[str, Any] | None:
        """As the node's JSON has it, from its pool or a block; None where it knows of none."""
        failure: RpcError | None = None
        for node, _ in list(self._asked):
            try:
                answer = await node.call("eth_getTransactionByHash", tx_hash)
            except RpcError as error:
                failure = error
                continue
            if isinstance(answer, dict):
                return answer
            failure = None
        if failure is not None:
            raise failure
        return None

    async def call(self, call: Call, sender: str | None = None) -> bytes:
        """What it answers on the latest block.

        Raises:
            Reverted: it does not succeed.
            NodeError: nobody answers.
        """

        async def ask(node: HttpClient, _: AsyncWeb3[Any]) -> bytes:
            try:
                answer = await node.call("eth_call", _call(call, sender), "latest")
            except Refused as error:
                if "revert" in error.reason or error.code == 3:
                    raise Reverted(error.reason) from None
                raise
            return bytes.fromhex(str(answer).removeprefix("0x"))

        return await self._ask_node(ask)

    async def estimate(self, call: Call, sender: str) -> int:
        """Gas that the call needs on the latest block.

        Raises:
            Reverted: it does not succeed.
            NodeError: nobody answers.
        """

        async def ask(web3: AsyncWeb3[Any]) -> int:
            params: TxParams = {
                "from": web3.to_checksum_address(sender),
                "to": web3.to_checksum_address(call.to),
                "data": call.data,
                "value": Wei(call.value),
            }
            try:
                return await web3.eth.estimate_gas(params)
            except Web3Exception as error:
                raise Reverted(str(error)[:200]) from None

        return await self._ask(ask)


async def _head(endpoint: Endpoint) -> Head:
    _, web3 = endpoint
    block = await web3.eth.get_block("latest")
    base_fee = block.get("baseFeePerGas")
    used, limit = int(block["gasUsed"]), int(block["gasLimit"])
    return Head(
        number=int(block["number"]),
        hash="0x" + bytes(block["hash"]).hex(),
        timestamp=int(block["timestamp"]),
        base_fee=None if base_fee is None else int(base_fee),
        next_base_fee=0 if base_fee is None else next_base_fee(int(base_fee), used, limit),
        gas_limit=limit,
    )


def _call(call: Call, sender: str | None) -> dict[str, str]:
    params = {"to": call.to, "data": "0x" + call.data.hex()}
    if call.value:
        params["value"] = hex(call.value)
    if sender is not None:
        params["from"] = sender
    return params


def next_base_fee(base_fee: int, gas_used: int, gas_limit: int) -> int:
    """Wei a gas of the next block (EIP-1559, with Ethereum's elasticity 2 and denominator 8)."""
    target = gas_limit // 2
    if target == 0 or gas_used == target:
        return base_fee
    if gas_used > target:
        return base_fee + max(base_fee * (gas_used - target) // target // 8, 1)
    return base_fee - base_fee * (target - gas_used) // target // 8
