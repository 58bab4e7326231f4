"""One key that may pause: what is armed with it, and which of its nonces are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mempool_ids.defense.armed import Call, Fees, Rung
from mempool_ids.defense.signers.base import Signer

# Nonces that a pool can make us look at.
_LOOKED_AT = 64


@dataclass(frozen=True, slots=True)
class Protected:
    """A contract that the guardian can pause."""

    name: str
    address: str
    call: Call
    check: Call | None
    """Answers something else than 0 where it is paused."""
    gas: int | None
    """Gas limit as configured; None where it is simulated."""
    strategy: str = "pause"
    """Or `rescue`."""

    def question(self, guardian: str) -> dict[str, Any]:
        """For the core: what it is to try before an attack."""
        check = self.check
        return {
            "from": guardian,
            "to": self.call.to,
            "input": "0x" + self.call.data.hex(),
            "gas": self.gas,
            "check": None if check is None else {"to": check.to, "input": "0x" + check.data.hex()},
        }


@dataclass(frozen=True, slots=True)
class Loaded:
    """A rung with the request that sends it."""

    rung: Rung
    body: bytes = field(repr=False)

    @property
    def worst_cost(self) -> int:
        """Wei, at the most."""
        return self.rung.worst_cost


Ladder = tuple[Loaded, ...]
"""Rungs at one nonce, the lowest bid first."""


@dataclass(slots=True)
class Guardian:
    """What is known of one guardian. Changed under the trigger's lock alone.

    Nonces are the chain's: there is no counter of our own that could drift away from it.
    """

    address: str
    signer: Signer | None
    """None where nothing is sent (shadow mode)."""
    latest: int = 0
    """The next nonce by the last block that was looked at."""
    balance: int = 0
    """Wei."""
    taken: dict[int, str] = field(default_factory=dict)
    """Nonces of responses that are not over, by their contract. Used ones too: a reorg may give them back."""
    out: dict[int, Fees] = field(default_factory=dict)
    """By nonce, the highest fees of ours that went out at it and may wait in a pool."""
    waits: dict[str, int] = field(default_factory=dict)
    """Wei that may yet be paid from its balance, by the contract whose response it is."""
    pending: int = 0
    """The next nonce by the pool, then."""
    filled: dict[tuple[int, str], tuple[int, str]] = field(default_factory=dict)
    """Gaps that a transfer to oneself was to be sent into, and for which response: by the head on which, and the bid
    for which, by its hash."""
    strangers: tuple[int, ...] = ()
    """Nonces that a transaction waits at which is none of ours: the key is not ours alone."""
    ladders: dict[str, dict[int, Ladder]] = field(default_factory=dict, repr=False)
    """By target and nonce."""
    is_retired: bool = False
    """Its key is not configured any more: what it sent is followed, and nothing more is bid or taken back with it."""

    def next_nonce(self, above: int | None = None) -> int:
        """The lowest one that no response holds, and above `above` where given. What waits there all the same, a
        stranger's transaction or one of a response that is over, is replaced: behind it a response would be mined when
        that is, or never."""
        nonce = self.latest if above is None else above + 1
        while nonce in self.taken:
            nonce += 1
        return nonce

    def ladder(self, target: str, nonce: int) -> Ladder:
        return self.ladders.get(target, {}).get(nonce, ())

    def seen(self, latest: int, pending: int, balance: int) -> list[int]:
        """What the chain says now. Nonces below the next one are gone for good.

        Args:
            latest: the next nonce by the chain.
            pending: the next nonce by the pool.
            balance: wei.

        Returns:
            Nonces that somebody else's transaction waits at.
        """
        self.latest, self.pending, self.balance = latest, pending, balance
        self.filled = {one: tried for one, tried in self.filled.items() if one[0] >= latest}
        self.out = {nonce: fees for nonce, fees in self.out.items() if nonce >= latest or nonce in self.taken}
        waiting = range(latest, min(pending, latest + _LOOKED_AT))
        self.strangers = tuple(nonce for nonce in waiting if nonce not in self.out)
        for ladders in self.ladders.values():
            for nonce in [nonce for nonce in ladders if nonce < latest and nonce not in self.taken]:
                del ladders[nonce]
        return list(self.strangers)

    def went_out(self, nonce: int, fees: Fees) -> None:
        """Bytes with this nonce and these fees were sent."""
        known = self.out.get(nonce)
        if known is None or (fees.max_fee, fees.tip) > (known.max_fee, known.tip):
            self.out[nonce] = fees

    def release(self, target: str) -> None:
        """A contract's response is over: its nonces are free, as far as the chain has not used them."""
        self.waits.pop(target, None)
        for nonce in [nonce for nonce, whose in self.taken.items() if whose == target]:
            del self.taken[nonce]

    def _free(self) -> int:
        """Nonces in a row that every contract is armed at."""
        nonce = self.next_nonce()
        count = 0
        while self.ladders and all(nonce + count in by_nonce for by_nonce in self.ladders.values()):
            count += 1
        return count

    def blank(self) -> Guardian:
        """Armed as this one, with nothing out: what becomes of it is nobody's."""
        return Guardian(
            self.address, None, self.latest, self.balance, pending=self.pending, ladders=self.ladders
        )

    def figures(self) -> dict[str, Any]:
        """For statistics."""
        ladders = [ladder for by_nonce in self.ladders.values() for ladder in by_nonce.values()]
        return {
            "address": self.address,
            "nonce": self.latest,
            "balance_wei": self.balance,
            "taken": len(self.taken),
            "free": self._free(),
            "rungs": sum(map(len, ladders)),
        }

    def load(self, ladders: Mapping[str, Mapping[int, Ladder]]) -> None:
        """Takes in what was signed and journaled."""
        for target, by_nonce in ladders.items():
            self.ladders.setdefault(target, {}).update(by_nonce)
