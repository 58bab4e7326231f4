"""Which invariants can speak for a contract as it is configured (docs/invariants.md)."""

from __future__ import annotations

from collections.abc import Iterator

from mempool_ids._core import INVARIANT_NAMES
from mempool_ids.config.contracts import Contract


def silent(contract: Contract) -> Iterator[tuple[str, str]]:
    """Checks that are not made, or not in full, with what they lack."""
    views, disabled = contract.views, contract.invariants.disabled
    yield from ((name, "disabled") for name in disabled)
    whole = views.total_assets and (views.total_supply or views.liabilities)
    if not (views.share_price or whole) and "solvency" not in disabled:
        yield "solvency", "views.share_price, or total_assets with total_supply or liabilities"
    if not contract.admins and "takeover" not in disabled:
        yield "takeover as proof", "admins"


def speaking(contract: Contract) -> int:
    """How many checks are made, if only in part."""
    return len(set(INVARIANT_NAMES) - {name for name, _ in silent(contract)})
