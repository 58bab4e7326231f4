"""Recorded blocks of mainnet with the state before them, from the shared data (tests/support.py says where that is)."""

import gzip
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from mempool_ids._core import keccak256

BLOCKS = Path("evm-fixtures", "mainnet-blocks-prestate.tar.gz")
CODES = Path("evm-fixtures", "mainnet-blocks-codes.jsonl.gz")
SINCE = 2020
"""Before, contracts did other things."""
HELD_ASIDE = 2024
"""The year that nothing is tuned with."""
SLOT_SECONDS = 12
PADDING = 33
"""Codes were recorded as an interpreter keeps them: with zeros behind."""
BLOB_TARGET = 3 * 131_072
"""Of Cancun, in blob gas: at it the next block's excess is the same."""

State = Mapping[str, "Account"]


@dataclass(frozen=True, slots=True)
class Account:
    """As it was before the block."""

    balance: int
    nonce: int
    code: str | None
    """In hex; `0x` where it has none, None where it has one that was not recorded."""
    storage: Mapping[int, int]
    """The slots that were recorded."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block and the state before its first transaction."""

    header: Mapping[str, Any]
    transactions: tuple[Mapping[str, Any], ...]
    state: State

    @property
    def number(self) -> int:
        return int(self.header["number"], 16)

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(int(self.header["timestamp"], 16), UTC)

    def contracts(self) -> dict[str, str]:
        """Code by address."""
        known = ((address, one.code) for address, one in self.state.items())
        return {address: code for address, code in known if code and code != "0x"}

    def pending(self) -> list[dict[str, Any]]:
        """The transactions as a node announces them."""
        return [_pending(transaction) for transaction in self.transactions]

    def parent(self) -> dict[str, Any]:
        """The head before it, made up so that its child has this block's base fees and what a builder chose for it."""
        own = self.header
        head = {
            "number": hex(self.number - 1),
            "hash": own["parentHash"],
            "parentHash": _made_up(self.number - 2),
            "timestamp": hex(int(own["timestamp"], 16) - SLOT_SECONDS),
            # Half full: the next base fee is the same.
            "gasUsed": hex(int(own["gasLimit"], 16) // 2),
            "mixHash": _made_up(self.number),
            "nonce": "0x0000000000000000",
            "extraData": "0x",
            "size": "0x400",
            "logsBloom": "0x" + "00" * 256,
            "transactions": [],
            "uncles": [],
        }
        roots = ("sha3Uncles", "stateRoot", "receiptsRoot", "transactionsRoot")
        head |= {name: _made_up(at) for at, name in enumerate(roots)}
        head |= {name: own[name] for name in ("miner", "gasLimit", "difficulty")}
        head |= {name: own[name] for name in ("baseFeePerGas", "excessBlobGas") if own.get(name)}
        if own.get("withdrawalsRoot"):
            head |= {"withdrawalsRoot": own["withdrawalsRoot"], "withdrawals": []}
        if own.get("excessBlobGas"):
            head |= {"blobGasUsed": hex(BLOB_TARGET), "parentBeaconBlockRoot": own["parentBeaconBlockRoot"]}
        return head


def _made_up(seed: int) -> str:
    return "0x" + keccak256(str(seed).encode()).hex()


def _pending(transaction: Mapping[str, Any]) -> dict[str, Any]:
    known = {**transaction, "blockHash": None, "blockNumber": None, "transactionIndex": None}
    # Of a mined one, what it paid.
    if transaction.get("maxFeePerGas"):
        known["gasPrice"] = transaction["maxFeePerGas"]
    return known


def blocks(data: Path, since: int = SINCE) -> Iterator[Block]:
    """Those with transactions, in the archive's order.

    Raises:
        FileNotFoundError: the shared data is not there.
    """
    codes = _codes(data / CODES)
    with tarfile.open(data / BLOCKS) as archive:
        header: dict[str, Any] = {}
        for member in archive:
            file = archive.extractfile(member)
            if file is None or not member.name.endswith(".json"):
                continue
            content = orjson.loads(file.read())
            if member.name.endswith("/block.json"):
                header = content
                continue
            block = Block(header, tuple(header["transactions"]), _state(content, codes))
            if block.transactions and block.time.year >= since:
                yield block


def _codes(path: Path) -> dict[str, str]:
    """By hash; the file's own hashes are of the padded codes."""
    with gzip.open(path) as lines:
        told = (orjson.loads(line)["code"] for line in lines)
        codes = [bytes.fromhex(code)[:-PADDING] for code in told if code]
    return {f"0x{keccak256(code).hex()}": f"0x{code.hex()}" for code in codes}


def _state(told: Mapping[str, Any], codes: Mapping[str, str]) -> State:
    return {
        address.lower(): Account(
            int(one["balance"], 16),
            one["nonce"],
            codes.get(one["code_hash"]) if one.get("code_hash") else "0x",
            {int(slot, 16): int(value, 16) for slot, value in one["storage"].items()},
        )
        for address, one in told.items()
    }
