"""The slow half: follows what went out, block by block, until the contract is paused or the cause is gone."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from mempool_ids.defense.action import ENDS, ActionState
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.armed import Call, Fees, Kind, Rung
from mempool_ids.defense.arming import load
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.book import Live, Question
from mempool_ids.defense.broadcast.replies import read
from mempool_ids.defense.chain import Chain, Head, Receipt
from mempool_ids.defense.draft import TRANSFER_GAS, Draft
from mempool_ids.defense.guardian import Guardian, Loaded
from mempool_ids.defense.on_chain import OnChain
from mempool_ids.defense.race import RECEIPTS, Do, Sight, Step, next_step
from mempool_ids.defense.refusals import SILENT, after
from mempool_ids.defense.shadow import position
from mempool_ids.defense.state import State
from mempool_ids.defense.transfers import Transfers
from mempool_ids.defense.trigger import Note
from mempool_ids.exceptions import NodeError
from mempool_ids.node import RpcError

log = logging.getLogger(__name__)

# Threats of one action that are looked for in blocks.
_LOOKED_FOR = 16
# Heads after which a threat that no block has is no longer waited for in shadow mode.
_IMAGINED = 50
# Heads without anything higher to bid, after which a second guardian takes over.
STUCK = 3
# Seconds for which nodes may not answer about a response until people are told.
UNSEEN_S = 15.0
# Seconds after which bytes that no endpoint answered to go out once more.
_AGAIN_S = 0.5

# The alarm where a transfer to oneself cannot be signed or journaled.
_NOT_SIGNED = "transfer not signed"
# And where a response waits for a nonce of its key that bids less.
_HELD_UP = "response held up"

_GONE = "cancelled: what it answers was replaced or dropped"


class Refuse(Protocol):
    """`Trigger.refuse`."""

    def __call__(self, live: Live, reason: str, *, by_human: bool) -> Note | None: ...


class Watch:
    """Drives what is live.

    Args:
        arm: journals rungs; they may go out afterwards.
        human: what somebody answers about an action, None while there is no answer.
        refuse: closes a question without a response, as `Trigger.refuse`.
    """

    def __init__(
        self,
        state: State,
        bids: Bids,
        transfers: Transfers,
        chain: Chain,
        chain_id: int,
        kind: Kind,
        depth: int,
        *,
        default_act: bool,
        cancels: bool,
        arm: Callable[[list[Rung]], Awaitable[None]],
        alarms: Alarms,
        human: Callable[[str], Awaitable[bool | None]],
        refuse: Refuse,
    ) -> None:
        self._state = state
        self._bids = bids
        self._transfers = transfers
        self._chain = chain
        self._on_chain = OnChain(chain)
        self._chain_id = chain_id
        self._kind = kind
        self._depth = depth
        self._default_act = default_act
        self._cancels = cancels
        self._arm = arm
        self._alarms = alarms
        self._refuse = refuse
        self._human = human
        self.wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._signing: dict[str, asyncio.Task[None]] = {}
        """By action: a transfer of it is being signed."""

    async def stop(self) -> None:
        """What is being signed goes out no more."""
        tasks = list(self._signing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake_soon(self) -> None:
        """There is something to look at; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.wake.set)

    def answered(self, live: Live, loaded: Loaded, post: int, endpoint: str, reply: bytes | RpcError) -> None:
        """What an endpoint says to bytes that went out; on the wire's own thread."""
        answer = read(reply)
        live.hear(loaded, post, endpoint, answer)
        log.info("response %s: %s: %s", live.action.action_id, endpoint, answer.message or answer.kind)
        self.wake_soon()

    async def look(self, head: Head) -> None:
        """One round over everything live, on a head."""
        self._on_chain.on(head)
        for live in self._state.book.all():
            action_id = live.action.action_id
            try:
                await self._look_at(live, head)
            except NodeError as error:
                log.info("response %s: %s", action_id, error)
                live.unseen_since = live.unseen_since or time.monotonic()
                if time.monotonic() - live.unseen_since >= UNSEEN_S:
                    self._not_followed(live, error)
            except Exception as error:
                # Whatever it is, the others are still looked at.
                log.debug("response %s", action_id, exc_info=True)
                self._not_followed(live, error)
            else:
                live.unseen_since = None
                self._alarms.over("response not followed", action_id)

    def _not_followed(self, live: Live, error: Exception) -> None:
        reason = f"{live.target.name}: {type(error).__name__}: {error}"
        self._alarms.tell_lasting("response not followed", reason, live.action.action_id)

    async def _look_at(self, live: Live, head: Head) -> None:
        if live.question is not None:
            await self._ask(live, live.question)
        elif live.action.state is ActionState.INTENT and live.unarmed_since is not None:
            self._act(live)
        elif live.action.shadow:
            await self._imagine(live, head)
        elif live.action.state in (ActionState.SENT, ActionState.INCLUDED):
            self._begin(live, head)
            self._clear_the_way(live)
            self._unblock(live, head)
            sight = await self._sight(live, head)
            step = next_step(live.action, live.sent_at_head, sight, self._depth, cancelling=live.withdrawn)
            if step.do is Do.NOTHING and step.state is None:
                step = self._refused(live) or self._in_the_way(live) or step
            self._take(live, head, step, sight)

    def _begin(self, live: Live, head: Head) -> None:
        """A block that came before bytes went out, and was not known then, has not left them out: nor what a former
        process sent, which was sent again just now."""
        with self._state.lock:
            if live.last is not live.looked_at:
                live.sent_at_head = max(live.sent_at_head, head.number)
            live.looked_at = live.last

    def _clear_the_way(self, live: Live) -> None:
        """What is before it may have been too dear to raise until now, or was enough until the base fee rose."""
        self._bids.clear_the_way(live)
        if live.held_up:
            reason = f"{live.target.name} waits for {live.waits_for}, where less is bid and no more can be"
            self._alarms.tell_lasting(_HELD_UP, reason, live.action.action_id)

    async def _imagine(self, live: Live, head: Head) -> None:
        """What would have become of a response that was not sent: it is known once the threat is mined, or gone."""
        if live.action.state is not ActionState.SENT or live.last is None:
            return
        if gone := self._cause_gone(live):
            self._state.advance(live, ActionState.CANCELLED, gone)
            return
        attack, _ = await self._attack(list(live.threats), succeeded=False)
        if attack is None:
            if head.number - live.sent_at_head > _IMAGINED:
                self._state.advance(live, ActionState.CANCELLED, "what it answers is in no block")
            return
        block = await self._chain.block(attack[0])
        stands = None if block is None else position(block, live.last.rung.fees)
        won = stands is not None and stands <= attack[1]
        where = "its fee cap was too low" if stands is None else f"it would have stood at {stands}"
        with self._state.lock:
            live.action.won, live.action.block, live.action.position = won, attack[0], stands
        reason = f"the threat is at position {attack[1]} of block {attack[0]}; {where}"
        self._state.advance(live, ActionState.INCLUDED, reason, block=attack[0])
        verdict = "would have come first" if won else "would have come too late"
        self._state.advance(
            live, ActionState.CONFIRMED if won else ActionState.FAILED, verdict, block=attack[0]
        )

    async def _ask(self, live: Live, question: Question) -> None:
        answer = await self._human(live.action.action_id)
        gone = self._cause_gone(live)
        if answer is None and gone is None and time.monotonic() < question.decide_by:
            return
        if answer or (answer is None and gone is None and self._default_act):
            self._act(live)
            return
        reason = "a human refused" if answer is not None else gone or "nobody answered in time"
        note = self._refuse(live, reason, by_human=answer is not None)
        if note is not None and note.tell:
            self._alarms.tell("unanswered", f"{live.target.name}: {note.decision}")

    def _act(self, live: Live) -> None:
        try:
            self._bids.act(live)
        except Exception:
            log.exception("defense: response %s", live.action.action_id)
        self._tell_failed(live)

    def _tell_failed(self, live: Live) -> None:
        if live.action.state is ActionState.FAILED and not live.action.shadow:
            self._alarms.tell("response failed", f"{live.target.name}: {live.action.reason}")

    async def _sight(self, live: Live, head: Head) -> Sight:
        with self._state.lock:
            sent = {loaded.rung.tx_hash for loaded in live.sent}
            cancels = {loaded.rung.tx_hash for loaded in live.withdrawals()}
            out = [loaded.rung for loaded in live.out]
            threats = list(live.threats)[-_LOOKED_FOR:]
        # First: what paused it is in a block by then, and so its receipt is there if it is ours.
        paused = await self._on_chain.paused(live.target)
        mined = [(rung, await self._on_chain.receipt(rung.tx_hash)) for rung in out]
        receipts = {receipt.tx_hash: receipt for _, receipt in mined if receipt is not None}
        attack, is_known = await self._attack(threats)
        return Sight(
            head=head.number,
            latest_nonce=live.guardian.latest,
            receipts={tx_hash: receipt for tx_hash, receipt in receipts.items() if tx_hash in sent},
            cancel=next((receipt for tx_hash, receipt in receipts.items() if tx_hash in cancels), None),
            paused=paused,
            is_checked=live.target.check is not None,
            cause_gone=self._cause_gone(live)
            if (self._cancels or live.is_stale) and self._transfers.may_take_back(live)
            else None,
            attack=attack,
            is_attack_known=is_known,
            paid={rung.key: receipt.cost for rung, receipt in mined if receipt is not None},
        )

    async def _attack(
        self, hashes: Sequence[str], *, succeeded: bool = True
    ) -> tuple[tuple[int, int] | None, bool]:
        """The first that landed, and whether that is known of all of them: what no node says of a threat keeps nobody
        from looking at the response."""
        landed: list[tuple[int, int]] = []
        for tx_hash in hashes:
            try:
                one = await self._on_chain.receipt(tx_hash)
            except NodeError as error:
                log.info("threat %s: %s", tx_hash, error)
                return min(landed, default=None), False
            if one is not None and (one.succeeded or not succeeded):
                landed.append((one.block, one.position))
        return min(landed, default=None), True

    def _cause_gone(self, live: Live) -> str | None:
        if not live.is_pointless(time.monotonic()):
            return None
        return "cancelled: what it answers is too old, or was withdrawn" if live.is_stale else _GONE

    def _refused(self, live: Live) -> Step | None:
        """Where no endpoint took the last bytes, there is no block to wait for."""
        answers = [one.answer for one in list(live.heard.values())]
        if not answers or live.action.state is not ActionState.SENT:
            return None
        kinds = {answer.kind for answer in answers}
        said = next((answer for answer in answers if answer.kind not in SILENT), None)
        if live.withdrawn and said is not None:
            return None
        do = after(kinds, has_stranger=live.action.nonce in live.guardian.strangers)
        reason = "" if said is None else f"refused ({said.kind}): {said.message}"
        if do is Do.REBROADCAST and time.monotonic() <= live.posted_at + _AGAIN_S:
            return None
        return None if do is Do.NOTHING else Step(do, reason=reason)

    def _in_the_way(self, live: Live) -> Step | None:
        """A cancellation that a response waits behind which bids more."""
        waits = self._bids.waits_behind(live) if live.withdrawn else None
        return None if waits is None else Step(Do.CANCEL, reason=f"{waits.target.name} waits behind it")

    def _take(self, live: Live, head: Head, step: Step, sight: Sight) -> None:
        if step.do is Do.ESCALATE:
            self._unblock(live, head, is_overdue=True)
            # While what it waits for is being signed, a higher bid moves nothing, and would take the money for that.
            moves_nothing = self._is_signing(live) and bool(self._transfers.blocked_by(live))
            self._escalate(live, step.reason, may_raise=not moves_nothing)
        elif step.do in (Do.NEXT_NONCE, Do.OTHER_KEY) and live.moved_at_head != head.number:
            # Once for each head: what it finds there is not yet what it did.
            move = self._bids.next_nonce if step.do is Do.NEXT_NONCE else self._bids.change_guardian
            if move(live, step.reason):
                live.moved_at_head = head.number
            else:
                self._is_stuck(live, step.reason)
        elif step.do is Do.CANCEL:
            self._cancel(live, head, step.reason, is_done=bool(sight.paused))
        self._state.settle(live, sight.paid, is_included=step.receipt is not None)
        step = self._end(live, head, step)
        if step.receipt is not None:
            self._note(live, step, step.receipt)
        if step.state is not None:
            self._change(live, step)
        if step.do is Do.REBROADCAST:
            self._bids.rebroadcast(live)
            if step.state is None and step.reason:
                self._is_stuck(live, step.reason)
        if live.action.is_over:
            for kind in ("response stuck", _NOT_SIGNED, _HELD_UP):
                self._alarms.over(kind, live.action.action_id)
        self._tell_failed(live)

    def _end(self, live: Live, head: Head, step: Step) -> Step:
        """Before it ends: what else of it may be mined would pause once more, long after people have unpaused. It is
        taken back, but for a failure, where it may yet pause; what is still out some heads later is told."""
        rest = self._transfers.rest(live) if step.state in ENDS else []
        if not rest:
            live.ends_at_head = None
            return step
        if step.state is ActionState.CANCELLED and not live.is_pointless(time.monotonic()):
            return replace(step, state=None)  # a threat came since it looked
        if live.ends_at_head is None:
            live.ends_at_head = head.number
        if step.state is not ActionState.FAILED and head.number < live.ends_at_head + RECEIPTS:
            is_done = step.state is not ActionState.CANCELLED
            if self._take_back(live, rest, head, is_done=is_done):
                return replace(step, state=None)
        whose = (f"guardian {one.rung.guardian} at nonce {one.rung.nonce}" for one in rest)
        out = f"what {', '.join(whose)} sent may still be mined"
        self._alarms.tell("response left", f"{live.target.name}: {out}")
        return replace(step, reason=f"{step.reason}; {out}")

    def _take_back(self, live: Live, rest: Sequence[Loaded], head: Head, *, is_done: bool) -> bool:
        """Whether transfers have or may yet have the nonces of what is not its last any more. Each is tried once for
        each head."""
        left = [one for one in rest if not self._transfers.is_taken_back(live, one)]
        if left and live.rest_tried_at_head != head.number and not self._is_signing(live):
            live.rest_tried_at_head = head.number
            self._sign(live, functools.partial(self._sign_rest, live, left, is_done=is_done))
        return len(left) < len(rest) or self._is_signing(live)

    async def _sign_rest(self, live: Live, rest: Sequence[Loaded], *, is_done: bool) -> None:
        """Each by itself: they may be of several keys, and one signer of those fail."""
        each = (self._sign_one_of_the_rest(live, one, is_done=is_done) for one in rest)
        for error in await asyncio.gather(*each, return_exceptions=True):
            if error is not None:
                raise error

    async def _sign_one_of_the_rest(self, live: Live, one: Loaded, *, is_done: bool) -> None:
        guardian, nonce = self._state.by_address.get(one.rung.guardian), one.rung.nonce
        if guardian is None:
            return
        above = guardian.out.get(nonce, one.rung.fees)
        fees = self._transfers.fees_to_take_back(live, guardian, nonce, above)
        transfer = None if fees is None else await self._sign_transfer(guardian, nonce, fees)
        if transfer is not None:
            self._transfers.take_back(live, transfer, above, is_done=is_done)

    def _note(self, live: Live, step: Step, receipt: Receipt) -> None:
        with self._state.lock:
            action = live.action
            if step.won is not None:
                action.won = step.won
            if receipt.tx_hash not in [cancel.rung.tx_hash for cancel in live.cancels]:
                action.tx_hash, action.block, action.position = (
                    receipt.tx_hash,
                    receipt.block,
                    receipt.position,
                )

    def _change(self, live: Live, step: Step) -> None:
        receipt = step.receipt
        details = (
            {}
            if receipt is None
            else {
                "tx_hash": receipt.tx_hash,
                "cost_wei": live.cost,
                "block": receipt.block,
            }
        )
        assert step.state is not None  # noqa: S101
        self._state.advance(live, step.state, step.reason, **details)

    def _escalate(self, live: Live, reason: str, *, may_raise: bool) -> None:
        if may_raise:
            if self._bids.escalate(live, reason):
                live.stuck = 0
                return
            self._bids.rebroadcast(live)
            self._is_stuck(live, reason)
        # A signer that is slower than blocks are is no reason to stay with its key.
        live.stuck += 1
        # What a former key sent cannot be raised: the new one answers as soon as a block has left it out.
        patience = 1 if live.guardian.is_retired else STUCK
        if live.stuck >= patience and self._bids.change_guardian(live, f"stuck for {live.stuck} blocks"):
            live.stuck = 0

    def _is_stuck(self, live: Live, reason: str) -> None:
        reason = f"{live.target.name}: {reason.partition(':')[0]}, and nothing more can be sent"
        self._alarms.tell_lasting("response stuck", reason, live.action.action_id)

    def _cancel(self, live: Live, head: Head, reason: str, *, is_done: bool) -> None:
        """Once for each head, and for each bid that waits behind it: a signer that does not answer takes its time."""
        nonce, last, waits = live.action.nonce, live.last, self._bids.waits_behind(live)
        tried = head.number, waits.action.tx_hash if waits is not None else None
        if nonce is None or last is None or self._is_signing(live):
            return
        if live.tried == tried:
            if waits is not None:
                whose = f"nonce {nonce} of guardian {live.guardian.address}"
                reason = (
                    f"{waits.target.name} waits for {whose}, which is taken back for less and can bid no more"
                )
                self._alarms.tell_lasting(_HELD_UP, reason, live.action.action_id)
            return
        if live.guardian.is_retired:
            self._leave(live, reason, is_done=is_done)
            return
        live.tried = tried
        above = live.guardian.out.get(nonce, last.rung.fees)
        fees = self._transfers.fees_to_withdraw(live, nonce, above, waits)
        if fees is None:
            self._bids.rebroadcast(live)
            if live.is_stale:
                self._is_stuck(live, reason)
            return
        guardian = live.guardian

        async def withdraw() -> None:
            transfer = await self._sign_transfer(guardian, nonce, fees)
            if transfer is not None and self._transfers.withdraw(live, transfer, above, is_done=is_done):
                log.warning("response %s for %s: %s", live.action.action_id, live.target.name, reason)

        self._sign(live, withdraw)

    def _leave(self, live: Live, reason: str, *, is_done: bool) -> None:
        """Nobody can sign what would take it back."""
        state = ActionState.SUPERSEDED if is_done else ActionState.CANCELLED
        whose = f"guardian {live.guardian.address}"
        out = f"{whose} is not configured any more: what it sent at nonce {live.action.nonce} may still be mined"
        for one in self._transfers.rest(live):
            if one.rung.key != (live.guardian.address, live.action.nonce):
                out = f"{out}; so may what guardian {one.rung.guardian} sent at nonce {one.rung.nonce}"
        self._state.advance(live, state, f"{reason}; {out}")
        if live.action.is_over:
            self._alarms.tell("response left", f"{live.target.name}: {out}")

    def _unblock(self, live: Live, head: Head, *, is_overdue: bool = False) -> None:
        """Fills what keeps it waiting, one after the other: nonces before its own that no response holds any more. A
        gap at once, and what bids less; where something is pending, once that or this should have been in a block."""
        last, guardian = live.last, live.guardian
        if guardian.is_retired or self._is_signing(live):
            return
        for nonce in self._transfers.blocked_by(live):
            is_due = is_overdue or nonce >= guardian.pending
            is_lower = self._bids.is_held_up_by(live, nonce)
            attempt = nonce, live.action.action_id
            tried = guardian.filled.get(attempt, (-1, ""))
            now = head.number, last.rung.tx_hash if last is not None else ""
            if tried == now or not (is_lower or (is_due and tried[0] != head.number)):
                continue
            out = guardian.out.get(nonce)
            fees = self._transfers.fees_to_fill(live, nonce, out)
            if isinstance(fees, str):
                reason = f"{live.target.name} waits for nonce {nonce}, which cannot be filled: {fees}"
                self._alarms.tell_lasting("response stuck", reason, live.action.action_id)
                continue
            # Before it is signed: a signer that does not answer takes its time.
            with self._state.lock:
                guardian.filled[attempt] = now
            self._sign(live, functools.partial(self._fill, live, guardian, nonce, fees, out))
            return

    async def _fill(self, live: Live, guardian: Guardian, nonce: int, fees: Fees, out: Fees | None) -> None:
        transfer = await self._sign_transfer(guardian, nonce, fees)
        if transfer is not None and self._transfers.fill(live, transfer, out):
            log.warning("response %s waits for nonce %d: it is filled", live.action.action_id, nonce)

    def _is_signing(self, live: Live) -> bool:
        return live.action.action_id in self._signing

    def _sign(self, live: Live, work: Callable[[], Awaitable[None]]) -> None:
        """Beside the watch, which waits for no signer: heads, other responses and people's answers go on meanwhile.
        One for each response at a time; when it is done, the response is looked at."""
        action_id = live.action.action_id

        def done(_: object) -> None:
            del self._signing[action_id]
            self.wake.set()

        task = self._signing[action_id] = asyncio.create_task(self._signed(live, work))
        task.add_done_callback(done)

    async def _signed(self, live: Live, work: Callable[[], Awaitable[None]]) -> None:
        """What goes wrong is told, and tried again with the next head."""
        action_id = live.action.action_id
        try:
            await work()
        except Exception as error:
            log.warning("response %s: a transfer is not sent: %s", action_id, error)
            log.debug("response %s", action_id, exc_info=True)
            if not live.action.is_over:
                reason = f"{live.target.name}: {type(error).__name__}: {error}"
                self._alarms.tell_lasting(_NOT_SIGNED, reason, action_id)
        else:
            self._alarms.over(_NOT_SIGNED, action_id)

    async def _sign_transfer(self, guardian: Guardian, nonce: int, fees: Fees) -> Loaded | None:
        """A transfer to oneself, journaled; None without a signer."""
        if guardian.signer is None:
            return None
        call = Call(guardian.address, b"")
        draft = Draft(self._chain_id, self._kind, guardian.address, nonce, call, TRANSFER_GAS, fees)
        rung = draft.signed(await guardian.signer.sign(draft.transaction()))
        await self._arm([rung])
        return load([rung])[0]
