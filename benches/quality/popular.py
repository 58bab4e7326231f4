"""Contracts that are there to stay: called in at least four recorded blocks, by at least six senders.

`python -m benches.quality.popular` finds them in all the blocks anew, and writes popular.csv.
"""

import asyncio
import csv
import sys
from collections import defaultdict
from pathlib import Path

from rich.progress import track
from tests.support import labelled_data

from benches.quality import recorded
from benches.quality.calls import calls
from benches.quality.classes import implementations
from benches.quality.fake_node import FakeNode

LIST = Path(__file__).with_name("popular.csv")
BLOCKS, SENDERS = 4, 6


def popular() -> frozenset[str]:
    """Their addresses."""
    with LIST.open() as file:
        return frozenset(row["address"] for row in csv.DictReader(file))


async def find(data: Path) -> dict[str, tuple[int, int]]:
    """In how many blocks, and by how many senders, each is called."""
    blocks: dict[str, set[int]] = defaultdict(set)
    senders: dict[str, set[str]] = defaultdict(set)
    for block in track(list(recorded.blocks(data)), "who calls whom", disable=not sys.stderr.isatty()):
        async with FakeNode.running(block) as node:
            found = await calls(node, block)
        signers = {one["hash"]: one["from"] for one in block.transactions}
        behind = implementations(block)
        for contract, callers in found.callers().items():
            if contract not in behind:
                blocks[contract].add(block.number)
                senders[contract] |= {signers[one] for one in callers}
    return {
        contract: (len(blocks[contract]), len(senders[contract]))
        for contract in sorted(blocks)
        if len(blocks[contract]) >= BLOCKS and len(senders[contract]) >= SENDERS
    }


def main() -> None:
    found = asyncio.run(find(labelled_data()))
    with LIST.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("address", "blocks", "senders"))
        rows.writerows((contract, *figures) for contract, figures in found.items())
    print(f"{len(found)} contracts")


if __name__ == "__main__":
    main()
