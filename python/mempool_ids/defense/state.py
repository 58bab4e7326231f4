"""What the parts of the hot half share: who may send, what is out, and the one lock over it."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mempool_ids.defense.action import ENDS, ActionState, DefenseAction, Transition
from mempool_ids.defense.armed import Key, Rung, worst_by_nonce
from mempool_ids.defense.book import Book, Live
from mempool_ids.defense.gas import GasStrategy
from mempool_ids.defense.guardian import Guardian, Loaded, Protected
from mempool_ids.defense.rails import Rails


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an action, with the action as it was then."""

    action: DefenseAction
    transition: Transition | None
    """None where another threat joined it."""
    senders: tuple[str, ...]
    """Of the action's threats."""


class _Lock:
    """Held for microseconds. What changed is told when it is let go, after bytes went out: whoever is told wakes up,
    and would take the interpreter from us."""

    def __init__(self, tell_all: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._tell_all = tell_all

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        try:
            self._tell_all()
        finally:
            self._lock.release()


class State:
    """Read and changed under `lock`, but for single values that are only shown. What is called under it says so.

    Args:
        tell: takes every change of an action, in order, from any thread, and returns at once.
    """

    def __init__(
        self,
        *,
        gas: GasStrategy,
        rails: Rails,
        targets: Mapping[str, Protected],
        guardians: Sequence[Guardian],
        tell: Callable[[Change], None] = lambda _: None,
    ) -> None:
        self.lock = _Lock(self._tell_all)
        self.book = Book()
        self.gas = gas
        self.rails = rails
        self.targets = targets
        self.guardians = tuple(guardians)
        self.by_address = {guardian.address: guardian for guardian in guardians}
        self.base_fee = 0
        """Of the next block, wei a gas."""
        self.head = 0
        self._tell = tell
        self._untold: list[Change] = []
        self._steps = time.time() - time.monotonic()

    def blank(self) -> State:
        """Under the lock: as armed as this, with nothing out and nobody to tell."""
        guardians = [guardian.blank() for guardian in self.guardians]
        blank = State(gas=self.gas, rails=self.rails.blank(), targets=self.targets, guardians=guardians)
        blank.base_fee, blank.head = self.base_fee, self.head
        return blank

    def steady(self) -> float:
        """Unix seconds by a clock that nobody sets: what was spent within a day is not forgotten with a step of it."""
        return self._steps + time.monotonic()

    def guardian_for(self, name: str) -> Guardian:
        """Under the lock: the first that can: armed for the next nonce, with a balance for the lowest rung."""
        able = (guardian for guardian in self.guardians if self.is_able(guardian, name))
        return next(able, self.guardians[0])

    def is_able(self, guardian: Guardian, name: str) -> bool:
        """Under the lock: whether it could send a response for this contract."""
        ladder = guardian.ladder(name, guardian.next_nonce())
        if not ladder:
            return False
        return self.funds(guardian) - self.gas.reserve >= ladder[0].worst_cost

    def funds(self, guardian: Guardian, live: Live | None = None, nonce: int = -1) -> int:
        """Under the lock: of its balance, what does not wait to be paid: pools add it up.

        Args:
            live, nonce: what waits of this response at this nonce is replaced.
        """
        key = (guardian.address, nonce)
        own = 0 if live is None or key in live.paid else self._by_nonce(live).get(key, 0)
        return guardian.balance - sum(guardian.waits.values()) + own

    def seen(self, guardian: Guardian, latest: int, pending: int, balance: int) -> list[int]:
        """Under the lock: as `Guardian.seen`; what waited at a nonce that is used waits no more."""
        strangers = guardian.seen(latest, pending, balance)
        for live in self.book.by_target.values():
            self._count(live, self._by_nonce(live))
        return strangers

    def hold(self, live: Live) -> None:
        """Under the lock: the most that it may cost is promised, to the rails and by the balances of its keys."""
        name, worst = live.target.name, self._by_nonce(live)
        promised = _with_builders(live, worst)
        self.rails.sent(self.steady(), name, live.cause.sender, promised, live.action.action_id)
        self._count(live, worst)

    def _count(self, live: Live, worst: Mapping[Key, int]) -> None:
        """What waits of it to be paid by each key: kept as sums, as every alert asks for all of it."""
        name = live.target.name
        if self.book.by_target.get(name) is not live:
            return
        for guardian in self.guardians:
            guardian.waits[name] = 0
        for key, cost in worst.items():
            if key not in live.paid and key[0] in self.by_address:
                self.by_address[key[0]].waits[name] += cost

    def lowest_cost(self, name: str) -> int:
        """Under the lock: wei that a response for this contract costs at its lowest bid; 0 where none is armed."""
        guardian = self.guardian_for(name)
        ladder = guardian.ladder(name, guardian.next_nonce())
        return ladder[0].worst_cost if ladder else 0

    def advance(self, live: Live, state: ActionState, reason: str, **details: Any) -> None:
        """A change that the slow half saw."""
        with self.lock:
            # A rehearsal leaves nothing out, and ends with what it answers still pending.
            is_out = live.action.state is ActionState.SENT and not live.action.shadow
            if state is ActionState.CANCELLED and is_out and not live.is_pointless(time.monotonic()):
                return  # a threat came since it looked
            self.change(live, state, reason, **details)
            if live.action.is_over:
                self.close(live)

    def change(
        self, live: Live, state: ActionState, reason: str, *, at: float | None = None, **details: Any
    ) -> None:
        """Under the lock: the action goes to this state."""
        if state in ENDS and live.action.attempt == 0:
            details.setdefault("cost_wei", 0)  # nothing went out
        transition = live.action.advance(state, time.time() if at is None else at, reason, **details)
        self.note(live, transition)

    def note(self, live: Live, transition: Transition | None) -> None:
        """Under the lock: to be told when it is let go."""
        action = copy.copy(live.action)
        action.history = list(action.history)
        self._untold.append(
            Change(action, transition, tuple(live.threats[one].sender for one in action.threats))
        )

    def _tell_all(self) -> None:
        changes, self._untold = self._untold, []
        for change in changes:
            self._tell(change)

    def close(self, live: Live) -> None:
        """Under the lock: it is over."""
        action = live.action
        self.book.close(live)
        for guardian in self.guardians:
            guardian.release(live.target.name)
            # By receipts, of blocks that may not have been looked at: the next response must not take these nonces.
            used = [nonce + 1 for address, nonce in live.paid if address == guardian.address]
            guardian.latest = max([guardian.latest, *used])
        # What has no receipt counts as paid at its worst: its bytes may still be mined.
        cost = 0 if action.shadow else self.promised(live)
        if action.attempt and not action.shadow and not live.paid:
            cost = max(cost, (action.gas_limit or 0) * (action.max_fee_per_gas or 0))
        self.rails.settled(self.steady(), action.action_id, cost)

    def settle(self, live: Live, paid: Mapping[Key, int], *, is_included: bool) -> None:
        """Takes in what all of its receipts say that it cost.

        Args:
            paid: wei by guardian and nonce.
            is_included: a block has it: the rails hold no more than it can still cost.
        """
        with self.lock:
            before = live.action.cost_wei
            live.paid = dict(paid)
            live.action.cost_wei = live.cost
            self._count(live, self._by_nonce(live))
            if before == live.cost:
                return
            if is_included:
                self.rails.settled(self.steady(), live.action.action_id, self.promised(live))
            elif not live.action.is_over:
                self.hold(live)  # a reorg takes blocks away: it may cost all of that again

    def promised(self, live: Live, *more: Loaded) -> int:
        """Under the lock: wei that it has cost and may cost, with `more`: of each nonce that is not used, one can be
        mined, but for bytes that no pool has. What goes to a builder with it is in no receipt of the guardian's: it
        stays promised, unless somebody else used the nonce."""
        return _with_builders(live, self._by_nonce(live, more))

    def elsewhere(self, live: Live, guardian: Guardian, nonce: int) -> int:
        """Under the lock: wei that it has cost and may cost beside what is bid at this nonce of this key."""
        worst = self._by_nonce(live)
        return _with_builders(live, worst) - worst.get((guardian.address, nonce), 0)

    def at(self, live: Live, guardian: Guardian, nonce: int) -> int:
        """Under the lock: wei for gas that it has cost or may cost at this nonce of this key."""
        return self._by_nonce(live).get((guardian.address, nonce), 0)

    def _by_nonce(self, live: Live, more: Iterable[Loaded] = ()) -> dict[Key, int]:
        out = chain(live.sent, live.cancels, live.fills, more)
        return worst_by_nonce(one.rung for one in out if self._may_cost(live, one.rung)) | live.paid

    def _may_cost(self, live: Live, rung: Rung) -> bool:
        guardian = self.by_address.get(rung.guardian)
        is_used = guardian is not None and rung.nonce < guardian.latest
        return not is_used and rung.tx_hash not in live.nowhere


def _with_builders(live: Live, worst: Mapping[Key, int]) -> int:
    """Wei of these nonces, and of the transfers to builders that go with what is there."""
    gas = sum(worst.values())
    return gas + sum(live.to_builders.get(key, 0) for key in worst) if live.to_builders else gas
