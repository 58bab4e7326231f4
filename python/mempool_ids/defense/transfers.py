"""Transfers to oneself: in the place of a response that has no cause any more, or of what keeps one waiting."""

from __future__ import annotations

import time
from collections.abc import Iterable

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.amounts import in_ether
from mempool_ids.defense.armed import Fees, Key
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.book import Live
from mempool_ids.defense.draft import TRANSFER_GAS
from mempool_ids.defense.gas import Unaffordable, replacement
from mempool_ids.defense.guardian import Guardian, Loaded
from mempool_ids.defense.outlet import NOWHERE, Outlet
from mempool_ids.defense.rails import Allowed
from mempool_ids.defense.state import State


class Transfers:
    """Whether one may go out, and sending it. Who signs them is the watch."""

    def __init__(self, state: State, bids: Bids, outlet: Outlet = NOWHERE) -> None:
        self._state = state
        self._bids = bids
        self._outlet = outlet

    def may_take_back(self, live: Live) -> bool:
        """Whether there is money for the dearest response afterwards, or half of what a contract has: who lays baits
        shall not find it without."""
        state = self._state
        with state.lock:
            last = live.last
            if last is None or live.withdrawn or live.is_stale:
                return True
            cost = TRANSFER_GAS * replacement(last.rung.fees).max_fee
            cost += state.elsewhere(live, live.guardian, last.rung.nonce)
            left = state.rails.left_after(state.steady(), live.target.name, live.action.action_id, cost)
            ladder = live.guardian.ladder(live.target.name, last.rung.nonce) or (last,)
            return left >= min(ladder[-1].worst_cost, state.rails.budget * 3 // 8)

    def fees_to_take_back(self, live: Live, guardian: Guardian, nonce: int, above: Fees) -> Fees | None:
        """The least that replaces `above`, where the caps of the response leave room for it and a response could
        replace that in turn. None: what is out stays out, or it would be in the way of the answer to the next attack.
        """
        fees = replacement(above)
        with self._state.lock:
            least = replacement(fees)
            ladder = [loaded.rung.fees for loaded in guardian.ladder(live.target.name, nonce)]
            # A contract that is not configured so any more has no next attack to answer.
            is_former = live.target.name not in self._state.targets
            could_answer = is_former or any(
                one.max_fee >= least.max_fee and one.tip >= least.tip for one in ladder
            )
            return fees if could_answer and fees.max_fee <= self._most(live, guardian, nonce) else None

    def fees_to_withdraw(self, live: Live, nonce: int, above: Fees, waits: Live | None = None) -> Fees | None:
        """The same for its last bytes; as much as the bid of a response that waits behind them, where one does. Those
        of a stale response pools may have forgotten: they are replaced up to the caps, and what its caps leave takes
        the nonce where that replaces nothing. None: it cannot be bid more."""
        if waits is not None and waits.last is not None:
            with self._state.lock:
                fees = _as_much(waits.last.rung.fees, above, self._most(live, live.guardian, nonce))
            if fees is not None:
                return fees
        if not live.is_stale:
            return self.fees_to_take_back(live, live.guardian, nonce, above)
        with self._state.lock:
            fees, most = replacement(above), self._most(live, live.guardian, nonce)
            if fees.max_fee <= most:
                return fees
            return None if live.withdrawn or most <= 0 else Fees(most, min(most, fees.tip))

    def _most(self, live: Live, guardian: Guardian, nonce: int) -> int:
        """Under the lock: wei a gas that a transfer may bid there; what makes nothing dearer always may."""
        state, own, grave = self._state, live.action.action_id, live.cause.grave
        left = state.rails.left(state.steady(), live.target.name, grave=grave, action=own)
        room = min(state.gas.max_cost, left) - state.elsewhere(live, guardian, nonce)
        return min(state.gas.max_fee, max(room, state.at(live, guardian, nonce)) // TRANSFER_GAS)

    def withdraw(self, live: Live, transfer: Loaded, above: Fees, *, is_done: bool = False) -> bool:
        """Sends a transfer to oneself in the place of a response that has no cause any more, or that somebody else did
        (`is_done`). False where there is a cause again, or more was bid since `above`."""
        with self._state.lock:
            guardian, nonce = live.guardian, live.action.nonce
            if live.action.state is not ActionState.SENT or nonce is None:
                return False
            if transfer.rung.key != (guardian.address, nonce):
                return False
            if guardian.out.get(nonce, above) != above:
                return False
            if not is_done and not live.is_pointless(time.monotonic()):
                return False
            if not self._is_within(live, transfer):
                return False
            live.cancels.append(transfer)
            live.withdrawn = True
            self._also_out(live, transfer)
            self._bids.post(live, transfer)
            return True

    def rest(self, live: Live) -> list[Loaded]:
        """What else of it may still be mined: of each nonce that is not used, the last that went out."""
        with self._state.lock:
            found: dict[Key, Loaded] = {}
            for one in live.sent:
                if not self._is_used(live, one) and one.rung.tx_hash not in live.nowhere:
                    found[one.rung.key] = one
            return list(found.values())

    def to_be_mined(self, live: Live) -> list[Loaded]:
        """Its transfers that are to be mined: of each nonce that is not used the last, unless a pause replaced it."""
        with self._state.lock:
            transfers = sorted((*live.fills, *live.cancels), key=lambda one: one.rung.fees.max_fee)
            last = {one.rung.key: one for one in transfers if not _is_replaced(one, live.sent)}
            if live.withdrawn:
                last[live.cancels[-1].rung.key] = live.cancels[-1]
            return [one for one in last.values() if not self._is_used(live, one)]

    def is_taken_back(self, live: Live, one: Loaded) -> bool:
        """Whether a transfer went out in the place of these bytes."""
        return _is_replaced(one, (*live.cancels, *live.fills))

    def _is_used(self, live: Live, one: Loaded) -> bool:
        """Under the lock: whether a block has its nonce."""
        guardian = self._whose(live, one)
        return one.rung.key in live.paid or (guardian is not None and one.rung.nonce < guardian.latest)

    def _whose(self, live: Live, one: Loaded) -> Guardian | None:
        """None for a key that is not configured any more, and not the response's own."""
        own = live.guardian if live.guardian.address == one.rung.guardian else None
        return self._state.by_address.get(one.rung.guardian, own)

    def take_back(self, live: Live, transfer: Loaded, above: Fees, *, is_done: bool) -> bool:
        """Sends a transfer to oneself in the place of what a response that could end has at a nonce. False where there
        is a cause again (unless it is paused, `is_done`), or something else went out there since `above`."""
        with self._state.lock:
            rung, name = transfer.rung, live.target.name
            guardian = self._state.by_address[rung.guardian]
            is_ours = guardian.taken.get(rung.nonce) == name and guardian.out.get(rung.nonce, above) == above
            has_cause = not is_done and not live.is_pointless(time.monotonic())
            if not is_ours or has_cause or not self._is_within(live, transfer):
                return False
            self._post_beside(live, transfer)
            return True

    def _post_beside(self, live: Live, transfer: Loaded) -> None:
        """At another nonce than its own: nobody waits for the answers."""
        live.fills.append(transfer)
        self._also_out(live, transfer)
        if self._outlet.wire is not None:
            self._outlet.wire.post(transfer.body, lambda *_: None)

    def _also_out(self, live: Live, transfer: Loaded) -> None:
        """It is about to go out, too: marked, and promised."""
        state = self._state
        self._bids.mark(transfer.rung, time.time())
        state.by_address[transfer.rung.guardian].went_out(transfer.rung.nonce, transfer.rung.fees)
        state.hold(live)

    def blocked_by(self, live: Live) -> list[int]:
        """Nonces before its own that no response holds, where nothing may be pending that is ever mined."""
        with self._state.lock:
            last, guardian = live.last, live.guardian
            if last is None or live.action.state is not ActionState.SENT:
                return []
            own = live.target.name
            # Its own bids of before wait there to be mined, and pause as well; a head later the pool says whether.
            waiting = {one.rung.nonce for one in live.sent if one.rung.guardian == guardian.address}
            is_known = self._state.head > live.sent_at_head
            before = range(guardian.latest, last.rung.nonce)
            free = [nonce for nonce in before if guardian.taken.get(nonce, own) == own]
            return [
                nonce for nonce in free if nonce not in waiting or (is_known and nonce >= guardian.pending)
            ]

    def fees_to_fill(self, live: Live, nonce: int, above: Fees | None) -> Fees | str:
        """What a transfer bids that fills this nonce in the place of `above`: as much as the response that waits for
        it, or what the caps of the response leave. In words why it may not go out."""
        state, last = self._state, live.last
        with state.lock:
            bid = self._bids.wanted(live, TRANSFER_GAS, nonce)
            if last is None or isinstance(bid, Unaffordable):
                return "nothing waits for it" if last is None else bid.reason
            ceiling = min(state.gas.max_fee, bid.allowed_wei // TRANSFER_GAS)
            fees = _as_much(last.rung.fees, above, ceiling)
            return fees or f"what waits there can be replaced for more than {in_ether(bid.allowed_wei)} alone"

    def fill(self, live: Live, transfer: Loaded, above: Fees | None) -> bool:
        """Sends a transfer to oneself at a nonce before a response that waits for it. False where something else went
        out there since `above`, or the response has no room for it any more."""
        state, rung = self._state, transfer.rung
        with state.lock:
            guardian, name = live.guardian, live.target.name
            is_free = guardian.taken.get(rung.nonce, name) == name and guardian.out.get(rung.nonce) == above
            waits = live.action.state is ActionState.SENT and guardian.address == rung.guardian
            if not (is_free and waits and self._is_within(live, transfer)):
                return False
            self._post_beside(live, transfer)
            return True

    def _is_within(self, live: Live, transfer: Loaded) -> bool:
        """Whether the caps of the response leave room for it as well; what makes nothing dearer always may."""
        state = self._state
        cost = state.promised(live, transfer)
        if cost <= state.promised(live):
            return True
        own, grave = live.action.action_id, live.cause.grave
        allowed = state.rails.may_raise(state.steady(), own, cost, grave=grave)
        return cost <= state.gas.max_cost and isinstance(allowed, Allowed)


def _as_much(like: Fees, above: Fees | None, ceiling: int) -> Fees | None:
    """As much as `like`, and what replaces `above`, up to so many wei a gas; None where nothing does."""
    least = Fees(0, 0) if above is None else replacement(above)
    if least.max_fee > ceiling:
        return None
    max_fee = min(ceiling, max(least.max_fee, like.max_fee))
    return Fees(max_fee, min(max_fee, max(least.tip, like.tip)))


def _is_replaced(one: Loaded, others: Iterable[Loaded]) -> bool:
    """Whether another of these has its nonce for more."""
    own = one.rung
    return any(other.rung.key == own.key and other.rung.fees.max_fee > own.fees.max_fee for other in others)
