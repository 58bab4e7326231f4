"""What a restart makes of open actions, signed bytes and marks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mempool_ids.config.defense import Rails as Limits
from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.armed import PAYMENT, Call, Fees, Rung
from mempool_ids.defense.book import ASKED, Fate, Live
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.guardian import Guardian
from mempool_ids.defense.journal import Journal, Marks
from mempool_ids.defense.rails import Rails
from mempool_ids.defense.recovery import Left, find, read, resume, unsettled
from tests.defense.hot import Hot, address

GUARDIAN, VAULT, PAYER = "0x" + "22" * 20, address(1), "0x" + "33" * 20


def rung(target: str, nonce: int, number: int) -> Rung:
    call = Call(VAULT if target else GUARDIAN, b"")
    return Rung(1, GUARDIAN, nonce, target, 0, Fees(number, number), 21_000, call, b"", f"0x{number:064x}")


def action(*, shadow: bool = False, sent: Rung | None = None, target: str = "Vault") -> DefenseAction:
    made = DefenseAction("a", "pause", target, VAULT, 1.0, shadow=shadow)
    made.advance(ActionState.INTENT, 1.0, "attack")
    if sent is not None:
        made.advance(ActionState.VERIFIED, 1.0, "bid")
        made.advance(ActionState.SENT, 1.0, "sent", tx_hash=sent.tx_hash)
    return made


def test_what_was_marked_is_its_contracts_response_s() -> None:
    pause = rung("Vault", 5, 1)
    [found] = find([action()], {}, [(pause, 2.0)])
    assert (found.sent, found.adopted) == ((pause,), (pause,))


def test_a_rehearsal_sent_nothing_whatever_was_marked_for_its_contract() -> None:
    pause = rung("Vault", 5, 1)
    shadow, other = find([action(shadow=True)], {}, [(pause, 2.0)])
    assert shadow.action.shadow
    assert shadow.sent == shadow.adopted == ()
    assert not other.action.shadow
    assert other.sent == (pause,)


def test_only_a_cancellation_that_was_marked_is_out() -> None:
    pause, cancel = rung("Vault", 5, 1), rung("", 5, 2)
    sent = action(sent=pause)
    [found] = find([sent], {pause.tx_hash: pause}, [])
    assert found.cancels == ()
    [found] = find([sent], {pause.tx_hash: pause}, [(cancel, 3.0)])
    assert found.cancels == (cancel,)


def test_a_transfer_at_a_nonce_before_its_own_is_what_it_waits_for() -> None:
    pause, fill = rung("Vault", 5, 1), rung("", 4, 2)
    [found] = find([action(sent=pause)], {pause.tx_hash: pause}, [(fill, 3.0)])
    assert (found.cancels, found.fills) == ((), (fill,))


def test_what_went_out_before_it_or_at_a_later_nonce_is_none_of_its() -> None:
    pause = rung("Vault", 5, 1)
    marked = [(rung("", 4, 2), 0.5), (rung("", 6, 3), 3.0)]
    [found] = find([action(sent=pause)], {pause.tx_hash: pause}, marked)
    assert (found.cancels, found.fills) == ((), ())


def test_of_two_responses_behind_a_gap_the_nearer_one_filled_it() -> None:
    pauses = [rung("Vault", 5, 1), rung("Pool", 6, 2)]
    fill = rung("", 4, 3)
    actions = [action(sent=pauses[0]), action(sent=pauses[1], target="Pool")]
    found = find(actions, {one.tx_hash: one for one in pauses}, [(fill, 3.0)])
    assert [one.fills for one in found] == [(fill,), ()]


class Before:
    """What a process left: a journal with marks, and its times near now."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "defense.db", chain_id=1, guardian=GUARDIAN)
        self.marks = Marks.beside(folder / "defense.db")
        self.now = time.time() - 60

    def sends(self, one: DefenseAction, *rungs: Rung) -> None:
        one.created = self.now
        self.journal.arm(rungs)
        one.advance(ActionState.INTENT, self.now, "attack")
        one.advance(ActionState.VERIFIED, self.now, "bid")
        for rung in rungs:
            self.mark(rung)
            one.guardian, one.nonce, one.gas_limit = rung.guardian, rung.nonce, rung.gas_limit
            one.max_fee_per_gas, one.max_priority_fee_per_gas = rung.fees.max_fee, rung.fees.tip
            one.attempt += 1
            one.advance(ActionState.SENT, self.now, "sent", tx_hash=rung.tx_hash)
        self.journal.begin(one, None)

    def mark(self, rung: Rung) -> None:
        self.marks.put(bytes.fromhex(rung.tx_hash[2:]), self.now)

    def restarted(self, hot: Hot, again: Hot) -> Live:
        """The journal has what was told of the only response, and so has a restart."""
        [live] = hot.state.book.all()
        self.journal.arm([loaded.rung for loaded in live.sent])
        self.journal.begin(hot.told[0].action, "0xbad")
        for change in hot.told:
            if change.transition is not None:
                self.journal.record(change.action, change.transition)
        [found] = read(self.journal, self.marks).found
        resume(found, again.state, again.bids, time.time())
        return again.live(live.target.name)

    def ends(self, one: DefenseAction, mined: Rung, cost: int) -> None:
        one.advance(ActionState.INCLUDED, self.now, "mined", cost_wei=cost, tx_hash=mined.tx_hash)
        one.advance(ActionState.CONFIRMED, self.now + 1, "paused")
        for change in one.history[-2:]:
            self.journal.record(one, change)


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Before]:
    made = Before(tmp_path)
    yield made
    made.marks.close()
    made.journal.close()


def spent(left: Left) -> int:
    """What the rails hold after the restart."""
    rails = Rails(Limits(), ETHER)
    rails.restore(left.past)
    return rails.spent(time.time())


def test_what_may_still_be_mined_of_a_response_that_is_over_stays_promised(before: Before) -> None:
    first, second = rung("Vault", 5, 1000), rung("Vault", 6, 2000)
    over = DefenseAction("a", "pause", "Vault", VAULT, before.now)
    before.sends(over, first, second)
    before.ends(over, first, 7)
    assert unsettled(before.journal) == [second], "the journal has what the first one cost"
    assert spent(read(before.journal, before.marks)) == 7 + second.worst_cost
    left = read(before.journal, before.marks, spent={second.tx_hash: 5})
    assert spent(left) == 7 + 5, "it was mined since"
    assert spent(read(before.journal, before.marks, spent={second.tx_hash: 0})) == 7
    assert second in left.out, "it is no stranger's"


def test_what_a_reorg_took_back_is_settled_no_more(before: Before) -> None:
    pause = rung("Vault", 5, 1000)
    one = DefenseAction("a", "pause", "Vault", VAULT, before.now)
    before.sends(one, pause)
    one.advance(ActionState.INCLUDED, before.now, "mined", cost_wei=7, tx_hash=pause.tx_hash)
    one.advance(ActionState.SENT, before.now, "its block left the chain", tx_hash=pause.tx_hash)
    one.advance(ActionState.FAILED, before.now, "it is over")
    before.journal.record(one, one.history[-1])
    assert unsettled(before.journal) == [pause]
    assert spent(read(before.journal, before.marks)) == pause.worst_cost


def test_what_was_signed_for_a_builder_stays_promised(before: Before) -> None:
    pause = rung("Vault", 5, 1000)
    payments = [
        Rung(
            1,
            PAYER,
            0,
            "Vault",
            PAYMENT,
            Fees(fee, 1),
            21_000,
            Call(VAULT, b"", 10**12),
            b"",
            f"0x{fee:064x}",
        )
        for fee in (10, 20)
    ]
    one = DefenseAction("a", "pause", "Vault", VAULT, before.now)
    before.sends(one, pause)
    before.journal.arm(payments)
    [found] = read(before.journal, before.marks).found
    assert found.payments == tuple(payments)
    # As it goes on, and once it is over: one of both may be paid.
    hot = Hot("Vault", guardians=0)
    state, bids = hot.state, hot.bids
    guardian = Guardian(GUARDIAN, None)
    state.guardians, state.by_address = (guardian,), {GUARDIAN: guardian}
    resume(found, state, bids, before.now)
    assert hot.promised("Vault") == pause.worst_cost + payments[1].worst_cost
    assert state.rails.spent(state.steady()) == pause.worst_cost + payments[1].worst_cost
    over = found.action
    over.advance(ActionState.INCLUDED, time.time() + 1, "mined", cost_wei=7, tx_hash=pause.tx_hash)
    over.advance(ActionState.CONFIRMED, time.time() + 1, "paused")
    for change in over.history[-2:]:
        before.journal.record(over, change)
    assert spent(read(before.journal, before.marks)) == 7 + payments[1].worst_cost
    # A drill counts it as well.
    assert before.journal.spent(before.now) == 7 + payments[1].worst_cost


def test_what_fills_a_gap_is_promised_after_a_restart(before: Before) -> None:
    pause, fill = rung("Vault", 5, 1000), rung("", 4, 3000)
    one = DefenseAction("a", "pause", "Vault", VAULT, before.now)
    before.sends(one, pause)
    before.journal.arm([fill])
    before.mark(fill)
    left = read(before.journal, before.marks)
    assert fill in left.out
    hot = Hot("Vault", guardians=0)
    guardian = Guardian(GUARDIAN, None, latest=4)
    hot.state.guardians, hot.state.by_address = (guardian,), {GUARDIAN: guardian}
    resume(left.found[0], hot.state, hot.bids, before.now)
    assert hot.promised("Vault") == pause.worst_cost + fill.worst_cost


def included(hot: Hot) -> None:
    with hot.state.lock:
        hot.state.change(hot.live("Vault"), ActionState.INCLUDED, "mined", block=2, cost_wei=7)


@pytest.mark.parametrize("stands", ["waits for a ladder", "is sent", "is in a block"])
def test_a_person_s_order_outlasts_a_restart_wherever_the_response_stands(
    before: Before, stands: str
) -> None:
    hot = Hot("Vault", nonces=0 if stands == "waits for a ladder" else 1)
    hot.alert("Vault")
    live = hot.live("Vault")
    if stands == "is in a block":
        included(hot)
    hot.trigger.by_hand("Vault", replace(live.cause, tx_hash=None, reason=ASKED))
    for guardian in hot.guardians:
        hot.arm(guardian, 1)
    hot.bids.act(live)
    if stands == "is in a block":
        with hot.state.lock:
            hot.state.change(live, ActionState.SENT, "its block left the chain")
    assert live.action.state is ActionState.SENT
    resumed = before.restarted(hot, Hot("Vault"))
    for threat in resumed.threats.values():
        threat.fate = Fate.GONE
    assert resumed.by_person
    assert not resumed.is_pointless(float("inf"))


def test_nothing_is_bid_in_shadow_mode_for_what_was_sent_before(before: Before) -> None:
    hot = Hot("Vault", shadow=True)
    first = hot.guardians[0]
    pause = replace(rung("Vault", 0, 1000), guardian=first.address)
    before.sends(DefenseAction("a", "pause", "Vault", VAULT, before.now), pause)
    [found] = read(before.journal, before.marks).found
    resume(found, hot.state, hot.bids, time.time())
    live = hot.live("Vault")
    assert not hot.bids.escalate(live, "not in a block")
    assert not hot.bids.next_nonce(live, "its nonce is used")
    assert not hot.bids.change_guardian(live, "stuck")
    assert "it is followed" in hot.alert("Vault", tip=200 * GWEI).decision
    assert [one.rung for one in live.sent] == [pause]
    assert live.guardian is first
    assert [change.transition for change in hot.told] == [None], "only that a threat joined it"
    assert hot.promised("Vault") == hot.state.rails.spent(hot.state.steady()) == pause.worst_cost


@pytest.mark.parametrize("changed", ["address", "call"])
def test_nothing_is_bid_for_a_contract_that_is_configured_otherwise_by_now(
    before: Before, changed: str
) -> None:
    """Under its name another one is defended."""
    hot = Hot("Vault")
    first = hot.guardians[0]
    was = Call(address(0x77), b"") if changed == "address" else Call(VAULT, b"other")
    pause = replace(rung("Vault", 0, 1000), guardian=first.address, call=was)
    before.sends(DefenseAction("a", "pause", "Vault", was.to, before.now), pause)
    [found] = read(before.journal, before.marks).found
    told: list[str] = []
    resume(found, hot.state, hot.bids, time.time(), lambda _, reason: told.append(reason))
    name = f"Vault at {was.to}"
    former = hot.live(name)
    assert (former.target.address, former.target.call, former.target.check) == (was.to, was, None)
    assert len(told) == 1
    assert told[0].startswith(f"{name}: ")
    # It is sent again as it is.
    assert len(hot.wire.posted) == 1
    assert not hot.bids.escalate(former, "not in a block")
    assert not hot.bids.next_nonce(former, "its nonce is used")
    assert not hot.bids.change_guardian(former, "stuck")
    assert hot.bids.promise(former, 10**12, 0) == 0
    assert [one.rung for one in former.sent] == [pause]
    # A threat to the other one is answered by the key that has nothing out.
    hot.alert("Vault")
    assert hot.live("Vault").guardian is hot.guardians[1]
    assert hot.promised(name) == pause.worst_cost
    hot.end("Vault")
    assert hot.live(name) is former
    assert first.taken == {0: name}


def test_what_was_marked_is_of_the_response_that_made_the_same_call() -> None:
    pauses = [rung("Vault", 5, 1), replace(rung("Vault", 6, 2), call=Call(address(0x77), b""))]
    marked = [rung("Vault", 5, 3), replace(rung("Vault", 6, 4), call=Call(address(0x77), b""))]
    actions = [action(sent=one) for one in pauses]
    found = find(actions, {one.tx_hash: one for one in pauses}, [(one, 3.0) for one in reversed(marked)])
    assert [one.adopted for one in found] == [(marked[0],), (marked[1],)]
    found = find([], {}, [(one, 3.0) for one in marked])
    assert [one.adopted for one in found] == [(marked[0],), (marked[1],)]


def raised(hot: Hot) -> int:
    """Wei that its response may cost once it was raised as far as that goes."""
    while hot.bids.escalate(hot.live("Vault"), "not in a block"):
        pass
    return hot.promised("Vault")


@pytest.mark.parametrize("by_person", [False, True])
def test_a_restart_leaves_a_response_the_caps_that_it_had(before: Before, by_person: bool) -> None:
    """A tenth of the loss by its probability, and what of the budget is for threats that are not grave."""
    hot, again = Hot("Vault"), Hot("Vault")
    hot.alert("Vault", grave=False, loss=ETHER // 20, p=0.5, tip=15 * GWEI)
    if by_person:
        cause = replace(hot.live("Vault").cause, priced=Priced(), grave=True, reason=ASKED)
        hot.trigger.by_hand("Vault", cause)
    resumed = before.restarted(hot, again)
    assert resumed.cause.grave is by_person
    most = raised(again)
    assert most == raised(hot)
    assert (most <= ETHER // 400) is not by_person


def test_what_joined_it_counts_after_a_restart_too(before: Before) -> None:
    hot, again = Hot("Vault"), Hot("Vault")
    hot.alert("Vault", grave=False, loss=ETHER // 20, p=0.5, tip=12 * GWEI)
    hot.alert("Vault", "0x02", grave=True, loss=ETHER // 10, p=0.75, tip=24 * GWEI)
    resumed = before.restarted(hot, again)
    cause = resumed.cause
    assert (cause.grave, cause.priced.loss_wei, cause.priced.p) == (True, ETHER // 10, 0.75)
    assert raised(again) == raised(hot) <= ETHER * 3 // 400
