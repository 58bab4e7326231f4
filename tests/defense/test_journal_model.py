"""Whatever is done in whatever order, with a restart anywhere: the journal says what a plain model says."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mempool_ids.defense.action import _NEXT, ENDS, ActionState, DefenseAction
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.journal import Marks
from tests.defense.journal_samples import GUARDIAN, action, bear, hash_of, ladder, open_journal, rung

NONCES = st.integers(5, 8)
TARGETS = st.sampled_from(["vault", "pool"])
WEI = st.integers(0, 2**256 - 1)
WORDS = st.text(max_size=20)


class Restarts(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.armed: dict[str, Rung] = {}
        self.actions: dict[str, DefenseAction] = {}
        self.senders: dict[str, list[str]] = {}
        self.numbers: dict[str, int] = {}
        self.said: list[tuple[str, bool, str]] = []
        self.marked: list[bytes] = []
        self.sent: set[str] = set()
        self._open()

    def _open(self) -> None:
        self.journal = open_journal(Path(self.directory.name))
        self.marks = Marks.beside(self.journal.path)

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.marks.close()
        self._open()
        # What a restart goes on with is what the journal says.
        self.actions.update({one.action_id: one for one in self.journal.open_actions()})

    @rule(nonce=NONCES, name=TARGETS, rungs=st.integers(0, 5))
    def arm(self, nonce: int, name: str, rungs: int) -> None:
        self.journal.arm(ladder(nonce, name, rungs))
        for one in ladder(nonce, name, rungs):
            self.armed.setdefault(one.tx_hash, one)

    @rule(name=TARGETS, shadow=st.booleans(), loss=st.none() | WEI, sender=WORDS)
    def begin(self, name: str, shadow: bool, loss: int | None, sender: str) -> None:
        one = action(len(self.actions), target=name, shadow=shadow, loss_wei=loss)
        self.journal.begin(one, sender)
        self.actions[one.action_id] = one
        self.senders[one.action_id] = [sender]

    @precondition(lambda self: self.actions)
    @rule(data=st.data(), sender=WORDS)
    def join(self, data: st.DataObject, sender: str) -> None:
        one = self._any(data)
        more = hash_of(f"{one.action_id} {len(one.threats)}")
        self.journal.join(one.action_id, more, sender)
        one.threats = (*one.threats, more)
        self.senders[one.action_id].append(sender)

    @precondition(lambda self: any(not one.is_over for one in self.actions.values()))
    @rule(
        data=st.data(),
        when=st.floats(allow_nan=False),
        why=WORDS,
        cost=st.none() | WEI,
        written=st.booleans(),
    )
    def change(self, data: st.DataObject, when: float, why: str, cost: int | None, written: bool) -> None:
        one = self._any(data, lambda one: not one.is_over)
        before = copy.deepcopy(one)
        state = data.draw(
            st.sampled_from(sorted(_NEXT[one.state] | ({"intent"} if not one.history else set())))
        )
        tx_hash = None
        if state == "sent":
            sent = rung(data.draw(NONCES), one.target, data.draw(st.integers(0, 4)))
            bear(one, sent)
            tx_hash = sent.tx_hash
        one.capped = data.draw(st.booleans())
        one.won = data.draw(st.none() | st.booleans())
        transition = one.advance(ActionState(state), when, why, tx_hash=tx_hash, cost_wei=cost)
        if not written:
            # Killed before it was recorded: the restart knows nothing of it.
            self.actions[one.action_id] = before
            self.restart()
            return
        self.journal.record(one, transition)
        if tx_hash and not one.shadow:
            self.sent.add(tx_hash)

    @rule(builder=st.sampled_from(["titan", "flashbots"]))
    def number(self, builder: str) -> None:
        self.numbers[builder] = self.numbers.get(builder, 0) + 1
        assert self.journal.next_sequence(builder) == self.numbers[builder]

    @precondition(lambda self: any(not one.is_over for one in self.actions.values()))
    @rule(data=st.data(), yes=st.booleans(), who=WORDS)
    def answer(self, data: st.DataObject, yes: bool, who: str) -> None:
        one = self._any(data, lambda one: not one.is_over)
        look = self.journal.look(self.journal.path)
        look.answer(one.action_id, yes, who)
        look.close()
        self.said.append((one.action_id, yes, who))

    @rule(nonce=NONCES, name=TARGETS, number=st.integers(0, 4))
    def mark(self, nonce: int, name: str, number: int) -> None:
        tx_hash = bytes.fromhex(rung(nonce, name, number).tx_hash[2:])
        self.marks.put(tx_hash, 1.0)
        self.marked.append(tx_hash)

    def _any(self, data: st.DataObject, which: object = None) -> DefenseAction:
        chosen = [one for one in self.actions.values() if which is None or which(one)]  # type: ignore[operator]
        return data.draw(st.sampled_from(chosen), label="action")

    @invariant()
    def the_journal_says_what_the_model_says(self) -> None:
        journal = self.journal
        assert journal.actions() == list(self.actions.values())
        assert journal.open_actions() == [one for one in self.actions.values() if one.state not in ENDS]
        for nonce in range(5, 9):
            assert journal.armed(GUARDIAN, nonce) == [
                one for one in self.armed.values() if one.nonce == nonce
            ]
            named = {
                one.action_id
                for one in self.actions.values()
                for change in one.history
                if change.tx_hash in {rung(nonce, one.target, n).tx_hash for n in range(5)} and not one.shadow
            }
            assert {one.action_id for one in journal.by_nonce(GUARDIAN, nonce)} == named
        for action_id, senders in self.senders.items():
            assert journal.threats(action_id) == list(
                zip(self.actions[action_id].threats, senders, strict=True)
            )
            said = [(action_id, each.yes, each.who) for each in journal.answers(action_id)]
            assert said == [each for each in self.said if each[0] == action_id]
        marks = self.marks.read()
        assert [tx_hash for tx_hash, _at in marks] == self.marked
        hashes = list(dict.fromkeys("0x" + tx_hash.hex() for tx_hash in self.marked))
        assert [one.tx_hash for one in journal.unrecorded(marks)] == [
            each for each in hashes if each in self.armed and each not in self.sent
        ]
        assert journal.unknown(marks) == [each for each in hashes if each not in self.armed]
        assert journal.spent(float("-inf")) >= max(
            (
                one.cost_wei or 0
                for one in self.actions.values()
                if one.state == "included" and not one.shadow
            ),
            default=0,
        )

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.marks.close()
            self.directory.cleanup()


TestRestarts = Restarts.TestCase
TestRestarts.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
