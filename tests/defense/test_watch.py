"""What the watch makes of answers and heads, on the hot half: no node, no journal, a real key."""

from __future__ import annotations

import asyncio

import pytest

from mempool_ids.config.defense import EnvironmentSigner
from mempool_ids.config.values import Secret
from mempool_ids.defense.action import ActionState
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.book import Fate, Live
from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.defense.chain import Head
from mempool_ids.defense.draft import TRANSFER_GAS
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.race import Do, Step
from mempool_ids.defense.signers import signer
from mempool_ids.defense.transaction import SignerError
from mempool_ids.defense.watch import Watch
from tests.defense.hot import BASE_FEE, Hot
from tests.defense.keys import KEY

NAME = "Vault"
VARIABLE = "MEMPOOL_IDS_TEST_WATCH"


class Quiet:
    """A chain that has nothing of what is asked for."""

    async def receipt(self, tx_hash: str) -> None:
        return None


class Hangs:
    """A signer that says nothing until it is let go, and then that it cannot sign."""

    def __init__(self) -> None:
        self.asked = 0
        self.began = asyncio.Semaphore(0)
        self.go = asyncio.Event()

    async def sign(self, _: object) -> None:
        self.asked += 1
        self.began.release()
        await self.go.wait()
        raise SignerError("it cannot sign")


class Watched:
    """A hot half with its watch, and what was signed and told."""

    def __init__(self, hot: Hot) -> None:
        self.hot = hot
        self.journaled: list[Rung] = []
        self.alarms = Alarms(asyncio.get_running_loop(), None)

        async def arm(rungs: list[Rung]) -> None:
            self.journaled += rungs

        async def nobody(_: str) -> None:
            return None

        self.watch = Watch(
            hot.state,
            hot.bids,
            hot.transfers,
            Quiet(),  # type: ignore[arg-type]
            1,
            "eip1559",
            3,
            default_act=True,
            cancels=True,
            arm=arm,
            alarms=self.alarms,
            human=nobody,
            refuse=hot.trigger.refuse,
        )

    async def open_signer(self) -> None:
        """Of the first guardian; `local_signer` has its key."""
        opened = signer(EnvironmentSigner(type="environment", key=Secret(f"env:{VARIABLE}")))
        await opened.open(1)
        self.hot.guardians[0].signer = opened

    async def look(self, number: int) -> None:
        """On this head; what is being signed is not waited for."""
        self.hot.state.head = number
        await self.watch.look(head_of(number))

    def refused(self, live: Live) -> Step:
        """What is done about what endpoints said of it."""
        step = self.watch._refused(live)
        assert step is not None
        return step

    async def cancel(self, number: int) -> None:
        head = head_of(number)
        self.hot.state.head = number
        self.watch._cancel(self.hot.live(NAME), head, "it is too old", is_done=False)
        await self.signed()

    async def signed(self) -> None:
        """Until nothing is being signed."""
        await asyncio.gather(*self.watch._signing.values())


def head_of(number: int) -> Head:
    return Head(number, f"{number:#x}", 0, BASE_FEE, BASE_FEE, 30_000_000)


def gone(live: Live) -> None:
    """All that it answers is withdrawn, long since."""
    for threat in live.threats.values():
        threat.fate, threat.fate_at = Fate.GONE, float("-inf")


@pytest.fixture
def local_signer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.fixture
async def stale(local_signer: None) -> Watched:
    """A response of long ago, and little money."""
    watched = Watched(Hot(NAME, gas={"max_cost_eth": 0.004, "daily_budget_eth": 0.005}))
    await watched.open_signer()
    watched.hot.alert(NAME, tip=5 * GWEI)
    watched.hot.live(NAME).is_stale = True
    return watched


async def test_a_stale_response_is_taken_back_for_more_with_each_head_up_to_what_it_may_cost(
    stale: Watched,
) -> None:
    hot, live = stale.hot, stale.hot.live(NAME)
    for head in range(2, 40):
        posted = len(hot.wire.posted)
        await stale.cancel(head)
        assert len(hot.wire.posted) == posted + 1, "it goes out with each head"
        assert hot.promised(NAME) <= hot.state.rails.spent(hot.state.steady()) <= ETHER // 250
    dearest = live.cancels[-1]
    assert TRANSFER_GAS * replacement(dearest.rung.fees).max_fee > ETHER // 250
    assert hot.wire.posted[-1] == dearest.body
    assert len(stale.journaled) == len(live.cancels), "nothing is signed that may not go out"
    assert stale.alarms.counts["response stuck"] == 1


async def test_where_the_caps_leave_less_than_replaces_it_the_rest_goes_out_once(stale: Watched) -> None:
    """Pools that have forgotten the pause take it."""
    hot, live = stale.hot, stale.hot.live(NAME)
    assert live.last is not None
    fees = live.last.rung.fees
    hot.gas.max_fee = fees.max_fee
    for head in range(2, 5):
        await stale.cancel(head)
    [only] = live.cancels
    assert only.rung.fees.max_fee == fees.max_fee
    assert hot.wire.posted[1:] == [only.body] * 3
    assert stale.alarms.counts["response stuck"] == 1


async def test_who_is_slow_and_has_a_reason_is_followed_though_others_have_it_sent_again() -> None:
    watched = Watched(Hot(NAME, endpoints=("fast", "slow")))
    hot = watched.hot
    hot.alert(NAME)
    live = hot.live(NAME)
    hot.wire.say(Reply.REFUSED, "fast")
    live.posted_at = float("-inf")
    step = watched.refused(live)
    assert step.do is Do.REBROADCAST
    hot.bids.rebroadcast(live)
    hot.wire.say(Reply.REFUSED, "fast")
    hot.wire.say(Reply.NO_FUNDS, "slow", post=0)
    step = watched.refused(live)
    assert step.do is Do.OTHER_KEY


@pytest.mark.parametrize("by_person", [False, True])
async def test_a_rehearsal_whose_threat_is_in_no_block_ends_and_the_next_attack_begins_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch, by_person: bool
) -> None:
    watched = Watched(Hot(NAME, shadow=True))
    hot = watched.hot

    async def in_no_block(_: str) -> None:
        return None

    monkeypatch.setattr(watched.watch._chain, "receipt", in_no_block)
    hot.alert(NAME)
    first = hot.live(NAME)
    first.by_person = by_person
    for number in (2, 51):
        await watched.look(number)
        assert first.action.state is ActionState.SENT
    await watched.look(52)
    assert (first.action.state, first.action.reason) == (
        ActionState.CANCELLED,
        "what it answers is in no block",
    )
    hot.alert(NAME, "0x02")
    assert hot.live(NAME) is not first


@pytest.mark.parametrize("refusal", [Reply.POOL_FULL, Reply.NO_FUNDS])
async def test_who_hangs_does_not_stop_what_the_others_say(refusal: Reply) -> None:
    watched = Watched(Hot(NAME, endpoints=("there", "hangs")))
    hot = watched.hot
    hot.alert(NAME)
    live = hot.live(NAME)
    expected = Do.REBROADCAST if refusal is Reply.POOL_FULL else Do.OTHER_KEY
    for post in range(4):
        hot.wire.say(refusal, "there")
        if post:
            # Of the post before, in time for this one.
            hot.wire.say(Reply.NO_ANSWER, "hangs", post=post - 1)
        live.posted_at = float("-inf")
        assert watched.refused(live).do is expected
        hot.bids.rebroadcast(live)


@pytest.mark.parametrize("refusal", [Reply.POOL_FULL, Reply.NO_FUNDS])
async def test_who_cannot_be_connected_to_does_not_stop_what_the_others_say(refusal: Reply) -> None:
    watched = Watched(Hot(NAME, endpoints=("gone", "there")))
    hot = watched.hot
    hot.alert(NAME)
    live = hot.live(NAME)
    hot.wire.say(Reply.UNREACHED, "gone")
    live.posted_at = float("-inf")
    step = watched.refused(live)
    assert (step.do, step.reason) == (Do.REBROADCAST, ""), "as if nobody had answered"
    hot.wire.say(refusal, "there")
    step = watched.refused(live)
    assert step.do is (Do.REBROADCAST if refusal is Reply.POOL_FULL else Do.OTHER_KEY)
    assert step.reason.startswith(f"refused ({refusal})")


BAITS = ("Vault", "Pool", "Bridge")


async def test_a_signer_that_hangs_holds_up_neither_heads_nor_other_responses() -> None:
    watched = Watched(Hot(*BAITS, "Bank", guardians=1))
    hot, hangs = watched.hot, Hangs()
    hot.guardians[0].signer = hangs  # type: ignore[assignment]
    for number, name in enumerate((*BAITS, "Bank")):
        hot.alert(name, f"0x{number:02x}")
    for name in BAITS:
        gone(hot.live(name))
    await watched.look(1)
    for _ in BAITS:
        await hangs.began.acquire()
    bank = hot.live("Bank")
    before = bank.last
    for head in range(2, 5):
        async with asyncio.timeout(5):
            await watched.look(head)
            await watched.look(head)
        assert bank.last is not before, "it is escalated with each head"
        before = bank.last
        assert hangs.asked == 3, "of each response one transfer at a time is signed"
    hangs.go.set()
    await watched.signed()
    assert watched.alarms.counts["transfer not signed"] == 3
    assert not watched.watch._signing
    await watched.look(4)
    await watched.signed()
    assert hangs.asked == 6
    await watched.look(4)
    await watched.signed()
    assert hangs.asked == 6, "once for each head, however fast it fails"


async def test_what_is_being_signed_when_it_stops_goes_out_no_more(stale: Watched) -> None:
    hot, live, hangs = stale.hot, stale.hot.live(NAME), Hangs()
    hot.guardians[0].signer = hangs  # type: ignore[assignment]
    stale.watch._cancel(live, head_of(2), "it is too old", is_done=False)
    await hangs.began.acquire()
    [task] = stale.watch._signing.values()
    await stale.watch.stop()
    assert task.cancelled()
    assert not stale.watch._signing
    assert len(hot.wire.posted) == 1


async def test_a_transfer_that_was_signed_for_another_key_takes_back_nothing() -> None:
    """The response went to the second guardian meanwhile, at the same nonce and on the same bid."""
    hot = Hot(NAME)
    first, second = hot.guardians
    hot.alert(NAME)
    live = hot.live(NAME)
    assert live.last is not None
    above = live.last.rung.fees
    transfer = hot.transfer(first, 0, replacement(above))
    assert hot.bids.change_guardian(live, "stuck")
    assert (live.guardian, live.last.rung.nonce, second.out[0]) == (second, 0, above)
    gone(live)
    assert not hot.transfers.withdraw(live, transfer, above)
