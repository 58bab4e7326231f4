"""What a contract answers about itself that its entry does not say: who may administer it, what it holds, what its
shares are worth. Proposed, never assumed: who deployed a contract may have it answer what they like."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from mempool_ids.config import Contract
from mempool_ids.diagnostics.views import WORD, numbers_in_abi, views_of, word_of
from mempool_ids.node import Client, Refused

# EIP-1967: bytes32(uint256(keccak256("eip1967.proxy.admin")) - 1).
_ADMIN_SLOT = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
_ADMINS = ("owner()", "admin()", "getOwner()", "governance()", "governor()", "timelock()")
# An ERC-4626 vault's asset, a market's underlying, a strategy's or wrapper's token, a pair's two.
_ASSETS = ("asset()", "underlying()", "token()", "want()", "token0()", "token1()")
# `coins(uint256)` of a stable pool.
_MOST_COINS = 8
_PRICES = (
    "exchangeRateStored()",
    "getPricePerFullShare()",
    "pricePerShare()",
    "get_virtual_price()",
    "sharePrice()",
)
_VIEWS = {
    "share_price": _PRICES,
    "total_assets": ("totalAssets()",),
    "total_supply": ("totalSupply()",),
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Of one contract, what its entry lacks. Each with the question whose answer it is."""

    contract: Contract
    admins: dict[str, str] = field(default_factory=dict)
    """By address."""
    assets: dict[str, str] = field(default_factory=dict)
    """By address."""
    views: dict[str, str] = field(default_factory=dict)
    """By key of `views` the function."""

    def __bool__(self) -> bool:
        return bool(self.admins or self.assets or self.views)

    @property
    def words(self) -> str:
        """In one line."""
        parts = [
            *(f"admins {address} ({asked})" for address, asked in self.admins.items()),
            *(f"assets {address} ({asked})" for address, asked in self.assets.items()),
            *(f"views.{key} = {function}" for key, function in self.views.items()),
        ]
        return ", ".join(parts)

    def toml(self) -> str:
        """Its entry with what the chain says, to be looked at line by line."""
        contract = self.contract
        lines = [
            "[[contracts]]",
            f"name = {json.dumps(contract.name, ensure_ascii=False)}",
            f"address = {json.dumps(contract.address)}",
            *_listed("admins", contract.admins, self.admins),
            *_listed("assets", contract.assets, self.assets),
        ]
        if self.views:
            views = {**views_of(contract), **self.views}
            pairs = ", ".join(f"{key} = {json.dumps(function)}" for key, function in views.items())
            lines.append(f"views = {{ {pairs} }}")
        return "\n".join(lines) + "\n"


def _listed(key: str, known: tuple[str, ...], found: dict[str, str]) -> Iterator[str]:
    """A list with what is there already and what was found, if anything was."""
    if found:
        yield f"{key} = ["
        yield from (f"  {json.dumps(address)}," for address in known)
        yield from (f"  {json.dumps(address)},  # {asked}" for address, asked in found.items())
        yield "]"


async def suggest(node: Client, contract: Contract) -> Suggestion:
    """Asks the contract some twenty questions, one after the other.

    Raises:
        RpcError: the node does not answer.
    """
    admins = {
        address: asked
        async for address, asked in _admins(node, contract)
        if address not in (*contract.admins, contract.address)
    }
    assets = {
        address: asked
        async for address, asked in _assets(node, contract)
        if address not in (*contract.assets, contract.address)
    }
    return Suggestion(contract, admins, assets, await _views(node, contract))


async def _admins(node: Client, contract: Contract) -> AsyncIterator[tuple[str, str]]:
    for question in _ADMINS:
        if found := _address(await _ask(node, contract.address, question)):
            yield found, question
    if proxy := _address(await _call(node, "eth_getStorageAt", contract.address, _ADMIN_SLOT, "latest")):
        yield proxy, "EIP-1967's admin"
        # An admin that is a contract obeys its own owner.
        if owner := _address(await _ask(node, proxy, "owner()")):
            yield owner, "owner() of EIP-1967's admin"


async def _assets(node: Client, contract: Contract) -> AsyncIterator[tuple[str, str]]:
    async def found(question: str, *words: int) -> str | None:
        address = _address(await _ask(node, contract.address, question, *words))
        has_code = address and await _call(node, "eth_getCode", address, "latest") not in ("0x", None)
        return address if has_code else None

    for question in _ASSETS:
        if token := await found(question):
            yield token, question
    for number in range(_MOST_COINS):
        if not (coin := await found("coins(uint256)", number)):
            break
        yield coin, f"coins({number})"


async def _views(node: Client, contract: Contract) -> dict[str, str]:
    """Nothing that the ABI does not have: what an implementation answers today is no promise."""
    known = None if contract.abi is None else numbers_in_abi(contract.abi)
    configured = views_of(contract)
    views: dict[str, str] = {}
    for key, questions in _VIEWS.items():
        for question in questions:
            if key in configured or (known is not None and question not in known):
                continue
            if await _ask(node, contract.address, question) is not None:
                views[key] = question
                break
    # Of a mere token the supply says nothing that is checked.
    worth = {"share_price", "total_assets"}
    return views if worth & (views.keys() | configured.keys()) else {}


async def _ask(node: Client, contract: str, signature: str, *words: int) -> str | None:
    """The one word that it answers, as 0x…; None where it fails or answers something else."""
    try:
        return await word_of(node, contract, signature, *words)
    except Refused:
        return None


async def _call(node: Client, method: str, *params: object) -> object:
    """None where the node refuses: the function is not there, or this node does not serve it."""
    try:
        return await node.call(method, *params)
    except Refused:
        return None


def _address(word: object) -> str | None:
    """The account that a word is; None where it is none, or zero."""
    if not isinstance(word, str) or len(word) != WORD or int(word, 16) >> 160:
        return None
    return "0x" + word[-40:].lower() if int(word, 16) else None
