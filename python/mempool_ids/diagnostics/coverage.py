"""Which invariants can speak for a contract as it is configured, and what the silent ones lack."""

from __future__ import annotations

from mempool_ids._core import INVARIANT_NAMES
from mempool_ids.config import Contract
from mempool_ids.config.speaking import silent, speaking
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.diagnostics.suggestions import suggest
from mempool_ids.node import Client


async def check_coverage(node: Client, contract: Contract) -> Finding:
    """A warning where the chain would say what is lacking; asked only where anything is.

    Raises:
        RpcError: the node does not answer.
    """
    lacking = "; ".join(f"{name} ({why})" for name, why in silent(contract))
    if not lacking:
        return Finding("invariants", contract.name, Status.OK, "all can speak")
    said = f"{speaking(contract)} of {len(INVARIANT_NAMES)} can speak; silent: {lacking}"
    suggestion = await suggest(node, contract)
    if not suggestion:
        return Finding("invariants", contract.name, Status.OK, said)
    detail = f"{said}. The chain says: {suggestion.words}; check --suggest prints it"
    return Finding("invariants", contract.name, Status.WARNING, detail)
