"""The demo's compiled contracts, and as much of the ABI encoding as they need: static words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError

Word = int | str


@dataclass(frozen=True)
class Artifact:
    """What `contracts/build.mjs` wrote of one contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    #: Canonical signature, as `withdraw(uint256)`, to selector without 0x.
    selectors: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Artifact:
        """From the JSON that was written."""
        content = json.loads(text)
        return cls(content["contract"], content["abi"], content["bytecode"], content["selectors"])

    def creation(self, *arguments: Word) -> str:
        """Init code with constructor arguments, as 0x hex."""
        return self.bytecode + _words(arguments)

    def calldata(self, signature: str, *arguments: Word) -> str:
        """Calldata of a call, as 0x hex. KeyError: the contract has no such function."""
        return "0x" + self.selectors[signature] + _words(arguments)


def _words(arguments: tuple[Word, ...]) -> str:
    return "".join(_word(argument) for argument in arguments)


def _word(argument: Word) -> str:
    number = int(argument, 16) if isinstance(argument, str) else argument
    return f"{number:064x}"


@cache
def artifact(name: str) -> Artifact:
    """Reads one artifact: `Vault`, `Attacker`, `Router` or `Token`."""
    text = (
        resources.files("mempool_ids.demo").joinpath("artifacts").joinpath(f"{name}.json").read_text("utf-8")
    )
    return Artifact.parse(text)


@dataclass(frozen=True)
class Deployed:
    """A contract at an address, lower-case."""

    artifact: Artifact
    address: str

    async def send(self, rpc: Rpc, sender: str, signature: str, *arguments: Word, **options: int) -> str:
        """Sends a call; `options` are those of `Rpc.send`. Returns the transaction's hash."""
        return await rpc.send(sender, self.address, self.artifact.calldata(signature, *arguments), **options)

    async def read(self, rpc: Rpc, signature: str, *arguments: Word, block: int | None = None) -> int:
        """Calls a view that returns one word, after a block; None is the latest."""
        request = {"to": self.address, "data": self.artifact.calldata(signature, *arguments)}
        at = "latest" if block is None else hex(block)
        return int(await rpc.call("eth_call", request, at), 16)


async def deploy(rpc: Rpc, name: str, sender: str, *arguments: Word) -> Deployed:
    """Creates the contract and mines a block for it, as a scene is set before it begins."""
    code = artifact(name).creation(*arguments)
    tx_hash = await rpc.send(sender, None, code, gas=3_000_000)
    await rpc.mine()
    receipt = await rpc.receipt(tx_hash, 10)
    if receipt["status"] != "0x1":
        raise RpcError(f"deploying {name} reverted")
    return Deployed(artifact(name), receipt["contractAddress"].lower())
