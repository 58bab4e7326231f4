"""The state that a real attack met, from the shared data, and where what must be true of it beforehand is written."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

HISTORY = 128
"""Blocks before the attack that a node has: so many keeps one that is no archive."""
_GAS_LIMIT = 60_000_000
"""Of a block at the most: the sensor's own bound of what it executes. Some chains have none."""


def incidents_data() -> Path:
    """Where the states are: `$MEMPOOL_IDS_DATA/incidents`. It may be absent."""
    return Path(os.environ.get("MEMPOOL_IDS_DATA", "../shared/data")) / "incidents"


def hashes() -> dict[str, str]:
    """One SHA-256 over all states, in the order of their names."""
    whole = hashlib.sha256()
    for path in sorted(incidents_data().glob("*.json.gz")):
        whole.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return {"incidents": whole.hexdigest()}


def word(value: int | str) -> str:
    """32 bytes as 0x hex."""
    return f"0x{value if isinstance(value, int) else int(value, 16):064x}"


def entry(key: int | str, slot: int | str) -> str:
    """The slot of a mapping's entry, as Solidity places it; of nested mappings the result is the next `slot`."""
    return "0x" + keccak(bytes.fromhex(word(key)[2:] + word(slot)[2:])).hex()


def elements(slot: int | str) -> str:
    """The slot of a dynamic array's first element, or of the contents of long bytes."""
    return "0x" + keccak(bytes.fromhex(word(slot)[2:])).hex()


@dataclass
class State:
    """Accounts and storage before the attack's block. Addresses are lower-case, slots and values whole words."""

    chain: str
    chain_id: int
    number: int
    timestamp: int
    #: Wei per gas; 0 where the chain had none.
    base_fee: int
    gas_limit: int
    beneficiary: str
    accounts: dict[str, dict[str, Any]]
    storage: dict[str, dict[str, str]]

    @classmethod
    def load(cls, incident: str, folder: Path | None = None) -> State:
        """From the shared data. FileNotFoundError where it is absent."""
        path = (folder or incidents_data()) / f"{incident}.json.gz"
        with gzip.open(path, "rt") as file:
            content = json.load(file)
        block = {key: _number(value) for key, value in content["block"].items() if key != "beneficiary"}
        return cls(
            content["chain"],
            content["chain_id"],
            block["number"],
            block["timestamp"],
            block["base_fee"],
            min(block["gas_limit"], _GAS_LIMIT),
            content["block"]["beneficiary"],
            {
                address.lower(): {
                    "balance": _number(account["balance"]),
                    "nonce": _number(account["nonce"]),
                    "code": account["code"] or "0x",
                }
                for address, account in content["accounts"].items()
            },
            {
                address.lower(): {word(slot): word(value) for slot, value in slots.items()}
                for address, slots in content["storage"].items()
            },
        )

    @property
    def hardfork(self) -> str:
        """The rules of the block, by the name that anvil has for them."""
        if self.chain == "mainnet":
            begins = {"berlin": 12_244_000, "london": 12_965_000, "paris": 15_537_394, "shanghai": 17_034_870}
            return next((fork for fork, at in reversed(begins.items()) if self.number >= at), "istanbul")
        return "london" if self.base_fee else "berlin"

    def at(self, address: str, slot: int | str) -> int:
        """A word of storage; 0 where the file has none."""
        return int(self.storage.get(address.lower(), {}).get(word(slot), "0x0"), 16)

    def write(self, address: str, slot: int | str, value: int | str) -> None:
        self.storage.setdefault(address.lower(), {})[word(slot)] = word(value)

    def write_bytes(self, address: str, slot: int | str, value: bytes) -> None:
        """More than 31 bytes, as Solidity places them."""
        self.write(address, slot, 2 * len(value) + 1)
        first = int(elements(slot), 16)
        for at in range(0, len(value), 32):
            self.write(address, first + at // 32, "0x" + value[at : at + 32].ljust(32, b"\0").hex())

    def fund(self, address: str, wei: int) -> None:
        self.account(address)["balance"] = wei

    def install(self, address: str, code: str) -> None:
        """Puts code where it has always been."""
        self.account(address)["code"] = code
        self.account(address)["nonce"] = 1

    def account(self, address: str) -> dict[str, Any]:
        """Made empty where the file has none."""
        return self.accounts.setdefault(address.lower(), {"balance": 0, "nonce": 0, "code": "0x"})

    def genesis(self) -> dict[str, Any]:
        """A chain that begins `HISTORY` blocks before."""
        alloc = {
            address: {
                "balance": hex(account["balance"]),
                "nonce": hex(account["nonce"]),
                "code": account["code"],
                "storage": self.storage.get(address, {}),
            }
            for address, account in self.accounts.items()
        }
        return {
            "config": {"chainId": self.chain_id},
            "alloc": alloc,
            "difficulty": "0x0",
            "gasLimit": hex(self.gas_limit),
            "coinbase": self.beneficiary,
        }


def _number(value: int | str | None) -> int:
    return value if isinstance(value, int) else int(value or "0", 0)
