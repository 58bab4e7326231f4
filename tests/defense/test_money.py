"""Over whatever sequence of bids, moves, fills, raises, withdrawals and blocks: no cap is passed, what replaces bytes
pays a tenth more, and no nonce has two intents."""

from __future__ import annotations

import time
from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.book import Fate, Live
from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.defense.draft import TRANSFER_GAS
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.guardian import Guardian
from tests.defense.hot import Hot, signed

NAMES = ("Vault", "Pool", "Bridge")
MAX_COST, BUDGET = ETHER // 20, ETHER // 8
Key = tuple[str, int]
"""A guardian's address and a nonce."""
TIPS = st.integers(0, 400 * GWEI)
NAME = st.sampled_from(NAMES)
NUMBER = st.integers(0, 10**6)


class Money(RuleBasedStateMachine):
    """Keeps its own books, by what is posted and mined."""

    def __init__(self) -> None:
        super().__init__()
        self.hot = Hot(
            *NAMES,
            gas={"max_cost_eth": MAX_COST / ETHER, "daily_budget_eth": BUDGET / ETHER, "loss_share": 1.0},
            limits={"actions": 1000, "per_sender": 1000, "cooldown_s": 0},
        )
        self.hot.wire.at_post = self.post
        self.top: dict[Key, Rung] = {}
        """What went out last at a nonce, and paid the most."""
        self.worst: dict[Key, dict[str, int]] = defaultdict(dict)
        """Wei, by hash, of what may be mined."""
        self.paid: dict[Key, tuple[str | None, int]] = {}
        """Hash of what a block has at a nonce, None where it is none of ours, and wei."""
        self.builders: dict[Key, dict[str, int]] = defaultdict(dict)
        """Wei, by action, promised to builders with what is at a nonce."""
        self.for_pools_that_forgot: set[str] = set()
        """Hashes."""
        self.blocks: list[tuple[Key, str]] = []
        """What they have of the defense, the last last: key and hash."""
        self.given_back = 0
        """Wei that reorgs made of costs that were known: others may have them by then."""
        self.threats = self.answers = 0

    # What is seen from outside.

    def post(self, body: bytes) -> None:
        rung = signed(body)
        key = (rung.guardian, rung.nonce)
        top = self.top.get(key)
        if top is not None and top.tx_hash != rung.tx_hash:
            least = replacement(top.fees)
            is_higher = rung.fees.max_fee >= least.max_fee and rung.fees.tip >= least.tip
            if not is_higher and self.is_of_a_stale_one(rung):
                self.for_pools_that_forgot.add(rung.tx_hash)
            assert is_higher or rung.tx_hash in self.for_pools_that_forgot
        for live in self.hot.state.book.all():
            if live.target.name != rung.target and self.is_held(live, key):
                assert not rung.target, "two contracts have one nonce"
                own = [one.rung.tx_hash for one in (*live.cancels, *live.fills)]
                assert rung.tx_hash in own, "another response's transfer replaces a pause"
        assert rung.fees.max_fee <= self.hot.gas.max_fee
        if top is None or rung.fees.max_fee > top.fees.max_fee:
            self.top[key] = rung
        cost = rung.gas_limit * rung.fees.max_fee
        self.worst[key][rung.tx_hash] = max(self.worst[key].get(rung.tx_hash, 0), cost)

    def is_of_a_stale_one(self, rung: Rung) -> bool:
        """What takes a stale response back as far as its caps go replaces nothing."""
        stale = [one for one in self.hot.state.book.all() if one.is_stale]
        return rung.tx_hash in [each.rung.tx_hash for one in stale for each in one.cancels]

    def is_held(self, live: Live, key: Key) -> bool:
        """Whether a response that is not over has a pause at a nonce that is not used."""
        return key not in self.paid and any((one.rung.guardian, one.rung.nonce) == key for one in live.sent)

    def cost(self, key: Key, live: Live | None = None) -> int:
        """Of a nonce, at the most; by what this response sent."""
        own = None if live is None else {one.rung.tx_hash for one in live.out}
        if key in self.paid:
            tx_hash, paid = self.paid[key]
            if tx_hash is None or (own is not None and tx_hash not in own):
                return 0
            return paid + self.to_builders(key, live)
        worst = [wei for tx_hash, wei in self.worst[key].items() if own is None or tx_hash in own]
        return max(worst) + self.to_builders(key, live) if worst else 0

    def to_builders(self, key: Key, live: Live | None) -> int:
        """Promised with what a response has at a nonce, by this one or the dearest."""
        whose = self.builders.get(key, {})
        return max(whose.values(), default=0) if live is None else whose.get(live.action.action_id, 0)

    @invariant()
    def no_response_may_cost_more_than_one_may(self) -> None:
        for live in self.hot.state.book.all():
            keys = {(one.rung.guardian, one.rung.nonce) for one in live.out}
            assert sum(self.cost(key, live) for key in keys) <= MAX_COST + self.given_back
            assert self.hot.promised(live.target.name) <= MAX_COST + self.given_back

    @invariant()
    def all_of_a_day_together_cost_no_more_than_the_budget(self) -> None:
        assert sum(map(self.cost, self.worst)) <= BUDGET + self.given_back
        assert self.hot.state.rails.spent(self.hot.state.steady()) <= BUDGET + self.given_back

    @invariant()
    def the_rails_hold_what_each_response_may_cost(self) -> None:
        for live in [one for one in self.hot.state.book.all() if one.sent]:
            held = self.hot.state.rails._responses[live.action.action_id].cost
            assert held >= self.hot.promised(live.target.name)

    @invariant()
    def what_waits_to_be_paid_is_off_the_balance(self) -> None:
        for guardian in self.hot.guardians:
            waits = sum(
                self.cost(key, live) - self.to_builders(key, live)
                for live in self.hot.state.book.all()
                for key in {(one.rung.guardian, one.rung.nonce) for one in live.out}
                if key[0] == guardian.address and key not in self.paid and self.cost(key, live)
            )
            assert self.hot.state.funds(guardian) <= guardian.balance - waits

    @invariant()
    def what_goes_to_a_builder_is_no_response_of_its_own(self) -> None:
        assert len(self.hot.state.rails._times) <= self.answers

    # What happens.

    def lives(self) -> list[Live]:
        return [live for live in self.hot.state.book.all() if live.action.state is ActionState.SENT]

    @rule(name=NAME, tip=TIPS, grave=st.booleans(), loss=st.none() | st.integers(0, ETHER // 10))
    def alert(self, name: str, tip: int, grave: bool, loss: int | None) -> None:
        self.threats += 1
        is_new = name not in self.hot.state.book.by_target
        note = self.hot.alert(
            name, f"0x{self.threats:02x}", f"0x{self.threats}", tip=tip, grave=grave, loss=loss
        )
        self.answers += is_new and note.action_id is not None

    @precondition(lambda self: self.lives())
    @rule(which=NUMBER)
    def raise_it(self, which: int) -> None:
        self.hot.bids.escalate(self.one(which), "not in a block")

    @precondition(lambda self: self.lives())
    @rule(which=NUMBER)
    def look_at_what_is_before_it(self, which: int) -> None:
        """No other's pause there bids less than it takes, unless that is said."""
        live, hot = self.one(which), self.hot
        hot.bids.clear_the_way(live)
        if live.withdrawn or live.is_stale or live.last is None:
            return
        takes = min(live.wanted_tip, live.last.rung.fees.effective(hot.state.base_fee))
        for other in self.lives():
            last = other.last
            if last is None or other.withdrawn or other.is_stale or last.rung.nonce in live.held_up:
                continue
            if last.rung.guardian == live.last.rung.guardian and last.rung.nonce < live.last.rung.nonce:
                is_used = last.rung.nonce < live.guardian.latest
                assert is_used or last.rung.fees.effective(hot.state.base_fee) >= takes

    @precondition(lambda self: self.lives())
    @rule(which=NUMBER)
    def move(self, which: int) -> None:
        self.hot.bids.next_nonce(self.one(which), "its nonce is used")

    @precondition(lambda self: self.lives())
    @rule(which=NUMBER)
    def take_another_key(self, which: int) -> None:
        self.hot.bids.change_guardian(self.one(which), "stuck")

    @precondition(lambda self: self.lives())
    @rule(which=NUMBER)
    def send_again(self, which: int) -> None:
        self.hot.bids.rebroadcast(self.one(which))

    @precondition(lambda self: self.lives())
    @rule(which=NUMBER, tip=TIPS, meanwhile=st.none() | NAME)
    def fill(self, which: int, tip: int, meanwhile: str | None) -> None:
        """A transfer is signed, and something else may happen before it goes out."""
        live = self.one(which)
        guardian = live.guardian
        for nonce in self.hot.transfers.blocked_by(live):
            above = guardian.out.get(nonce)
            fees = self.hot.transfers.fees_to_fill(live, nonce, above)
            if isinstance(fees, str):
                continue
            if meanwhile is not None:
                self.alert(meanwhile, tip, True, None)
            self.hot.transfers.fill(live, self.hot.transfer(guardian, nonce, fees), above)

    @precondition(lambda self: self.lives())
    @rule(which=NUMBER, is_gone=st.booleans(), is_stale=st.booleans())
    def withdraw(self, which: int, is_gone: bool, is_stale: bool) -> None:
        """`is_stale`: a restart found it, long after."""
        live = self.one(which)
        live.is_stale = live.is_stale or is_stale
        is_gone = is_gone or live.is_stale
        for threat in live.threats.values():
            threat.fate, threat.fate_at = Fate.GONE, time.monotonic() - 60
        nonce, last = live.action.nonce, live.last
        assert nonce is not None
        assert last is not None
        above = live.guardian.out.get(nonce, last.rung.fees)
        fees = self.hot.transfers.fees_to_withdraw(live, nonce, above)
        if fees is not None:
            if not is_gone:
                next(iter(live.threats.values())).fate = Fate.PENDING
            transfer = self.hot.transfer(live.guardian, nonce, fees)
            assert self.hot.transfers.withdraw(live, transfer, above) is is_gone

    @precondition(lambda self: self.lives())
    @rule(which=NUMBER, value=st.integers(0, MAX_COST), max_fee=st.integers(1, 100 * GWEI))
    def pay_a_builder(self, which: int, value: int, max_fee: int) -> None:
        live = self.one(which)
        gas_cost = TRANSFER_GAS * max_fee
        promised = self.hot.bids.promise(live, value, gas_cost)
        assert promised <= value
        if promised and live.last is not None:
            mine = self.builders[live.guardian.address, live.last.rung.nonce]
            mine[live.action.action_id] = max(mine.get(live.action.action_id, 0), promised + gas_cost)

    @precondition(lambda self: self.hot.wire.posted)
    @rule(kind=st.sampled_from([Reply.ACCEPTED, Reply.NO_FUNDS, Reply.POOL_FULL, Reply.NO_ANSWER]))
    def say(self, kind: Reply) -> None:
        """The only endpoint's answer to what was posted last."""
        self.hot.wire.say(kind)
        if kind is Reply.NO_FUNDS:
            rung = signed(self.hot.wire.posted[-1])
            self.worst[rung.guardian, rung.nonce].pop(rung.tx_hash, None)

    @rule(whose=st.integers(0, 1), is_ours=st.booleans(), data=st.data())
    def mine(self, whose: int, is_ours: bool, data: st.DataObject) -> None:
        """A block has the next transaction of a guardian, whichever it was; and the watch looks at it."""
        guardian = self.hot.guardians[whose]
        key = (guardian.address, guardian.latest)
        ours = self.worst[key] if is_ours else {}
        mined = data.draw(st.sampled_from(sorted(ours))) if ours else None
        cost = 0 if mined is None else data.draw(st.integers(1, ours[mined]))
        self.paid[key] = mined, cost
        self.blocks = [*self.blocks, (key, mined)] if mined is not None else []
        self.look(guardian, guardian.latest + 1, -cost)

    @precondition(lambda self: self.blocks and self.is_followed(self.blocks[-1]))
    @rule()
    def reorg(self) -> None:
        """The last block is gone, and what it had waits again."""
        key, _ = self.blocks.pop()
        _, cost = self.paid.pop(key)
        self.given_back += self.cost(key) - cost
        [guardian] = [one for one in self.hot.guardians if one.address == key[0]]
        self.look(guardian, key[1], cost)

    def is_followed(self, block: tuple[Key, str]) -> bool:
        """All that went out at this nonce is of responses that are not over."""
        key, mined = block
        out = {one.rung.tx_hash for live in self.hot.state.book.all() for one in live.out}
        return {mined, *self.worst[key]} <= out

    def look(self, guardian: Guardian, latest: int, gained: int) -> None:
        """The watch sees another head."""
        with self.hot.state.lock:
            self.hot.state.seen(guardian, latest, self.pending(guardian, latest), guardian.balance + gained)
            self.hot.arm(guardian, 4)
            self.hot.state.head += 1
        mined = {tx_hash: (key, cost) for key, (tx_hash, cost) in self.paid.items() if tx_hash is not None}
        for live in [one for one in self.hot.state.book.all() if one.sent]:
            paid = dict(mined[one.rung.tx_hash] for one in live.out if one.rung.tx_hash in mined)
            is_included = any(one.rung.tx_hash in mined for one in live.sent)
            self.hot.state.settle(live, paid, is_included=is_included)
            state = ActionState.INCLUDED if is_included else ActionState.SENT
            if live.action.state is not state:
                self.hot.state.advance(live, state, "mined" if is_included else "its block left the chain")

    def pending(self, guardian: Guardian, nonce: int) -> int:
        """The pool loses all that waits behind a gap."""
        while self.worst.get((guardian.address, nonce)):
            nonce += 1
        return nonce

    @precondition(lambda self: self.hot.state.book.all())
    @rule(which=NUMBER)
    def end(self, which: int) -> None:
        lives = self.hot.state.book.all()
        self.hot.end(lives[which % len(lives)].target.name)

    @precondition(
        lambda self: any(one.action.state is ActionState.INCLUDED for one in self.hot.state.book.all())
    )
    @rule(which=NUMBER)
    def take_back_the_rest(self, which: int) -> None:
        """Of a response that a block has: each nonce once."""
        included = [one for one in self.hot.state.book.all() if one.action.state is ActionState.INCLUDED]
        live = included[which % len(included)]
        for one in self.hot.transfers.rest(live):
            guardian, nonce = self.hot.state.by_address[one.rung.guardian], one.rung.nonce
            above = guardian.out[nonce]
            fees = self.hot.transfers.fees_to_take_back(live, guardian, nonce, above)
            if fees is not None and not self.hot.transfers.is_taken_back(live, one):
                transfer = self.hot.transfer(guardian, nonce, fees)
                assert self.hot.transfers.take_back(live, transfer, above, is_done=True)
                assert self.hot.transfers.is_taken_back(live, one)
                # A reorg may have it sent again, which pools refuse.
                self.for_pools_that_forgot.add(one.rung.tx_hash)

    def one(self, which: int) -> Live:
        lives = self.lives()
        return lives[which % len(lives)]


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=400, stateful_step_count=40, deadline=None)
