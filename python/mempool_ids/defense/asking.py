"""What humans are asked before a response, and what they answer: by a link, or by `mempool-ids defend answer`."""

from __future__ import annotations

from collections.abc import Callable

from mempool_ids.defense.journal import Journal, JournalThread
from mempool_ids.defense.ledger import Ledger
from mempool_ids.defense.state import State


class Asking:
    """The answers are the journal's.

    Args:
        wake: there is an answer to look at.
    """

    def __init__(
        self,
        state: State,
        ledger: Ledger,
        journal: Journal,
        in_journal: JournalThread,
        wake: Callable[[], None],
    ) -> None:
        self._state = state
        self._ledger = ledger
        self._journal = journal
        self._in_journal = in_journal
        self._wake = wake
        self.link: Callable[[str], str] | None = None
        """Where an action can be answered, if there is a page."""

    def describe(self, action_id: str) -> str | None:
        """What an action that waits for an answer is about; None where none of that id does."""
        for live in self._state.book.all():
            question = live.question
            if live.action.action_id == action_id and question is not None:
                reason = question.about[0].reason
                threats = ", ".join(str(cause.subject) for cause in question.about)
                more = "More came since; after a no it is asked about by itself." if question.since else ""
                where = f"{live.target.name} at {live.target.address}"
                return f"{where}: {reason}. Threat: {threats}. {more}".rstrip()
        return None

    def url(self, action_id: str) -> str | None:
        """Where a human can answer, while one is asked about this action. Whoever has the link can answer: it goes to
        whom it is sent to, and is written nowhere."""
        return None if self.link is None or self.describe(action_id) is None else self.link(action_id)

    async def take(self, action_id: str, yes: bool, who: str) -> None:
        """Writes an answer down.

        Raises:
            MempoolIdsError: it comes too late.
        """
        await self._ledger.drain()
        await self._in_journal(lambda: self._journal.answer(action_id, yes, who))
        self._wake()

    async def answer(self, action_id: str) -> bool | None:
        """The first; None while there is none."""
        answers = await self._in_journal(lambda: self._journal.answers(action_id))
        return answers[0].yes if answers else None
