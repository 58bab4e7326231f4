"""How often a chain makes a block, and when a head is too old to be its last."""

from __future__ import annotations

import orjson

from mempool_ids import _core
from mempool_ids.config.models import Chain

# Blocks that may be missed in a row, and the seconds that a chain of quick blocks may stand still.
_MISSED = 5
_LEAST_S = 30.0


def block_s(chain: Chain) -> float | None:
    """Seconds between blocks by the chain's spec; None where it has none: who tests makes blocks when they like."""
    file = None if chain.spec is None else str(chain.spec)
    spec = orjson.loads(_core.chain_spec(chain.id, file))
    # What the core calls a chain that it knows nothing of.
    if file is None and spec["name"] == f"chain {chain.id}":
        return None
    return float(spec["block_time_ms"]) / 1000


def is_too_old(timestamp: int, now: float, block_s: float | None) -> bool:
    """Whether a head of that time, both in Unix seconds, is an old one."""
    return block_s is not None and now - timestamp > max(_LEAST_S, _MISSED * block_s)
