"""A range of blocks as people write it."""

import re
from dataclasses import dataclass

_ENDS = re.compile(r"(?P<first>[^.]+)(?:\.\.(?P<last>[^.]+))?")
_BLOCK = re.compile(r"(?P<latest>latest)(?:-(?P<back>[\d_]+))?|(?P<number>\d[\d_]*)")


@dataclass(frozen=True)
class _End:
    """A block, by its number or, from the head, by how far behind it."""

    number: int
    from_head: bool

    @classmethod
    def parse(cls, text: str) -> "_End":
        match = _BLOCK.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text.strip()!r} is no block: a number, latest, or latest-100")
        if match["latest"]:
            return cls(int(match["back"] or 0), from_head=True)
        return cls(int(match["number"]), from_head=False)

    def at(self, head: int) -> int:
        return head - self.number if self.from_head else self.number


@dataclass(frozen=True)
class Blocks:
    """`A..B`, both included, `A` alone, and `latest` or `latest-100` for either."""

    text: str
    first: _End
    last: _End

    @classmethod
    def parse(cls, text: str) -> "Blocks":
        """Raises `ValueError`."""
        ends = _ENDS.fullmatch(text.strip())
        if ends is None:
            raise ValueError(f"{text!r} is no range of blocks: A..B, A, or latest-100..latest")
        first = _End.parse(ends["first"])
        return cls(text.strip(), first, _End.parse(ends["last"]) if ends["last"] else first)

    def at(self, head: int) -> range:
        """Their numbers when the head is this. Raises `ValueError` where there are none, or not yet."""
        first, last = self.first.at(head), self.last.at(head)
        if first > last:
            raise ValueError(f"{self.text}: block {first:,} comes after block {last:,}")
        if first < 0 or last > head:
            raise ValueError(f"{self.text}: the chain has blocks 0 to {head:,}")
        return range(first, last + 1)
