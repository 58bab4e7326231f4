"""The rules behind the tests of trouble: nonces, joined causes, what is pointless, what may be taken back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.config.defense import Rails as Limits
from mempool_ids.defense.action import DefenseAction
from mempool_ids.defense.armed import Call, Fees, Rung
from mempool_ids.defense.book import JUDGED_S, Cause, Fate, Live, Threat
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.guardian import Guardian, Loaded, Protected
from mempool_ids.defense.rails import DAY, Rails

LOW, HIGH = Fees(10, 1), Fees(20, 2)
CAUSE = Cause("0x1", "0xa", Priced(), 0, "proved", Urgency.NORMAL, 0, grave=False, reason="first")
VAULT = Protected("Vault", "0x" + "11" * 20, Call("0x" + "11" * 20, b""), None, None)


def live(*fates: Fate) -> Live:
    threats = {str(number): Threat(str(number), "0xa", fate, 100.0) for number, fate in enumerate(fates)}
    action = DefenseAction("a", "pause", "Vault", VAULT.address, 1.0)
    return Live(action, VAULT, Guardian("0x" + "22" * 20, None), CAUSE, threats)


def test_a_nonce_that_no_response_holds_is_used_whatever_waits_there() -> None:
    guardian = Guardian("0x", None)
    assert guardian.seen(latest=5, pending=7, balance=1) == [5, 6]
    assert guardian.next_nonce() == 5
    guardian.taken[5] = "Vault"
    guardian.went_out(5, LOW)
    assert guardian.next_nonce() == 6
    assert guardian.seen(latest=5, pending=7, balance=1) == [6]


def test_a_nonce_that_a_reorg_gives_back_is_still_its_response_s() -> None:
    guardian = Guardian("0x", None)
    guardian.taken[5] = "Vault"
    guardian.went_out(5, LOW)
    guardian.seen(latest=6, pending=6, balance=1)
    assert guardian.next_nonce() == 6
    guardian.seen(latest=5, pending=5, balance=1)
    assert (guardian.next_nonce(), guardian.out[5]) == (6, LOW)


def test_what_an_ended_response_left_in_a_pool_is_replaced_by_more_until_the_nonce_is_used() -> None:
    guardian = Guardian("0x", None)
    guardian.taken[5] = "Vault"
    guardian.went_out(5, HIGH)
    guardian.went_out(5, LOW)
    guardian.release("Vault")
    assert (guardian.next_nonce(), guardian.out) == (0, {5: HIGH})
    guardian.seen(latest=5, pending=6, balance=1)
    assert (guardian.next_nonce(), guardian.out, guardian.strangers) == (5, {5: HIGH}, ())
    guardian.seen(latest=6, pending=6, balance=1)
    assert guardian.out == {}


def test_signed_bytes_are_in_no_words() -> None:
    """Whoever has them can pause."""
    rung = Rung(1, "0x", 5, "Vault", 0, LOW, 21_000, VAULT.call, b"signed", "0xabc")
    guardian = Guardian("0x", None, ladders={"Vault": {5: (Loaded(rung, b'{"params":["0x7369676e6564"]}'),)}})
    everything = live()
    everything.sent = [guardian.ladder("Vault", 5)[0]]
    for shown in (repr(rung), repr(guardian), repr(everything)):
        assert "signed" not in shown
        assert "7369676e6564" not in shown


PRICED = st.builds(
    Priced,
    gas_price=st.integers(0, 2**80),
    tip=st.integers(0, 2**80),
    payment=st.integers(0, 2**80),
    gas=st.integers(0, 10**7),
    copyable=st.booleans(),
    loss_wei=st.none() | st.integers(0, 2**90),
    p=st.floats(0, 1),
)
CAUSES = st.builds(
    Cause,
    tx_hash=st.just("0x2"),
    sender=st.just("0xb"),
    priced=PRICED,
    max_fee=st.integers(0, 2**80),
    grade=st.just("proved"),
    urgency=st.sampled_from(list(Urgency)),
    pause_gas=st.integers(0, 10**7),
    grave=st.booleans(),
    reason=st.just("why"),
)


@given(CAUSES, CAUSES)
def test_nothing_that_joins_makes_a_response_bid_or_dare_less(one: Cause, other: Cause) -> None:
    """Whoever attacks may send anything beside: a cheap, a small, an unlikely threat."""
    both = one.and_also(other)
    for alone in (one, other):
        assert both.priced.gas_price >= alone.priced.gas_price
        assert both.priced.tip >= alone.priced.tip
        assert both.priced.payment >= alone.priced.payment
        assert both.priced.p >= alone.priced.p
        assert both.grave >= alone.grave
        assert both.max_fee >= alone.max_fee
        assert list(Urgency).index(both.urgency) >= list(Urgency).index(alone.urgency)
        if both.priced.loss_wei is not None:
            assert alone.priced.loss_wei is not None
            assert both.priced.loss_wei >= alone.priced.loss_wei


def test_a_response_is_pointless_only_when_all_its_threats_are_gone_for_a_while() -> None:
    later = 100.0 + JUDGED_S
    assert live(Fate.GONE, Fate.GONE).is_pointless(later)
    assert not live(Fate.GONE, Fate.GONE).is_pointless(later - 0.01)
    assert not live(Fate.GONE, Fate.PENDING).is_pointless(later)
    assert not live(Fate.GONE, Fate.MINED).is_pointless(later)
    assert not live().is_pointless(later)
    beyond = live(Fate.GONE)
    beyond.more = True
    assert not beyond.is_pointless(later)
    wanted = live(Fate.GONE)
    wanted.by_person = True
    assert not wanted.is_pointless(later)
    stale = live(Fate.PENDING)
    stale.is_stale = True
    assert stale.is_pointless(0.0)


def test_a_cancellation_of_another_key_or_nonce_does_not_take_its_place() -> None:
    one = live(Fate.GONE)
    own, other = one.guardian.address, "0x" + "33" * 20

    def out(whose: str, nonce: int) -> Loaded:
        return Loaded(Rung(1, whose, nonce, "", 0, LOW, 21_000, VAULT.call, b"", "0x"), b"")

    one.cancels = [out(other, 5), out(own, 4), out(own, 5)]
    assert one.withdrawals() == []
    one.sent = [out(own, 5)]
    assert one.withdrawals() == one.cancels[2:]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_left_after_a_withdrawal_is_what_the_next_response_may_cost(
    before: int, promised: int, cost: int
) -> None:
    rails = Rails(Limits(), 10**6)
    rails.sent(DAY * 3, "Vault", "0xa", before, "before")
    rails.settled(DAY * 3, "before", before)
    rails.sent(DAY * 3 + 1, "Vault", "0xa", promised, "now")
    left = rails.left_after(DAY * 3 + 2, "Vault", "now", cost)
    rails.settled(DAY * 3 + 3, "now", cost)
    assert left == rails.left(DAY * 3 + 4, "Vault", grave=True)


def test_causes_are_not_changed_by_joining() -> None:
    assert CAUSE.and_also(replace(CAUSE, tx_hash="0x2")).tx_hash == "0x2"
    assert CAUSE.tx_hash == "0x1"
