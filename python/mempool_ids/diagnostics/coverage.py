"""Which invariants can speak for a contract as it is configured, and what the silent ones lack."""

from __future__ import annotations

from collections.abc import Iterator

from mempool_ids.config import Contract
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.diagnostics.suggestions import suggest
from mempool_ids.node import Client


def silent(contract: Contract) -> Iterator[tuple[str, str]]:
    """Checks that are not made, or not in full, with what they lack (docs/invariants.md)."""
    views, disabled = contract.views, contract.invariants.disabled
    yield from ((name, "disabled") for name in disabled)
    whole = views.total_assets and (views.total_supply or views.liabilities)
    if not (views.share_price or whole) and "solvency" not in disabled:
        yield "solvency", "views.share_price, or total_assets with total_supply or liabilities"
    if not contract.admins and "takeover" not in disabled:
        yield "takeover as proof", "admins"


async def check_coverage(node: Client, contract: Contract) -> Finding:
    """A warning where the chain would say what is lacking; asked only where anything is.

    Raises:
        RpcError: the node does not answer.
    """
    lacking = "; ".join(f"{name} ({why})" for name, why in silent(contract))
    if not lacking:
        return Finding("invariants", contract.name, Status.OK, "all can speak")
    suggestion = await suggest(node, contract)
    if not suggestion:
        return Finding("invariants", contract.name, Status.OK, f"silent: {lacking}")
    detail = f"silent: {lacking}. The chain says: {suggestion.words}; check --suggest prints it"
    return Finding("invariants", contract.name, Status.WARNING, detail)
