"""Shares with their intervals, as the benches print them."""

from mempool_ids.defense.report import wilson


def per_thousand(count: int, of: int) -> str:
    """`1.2 [0.4, 3.1]`: per 1,000, with Wilson's 95 % interval."""
    if not of:
        return "–"
    found = wilson(count, of)
    return f"{1000 * found.share:.1f} [{1000 * found.low:.1f}, {1000 * found.high:.1f}]"
