"""What a case is: transactions on the state of an incident, what comes before them, and what proves what they did.

A plan is written without a node. What it installs or stores has always been so; what it sends `before` is mined in the
last blocks before the cases, so that contracts of that kind are young, as an attacker's are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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

from benches.quality.state import State, entry

ETHER = 10**18
GAS = 3_000_000
NATIVE = "native"
_ARTIFACTS = Path(__file__).with_name("artifacts")
_FUNDS = 100 * ETHER


@dataclass
class Actor:
    """Somebody with a key, and how many transactions it has sent."""

    key: LocalAccount
    nonce: int = 0

    @property
    def address(self) -> str:
        """Lower-case."""
        return str(self.key.address).lower()


@dataclass(frozen=True)
class Transaction:
    """A signed one that is to be sent. `to` None creates a contract; `value` is wei, `gas` the limit."""

    sender: Actor
    nonce: int
    to: str | None
    data: bytes
    value: int
    gas: int


@dataclass(frozen=True)
class Change:
    """A number on the chain that the case changes: by `least` or more, or, where that is negative, by that or less."""

    what: str
    #: The account whose ether it is, where `data` is None; else the contract that is asked.
    account: str
    data: bytes | None
    least: int

    def holds(self, before: int, after: int) -> bool:
        return after - before >= self.least if self.least > 0 else after - before <= self.least


@dataclass(frozen=True)
class Case:
    """One attack, or one honest use, by an account itself or through a contract."""

    name: str
    kind: Literal["attack", "honest"]
    by: Literal["account", "contract"]
    #: Pending together when they are judged; the last one decides.
    transactions: tuple[Transaction, ...]
    changes: tuple[Change, ...]
    #: Others' that bring the harm to light; mined where the case is proven, and not judged.
    after: tuple[Transaction, ...] = ()


@dataclass(frozen=True)
class Incident:
    """An attack that happened, and who is harmed by it."""

    name: str
    #: As their owner would list them: name to address.
    monitored: dict[str, str]
    build: Callable[[Plan], None]
    #: What differs from what happened then.
    note: str = ""
    #: What else the owner says of one of these, by name: dotted keys of its entry.
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def call(signature: str, *arguments: Any) -> bytes:
    """Calldata; tuples and arrays in the signature are written out."""
    types = _types(signature)
    return keccak(text=signature)[:4] + encode(types, arguments)


def _types(signature: str) -> list[str]:
    """The parameters of a signature, split at its outermost commas."""
    found, depth = [""], 0
    for letter in signature[signature.index("(") + 1 : -1]:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return found if found != [""] else []


@cache
def artifact(name: str) -> dict[str, Any]:
    """What `contracts/build.mjs` wrote of a contract of `contracts/src/incidents`."""
    content: dict[str, Any] = json.loads((_ARTIFACTS / f"{name}.json").read_text("utf-8"))
    return content


@dataclass
class Plan:
    """The cases of one incident, collected by what `Incident.build` calls."""

    state: State
    earlier: list[Transaction] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    _installed: int = 0

    def actor(self, name: str, ether: int = _FUNDS) -> Actor:
        """Somebody new with so much ether; the same name has the same key in every run."""
        actor = Actor(Account.from_key(keccak(text=f"{self.state.chain}: {name}")))
        self.state.fund(actor.address, ether)
        return actor

    def give(self, token: str, owner: Actor | str, amount: int, *, slot: int) -> None:
        """Tokens that somebody has always had; `slot` is that of the token's mapping of balances."""
        address = owner if isinstance(owner, str) else owner.address
        self.state.write(token, entry(address, slot), amount)

    def allow(self, token: str, owner: Actor | str, spender: str, *, slot: int, amount: int = 2**255) -> None:
        """An allowance that has always been; `slot` is that of the token's mapping of allowances."""
        address = owner if isinstance(owner, str) else owner.address
        self.state.write(token, entry(spender, entry(address, slot)), amount)

    def install(self, name: str) -> str:
        """A contract without a constructor that has always been there; its address."""
        self._installed += 1
        address = "0x" + keccak(text=f"{name} {self._installed}")[12:].hex()
        self.state.install(address, artifact(name)["deployedBytecode"])
        return address

    def transaction(
        self, sender: Actor, to: str | None, data: bytes, *, value: int = 0, gas: int = GAS
    ) -> Transaction:
        """The sender's next one."""
        made = Transaction(sender, sender.nonce, to, data, value, gas)
        sender.nonce += 1
        return made

    def creation(
        self, sender: Actor, name: str, *arguments: Any, value: int = 0, gas: int = GAS
    ) -> tuple[Transaction, str]:
        """A contract's creation, and where it will be."""
        types = [
            parameter["type"]
            for item in artifact(name)["abi"]
            if item["type"] == "constructor"
            for parameter in item["inputs"]
        ]
        code = bytes.fromhex(artifact(name)["bytecode"][2:]) + encode(types, arguments)
        made = self.transaction(sender, None, code, value=value, gas=gas)
        return made, created_by(sender, made.nonce)

    def before(self, sender: Actor, to: str, data: bytes, *, value: int = 0, gas: int = GAS) -> None:
        """A call that is mined before the cases."""
        self.earlier.append(self.transaction(sender, to, data, value=value, gas=gas))

    def deploy(self, sender: Actor, name: str, *arguments: Any, value: int = 0, gas: int = GAS) -> str:
        """A creation that is mined before the cases; the contract's address."""
        made, address = self.creation(sender, name, *arguments, value=value, gas=gas)
        self.earlier.append(made)
        return address

    def attack(
        self,
        *transactions: Transaction,
        changes: Sequence[Change],
        after: Sequence[Transaction] = (),
        name: str = "attack",
        by: Literal["account", "contract"] = "contract",
    ) -> None:
        self._add(Case(name, "attack", by, transactions, tuple(changes), tuple(after)))

    def honest(
        self,
        name: str,
        *transactions: Transaction,
        changes: Sequence[Change],
        after: Sequence[Transaction] = (),
        by: Literal["account", "contract"] = "account",
    ) -> None:
        self._add(Case(name, "honest", by, transactions, tuple(changes), tuple(after)))

    def _add(self, case: Case) -> None:
        """Each case has senders of its own: what is taken back leaves a gap in nonces."""
        for sender in {each.sender.address: each.sender for each in case.transactions}.values():
            settled = sum(each.sender is sender for each in self.earlier)
            own = [each.nonce for each in case.transactions if each.sender is sender]
            if own != list(range(settled, settled + len(own))):
                raise ValueError(
                    f"{case.name}: a sender of another case, or what comes before it was planned after it"
                )
        self.cases.append(case)

    def through(
        self, wallet: str, sender: Actor, *calls: tuple[str, int, bytes], value: int = 0, gas: int = GAS
    ) -> Transaction:
        """Calls (to, wei, data) that a `Wallet` makes, one after the other."""
        data = call("execute((address,uint256,bytes)[])", list(calls))
        return self.transaction(sender, wallet, data, value=value, gas=gas)


def created_by(creator: Actor | str, nonce: int) -> str:
    """The address of what `creator` creates with that nonce."""
    address = creator if isinstance(creator, str) else creator.address
    return "0x" + keccak(rlp.encode([to_canonical_address(address), nonce]))[12:].hex()


def gains(asset: str, account: Actor | str, least: int) -> Change:
    """`account` has at least that much more of `NATIVE` or of a token; where `least` is negative, so much less."""
    address = account if isinstance(account, str) else account.address
    what = f"{asset} of {address}"
    if asset == NATIVE:
        return Change(what, address, None, least)
    return Change(what, asset, call("balanceOf(address)", address), least)


def becomes(contract: str, signature: str, *arguments: Any, least: int) -> Change:
    """The first word that a view answers changes by that much."""
    return Change(signature, contract, call(signature, *arguments), least)
