"""What a block moved as far as its transactions and logs tell: for nodes that execute nothing anew."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mempool_ids.node.client import Client
from mempool_ids.node.jsonrpc import Refused, RpcError

_BLOCK, _RECEIPTS = "eth_getBlockByNumber", "eth_getBlockReceipts"
# Transfer(address,address,uint256).
_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
# Withdrawal(address to, bytes32 nullifierHash, address indexed relayer, uint256 fee) of Tornado Cash's pools, which pay
# the denomination less the fee: github.com/tornadocash/tornado-core, contracts/Tornado.sol.
_WITHDRAWAL = "0xe9e508bad6d4c3227e881ca19068f099da81b5164dd6d62b2eaf1e8bc6c34931"
_DENOMINATION = "0x8bca6d16"


@dataclass(frozen=True)
class PlainBlock:
    """A block whose internal transfers are not known."""

    number: int
    hash: str
    parent: str
    timestamp: int
    """Unix seconds."""
    transfers: list[dict[str, Any]]
    """`{tx, signer, from, to, value, token}` in the block's order: what each transaction sends itself, and what is
    logged; the value in hexadecimal."""


async def denominations(node: Client, addresses: Iterable[str]) -> dict[str, int]:
    """What each withdrawal takes out, in smallest units, of those addresses (lower case) that are a mixer's pools.

    Raises:
        RpcError: the node cannot be asked.
    """
    found = {}
    for address in addresses:
        try:
            answer = await node.call("eth_call", {"to": address, "data": _DENOMINATION}, "latest")
        except Refused:  # it reverts: no pool
            continue
        if isinstance(answer, str) and len(answer) == 66:
            found[address] = int(answer, 16)
    return found


async def plain(node: Client, number: int, token: str | None, pools: Mapping[str, int]) -> PlainBlock:
    """One block, with the transfers of the native asset and of one token (lower case), and what pools, by their
    `denominations`, paid.

    Raises:
        RpcError: asking again may help, unless it is `Refused`.
    """
    block = await node.call(_BLOCK, hex(number), True)
    if block is None:
        raise RpcError(f"no block {number}", _BLOCK)
    try:
        by_hash = {str(one["hash"]): one for one in block["transactions"]}
        head = str(block["hash"]), str(block["parentHash"]), int(block["timestamp"], 16)
    except (KeyError, TypeError, ValueError):
        raise Refused("answers with something else than a block", _BLOCK) from None
    receipts = await node.call(_RECEIPTS, hex(number)) if by_hash else []
    try:
        told = {str(one["transactionHash"]): one for one in receipts}
        if not told.keys() >= by_hash.keys():
            raise RpcError("the chain was reorganized meanwhile", _RECEIPTS)
        transfers = [
            moved
            for key, tx in by_hash.items()
            for moved in _of_transaction(key, tx, told[key], token, pools)
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused("answers with something else than receipts", _RECEIPTS) from None
    return PlainBlock(number, *head, transfers)


def _of_transaction(
    key: str, tx: dict[str, Any], receipt: dict[str, Any], token: str | None, pools: Mapping[str, int]
) -> list[dict[str, Any]]:
    if receipt.get("status") == "0x0":  # it moved nothing; before Byzantium nobody said
        return []
    signer = str(tx["from"])
    moved = {"tx": key, "signer": signer}
    transfers = []
    if int(tx["value"], 16) and tx["to"] is not None:
        transfers.append({**moved, "from": signer, "to": str(tx["to"]), "value": tx["value"], "token": None})
    for log in receipt["logs"]:
        by, topics = str(log["address"]).lower(), log["topics"]
        if by == token and len(topics) == 3 and topics[0] == _TRANSFER:
            source, target = ("0x" + str(topic)[-40:] for topic in topics[1:])
            value = hex(int(log["data"], 16))
            transfers.append({**moved, "from": source, "to": target, "value": value, "token": token})
        elif by in pools and len(topics) == 2 and topics[0] == _WITHDRAWAL:
            target, _, fee = (log["data"][start : start + 64] for start in (2, 66, 130))
            value = hex(max(pools[by] - int(fee, 16), 0))
            transfers.append({**moved, "from": by, "to": "0x" + target[-40:], "value": value, "token": None})
    return transfers
