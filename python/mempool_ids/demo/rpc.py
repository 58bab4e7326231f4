"""JSON-RPC to a node with unlocked accounts: no private key is ever needed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2

from mempool_ids.config import Url
from mempool_ids.node import HttpClient, RpcError

_POLL_SECONDS = 0.05
_LATE_SECONDS = 5.0
# What geth says of what it does not know until it has looked through its first blocks.
_INDEXING = "transaction indexing is in progress"
# What geth's pool says while it takes in a block whose receipts are told already: of a nonce that the node chose, and
# of money that just came.
_NONCE_GONE = ("nonce too low", "replacement transaction underpriced", "already known")
_MONEY_LATE = ("insufficient funds",)


class Rpc(HttpClient):
    """One node with unlocked accounts, on this machine. Quantities are ints on this side, hex on the wire."""

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        # A proxy for the outside world has no business between us and loopback.
        super().__init__(Url(url), transport=transport, environment=False)
        # A node that chooses nonces itself may give two transactions at once the same.
        self._sending = asyncio.Lock()

    async def accounts(self) -> list[str]:
        """Unlocked accounts, lower-case."""
        return [account.lower() for account in await self.call("eth_accounts")]

    async def balance(self, address: str) -> int:
        """Wei at the latest block."""
        return int(await self.call("eth_getBalance", address, "latest"), 16)

    async def block_number(self) -> int:
        return int(await self.call("eth_blockNumber"), 16)

    async def nonce(self, address: str) -> int:
        """The next one of an account, by the latest block."""
        return int(await self.call("eth_getTransactionCount", address, "latest"), 16)

    async def send(
        self,
        sender: str,
        to: str | None,
        data: str = "0x",
        *,
        value: int = 0,
        gas: int = 1_000_000,
        tip: int = 10**9,
        max_fee: int = 50 * 10**9,
        nonce: int | None = None,
    ) -> str:
        """Sends an EIP-1559 transaction; `to` None creates a contract. Returns its hash.

        Fees are wei per gas. The gas limit is given, not estimated: the pool may change what it ran on.
        """
        transaction = {
            "from": sender,
            "data": data,
            "value": hex(value),
            "gas": hex(gas),
            "maxPriorityFeePerGas": hex(tip),
            "maxFeePerGas": hex(max_fee),
        }
        if to is not None:
            transaction["to"] = to
        if nonce is not None:
            transaction["nonce"] = hex(nonce)
        late = _MONEY_LATE if nonce is not None else _NONCE_GONE + _MONEY_LATE
        async with self._sending:
            return await self._send("eth_sendTransaction", transaction, late)

    async def send_raw(self, raw: bytes) -> str:
        """Sends a signed transaction. Returns its hash."""
        return await self._send("eth_sendRawTransaction", "0x" + raw.hex(), _MONEY_LATE)

    async def _send(self, method: str, transaction: dict[str, Any] | str, late: tuple[str, ...]) -> str:
        """Asks anew for a while where the pool refuses with one of `late`: it is behind its own chain."""
        deadline = time.monotonic() + _LATE_SECONDS
        while True:
            try:
                tx_hash: str = await self.call(method, transaction)
                return tx_hash
            except RpcError as error:
                if not any(said in str(error) for said in late) or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_POLL_SECONDS)

    async def mine(self, blocks: int = 1) -> None:
        """Mines at once (anvil only)."""
        await self.call("anvil_mine", hex(blocks))

    async def is_pending(self, tx_hash: str) -> bool:
        """Whether the node knows it and no block has it."""
        found = await self.transaction(tx_hash)
        return found is not None and found["blockNumber"] is None

    async def transaction(self, tx_hash: str) -> dict[str, Any] | None:
        """As the node has it, pending or mined; None where it does not know it."""
        found: dict[str, Any] | None = await self._find("eth_getTransactionByHash", tx_hash)
        return found

    async def find_receipt(self, tx_hash: str) -> dict[str, Any] | None:
        """None where no block has it yet."""
        found: dict[str, Any] | None = await self._find("eth_getTransactionReceipt", tx_hash)
        return found

    async def _find(self, method: str, tx_hash: str) -> Any:
        """None where the node does not know it."""
        try:
            return await self.call(method, tx_hash)
        except RpcError as error:
            if _INDEXING in str(error):
                return None
            raise

    async def receipt(self, tx_hash: str, seconds: float) -> dict[str, Any]:
        """Waits for the receipt.

        Raises:
            TimeoutError: not mined within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (found := await self.find_receipt(tx_hash)) is not None:
                return found
            await asyncio.sleep(_POLL_SECONDS)
        raise TimeoutError(f"{tx_hash} was not mined within {seconds:.0f} s")
