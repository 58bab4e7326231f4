"""A builder on loopback: takes bundles in one builder's dialect, and puts them into the blocks of a real node.

What it accepts is written down here from the builders' documentation, apart from what the package knows of them: a
field that a dialect does not have, a missing block or a wrong signature is refused, as the real ones do.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h11
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError

_QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]*)")
_BYTES = re.compile(r"0x([0-9a-f]{2})+")
_HASH = re.compile(r"0x[0-9a-f]{64}")
_BUNDLE = frozenset({"txs", "minTimestamp", "maxTimestamp", "revertingTxHashes"})


class Invalid(Exception):
    """What a request is refused for."""


class OrderedAnvil(Anvil):
    """Mines only when asked to, and then in the order that transactions came in: whoever submits builds the block."""

    def __init__(self, binary: Path, options: AnvilOptions | None = None) -> None:
        super().__init__(binary, options)
        self._arguments += ["--order", "fifo"]


@dataclass(frozen=True)
class Dialect:
    """What one builder's documentation says."""

    #: Keys of a bundle beside the common ones.
    keys: frozenset[str]
    signed: bool = False
    block: str = "blockNumber"
    block_needed: bool = False
    name: str | None = "replacementUuid"
    sequence: str | None = None
    cancels_by_method: bool = False
    cancels_by_empty: bool = True
    #: Whether transactions that may revert may be left out, too.
    reverting_drops: bool = False
    #: Methods of one transaction: whether the parameter is an object.
    private: Mapping[str, bool] = field(default_factory=dict)
    result: Any = None


DIALECTS = {
    "flashbots": Dialect(
        frozenset({"blockNumber", "replacementUuid", "builders"}),
        signed=True,
        block_needed=True,
        cancels_by_method=True,
        cancels_by_empty=False,
        private={"eth_sendPrivateTransaction": True},
    ),
    "titan": Dialect(
        frozenset(
            {"blockNumber", "droppingTxHashes", "replacementUuid", "replacementSeqNumber", "refundPercent"}
        ),
        sequence="replacementSeqNumber",
        cancels_by_method=True,
        reverting_drops=True,
        private={"eth_sendPrivateTransaction": True},
        result=200,
    ),
    "buildernet": Dialect(
        frozenset(
            {"blockNumber", "droppingTxHashes", "replacementUuid", "replacementNonce", "refundPercent"}
        ),
        signed=True,
        sequence="replacementNonce",
        private={"eth_sendRawTransaction": False},
    ),
    "beaverbuild": Dialect(
        frozenset({"blockNumber", "droppingTxHashes", "uuid", "refundPercent"}),
        block_needed=True,
        name="uuid",
        reverting_drops=True,
        private={"eth_sendPrivateRawTransaction": False},
    ),
    "quasar": Dialect(
        frozenset({"blockNumber", "droppingTxHashes", "replacementUuid", "replacementSeqNumber"}),
        sequence="replacementSeqNumber",
    ),
    "48club": Dialect(
        frozenset({"maxBlockNumber", "noMerge", "positionFirst", "48spSign", "backrunTarget"}),
        block="maxBlockNumber",
        name=None,
        cancels_by_empty=False,
    ),
    "blockrazor": Dialect(
        frozenset({"maxBlockNumber", "noMerge"}),
        block="maxBlockNumber",
        name=None,
        cancels_by_empty=False,
        private={"eth_sendPrivateTransaction": False},
    ),
}


@dataclass
class Offer:
    """A bundle that is kept."""

    txs: list[str]
    first: int
    last: int
    reverting: frozenset[str] = frozenset()
    dropping: frozenset[str] = frozenset()
    sequence: int = 0


def hash_of(raw: str) -> str:
    return "0x" + keccak(hexstr=raw).hex()


class Relay:
    """One builder; an async context manager, listening within.

    Attributes:
        url: where it listens.
        requests: bodies of all requests that it read.
        signers: who signed those that it took, lower case, or None.
        free: it answers only while this is set.
        lazy: it says yes and does nothing.
    """

    def __init__(self, dialect: str, rpc: Rpc | None = None) -> None:
        self.dialect = DIALECTS[dialect]
        self.rpc = rpc
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.signers: list[str | None] = []
        self.offers: dict[str, Offer] = {}
        self.cancelled: dict[str, int] = {}
        self.free = asyncio.Event()
        self.free.set()
        self.lazy = False
        self.connections = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self.free.set()
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()

    # --- HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        http = h11.Connection(h11.SERVER)
        try:
            while http.states == {h11.CLIENT: h11.IDLE, h11.SERVER: h11.IDLE}:
                headers: dict[bytes, bytes] = {}
                body = b""
                while True:
                    event = http.next_event()
                    if event is h11.NEED_DATA:
                        http.receive_data(await reader.read(65536))
                    elif isinstance(event, h11.Request):
                        headers = dict(event.headers)
                    elif isinstance(event, h11.Data):
                        body += event.data
                    elif isinstance(event, h11.EndOfMessage):
                        break
                    else:
                        return
                status, answer = await self._answer(headers, body)
                said = json.dumps(answer).encode()
                head = h11.Response(status_code=status, headers=[("Content-Length", str(len(said)))])
                for part in (head, h11.Data(data=said), h11.EndOfMessage()):
                    writer.write(http.send(part) or b"")
                await writer.drain()
                if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                    return
                http.start_next_cycle()
        except (ConnectionError, h11.ProtocolError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, headers: Mapping[bytes, bytes], body: bytes) -> tuple[int, dict[str, Any]]:
        request = json.loads(body)
        base = {"jsonrpc": "2.0", "id": request["id"]}
        self.requests.append(request)
        await self.free.wait()
        try:
            signer = self._signer(headers.get(b"x-flashbots-signature"), body)
        except Invalid as error:
            return 403, {**base, "error": {"code": -32600, "message": str(error)}}
        self.signers.append(signer)
        try:
            return 200, {**base, "result": await self._take(request["method"], request["params"])}
        except Invalid as error:
            return 200, {**base, "error": {"code": -32602, "message": str(error)}}

    def _signer(self, header: bytes | None, body: bytes) -> str | None:
        if header is None:
            if self.dialect.signed:
                raise Invalid("missing signature")
            return None
        address, _, signature = header.decode().partition(":")
        text = "0x" + keccak(body).hex()
        try:
            found = str(Account.recover_message(encode_defunct(text=text), signature=signature))
        except Exception:
            raise Invalid("error parsing signature") from None
        if found.lower() != address.lower():
            raise Invalid("invalid signature: it is of another key")
        return address.lower()

    # --- what it is asked

    async def _take(self, method: str, params: list[Any]) -> Any:
        if method == "eth_sendBundle":
            return await self._bundle(params[0])
        if method == "eth_cancelBundle" and self.dialect.cancels_by_method:
            (name,) = _only(params[0], {self.dialect.name or ""}).values()
            if name not in self.offers and not self.lazy:
                raise Invalid("no such bundle")
            self.offers.pop(name, None)
            return 200
        if method in self.dialect.private:
            return await self._private(params, self.dialect.private[method])
        raise Invalid(f"the method {method} does not exist/is not available")

    async def _next(self) -> int:
        return (await self.rpc.block_number() if self.rpc is not None else 0) + 1

    async def _private(self, params: list[Any], is_object: bool) -> str:
        (given,) = params
        if is_object:
            _only(given, {"tx", "maxBlockNumber", "preferences"})
            preferences = given.get("preferences", {})
            if preferences.get("fast") or preferences.get("privacy", {}).get("hints"):
                raise Invalid("searchers would be told")
            if "maxBlockNumber" in given and not _QUANTITY.fullmatch(given["maxBlockNumber"]):
                raise Invalid("maxBlockNumber is no quantity")
            given = given["tx"]
        if not _BYTES.fullmatch(given):
            raise Invalid("invalid transaction")
        first = await self._next()
        if not self.lazy:
            self.offers[given] = Offer([given], first, first + 24, frozenset({hash_of(given)}))
        return hash_of(given)

    async def _bundle(self, bundle: dict[str, Any]) -> Any:
        dialect = self.dialect
        _only(bundle, _BUNDLE | dialect.keys)
        txs: list[str] = bundle["txs"]
        if not all(_BYTES.fullmatch(raw) for raw in txs):
            raise Invalid("invalid transaction")
        if len(txs) > 100 or sum(len(raw) // 2 - 1 for raw in txs) > 300_000:
            raise Invalid("the bundle is too large")
        for key in ("revertingTxHashes", "droppingTxHashes"):
            if not all(_HASH.fullmatch(one) for one in bundle.get(key, [])):
                raise Invalid(f"{key} are no hashes")
        first, last = await self._span(bundle)
        name, sequence = self._name(bundle)
        if name is not None and sequence < max(
            self.cancelled.get(name, 0), self.offers[name].sequence if name in self.offers else 0
        ):
            return self._result(txs)  # older than what it has: ignored
        if not txs:
            if not dialect.cancels_by_empty or name is None:
                raise Invalid("the bundle has no transactions")
            self.offers.pop(name, None)
            self.cancelled[name] = sequence
            return self._result(txs)
        reverting, dropping = (
            frozenset(bundle.get(key, ())) for key in ("revertingTxHashes", "droppingTxHashes")
        )
        if not self.lazy:
            self.offers[name or str(uuid.uuid4())] = Offer(txs, first, last, reverting, dropping, sequence)
        return self._result(txs)

    async def _span(self, bundle: dict[str, Any]) -> tuple[int, int]:
        now = await self._next()
        given = bundle.get(self.dialect.block)
        if given is None:
            if self.dialect.block_needed:
                raise Invalid(f"missing {self.dialect.block}")
            return now, now
        if self.dialect.block == "maxBlockNumber":
            if not isinstance(given, int):
                raise Invalid("maxBlockNumber is no number")
            return now, given
        if not isinstance(given, str) or not _QUANTITY.fullmatch(given):
            raise Invalid("blockNumber is no quantity")
        return int(given, 16), int(given, 16)

    def _name(self, bundle: dict[str, Any]) -> tuple[str | None, int]:
        name = bundle.get(self.dialect.name) if self.dialect.name else None
        if name is not None and uuid.UUID(name).version != 4:
            raise Invalid(f"{self.dialect.name} is no UUIDv4")
        sequence = bundle.get(self.dialect.sequence, 0) if self.dialect.sequence else 0
        if not isinstance(sequence, int):
            raise Invalid(f"{self.dialect.sequence} is no number")
        return name, sequence

    def _result(self, txs: list[str]) -> Any:
        if self.dialect.result is not None:
            return self.dialect.result
        return {"bundleHash": "0x" + keccak(b"".join(bytes.fromhex(hash_of(raw)[2:]) for raw in txs)).hex()}

    # --- what it builds

    async def build(self) -> list[str]:
        """Builds the next block as the most valuable one it can, before the pool's transactions; returns its hashes."""
        assert self.rpc is not None
        block = await self._next()
        pool = await _pool(self.rpc)
        chosen: list[str] = []
        fitting = [offer for offer in self.offers.values() if offer.first <= block <= offer.last]
        for offer in sorted(fitting, key=lambda offer: -len(offer.txs)):
            chosen = await self._with(chosen, offer)
        await _submit(self.rpc, [*chosen, *(raw for raw in pool if raw not in chosen)])
        mined = await self.rpc.call("eth_getBlockByNumber", "latest", False)
        hashes: list[str] = mined["transactions"]
        return hashes

    async def _with(self, chosen: list[str], offer: Offer) -> list[str]:
        """The chosen ones and this bundle's, or without it where it may not be included."""
        assert self.rpc is not None
        added = [raw for raw in offer.txs if raw not in chosen]
        while added:
            snapshot = await self.rpc.call("evm_snapshot")
            statuses = await _submit(self.rpc, [*chosen, *added])
            await self.rpc.call("evm_revert", snapshot)
            bad = next((raw for raw in added if not self._may(offer, raw, statuses[raw])), None)
            if bad is None:
                return [*chosen, *added]
            is_optional = hash_of(bad) in offer.dropping or (
                self.dialect.reverting_drops and hash_of(bad) in offer.reverting
            )
            if not is_optional:
                return chosen
            added.remove(bad)
        return chosen

    @staticmethod
    def _may(offer: Offer, raw: str, succeeded: bool | None) -> bool:
        """Whether a transaction may be in the block as it would be there; None: it cannot be there at all."""
        return succeeded is True or (succeeded is False and hash_of(raw) in offer.reverting)


def _only(given: dict[str, Any], keys: frozenset[str] | set[str]) -> dict[str, Any]:
    unknown = given.keys() - keys
    if unknown:
        raise Invalid(f"unknown field {min(unknown)}")
    return given


async def _pool(rpc: Rpc) -> list[str]:
    """What waits in the node's pool, the highest tip first."""
    content = await rpc.call("txpool_content")
    waiting = [one for by_nonce in content["pending"].values() for one in by_nonce.values()]
    waiting.sort(key=lambda one: -int(one.get("maxPriorityFeePerGas") or one["gasPrice"], 16))
    return [await rpc.call("eth_getRawTransactionByHash", one["hash"]) for one in waiting]


async def _submit(rpc: Rpc, raws: list[str]) -> dict[str, bool | None]:
    """A block of these alone, in this order. Whether each succeeded; None where the block does not have it."""
    await rpc.call("anvil_dropAllTransactions")
    for raw in raws:
        try:
            await rpc.call("eth_sendRawTransaction", raw)
        except RpcError:
            continue  # it has no receipt
    await rpc.call("evm_mine")
    statuses: dict[str, bool | None] = {}
    for raw in raws:
        receipt = await rpc.call("eth_getTransactionReceipt", hash_of(raw))
        statuses[raw] = None if receipt is None else receipt["status"] == "0x1"
    return statuses
