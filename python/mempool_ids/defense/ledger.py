"""Changes of state on their way from the hot half to the journal, and from there to people: in order, and counted."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from mempool_ids.defense.action import ActionState, DefenseAction, Transition
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.journal import Journal, JournalError, JournalThread, Marks
from mempool_ids.defense.state import Change

OnChange = Callable[[DefenseAction, Transition], None]

# Actions whose states are counted each; older ones are counted together.
_REMEMBERED = 4096
_UNMARKED = "were the process to end within the next second, a restart would not know what just went out"


class Ledger:
    """Writes down what happened. `note` is called from any thread and returns at once."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        journal: Journal,
        in_journal: JournalThread,
        alarms: Alarms,
        on_change: OnChange | None,
        signed: Callable[[], list[Rung]] = list,
        marks: Marks | None = None,
    ) -> None:
        self._loop = loop
        self._journal = journal
        self._in_journal = in_journal
        self._alarms = alarms
        self._on_change = on_change
        self._signed = signed
        self._marks = marks
        self._changes: deque[Change] = deque()
        self._arrived = asyncio.Event()
        self._draining = asyncio.Lock()
        # How many of an action's threats the journal has.
        self._joined: dict[str, int] = {}
        self._states: dict[str, ActionState] = {}
        self.counts: Counter[str] = Counter()
        """Actions, won, lost, capped; wei spent and saved."""

    def note(self, change: Change) -> None:
        self._changes.append(change)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    def adopt(self, action: DefenseAction) -> None:
        """It is in the journal already."""
        if action.history:
            self._joined[action.action_id] = len(action.threats)

    def by_state(self) -> dict[str, int]:
        return dict(Counter(state.value for state in self._states.values()))

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self.drain()

    async def drain(self) -> None:
        """Returns once everything so far is written."""
        async with self._draining:
            while self._changes:
                change = self._changes[0]
                await self._write(change)
                self._changes.popleft()

    async def _write(self, change: Change) -> None:
        try:
            await self._in_journal(lambda: self._journal_change(change))
            self._alarms.over("journal")
        except JournalError as error:
            # What is armed may still go out; people must know that it is not written down.
            self._alarms.tell_lasting("journal", str(error))
        if self._marks is not None and self._marks.failed:
            self._alarms.tell_lasting(
                "marks", f"marks could not be written to {self._marks.path}: {_UNMARKED}"
            )
        if change.transition is None:
            return
        self._count(change.action)
        try:
            if self._on_change is not None:
                self._on_change(change.action, change.transition)
        except Exception as error:
            # Whoever is told must not keep the next change from the journal.
            self._alarms.tell("telling failed", f"{change.action.action_id}: {type(error).__name__}: {error}")

    def _journal_change(self, change: Change) -> None:
        """On the journal's thread."""
        action, journal = change.action, self._journal
        # Exact bids: their bytes before the words that they went out.
        if rungs := self._signed():
            journal.arm(rungs)
        known = self._joined.get(action.action_id)
        if known is None:
            journal.begin(action, change.senders[0] if change.senders else None)
            known = len(action.threats)
        for tx_hash, sender in list(zip(action.threats, change.senders, strict=True))[known:]:
            journal.join(action.action_id, tx_hash, sender)
        self._joined[action.action_id] = len(action.threats)
        if change.transition is not None:
            journal.record(action, change.transition)
        if action.is_over:
            del self._joined[action.action_id]

    def _count(self, action: DefenseAction) -> None:
        counts = self.counts
        counts["actions"] += action.action_id not in self._states
        self._states[action.action_id] = action.state
        while len(self._states) > _REMEMBERED:
            self._states.pop(next(iter(self._states)))
        if action.is_over:
            counts["won"] += action.won is True
            counts["lost"] += action.won is False
            counts["capped"] += action.capped
            counts["spent"] += 0 if action.shadow else action.cost_wei or 0
            if action.won and not action.shadow:
                counts["saved"] += action.loss_wei or 0
