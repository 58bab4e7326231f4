"""What the chain says once it is over: who stands where in the attack's block, what is missing, who was turned away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mempool_ids.demo.result import Entry
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import Action, Scene

Place = tuple[int, int]
"""Block, and position in it."""
Receipt = Mapping[str, Any]


def place(receipt: Receipt) -> Place:
    return int(receipt["blockNumber"], 16), int(receipt["transactionIndex"], 16)


def succeeded(receipt: Receipt) -> bool:
    return bool(receipt["status"] == "0x1")


def cost(receipt: Receipt) -> int:
    """Wei paid for gas."""
    return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)


@dataclass(frozen=True)
class Claims:
    """What the vault owes. Wei."""

    total: int
    holders: int


async def claims(scene: Scene, block: int) -> Claims:
    """Of all honest users, after a block; those of the router's users are the router's."""
    honest = [*scene.cast.users, scene.cast.newcomer]
    in_vault = [await _claim(scene, user.address, block) for user in honest]
    through = [
        await scene.router.read(scene.rpc, "sharesOf(address)", user.address, block=block) for user in honest
    ]
    total = sum(in_vault) + await _claim(scene, scene.router.address, block)
    holders = sum(own + routed > 0 for own, routed in zip(in_vault, through, strict=True))
    return Claims(total, holders)


async def _claim(scene: Scene, account: str, block: int) -> int:
    return await scene.vault.read(scene.rpc, "balanceOf(address)", account, block=block)


async def vault_balance(scene: Scene, block: int) -> int:
    """Wei, after a block."""
    return int(await scene.rpc.call("eth_getBalance", scene.vault.address, hex(block)), 16)


async def reverted(rpc: Rpc, sent: Mapping[str, Action]) -> list[tuple[Place, Action]]:
    """What honest users sent in vain, and where it is."""
    receipts = [(await rpc.find_receipt(tx_hash), action) for tx_hash, action in sent.items()]
    return [(place(receipt), action) for receipt, action in receipts if receipt and not succeeded(receipt)]


async def order(scene: Scene, number: int, attack_txs: tuple[str, ...]) -> tuple[Entry, ...]:
    """A block's transactions as they stand in it."""
    block = await scene.rpc.call("eth_getBlockByNumber", hex(number), True)
    base_fee = int(block.get("baseFeePerGas") or "0x0", 16)
    entries = []
    for position, transaction in enumerate(block["transactions"]):
        receipt = await scene.rpc.find_receipt(transaction["hash"])
        who, what = _part(scene, transaction, attack_txs)
        tip = min(
            int(transaction["maxPriorityFeePerGas"], 16), int(transaction["maxFeePerGas"], 16) - base_fee
        )
        entries.append(Entry(position, who, what, tip, receipt is not None and succeeded(receipt)))
    return tuple(entries)


def _part(scene: Scene, transaction: Mapping[str, Any], attack_txs: tuple[str, ...]) -> tuple[str, str]:
    if transaction["hash"] in attack_txs:
        return "attacker", "attack()"
    if transaction["from"].lower() == scene.cast.guardian:
        return "guardian", "pause()"
    action = scene.sent.get(transaction["hash"])
    return (action.user, action.text) if action else ("somebody", "something else")
