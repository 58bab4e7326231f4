"""One key that may pause: what is armed with it, and which of its nonces are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mempool_ids.defense.armed import Call, Rung
from mempool_ids.defense.signers.base import Signer

# Whose transaction waits at a nonce, where it is none of ours.
STRANGER = ""
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
    body: bytes


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
    """Nonces that bytes went out with, by the contract that they are for, until the chain has them used."""
    ladders: dict[str, dict[int, Ladder]] = field(default_factory=dict)
    """By target and nonce."""

    def next_nonce(self) -> int:
        """The lowest one that nothing was sent with; there are no gaps."""
        nonce = self.latest
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
            Nonces that somebody else's transaction waits at: the key is not ours alone.
        """
        self.latest, self.balance = latest, balance
        ours = {
            nonce: target for nonce, target in self.taken.items() if nonce >= latest and target != STRANGER
        }
        strangers = [nonce for nonce in range(latest, min(pending, latest + _LOOKED_AT)) if nonce not in ours]
        self.taken = {**ours, **dict.fromkeys(strangers, STRANGER)}
        for ladders in self.ladders.values():
            for nonce in [nonce for nonce in ladders if nonce < latest]:
                del ladders[nonce]
        return strangers

    def figures(self) -> dict[str, Any]:
        """For statistics."""
        ladders = [ladder for by_nonce in self.ladders.values() for ladder in by_nonce.values()]
        return {
            "address": self.address,
            "nonce": self.latest,
            "balance_wei": self.balance,
            "taken": len(self.taken),
            "rungs": sum(map(len, ladders)),
        }

    def load(self, ladders: Mapping[str, Mapping[int, Ladder]]) -> None:
        """Takes in what was signed and journaled."""
        for target, by_nonce in ladders.items():
            self.ladders.setdefault(target, {}).update(by_nonce)
