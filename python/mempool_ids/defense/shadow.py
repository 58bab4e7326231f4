"""Where a response that was not sent would have stood in the block that has the attack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mempool_ids.defense.armed import Fees


def position(block: Mapping[str, Any], fees: Fees) -> int | None:
    """Index that a transaction with these fees would have had in a block; None where its fee cap was too low for it.

    By the order of public pools: the effective tip decides, and of equals who came first. A builder's own order, and
    what came to it privately, may be another: this is an estimate.

    Args:
        block: as `eth_getBlockByNumber` answers it, with whole transactions.
    """
    base_fee = int(block.get("baseFeePerGas") or "0x0", 16)
    if fees.max_fee < base_fee:
        return None
    ours = fees.effective(base_fee)
    transactions: Sequence[Mapping[str, Any]] = block.get("transactions") or ()
    return sum(_tip(transaction, base_fee) >= ours for transaction in transactions)


def _tip(transaction: Mapping[str, Any], base_fee: int) -> int:
    if (tip := transaction.get("maxPriorityFeePerGas")) is not None:
        return min(int(tip, 16), int(transaction["maxFeePerGas"], 16) - base_fee)
    return int(transaction.get("gasPrice") or "0x0", 16) - base_fee
