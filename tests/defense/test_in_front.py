"""A block has an account's nonces in their order: what a response has before it must not bid less than it needs."""

from __future__ import annotations

from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.book import Live
from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.guardian import Guardian
from tests.defense.hot import BASE_FEE, Hot, signed
from tests.defense.test_watch import Watched, gone, local_signer

__all__ = ["local_signer"]
CHEAP, DEAR = GWEI, 30 * GWEI


def tip_at(guardian: Guardian, nonce: int) -> int:
    """What a block's builder gets a gas of what is out there."""
    return guardian.out[nonce].effective(BASE_FEE)


def tip_of(live: Live) -> int:
    assert live.last is not None
    return live.last.rung.fees.effective(BASE_FEE)


def baited(hot: Hot, bait: int = CHEAP) -> str:
    """A cheap threat to Vault, then a dear one to Pool; what was decided on that."""
    hot.alert("Vault", tip=bait, grave=False)
    return hot.alert("Pool", "0x02", tip=DEAR).decision


async def withdrawn(watched: Watched) -> Live:
    """A cheap threat to Vault is gone again, and a cancellation has the place of its pause."""
    await watched.open_signer()
    watched.hot.alert("Vault", tip=CHEAP)
    vault = watched.hot.live("Vault")
    gone(vault)
    await watched.look(1)
    await watched.signed()
    return vault


def test_what_is_before_it_is_raised_to_as_much() -> None:
    hot = Hot("Vault", "Pool", guardians=1)
    [guardian] = hot.guardians
    hot.alert("Vault", tip=CHEAP)
    first = hot.live("Vault").last
    assert first is not None
    decision = hot.alert("Pool", "0x02", tip=DEAR).decision
    assert "paused because" in decision
    assert "HELD UP" not in decision
    assert [(one.target, one.nonce) for one in map(signed, hot.wire.posted)] == [
        ("Vault", 0),
        ("Pool", 1),
        ("Vault", 0),
    ]
    assert tip_at(guardian, 0) >= DEAR
    assert tip_at(guardian, 1) >= DEAR
    vault, pool = hot.live("Vault"), hot.live("Pool")
    assert vault.last is not None
    least = replacement(first.rung.fees)
    assert vault.last.rung.fees.max_fee >= least.max_fee
    assert vault.last.rung.fees.tip >= least.tip
    below = vault.guardian.ladder("Vault", 0)[vault.last.rung.rung - 1]
    assert below.rung.fees.effective(BASE_FEE) < min(tip_of(pool), pool.wanted_tip), "the lowest that does"
    assert "Pool waits for its nonce" in vault.action.reason
    assert not pool.action.capped


def test_a_key_with_nothing_before_it_is_preferred() -> None:
    hot = Hot("Vault", "Pool")
    first, second = hot.guardians
    decision = baited(hot)
    assert "paused because" in decision
    pool = hot.live("Pool")
    assert (pool.guardian, pool.action.guardian, pool.action.nonce) == (second, second.address, 0)
    assert (first.taken, second.taken) == ({0: "Vault"}, {0: "Pool"})
    assert len(hot.wire.posted) == 2, "nothing else is raised for it"


def test_so_it_is_where_a_dear_threat_joins_a_response_that_waits_behind_a_cheap_one() -> None:
    hot = Hot("Vault", "Pool")
    first, second = hot.guardians
    hot.alert("Vault", tip=CHEAP)
    hot.alert("Pool", "0x02", tip=CHEAP)
    pool = hot.live("Pool")
    assert (pool.guardian, pool.action.nonce) == (first, 1), "what is before it bids enough"
    hot.alert("Pool", "0x03", tip=DEAR)
    assert (pool.guardian, pool.action.nonce) == (second, 0)
    assert tip_of(pool) >= DEAR


def test_a_key_that_cannot_bid_as_much_is_not() -> None:
    hot = Hot("Vault", "Pool")
    first, second = hot.guardians
    second.balance = 20 * GWEI * 100_000
    assert "HELD UP" not in baited(hot)
    assert hot.live("Pool").guardian is first
    assert tip_at(first, 0) >= DEAR


def test_nor_one_that_has_a_dear_stranger_before_it() -> None:
    """Neither key finds room in the other's place for ever."""
    hot = Hot("Vault", "Pool")
    first, second = hot.guardians
    second.went_out(0, hot.fees[-1])
    assert "HELD UP" not in baited(hot)
    assert hot.live("Pool").guardian is first


def test_three_in_a_row_are_raised_once_each() -> None:
    names = ("Vault", "Bridge", "Bank", "Pool")
    hot = Hot(*names, guardians=1)
    [guardian] = hot.guardians
    for number, name in enumerate(names[:-1]):
        hot.alert(name, f"0x{number:02x}", tip=CHEAP + number)
    posted = len(hot.wire.posted)
    hot.alert("Pool", "0x99", tip=DEAR)
    assert len(hot.wire.posted) == posted + 4
    assert all(tip_at(guardian, nonce) >= DEAR for nonce in range(4))


async def test_what_the_caps_of_the_one_before_forbid_is_told() -> None:
    """It is at its nonce and at another one: of what a response may cost little is left."""
    hot = Hot("Vault", "Pool", guardians=1, gas={"max_cost_eth": 0.004})
    [guardian] = hot.guardians
    watched = Watched(hot)
    hot.alert("Vault", tip=CHEAP)
    vault = hot.live("Vault")
    assert hot.bids.promise(vault, ETHER // 1_000, 0)
    decision = hot.alert("Pool", "0x02", tip=DEAR).decision
    assert "HELD UP by nonce 0" in decision
    pool = hot.live("Pool")
    assert "HELD UP by nonce 0" in pool.action.reason
    assert pool.action.capped
    assert CHEAP < tip_at(guardian, 0) < tip_at(guardian, 1), "as far as they go"
    assert hot.promised("Vault") <= ETHER * 4 // 1_000
    watched.watch._clear_the_way(pool)
    assert watched.alarms.counts["response held up"] == 1


def test_the_budget_for_what_is_not_grave_holds_back_nothing_that_is() -> None:
    hot = Hot("Vault", "Pool", guardians=1, gas={"max_cost_eth": 0.05, "daily_budget_eth": 0.03})
    assert "HELD UP" not in baited(hot)
    assert hot.promised("Vault") + hot.promised("Pool") > ETHER * 15 // 1_000, "the half for what is not"
    assert tip_at(hot.guardians[0], 0) >= DEAR
    assert hot.state.rails.spent(hot.state.steady()) <= ETHER * 30 // 1_000


def test_what_stands_before_a_bait_is_never_raised_into_the_rest_of_the_budget() -> None:
    """And keeps the cause that it has: it is no grave threat afterwards."""
    names = ("Vault", "Bridge", "Pool", "Fund")
    hot = Hot(*names, guardians=1, gas={"max_cost_eth": 0.05, "daily_budget_eth": 0.1})
    for number, name in enumerate(names[:2]):
        hot.alert(name, f"0x{number:02x}", tip=CHEAP, grave=False)
    causes = [hot.live(name).cause for name in names[:2]]
    hot.alert("Pool", "0x98", tip=400 * GWEI)
    assert [hot.live(name).cause for name in names[:2]] == causes
    spent = hot.state.rails.spent(hot.state.steady())
    assert spent <= ETHER * 75 // 1_000
    assert "paused because" in hot.alert("Fund", "0x99", tip=DEAR).decision


def test_what_the_loss_of_the_one_before_is_worth_is_no_cap_of_the_other() -> None:
    hot = Hot("Vault", "Pool", guardians=1)
    hot.alert("Vault", tip=CHEAP, loss=ETHER // 40)
    assert hot.live("Vault").action.nonce == 0
    assert "HELD UP" not in hot.alert("Pool", "0x02", tip=DEAR, loss=100 * ETHER).decision
    assert tip_at(hot.guardians[0], 0) >= DEAR


async def test_what_was_too_dear_or_enough_until_the_base_fee_rose_is_raised_with_a_head() -> None:
    hot = Hot("Vault", "Pool", guardians=1)
    [guardian] = hot.guardians
    watched = Watched(hot)
    assert "HELD UP" not in baited(hot, bait=DEAR)
    posted = len(hot.wire.posted)
    assert posted == 2
    hot.state.base_fee = guardian.out[0].max_fee + GWEI
    pool = hot.live("Pool")
    assert hot.bids.escalate(pool, "not in a block")
    while pool.last is not None and pool.last.rung.fees.effective(hot.state.base_fee) < DEAR:
        assert hot.bids.escalate(pool, "not in a block")
    assert guardian.out[0].effective(hot.state.base_fee) >= DEAR
    watched.watch._clear_the_way(pool)
    assert not watched.alarms.counts


async def test_a_cancellation_before_it_is_raised_at_once(local_signer: None) -> None:
    watched = Watched(Hot("Vault", "Pool", guardians=1))
    hot = watched.hot
    [guardian] = hot.guardians
    vault = await withdrawn(watched)
    assert vault.withdrawn
    cancellation = guardian.out[0]
    decision = hot.alert("Pool", "0x02", tip=DEAR).decision
    assert "HELD UP" not in decision
    assert guardian.out[0] == cancellation, "nothing of it pauses Vault again"
    await watched.look(1)
    await watched.signed()
    assert tip_at(guardian, 0) >= tip_of(hot.live("Pool")) >= DEAR
    assert hot.wire.posted[-1] == vault.cancels[-1].body
    assert vault.withdrawn
    posted = len(hot.wire.posted)
    await watched.look(1)
    await watched.signed()
    assert len(hot.wire.posted) == posted
    assert not watched.alarms.counts
    # The bait once more: its pause goes above that.
    hot.alert("Vault", "0x03", tip=CHEAP)
    assert not vault.withdrawn
    assert tip_at(guardian, 0) >= DEAR


async def test_a_cancellation_that_its_caps_keep_low_is_told(local_signer: None) -> None:
    watched = Watched(Hot("Vault", "Pool", guardians=1, gas={"max_cost_eth": 0.03}))
    hot = watched.hot
    vault = await withdrawn(watched)
    with hot.state.lock:
        # As if most of it were spent with another key.
        vault.paid["0xother", 0] = ETHER * 29 // 1_000
    hot.alert("Pool", "0x02", tip=250 * GWEI)
    for _ in range(3):
        await watched.look(1)
        await watched.signed()
    assert watched.alarms.counts == {"response held up": 1}
    assert hot.promised("Vault") <= ETHER * 3 // 100


async def test_what_fills_a_nonce_before_it_is_raised_with_it(local_signer: None) -> None:
    watched = Watched(Hot("Vault", "Pool", guardians=1))
    hot = watched.hot
    [guardian] = hot.guardians
    await watched.open_signer()
    hot.alert("Vault", tip=CHEAP)
    hot.alert("Pool", "0x02", tip=CHEAP)
    hot.end("Vault")
    guardian.out.pop(0)
    guardian.pending = 0
    await watched.look(1)
    await watched.signed()
    filled = guardian.out[0]
    assert tip_at(guardian, 0) >= CHEAP
    guardian.pending = 2
    await watched.look(1)
    await watched.signed()
    assert guardian.out[0] == filled, "it bids enough"
    hot.alert("Pool", "0x03", tip=DEAR)
    await watched.look(1)
    await watched.signed()
    assert tip_at(guardian, 0) >= DEAR


def test_a_stale_pause_before_it_is_not_raised_but_taken_back() -> None:
    hot = Hot("Vault", "Pool", guardians=1)
    hot.alert("Vault", tip=CHEAP)
    vault = hot.live("Vault")
    vault.is_stale = True
    hot.alert("Pool", "0x02", tip=DEAR)
    assert [signed(body).target for body in hot.wire.posted] == ["Vault", "Pool"]
    assert hot.bids.waits_behind(vault) is hot.live("Pool")
    hot.wire.say(Reply.ACCEPTED)
