"""Where a scenario plays: accounts that sign for themselves, contracts on a chain, and one transaction to send.

Runs on any node that has one unlocked account with ether (anvil, `geth --dev`): all others are paid by it and sign
here. A stage is set in few blocks: addresses are known before their contracts are mined, so one block holds many.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import rlp  # type: ignore[import-untyped]
from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak

from mempool_ids import defense
from mempool_ids.demo import contracts as demo
from mempool_ids.demo.contracts import Artifact
from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError

ETHER = 10**18
GWEI = 10**9
_FUNDS = 100 * ETHER
_GAS = 3_000_000
#: Of the setting and of the act, wei a gas: a node can be told to mine the one and leave the other pending.
SETTING_TIP = 2 * GWEI
ACT_TIP = GWEI
_MINED_SECONDS = 20.0
_FOLDERS = (
    Path(__file__).with_name("artifacts"),
    Path(__file__).parent.with_name("early") / "artifacts",
    Path(demo.__file__).with_name("artifacts"),
    Path(__file__).parent.with_name("defense") / "artifacts",
    Path(defense.__file__).with_name("artifacts"),
)

Wealth = Callable[[], Awaitable[int]]


def path_of(name: str) -> Path:
    """The artifact of a contract of the scenarios, of the demo, or of the defense."""
    return next(path for folder in _FOLDERS if (path := folder / f"{name}.json").exists())


@cache
def _artifact(name: str) -> Artifact:
    return Artifact.parse(path_of(name).read_text("utf-8"))


@dataclass
class Actor:
    """Somebody with a key, and how many transactions it has sent."""

    key: LocalAccount
    nonce: int = 0

    @classmethod
    def create(cls) -> Actor:
        return cls(Account.from_key(secrets.token_bytes(32)))

    @property
    def address(self) -> str:
        """Lower-case."""
        return str(self.key.address).lower()


@dataclass(frozen=True)
class Contract:
    """A contract at an address, lower-case; `name` is its artifact's."""

    name: str
    address: str

    def data(self, signature: str, *arguments: Any) -> bytes:
        """Calldata of a call. KeyError: the contract has no such function."""
        selector = bytes.fromhex(_artifact(self.name).selectors[signature])
        types = signature.partition("(")[2].removesuffix(")")
        return selector + encode(types.split(",") if types else [], arguments)

    async def read(self, rpc: Rpc, signature: str, *arguments: Any, sender: Actor | None = None) -> list[int]:
        """Calls it on the latest block; the words that it returns.

        Raises:
            RpcError: it reverted.
        """
        request = {"to": self.address, "data": "0x" + self.data(signature, *arguments).hex()}
        if sender is not None:
            request["from"] = sender.address
        answer = bytes.fromhex((await rpc.call("eth_call", request, "latest"))[2:])
        return [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]

    async def number(self, rpc: Rpc, signature: str, *arguments: Any) -> int:
        """The first word that a view returns."""
        return (await self.read(rpc, signature, *arguments))[0]


@dataclass(frozen=True)
class Monitored:
    """A contract as the configuration of a sensor has it, and what its owner would say of it."""

    contract: Contract
    #: "native" or a token's address.
    assets: tuple[str, ...]
    #: Who may move everything.
    admins: tuple[str, ...] = ()
    #: Where its assets are meant to go.
    receivers: tuple[str, ...] = ()
    #: Its views by what they tell, as `{"share_price": "sharePrice()"}`.
    views: Mapping[str, str] = field(default_factory=dict)

    def toml(self, name: str = "") -> str:
        """Its entry under `[[contracts]]`; its name there is that of the contract unless given."""
        entry = {
            "name": name or self.contract.name,
            "address": self.contract.address,
            "abi": str(path_of(self.contract.name)),
            "assets": list(self.assets),
            "admins": list(self.admins),
            "receivers": list(self.receivers),
        }
        lines = ["[[contracts]]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())]
        views = ", ".join(f"{what} = {json.dumps(call)}" for what, call in self.views.items())
        lines.append(f"views = {{ {views} }}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Effect:
    """What the transaction did, in the smallest units of one asset; negative is the reverse."""

    #: What everybody but the actor could have had before the act.
    at_stake: int
    #: And how much less it is now.
    lost: int
    #: How much more the actor has.
    gained: int


@dataclass(frozen=True)
class Transaction:
    """One that is not sent yet. `gas` is its limit, `value` wei."""

    sender: Actor
    to: str
    data: bytes
    value: int = 0
    gas: int = _GAS


@dataclass
class Stage:
    """Contracts and people; made by `Stage.on`, ready once `ready` has returned."""

    rpc: Rpc
    chain_id: int
    is_anvil: bool
    #: Creates the contracts.
    deployer: Actor
    people: list[Actor]
    monitored: list[Monitored] = field(default_factory=list)
    _sent: list[str] = field(default_factory=list)
    _act: Transaction | None = None
    _wealth: tuple[Wealth, Wealth] | None = None
    _before: tuple[int, int] = (0, 0)

    @classmethod
    async def on(cls, rpc: Rpc, *, people: int) -> Stage:
        """An empty stage on the chain of this node, with so many people who have ether."""
        client: str = await rpc.call("web3_clientVersion")
        chain_id = int(await rpc.call("eth_chainId"), 16)
        made = [Actor.create() for _ in range(people + 1)]
        stage = cls(rpc, chain_id, client.startswith("anvil"), made[0], made[1:])
        (rich, *_) = await rpc.accounts()
        for actor in made:
            stage._sent.append(await rpc.send(rich, actor.address, value=_FUNDS, gas=21_000, tip=SETTING_TIP))
        await stage.settle()
        return stage

    async def deploy(self, name: str, *arguments: Any, by: Actor | None = None) -> Contract:
        """Sends the creation, of the deployer's or of another; it is there once the stage has settled."""
        creator = by or self.deployer
        types = [
            parameter["type"]
            for entry in _artifact(name).abi
            if entry["type"] == "constructor"
            for parameter in entry["inputs"]
        ]
        code = bytes.fromhex(_artifact(name).bytecode[2:]) + encode(types, arguments)
        address = keccak(rlp.encode([to_canonical_address(creator.address), creator.nonce]))[12:]
        await self._send(Transaction(creator, "", code))
        return Contract(name, "0x" + address.hex())

    async def token(self, supply: int) -> Contract:
        """A new token, all of it the deployer's."""
        return await self.deploy("Token", supply)

    async def send(
        self, sender: Actor, to: Contract, signature: str, *arguments: Any, value: int = 0
    ) -> None:
        """A call that is part of the setting."""
        await self._send(Transaction(sender, to.address, to.data(signature, *arguments), value))

    async def give(self, token: Contract, to: Actor | Contract, amount: int) -> None:
        """The deployer gives tokens."""
        await self.send(self.deployer, token, "transfer(address,uint256)", to.address, amount)

    async def allow(self, owner: Actor, token: Contract, spender: Contract, amount: int) -> None:
        await self.send(owner, token, "approve(address,uint256)", spender.address, amount)

    async def _send(self, transaction: Transaction, tip: int = SETTING_TIP) -> str:
        sender = transaction.sender
        signed = sender.key.sign_transaction(
            {
                "chainId": self.chain_id,
                "nonce": sender.nonce,
                "to": bytes.fromhex(transaction.to[2:]),
                "data": transaction.data,
                "value": transaction.value,
                "gas": transaction.gas,
                "maxFeePerGas": 50 * GWEI,
                "maxPriorityFeePerGas": tip,
            }
        )
        sender.nonce += 1
        tx_hash = await self.rpc.send_raw(signed.raw_transaction)
        self._sent.append(tx_hash)
        return tx_hash

    async def settle(self) -> None:
        """Waits until all that was sent is mined.

        Raises:
            RpcError: one of them reverted.
        """
        if self.is_anvil:
            await self.rpc.mine()
        for tx_hash in self._sent:
            receipt = await self.rpc.receipt(tx_hash, _MINED_SECONDS)
            if receipt["status"] != "0x1":
                raise RpcError(f"{tx_hash} of the scenario reverted")
        self._sent.clear()

    async def ready(self, act: Transaction, *, others: Wealth, actor: Wealth) -> Stage:
        """The setting is complete: what `act` will send, and how to tell what it did.

        `others` and `actor` measure, at the latest block, what the protocol's users and who acts have.
        """
        await self.settle()
        self._act, self._wealth = act, (others, actor)
        self._before = (await others(), await actor())
        return self

    async def act(self) -> str:
        """Sends the one transaction that the scenario is about; it is pending then. Returns its hash."""
        assert self._act is not None, "the stage is not ready"
        return await self._send(self._act, ACT_TIP)

    async def effect(self) -> Effect:
        """What is different since the stage was ready."""
        assert self._wealth is not None, "the stage is not ready"
        others, actor = self._wealth
        return Effect(
            at_stake=self._before[0],
            lost=self._before[0] - await others(),
            gained=await actor() - self._before[1],
        )


@dataclass(frozen=True)
class Scenario:
    """An attack, or something honest that looks like one."""

    name: str
    kind: Literal["attack", "honest"]
    build: Callable[[Rpc], Awaitable[Stage]]
