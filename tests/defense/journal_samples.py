"""What the journal's tests write: ladders that nobody signed, and the life of one action, step by step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.armed import Call, Fees, Rung
from mempool_ids.defense.journal import Journal, Marks

GUARDIAN = "0x" + "9a" * 20
SENDER = "0x" + "a1" * 20
# Above 64 bits, as wei may be.
HUGE = 2**200 + 1


def hash_of(text: str) -> str:
    return "0x" + hashlib.sha256(text.encode()).hexdigest()


def rung(nonce: int, target: str, number: int, **changes: object) -> Rung:
    """The same arguments, the same bytes, as a deterministic signature has it."""
    name = f"{changes.get('guardian', GUARDIAN)} {nonce} {target} {number}"
    values: dict[str, object] = {
        "chain_id": 1,
        "guardian": GUARDIAN,
        "nonce": nonce,
        "target": target,
        "rung": number,
        "fees": Fees(100 * 10**9 + 10**9 * number, 10**9 * (number + 1)),
        "gas_limit": 80_000,
        "call": Call("0x" + "5f" * 20, bytes.fromhex("8456cb59")),
        "raw": name.encode() * 3,
        "tx_hash": hash_of(name),
    }
    return Rung(**{**values, **changes})  # type: ignore[arg-type]


def ladder(nonce: int, target: str, rungs: int = 4) -> list[Rung]:
    return [rung(nonce, target, number) for number in range(rungs)]


def action(number: int = 0, **changes: object) -> DefenseAction:
    values: dict[str, object] = {
        "action_id": f"action-{number}",
        "strategy": "pause",
        "target": "vault",
        "target_address": "0x" + "5f" * 20,
        "created": 1_700_000_000.25 + number,
        "threats": (hash_of(f"attack {number}"),),
        "guardian": GUARDIAN,
    }
    return DefenseAction(**{**values, **changes})  # type: ignore[arg-type]


def bear(one: DefenseAction, sent: Rung) -> None:
    """As the trigger does before it says that bytes went out."""
    one.nonce, one.tx_hash, one.gas_limit = sent.nonce, sent.tx_hash, sent.gas_limit
    one.guardian = sent.guardian
    one.max_fee_per_gas, one.max_priority_fee_per_gas = sent.fees.max_fee, sent.fees.tip
    one.attempt += 1


@dataclass
class Life:
    """One action from the arming to the end. A step is known to memory first, then to `journal` and `marks`.

    Without those (None) only memory lives: what a journal should say after the same steps.
    """

    journal: Journal | None
    marks: Marks | None
    send: Callable[[bytes], None] = lambda _raw: None
    rungs: list[Rung] = field(default_factory=lambda: ladder(7, "vault", 40))
    action: DefenseAction = field(default_factory=action)

    def play(self, step: str) -> None:
        getattr(self, step)()

    def arm(self) -> None:
        if self.journal:
            self.journal.arm(self.rungs)

    def begin(self) -> None:
        if self.journal:
            self.journal.begin(self.action, SENDER)

    def intend(self) -> None:
        self._advance(ActionState.INTENT, "it drains the vault")

    def verify(self) -> None:
        self._advance(ActionState.VERIFIED, "within the caps")

    def mark(self) -> None:
        if self.marks:
            self.marks.put(bytes.fromhex(self.rungs[3].tx_hash[2:]), 5.0)

    def transmit(self) -> None:
        if self.journal:
            self.send(self.rungs[3].raw)

    def record(self) -> None:
        bear(self.action, self.rungs[3])
        self._advance(ActionState.SENT, "rung 3", tx_hash=self.rungs[3].tx_hash)

    def join(self) -> None:
        more = hash_of("another attack")
        self.action.threats = (*self.action.threats, more)
        if self.journal:
            self.journal.join(self.action.action_id, more, None)

    def include(self) -> None:
        self.action.position, self.action.won = 0, True
        self._advance(
            ActionState.INCLUDED, "first of its block", tx_hash=self.rungs[3].tx_hash, block=17, cost_wei=HUGE
        )

    def number(self) -> None:
        if self.journal:
            assert self.journal.next_sequence("titan") == 1

    def confirm(self) -> None:
        self._advance(ActionState.CONFIRMED, "paused, two blocks deep")

    def _advance(self, state: ActionState, reason: str, **details: object) -> None:
        transition = self.action.advance(state, 1_700_000_001.5, reason, **details)
        if self.journal:
            self.journal.record(self.action, transition)


STEPS = (
    "arm", "begin", "intend", "verify", "mark", "transmit", "record", "join", "include", "number", "confirm",
)  # fmt: skip


def open_journal(directory: Path, **changes: object) -> Journal:
    values: dict[str, object] = {"chain_id": 1, "guardian": GUARDIAN}
    return Journal(directory / "defense.db", **{**values, **changes})  # type: ignore[arg-type]
