"""How a response reaches the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mempool_ids.defense.book import Live
from mempool_ids.defense.exact import Exact
from mempool_ids.defense.guardian import Loaded
from mempool_ids.defense.journal import Marks


class Wire(Protocol):
    """What sends bytes at once, from any thread."""

    @property
    def names(self) -> Sequence[str]: ...

    def post(self, body: bytes, then: Callable[[str, Any], None]) -> int: ...


@dataclass(frozen=True, slots=True)
class Outlet:
    """The ways out. Without a wire nothing is sent."""

    wire: Wire | None = None
    marks: Marks | None = None
    exact: Exact | None = None
    always_exact: bool = False
    """Or only where a rung's gas limit is short."""
    is_offered: bool = False
    """Builders get it, too."""
    answered: Callable[[Live, Loaded, int, str, Any], None] = lambda *_: None
    """Takes an endpoint's reply to what was sent, with the number of the post, on the wire's thread."""


NOWHERE = Outlet()
