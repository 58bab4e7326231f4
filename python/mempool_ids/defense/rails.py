"""What keeps baits from draining the guardian, and from keeping it from a real attack.

A bait is a threat that is withdrawn once it is answered: the guardian has paid for a pause or for a cancellation, and
whoever laid it for a replacement, some 21,000 gas. Whoever plans an attack can lay as many as they like from as many
senders, and knows these rules. So a limit that a real attack runs into after baits is a way in. The rule is by what is
at stake:

- A **grave** threat (`Decision.grave`: proved, and much is lost, or keys are) is held back by money alone: by no count,
  no cooldown and no quota of its sender. It may take three quarters of the daily budget; the last quarter is for
  contracts that were not answered within a day, so that baits on one contract never disarm another.
- Every other threat has the counts, the cooldown and the quota, and half of the budget. It can exhaust those, and
  nothing that a grave one needs.

What this cannot do: a grave bait is an attack that would have worked, and no rail tells it from the real one
beforehand. What bounds it: three quarters of the budget last for as many cancelled answers as their real cost allows,
and an answer that would leave no money for the next one is not taken back (`left_after`). The pause then stands, the
contract is safe, and the next bait finds it paused. Baits can have a contract paused; they cannot have it defenceless.

Pure: `now` is an argument (Unix seconds) and nothing locks; `allow` and `sent` belong into one critical section.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from mempool_ids.config.defense import Rails as Limits
from mempool_ids.defense.amounts import in_ether

V = TypeVar("V")

DAY = 86_400.0
REMEMBERED = 4096
"""Responses, senders and contracts that are kept apart. What is beyond is counted together."""


@dataclass(frozen=True, slots=True)
class Allowed:
    pass


@dataclass(frozen=True, slots=True)
class Refused:
    rail: str
    """`budget`, `actions`, `sender` or `cooldown`."""
    reason: str
    """In words."""


@dataclass(frozen=True, slots=True)
class Past:
    """A response of before, as the journal tells it."""

    action: str
    target: str
    sender: str
    at: float
    """When it was first sent."""
    cost_wei: int
    """What it cost, or may cost at the most while it is not over."""
    ended: float | None = None


@dataclass(slots=True)
class _Response:
    target: str
    at: float
    cost: int
    first: bool
    """To its contract, within a day."""
    over: bool = False


class Rails:
    """Windows of spend and of actions."""

    def __init__(self, limits: Limits, daily_budget: int) -> None:
        """`daily_budget` in wei, for any 24 hours."""
        self.budget = daily_budget
        self._limits = limits
        self._now = float("-inf")
        self._responses: dict[str, _Response] = {}
        """In the order in which they were first sent."""
        self._spent = 0
        """All of them together."""
        self._folded = _Response("", float("-inf"), 0, first=False, over=True)
        """The oldest, where they became too many."""
        self._asked: dict[str, None] = {}
        """Responses that a human was asked about, and that were not sent: they are counted."""
        self._times: deque[float] = deque(maxlen=limits.actions)
        self._senders: dict[str, deque[float]] = {}
        self._answered: dict[str, float] = {}
        """When a contract was last answered."""
        self._ended: dict[str, float] = {}

    @property
    def cooldown_s(self) -> float:
        return float(self._limits.cooldown_s)

    def blank(self) -> Rails:
        """The same limits, and nothing spent."""
        return Rails(self._limits, self.budget)

    def restore(self, past: Iterable[Past]) -> None:
        """Takes over what the journal knows, in any order, before anything else is asked."""
        events: list[tuple[float, int, Past]] = []
        for one in past:
            events.append((one.at, 0, one))
            if one.ended is not None:
                events.append((max(one.at, one.ended), 1, one))
        for at, end, one in sorted(events, key=lambda event: event[:2]):
            if end:
                self.settled(at, one.action, one.cost_wei)
            else:
                self.sent(at, one.target, one.sender, one.cost_wei, one.action)

    def spent(self, now: float) -> int:
        """Wei of the last 24 hours: paid, and for what is under way the most that it may cost."""
        self._go_to(now)
        return self._spent

    def left(self, now: float, target: str, *, grave: bool = False, action: str | None = None) -> int:
        """Wei that a response to `target` may cost; for a raise of `action`, with what is promised to it already."""
        self._go_to(now)
        own = self._responses.get(action) if action is not None else None
        first = self._is_first(target) if own is None else own.first
        return max(0, self._share(first, grave)[0] - self._spent + (own.cost if own is not None else 0))

    def left_after(self, now: float, target: str, action: str, cost_wei: int) -> int:
        """Wei that the next grave response to `target` may cost, where `action` comes to cost so much."""
        self._go_to(now)
        own = self._responses.get(action)
        spent = self._spent + cost_wei - (own.cost if own is not None else 0)
        return max(0, self._share(self._is_first(target), grave=True)[0] - spent)

    def allow(
        self, now: float, target: str, sender: str, cost_wei: int, *, grave: bool = False
    ) -> Allowed | Refused:
        """Whether a response to `target`, against a threat of `sender`, may be sent for `cost_wei` at the most."""
        self._go_to(now)
        limit, whose = self._share(self._is_first(target), grave)
        if self._spent + cost_wei > limit:
            return Refused(
                "budget",
                f"it may cost {in_ether(cost_wei)}, and {in_ether(self._spent)} of the {in_ether(limit)} for {whose} "
                "are spent within a day or promised",
            )
        if grave:
            return Allowed()
        limits = self._limits
        since = now - limits.window_s
        if _within(self._times, since) >= limits.actions:
            return Refused("actions", f"{limits.actions} responses were sent within {limits.window_s} s")
        if _within(self._senders.get(sender, ()), since) >= limits.per_sender:
            times = "once" if limits.per_sender == 1 else f"{limits.per_sender} times"
            return Refused("sender", f"its sender was answered {times} within {limits.window_s} s")
        rest = self._ended.get(target, float("-inf")) + limits.cooldown_s - now
        if rest > 0:
            return Refused("cooldown", f"a response to {target} ended less than {limits.cooldown_s} s ago")
        return Allowed()

    def may_raise(self, now: float, action: str, cost_wei: int, *, grave: bool = False) -> Allowed | Refused:
        """Whether a response under way may be replaced by one that costs so much: only one of both can be paid."""
        self._go_to(now)
        response = self._responses.get(action)
        if response is None:
            return Refused("budget", f"no response {action} is under way")
        limit, whose = self._share(response.first, grave)
        if self._spent - response.cost + cost_wei <= limit:
            return Allowed()
        return Refused(
            "budget", f"a raise to {in_ether(cost_wei)} is beyond the {in_ether(limit)} a day for {whose}"
        )

    def sent(self, now: float, target: str, sender: str, cost_wei: int, action: str) -> None:
        """A response is out. Its worst case is promised until `settled`; the same action again raises that."""
        self._go_to(now)
        known = self._responses.get(action)
        if known is not None:
            self._spent += max(0, cost_wei - known.cost)
            known.cost = max(known.cost, cost_wei)
            known.over = False
            return
        self._responses[action] = _Response(target, now, cost_wei, self._is_first(target))
        self._spent += cost_wei
        if action in self._asked:
            del self._asked[action]
        else:
            self._count(now, sender)
        self._answered.pop(target, None)
        _remember(self._answered, target, now)
        if len(self._responses) > REMEMBERED:
            self._fold()

    def asked(self, now: float, senders: Iterable[str], action: str) -> None:
        """A human is asked about a response: that counts as one, and as one to each sender that the question names,
        whatever the answer is."""
        self._go_to(now)
        self._count(now, *senders)
        self._asked[action] = None
        if len(self._asked) > REMEMBERED:
            del self._asked[next(iter(self._asked))]

    def _count(self, now: float, *senders: str) -> None:
        self._times.append(now)
        for sender in dict.fromkeys(senders):
            of_sender = self._senders.pop(sender, None) or deque[float](maxlen=self._limits.per_sender)
            of_sender.append(now)
            _remember(self._senders, sender, of_sender)

    def settled(self, now: float, action: str, cost_wei: int) -> None:
        """A response is over, or in a block, and cost so much: 0 where nothing was paid. Again where that changes."""
        self._go_to(now)
        response = self._responses.get(action)
        if response is None:
            return
        self._spent += cost_wei - response.cost
        response.cost, response.over = cost_wei, True
        self._ended.pop(response.target, None)
        _remember(self._ended, response.target, now)

    def _is_first(self, target: str) -> bool:
        return self._answered.get(target, float("-inf")) <= self._now - DAY

    def _share(self, first: bool, grave: bool) -> tuple[int, str]:
        """What of the budget is there for a response, the first to its contract within a day or not, and for whom."""
        if not grave:
            return self.budget // 2, "threats that are not grave"
        if first:
            return self.budget, "all"
        return self.budget * 3 // 4, "contracts that were answered within a day"

    def _go_to(self, now: float) -> None:
        if now < self._now:
            self._shift(now - self._now)
        self._now = now
        since = now - DAY
        gone = []
        for action, response in self._responses.items():
            if response.at > since:
                break
            # What is under way can still be paid, however old it is.
            if response.over:
                gone.append(action)
        for action in gone:
            self._spent -= self._responses.pop(action).cost
        if self._folded.cost and self._folded.at <= since:
            self._spent -= self._folded.cost
            self._folded.cost = 0

    def _fold(self) -> None:
        """Counts the older half of what is over as one, as old as the newest of it: never forgotten too soon. Where
        nothing ever ends, of what is under way, and at the most that it may cost."""
        over = [name for name, one in self._responses.items() if one.over]
        for action in (over or list(self._responses))[: REMEMBERED // 2]:
            response = self._responses.pop(action)
            self._folded.cost += response.cost
            self._folded.at = max(self._folded.at, response.at)

    def _shift(self, by: float) -> None:
        """The clock was set back: what is remembered keeps its age, or it would count for as long again."""
        for response in (*self._responses.values(), self._folded):
            response.at += by
        for times in (self._times, *self._senders.values()):
            moved = [at + by for at in times]
            times.clear()
            times.extend(moved)
        for ends in (self._answered, self._ended):
            for target in ends:
                ends[target] += by


def _within(times: Iterable[float], since: float) -> int:
    return sum(at > since for at in times)


def _remember(known: dict[str, V], key: str, value: V) -> None:
    known[key] = value
    if len(known) > REMEMBERED:
        del known[next(iter(known))]
