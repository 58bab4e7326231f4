"""What is bid for a response: which rung goes out, when a higher one, when at another nonce or with another key."""

from __future__ import annotations

import time
from dataclasses import replace

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.armed import EXACT, Fees, Rung
from mempool_ids.defense.book import Live
from mempool_ids.defense.exact import Exact
from mempool_ids.defense.gas import Bid, Situation, Unaffordable
from mempool_ids.defense.gas import gas_limit as limit_of
from mempool_ids.defense.guardian import Guardian, Ladder, Loaded
from mempool_ids.defense.ladder import choose
from mempool_ids.defense.outlet import NOWHERE, Outlet
from mempool_ids.defense.rails import Refused
from mempool_ids.defense.refusals import NOT_BY_THIS_KEY
from mempool_ids.defense.state import State

# How long a response waits to be armed, where more contracts are attacked at once than nonces are armed.
ARMED_S = 10.0


class Bids:
    """Chooses and sends.

    Args:
        by_fee_cap: the node orders its blocks by fee caps and not by tips.
        legacy: transactions have one gas price.
    """

    def __init__(self, state: State, outlet: Outlet = NOWHERE, *, by_fee_cap: bool, legacy: bool) -> None:
        self._state = state
        self._outlet = outlet
        self._by_fee_cap = by_fee_cap
        self._legacy = legacy
        self.sent_at: float | None = None
        """When bytes last went out, or would have, Unix seconds."""

    def blank(self, state: State) -> Bids:
        """The same that sends nothing."""
        return Bids(state, by_fee_cap=self._by_fee_cap, legacy=self._legacy)

    @property
    def shadow(self) -> bool:
        """Whether nothing is sent."""
        return self._outlet.wire is None

    def act(self, live: Live) -> str:
        """A human agreed, or nobody answered and the default is to act; or what was not armed may be now."""
        with self._state.lock:
            is_intent = live.action.state is ActionState.INTENT
            return self.begin(live) if is_intent else "it is under way already"

    def begin(self, live: Live) -> str:
        """Under the lock: the first bid, by whoever can pay it; what was done, in words. Whatever it raises, the next
        alert for this contract does not find it in the way."""
        live.question = None
        try:
            live.guardian = self._state.guardian_for(live.target.name)
            return self.bid(live)
        except Exception as error:
            mistake = f"of a mistake of ours ({type(error).__name__})"
            if live.sent:
                self._may_be_out(live, f"it may be out, because {mistake}")
            else:
                self.give_up(live, mistake)
            raise

    def _may_be_out(self, live: Live, reason: str) -> None:
        """Under the lock: it is followed."""
        action = live.action
        if action.state is ActionState.INTENT:
            self._state.change(live, ActionState.VERIFIED, reason)
        if action.state is ActionState.VERIFIED:
            action.attempt = max(1, action.attempt)
            self._state.change(live, ActionState.SENT, reason, tx_hash=action.tx_hash)

    def bid(self, live: Live, *, nonce: int | None = None, because: str = "") -> str:
        """Under the lock: chooses the rung that the bid asks for, and sends it unless one as high is out.

        Args:
            nonce: another one than the action has.

        Returns:
            What was done, in words.
        """
        state, action, guardian, cause = self._state, live.action, live.guardian, live.cause
        if self._is_only_followed(live):
            return "it is followed, and nothing more is bid for it"
        if nonce is None:
            nonce = action.nonce
            if nonce is None or (nonce < guardian.latest and live.withdrawn):
                # Where a cancellation used it, nothing sent there pauses any more.
                nonce = guardian.next_nonce()
        ladder = guardian.ladder(live.target.name, nonce)
        if not ladder:
            return self._unarmed(live, nonce)
        gas_limit = ladder[0].rung.gas_limit
        bid = self.wanted(live, gas_limit, nonce)
        if isinstance(bid, Unaffordable):
            return self.give_up(live, bid.reason)
        live.wanted_tip = max(live.wanted_tip, bid.wanted_tip)
        least = cause.max_fee + 1 if self._by_fee_cap and cause.max_fee else 0
        live.least_fee_cap = max(live.least_fee_cap, least)
        own = live.last.rung if live.last is not None and not live.withdrawn else None
        is_there = own is not None and own.key == (guardian.address, nonce)
        if own is not None and is_there and self._reaches(live, own.fees, bid.tip):
            return "the bid that is out is high enough"
        if self._lower_before(live, nonce, bid.tip):
            other = self._unhindered(live, bid.tip)
            if other is not None:
                return self._with(live, other, because)
        above = guardian.out.get(nonce)
        loaded = self._rung(live, ladder, bid.tip, bid.allowed_wei, above)
        is_taken_back = live.withdrawn and (guardian.address, nonce) == (action.guardian, action.nonce)
        if loaded is None and above is not None and (is_taken_back or not live.sent):
            # Behind what is there, a cancellation or bytes of a response that is over, in the same block.
            return self.bid(live, nonce=guardian.next_nonce(above=nonce), because=because)
        if loaded is None:
            return self.give_up(
                live, "no rung that is armed replaces what is out" if above else "no rung can be paid for"
            )
        if self._outlet.exact is not None:
            loaded = self._exactly(self._outlet.exact, live, loaded, bid) or loaded
        if live.sent and (refused := self._refused(live, loaded)):
            return refused
        short = loaded.rung.fees.effective(state.base_fee) < bid.wanted_tip
        action.capped = short or bid.capped_by is not None
        words = (
            bid.reason
            if not action.capped
            else f"{bid.reason}; CUT SHORT by {bid.capped_by or 'the highest rung'}"
        )
        if bid.likely_lost:
            words = f"{words}; LIKELY LOST: others can copy the attack, and may bid most of the loot"
        held_up = self._send(live, loaded, f"{because}; {words}" if because else words)
        return f"{'would be paused' if self.shadow else 'paused'} because {cause.reason}: {words}{held_up}"

    def _is_only_followed(self, live: Live) -> bool:
        """It was sent before a restart: into shadow mode, where nothing is signed, or to another configuration."""
        return live.target.name not in self._state.targets or (self.shadow and not live.action.shadow)

    def _reaches(self, live: Live, fees: Fees | None, tip: int) -> bool:
        """Whether a block has what bids so before what this response answers."""
        if fees is None or fees.max_fee < live.least_fee_cap:
            return False
        return fees.effective(self._state.base_fee) >= tip

    def _lower_before(self, live: Live, nonce: int, tip: int) -> list[int]:
        """Under the lock: nonces of its guardian before this one where less is out: a block has them first, however
        much is bid here."""
        guardian = live.guardian
        before = range(guardian.latest, nonce)
        return [one for one in before if not self._reaches(live, guardian.out.get(one), tip)]

    def _unhindered(self, live: Live, tip: int) -> Guardian | None:
        """Under the lock: another key that can bid as much, with nothing before it."""
        for other in self._state.guardians:
            nonce = other.latest
            ladder = other.ladder(live.target.name, nonce)
            if other is live.guardian or nonce in other.taken or not ladder:
                continue
            bid = self.wanted(live, ladder[0].rung.gas_limit, nonce, other)
            if isinstance(bid, Unaffordable):
                continue
            loaded = self._rung(live, ladder, tip, bid.allowed_wei, other.out.get(nonce))
            if loaded is None or not self._reaches(live, loaded.rung.fees, tip):
                continue
            if not live.sent or self._refused(live, loaded) is None:
                return other
        return None

    def _with(self, live: Live, guardian: Guardian, because: str) -> str:
        """Under the lock: `bid` at this guardian's next nonce. Where nothing goes out, it stays its former one's."""
        before, sent = live.guardian, len(live.sent)
        live.guardian = guardian
        try:
            return self.bid(live, nonce=guardian.next_nonce(), because=because)
        finally:
            if len(live.sent) == sent:
                live.guardian = before

    def _rung(
        self, live: Live, ladder: Ladder, tip: int, allowed_wei: int, above: Fees | None
    ) -> Loaded | None:
        """The lowest of a ladder that reaches the tip, replaces what is out, and can be paid for."""
        first = ladder[0].rung
        chosen, _ = choose(
            [loaded.rung.fees for loaded in ladder],
            tip,
            self._state.base_fee,
            allowed_wei,
            first.gas_limit,
            above,
            least_fee_cap=live.least_fee_cap,
        )
        return None if chosen is None else ladder[chosen]

    def wanted(
        self, live: Live, gas_limit: int, nonce: int, guardian: Guardian | None = None
    ) -> Bid | Unaffordable:
        """Under the lock: what is bid at this nonce of its guardian, or of this one, and may cost there."""
        state, cause, guardian = self._state, live.cause, guardian or live.guardian
        own = live.action.action_id if live.sent else None
        left = state.rails.left(state.steady(), live.target.name, grave=cause.grave, action=own)
        situation = Situation(
            base_fee=state.base_fee,
            pause_gas=cause.pause_gas,
            gas_limit=gas_limit,
            # What is left for this threat, as the rails have it: none may take what is kept back for another.
            spent_today=state.gas.daily_budget - left,
            elsewhere=state.elsewhere(live, guardian, nonce),
            balance=state.funds(guardian, live, nonce),
            urgency=cause.urgency,
            legacy=self._legacy,
        )
        return state.gas.bid(cause.priced, situation)

    def _exactly(self, exact: Exact, live: Live, loaded: Loaded, bid: Bid) -> Loaded | None:
        """The very bid, where that is wanted or the rung's gas limit is short; None where the rung must do."""
        rung, need = loaded.rung, live.cause.pause_gas
        is_short = need * 10 > rung.gas_limit * 9
        if not is_short and (self._by_fee_cap or not self._outlet.always_exact):
            return None
        least = limit_of(need) if need and live.target.gas is None else 0
        limit, fees = max(least, rung.gas_limit), rung.fees if is_short else bid.fees
        above = live.guardian.out.get(rung.nonce)
        signed = exact.sign(live.guardian, live.target, rung.nonce, limit, fees, above)
        fits = signed is not None and signed.rung.fees.max_fee <= self._state.gas.max_fee
        return signed if signed is not None and fits and signed.worst_cost <= bid.allowed_wei else None

    def _refused(self, live: Live, loaded: Loaded) -> str | None:
        """Why the rails do not allow that it goes out as well."""
        state = self._state
        cost = state.promised(live, loaded)
        allowed = state.rails.may_raise(state.steady(), live.action.action_id, cost, grave=live.cause.grave)
        return allowed.reason if isinstance(allowed, Refused) else None

    def _unarmed(self, live: Live, nonce: int) -> str:
        """More victims than armed nonces: the next ones are being signed, and the watch tries again."""
        reason = f"nothing is armed for {live.target.name} at nonce {nonce}"
        now = time.monotonic()
        if live.action.state is not ActionState.INTENT:
            return reason
        if self.shadow or (live.unarmed_since is not None and now > live.unarmed_since + ARMED_S):
            return self.give_up(live, reason)
        live.unarmed_since = live.unarmed_since or now
        return f"{reason} yet: it is tried again"

    def give_up(self, live: Live, reason: str) -> str:
        """Under the lock: what is out stays out; with nothing out the action is over."""
        if live.action.state is ActionState.SENT:
            return reason
        self._state.change(live, ActionState.FAILED, reason)
        self._state.close(live)
        return f"not paused because {reason}"

    def _send(self, live: Live, loaded: Loaded, reason: str) -> str:
        """Mark, promise, send, and only then say so. What it is held up by, in words."""
        state, action, rung = self._state, live.action, loaded.rung
        decided_at = time.time()
        self.mark(rung, decided_at)
        # Before it goes out: an answer may be faster than we are.
        live.sent.append(loaded)
        action.guardian, action.nonce, action.tx_hash = (
            live.guardian.address,
            rung.nonce,
            rung.tx_hash or None,
        )
        action.gas_limit = rung.gas_limit
        action.max_fee_per_gas, action.max_priority_fee_per_gas = rung.fees.max_fee, rung.fees.tip
        state.hold(live)
        if not self.shadow:
            live.guardian.taken[rung.nonce] = live.target.name
            live.guardian.went_out(rung.nonce, rung.fees)
        took = self.post(live, loaded)
        sent_at = self.sent_at = time.time()
        live.withdrawn, live.unarmed_since = False, None
        if action.state is ActionState.INTENT:
            state.change(live, ActionState.VERIFIED, reason, at=decided_at)
        action.attempt += 1
        held_up = self._clear_the_way(live)
        what = "exact" if rung.rung == EXACT else f"rung {rung.rung}"
        where = "would be sent" if self.shadow else f"sent to {took} endpoints"
        words = f"{what}: {where}; {reason}{held_up}"
        state.change(live, ActionState.SENT, words, at=sent_at, tx_hash=action.tx_hash)
        return held_up

    def clear_the_way(self, live: Live) -> None:
        """Raises what has the nonces before its own, where that bids less than it needs: a block has an account's
        nonces in their order."""
        with self._state.lock:
            self._clear_the_way(live)

    def _clear_the_way(self, live: Live) -> str:
        """Under the lock: what stays lower, in words."""
        tip, live.held_up = self._needed_tip(live), ()
        if tip is not None:
            live.held_up = tuple(one for one in self._held_up_by(live) if not self._is_raised(live, one, tip))
        if not live.held_up:
            return ""
        live.action.capped = True
        return f"; HELD UP by {live.waits_for}, where less is bid and no more can be"

    def _needed_tip(self, live: Live) -> int | None:
        """Under the lock: wei a gas that it needs, as far as its last bid reaches that; None where nothing is out."""
        last = live.last
        if last is None or live.action.state is ActionState.INCLUDED or live.withdrawn or live.is_stale:
            return None
        return min(live.wanted_tip, last.rung.fees.effective(self._state.base_fee))

    def _held_up_by(self, live: Live) -> list[int]:
        """Under the lock: nonces before its own where less is out than it needs."""
        tip = self._needed_tip(live)
        return [] if live.last is None or tip is None else self._lower_before(live, live.last.rung.nonce, tip)

    def _is_raised(self, live: Live, nonce: int, tip: int) -> bool:
        """Under the lock: whether what is out at a nonce before its own reaches the tip now, or is the watch's to raise
        at once: it signs transfers to oneself."""
        guardian = live.guardian
        front = self._state.book.by_target.get(guardian.taken.get(nonce, ""))
        if front is None:
            return True
        if front is live or front.last is None or front.last.rung.key != (guardian.address, nonce):
            return False
        if front.withdrawn or front.is_stale:
            return True
        own = front.cause, front.least_fee_cap
        # It is to come before the threat to this one as well, and may cost what that is worth: this once.
        front.cause = replace(live.cause.and_also(front.cause), pause_gas=front.cause.pause_gas)
        front.least_fee_cap = max(front.least_fee_cap, live.least_fee_cap)
        try:
            self._raise(front, tip, f"{live.target.name} waits for its nonce", waits=live)
        finally:
            front.cause, front.least_fee_cap = own
        return self._reaches(live, guardian.out.get(nonce), tip)

    def is_held_up_by(self, live: Live, nonce: int) -> bool:
        """Whether less is out at this nonce of its guardian, before its own, than it needs."""
        with self._state.lock:
            return nonce in self._held_up_by(live)

    def waits_behind(self, live: Live) -> Live | None:
        """The response that bids the most, of those that wait for its nonce and are held up by what is out there."""
        with self._state.lock:
            held_up = [
                one
                for one in self._state.book.all()
                if one.guardian is live.guardian and live.action.nonce in self._held_up_by(one)
            ]
            return max(held_up, key=lambda one: self._needed_tip(one) or 0, default=None)

    def mark(self, rung: Rung, at: float) -> None:
        """Before its bytes go to a socket: a restart knows by it what may be out."""
        if self._outlet.marks is not None:
            self._outlet.marks.put(bytes.fromhex(rung.tx_hash[2:]), at)

    def post(self, live: Live, loaded: Loaded) -> int:
        """Under the lock: to every endpoint; how many there are."""
        took, wire, answered = 0, self._outlet.wire, self._outlet.answered
        if wire is not None:
            number = live.posts = live.posts + 1
            live.heard = {}
            took = wire.post(loaded.body, lambda name, reply: answered(live, loaded, number, name, reply))
        live.sent_at_head, live.posted_at = self._state.head, time.monotonic()
        return took

    def rebroadcast(self, live: Live) -> None:
        """The same bytes: harmless where they are known. A pause that is too old goes out no more."""
        with self._state.lock:
            last = live.cancels[-1] if live.withdrawn else live.last
            if last is not None and (live.withdrawn or not live.is_stale):
                self.post(live, last)

    def escalate(self, live: Live, reason: str) -> bool:
        """The next higher rung at the same nonce. False where there is none that can be paid for."""
        with self._state.lock:
            return self._raise(live, live.wanted_tip, reason)

    def _raise(self, live: Live, tip: int, reason: str, waits: Live | None = None) -> bool:
        """Under the lock: a higher rung at the same nonce, the lowest that reaches the tip. False where there is none
        that can be paid for.

        Args:
            waits: for which it is raised. Then only what reaches the tip is sent, and never of the quarter of the
                budget that is kept for other contracts: one bait would make all that stand before it dear.
        """
        nonce = live.action.nonce
        is_sent = live.action.state is ActionState.SENT
        if live.last is None or nonce is None or not is_sent or self._is_only_followed(live):
            return False
        ladder = live.guardian.ladder(live.target.name, nonce)
        bid = self.wanted(live, ladder[0].rung.gas_limit, nonce) if ladder else None
        if bid is None or isinstance(bid, Unaffordable):
            return False
        loaded = self._rung(live, ladder, tip, bid.allowed_wei, live.guardian.out.get(nonce))
        if loaded is None or self._refused(live, loaded):
            return False
        if waits is not None and not (
            self._reaches(waits, loaded.rung.fees, tip) and self._leaves_the_rest(live, loaded)
        ):
            return False
        self._send(live, loaded, reason)
        return True

    def _leaves_the_rest(self, live: Live, loaded: Loaded) -> bool:
        state, action = self._state, live.action
        cost = state.promised(live, loaded)
        return state.rails.left_after(state.steady(), action.target, action.action_id, cost) > 0

    def next_nonce(self, live: Live, reason: str) -> bool:
        """The same intent once more, as its nonce is used by something else. False where it could not be sent."""
        with self._state.lock:
            return self.move(live, self._state.guardian_for(live.target.name), reason)

    def change_guardian(self, live: Live, reason: str) -> bool:
        """The same intent with another key. False where no other one is armed for it and can pay."""
        state = self._state
        with state.lock:
            others = (other for other in state.guardians if other is not live.guardian)
            able = next((other for other in others if state.is_able(other, live.target.name)), None)
            return able is not None and self.move(live, able, reason)

    def move(self, live: Live, guardian: Guardian, reason: str) -> bool:
        """Under the lock: the same intent at this guardian's next nonce. False where it could not be sent."""
        sent = len(live.sent)
        nowhere = {live.sent[-1].rung.tx_hash} if self._is_nowhere(live) else set()
        live.nowhere |= nowhere
        try:
            self._with(live, guardian, reason)
        finally:
            if len(live.sent) == sent:
                # The last bytes are the last still: they go out again, and may be taken.
                live.nowhere -= nowhere
        return len(live.sent) > sent

    def _is_nowhere(self, live: Live) -> bool:
        """Whether every endpoint says of the last bytes, to what went out last, that the key cannot pay them: they
        cost nothing, and another may bid all that a response may cost. Not where builders have them, who say nothing.
        """
        wire, heard = self._outlet.wire, dict(live.heard)
        if not heard or wire is None or self._outlet.is_offered:
            return False
        newest = {name: one.answer.kind for name, one in heard.items() if one.post == live.posts}
        return newest.keys() >= set(wire.names) and set(newest.values()) <= NOT_BY_THIS_KEY

    def promise(self, live: Live, value: int, gas_cost: int) -> int:
        """Wei of a transfer that goes with a response: as much of `value` as the caps of the response leave, or 0.
        What it costs is promised with the response; again for the same nonce, the most of it is."""
        state = self._state
        with state.lock:
            last, guardian = live.last, live.guardian
            if last is None or live.action.state is not ActionState.SENT or self._is_only_followed(live):
                return 0
            nonce = last.rung.nonce
            key = (guardian.address, nonce)
            bid = self.wanted(live, last.rung.gas_limit, nonce)
            allowed = 0 if isinstance(bid, Unaffordable) else bid.allowed_wei
            before = live.to_builders.get(key, 0)
            room = allowed + before - state.at(live, guardian, nonce)
            value = min(value, max(0, room - gas_cost))
            if value > 0:
                live.to_builders[key] = max(before, value + gas_cost)
                state.hold(live)
            return value
