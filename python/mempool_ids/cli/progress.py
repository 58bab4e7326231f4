"""How far a walk over blocks is, on stderr: a line that changes on a terminal, one now and then elsewhere."""

import time

from mempool_ids.cli.terminal import say, talk

# Where nobody watches, a line so often; on a terminal the last line tells at every block.
_TOLD_EVERY_S = 30.0
# Of what is left out, so many are named.
_NAMED = 5


class Progress:
    """A context manager; afterwards its line is gone.

    Args:
        blocks: that are walked over, one after the other.
    """

    def __init__(self, blocks: range) -> None:
        self._blocks = blocks
        self._begun = self._told = time.monotonic()
        self._status = talk.status("") if talk.is_terminal else None
        self._named = 0

    def __enter__(self) -> "Progress":
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._status:
            self._status.stop()

    def left_out(self, transactions: dict[str, str]) -> None:
        """Names the first few, and why."""
        for key, why in transactions.items():
            self._named += 1
            if self._named <= _NAMED:
                say(f"{key} left out: {why}")

    def block(self, number: int, found: str) -> None:
        """One is done; `found` says what there is so far."""
        now, missing = time.monotonic(), self._blocks.stop - number - 1
        done = number + 1 - self._blocks.start
        left = (now - self._begun) / max(done, 1) * missing
        text = (
            f"block {number:,} of {self._blocks[-1]:,}, {found}, "
            f"{done / max(now - self._begun, 1e-9):.3g} blocks/s, {left:,.0f} s left"
        )
        if self._status:
            self._status.update(text)
        elif now - self._told >= _TOLD_EVERY_S and missing:
            self._told = now
            say(text)
