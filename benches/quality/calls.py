"""Which contracts each transaction of a block calls, told by the sensor's own trace.

A sensor that watches every contract of the record, with every check off and a threshold of nothing, alerts on whatever
calls any of them, and its alerts say which. So no second program has to execute the blocks, and what counts as a call
is what the sensor takes for one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from benches.quality.fake_node import FakeNode
from benches.quality.recorded import Block
from benches.quality.sensor import judge
from mempool_ids._core import INVARIANT_NAMES

TELLS_ALL = {
    "detection.classification_threshold": 0.0,
    "simulation.vary": False,
    # However busy the machine is.
    "simulation.deadline_ms": 60_000,
}


@dataclass(frozen=True, slots=True)
class Calls:
    """Of one block, each transaction on the state before it."""

    called: Mapping[str, frozenset[str]]
    """By transaction, the contracts that it calls; plain transfers are not in it."""
    unjudged: frozenset[str]
    """Transactions that run code which was not recorded, or came to no verdict otherwise."""

    def callers(self) -> dict[str, set[str]]:
        """The transactions by contract."""
        found: dict[str, set[str]] = {}
        for transaction, contracts in self.called.items():
            for contract in contracts:
                found.setdefault(contract, set()).add(transaction)
        return found


async def calls(node: FakeNode, block: Block) -> Calls:
    """Of all its transactions."""
    contracts = [
        {"name": address, "address": address, "invariants.disabled": INVARIANT_NAMES}
        for address in block.contracts()
    ]
    hashes = [transaction["hash"] for transaction in block.transactions]
    told = (await judge(node, hashes, contracts, TELLS_ALL)).alerts
    done = {alert["tx"]["hash"]: alert["simulation"].get("touched") for alert in told}
    return Calls(
        {transaction: frozenset(touched) for transaction, touched in done.items() if touched},
        frozenset(transaction for transaction, touched in done.items() if touched is None),
    )
