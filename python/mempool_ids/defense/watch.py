"""The slow half: follows what went out, block by block, until the contract is paused or the cause is gone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.armed import Call, Fees, Kind, Rung
from mempool_ids.defense.arming import load
from mempool_ids.defense.book import Live
from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.defense.calls import is_paused
from mempool_ids.defense.chain import Chain, Head, Receipt, Reverted
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.guardian import Guardian, Loaded, Protected
from mempool_ids.defense.race import Do, Sight, Step, next_step
from mempool_ids.defense.shadow import position
from mempool_ids.defense.transaction import Transaction
from mempool_ids.defense.trigger import CANCEL_GAS, Trigger
from mempool_ids.exceptions import NodeError

log = logging.getLogger(__name__)

# Threats of one action that are looked for in blocks.
_LOOKED_FOR = 16
# Heads after which a threat that no block has is no longer waited for in shadow mode.
_IMAGINED = 50
# Heads without anything higher to bid, after which a second guardian takes over.
STUCK = 3
# Seconds after which bytes that no endpoint answered to go out once more.
_AGAIN_S = 0.5


_GONE = "cancelled: what it answers was replaced or dropped"


class Watch:
    """Drives what is live.

    Args:
        arm: journals rungs; they may go out afterwards.
        answered: a human's answer about an action, None while there is none.
    """

    def __init__(
        self,
        trigger: Trigger,
        chain: Chain,
        chain_id: int,
        kind: Kind,
        depth: int,
        default_act: bool,
        cancels: bool,
        arm: Callable[[list[Rung]], Awaitable[None]],
        alarms: Alarms,
        answered: Callable[[str], Awaitable[bool | None]],
    ) -> None:
        self._trigger = trigger
        self._chain = chain
        self._chain_id = chain_id
        self._kind = kind
        self._depth = depth
        self._default_act = default_act
        self._cancels = cancels
        self._arm = arm
        self._alarms = alarms
        self._answered = answered
        self.wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake_soon(self) -> None:
        """There is something to look at; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.wake.set)

    async def look(self, head: Head) -> None:
        """One round over everything live, on a head."""
        for live in self._trigger.book.all():
            kind = f"response {live.action.action_id}"
            try:
                await self._look_at(live, head)
            except NodeError as error:
                log.info("%s: %s", kind, error)
            except Exception as error:
                # Whatever it is, the others are still looked at.
                log.debug("%s", kind, exc_info=True)
                self._alarms.tell_lasting(kind, f"{live.target.name}: {type(error).__name__}: {error}")
            else:
                self._alarms.over(kind)

    async def _look_at(self, live: Live, head: Head) -> None:
        if live.decide_by is not None:
            await self._ask(live)
        elif live.action.state is ActionState.INTENT and live.unarmed_since is not None:
            self._trigger.act(live)
        elif live.action.shadow:
            await self._imagine(live, head)
        elif live.action.state in (ActionState.SENT, ActionState.INCLUDED):
            self._begin(live, head)
            await self._unblock(live, head)
            sight = await self._sight(live, head)
            step = next_step(live.action, live.sent_at_head, sight, self._depth, cancelling=live.withdrawn)
            if step.do is Do.NOTHING and step.state is None:
                step = self._refused(live) or step
            await self._take(live, head, step, sight)

    def _begin(self, live: Live, head: Head) -> None:
        """A block that came before bytes went out, and was not known then, has not left them out."""
        with self._trigger.lock:
            # Without a head they are a former process's, which may never have sent them.
            if live.last is not live.looked_at and live.sent_at_head:
                live.sent_at_head = max(live.sent_at_head, head.number)
            live.looked_at = live.last

    async def _imagine(self, live: Live, head: Head) -> None:
        """What would have become of a response that was not sent: it is known once the threat is mined, or gone."""
        if live.action.state is not ActionState.SENT or live.last is None:
            return
        if gone := self._cause_gone(live):
            self._trigger.advance(live, ActionState.CANCELLED, gone)
            return
        attack = await self._attack(list(live.threats), succeeded=False)
        if attack is None:
            if head.number - live.sent_at_head > _IMAGINED:
                self._trigger.advance(live, ActionState.CANCELLED, "what it answers is in no block")
            return
        block = await self._chain.block(attack[0])
        stands = None if block is None else position(block, live.last.rung.fees)
        won = stands is not None and stands <= attack[1]
        where = "its fee cap was too low" if stands is None else f"it would have stood at {stands}"
        with self._trigger.lock:
            live.action.won, live.action.block, live.action.position = won, attack[0], stands
        reason = f"the threat is at position {attack[1]} of block {attack[0]}; {where}"
        self._trigger.advance(live, ActionState.INCLUDED, reason, block=attack[0])
        verdict = "would have come first" if won else "would have come too late"
        self._trigger.advance(
            live, ActionState.CONFIRMED if won else ActionState.FAILED, verdict, block=attack[0]
        )

    async def _ask(self, live: Live) -> None:
        answer = await self._answered(live.action.action_id)
        gone = self._cause_gone(live)
        if answer is None and gone is None and time.monotonic() < (live.decide_by or 0.0):
            return
        if answer or (answer is None and gone is None and self._default_act):
            self._trigger.act(live)
            return
        live.decide_by = None
        reason = "a human refused" if answer is not None else gone or "nobody answered in time"
        self._trigger.advance(live, ActionState.CANCELLED, reason)

    async def _sight(self, live: Live, head: Head) -> Sight:
        with self._trigger.lock:
            hashes = [loaded.rung.tx_hash for loaded in live.sent]
            # Of the nonces that it had before, those are over.
            at = live.action.nonce
            cancels = [loaded.rung.tx_hash for loaded in live.cancels if loaded.rung.nonce == at]
            threats = list(live.threats)[-_LOOKED_FOR:]
        # First: what paused it is in a block by then, and so its receipt is there if it is ours.
        paused = await self.paused(live)
        receipts = {tx_hash: await self._in_chain(tx_hash) for tx_hash in hashes}
        cancelled = [await self._in_chain(tx_hash) for tx_hash in cancels]
        attack = await self._attack(threats)
        return Sight(
            now=time.time(),
            head=head.number,
            latest_nonce=live.guardian.latest,
            receipts={tx_hash: receipt for tx_hash, receipt in receipts.items() if receipt},
            cancel=next((receipt for receipt in cancelled if receipt), None),
            paused=paused,
            is_checked=live.target.check is not None,
            cause_gone=self._cause_gone(live)
            if self._cancels and self._trigger.may_take_back(live)
            else None,
            attack=attack,
        )

    async def _in_chain(self, tx_hash: str) -> Receipt | None:
        """Its receipt, where its block is canonical: nodes keep receipts of blocks that are gone."""
        receipt = await self._chain.receipt(tx_hash)
        if receipt is None or await self._chain.block_hash(receipt.block) != receipt.block_hash:
            return None
        return receipt

    async def _attack(self, hashes: Sequence[str], *, succeeded: bool = True) -> tuple[int, int] | None:
        mined = [await self._in_chain(tx_hash) for tx_hash in hashes]
        landed = [
            (one.block, one.position) for one in mined if one is not None and (one.succeeded or not succeeded)
        ]
        return min(landed, default=None)

    async def paused(self, live: Live) -> bool | None:
        """What the contract says on the head; None where nobody answers, or it has no check."""
        return await self.says_paused(live.target)

    async def says_paused(self, target: Protected) -> bool | None:
        if target.check is None:
            return None
        try:
            return is_paused(await self._chain.call(target.check))
        except Reverted:
            return False
        except NodeError:
            return None

    def _cause_gone(self, live: Live) -> str | None:
        if not live.is_pointless(time.monotonic()):
            return None
        return "cancelled: what it answers is too old, or was withdrawn" if live.is_stale else _GONE

    def _refused(self, live: Live) -> Step | None:
        """Where no endpoint took the last bytes, there is no block to wait for."""
        answers = list(live.answers.values())
        if not answers or live.action.state is not ActionState.SENT:
            return None
        kinds = {answer.kind for answer in answers}
        if kinds == {Reply.NO_ANSWER} and time.monotonic() > live.posted_at + _AGAIN_S:
            return Step(Do.REBROADCAST)
        if live.withdrawn or kinds & {Reply.ACCEPTED, Reply.ALREADY_KNOWN, Reply.NO_ANSWER}:
            return None
        too_low = {Reply.UNDERPRICED, Reply.FEE_TOO_LOW}
        # Ours are far enough apart: it is somebody else's, with our key. What waited there before is outbid; what came
        # at the same time may be another sensor's pause, and the next block shows that.
        if live.action.nonce in live.guardian.strangers:
            too_low.add(Reply.REPLACEMENT_UNDERPRICED)
        if kinds & too_low:
            return Step(Do.ESCALATE, reason=f"refused: {answers[0].message}")
        if Reply.NO_FUNDS in kinds:
            return Step(Do.OTHER_KEY, reason=f"refused: {answers[0].message}")
        return None

    async def _take(self, live: Live, head: Head, step: Step, sight: Sight) -> None:
        if step.do is Do.ESCALATE:
            await self._unblock(live, head, is_overdue=True)
            self._escalate(live, step.reason)
        elif step.do in (Do.NEXT_NONCE, Do.OTHER_KEY) and live.moved_at_head != head.number:
            # Once for each head: what it finds there is not yet what it did.
            live.moved_at_head = head.number
            move = self._trigger.next_nonce if step.do is Do.NEXT_NONCE else self._trigger.change_guardian
            if not move(live, step.reason):
                self._is_stuck(live, step.reason)
        elif step.do is Do.CANCEL:
            await self._cancel(live, head, step.reason, is_done=bool(sight.paused))
        if step.receipt is not None:
            self._note(live, step, step.receipt)
        if step.state is not None:
            self._change(live, step)
        if step.do is Do.REBROADCAST:
            self._trigger.rebroadcast(live)
        if live.action.is_over:
            self._alarms.over(f"response {live.action.action_id} stuck")
        if live.action.state is ActionState.FAILED and not live.action.shadow:
            self._alarms.tell("response failed", f"{live.target.name}: {live.action.reason}")

    def _note(self, live: Live, step: Step, receipt: Receipt) -> None:
        with self._trigger.lock:
            action = live.action
            if step.won is not None:
                action.won = step.won
            if receipt.tx_hash not in [cancel.rung.tx_hash for cancel in live.cancels]:
                action.tx_hash, action.block, action.position = (
                    receipt.tx_hash,
                    receipt.block,
                    receipt.position,
                )
            if action.cost_wei != receipt.cost:
                action.cost_wei = receipt.cost
                self._trigger.rails.settled(self._trigger.steady(), action.action_id, receipt.cost)

    def _change(self, live: Live, step: Step) -> None:
        receipt = step.receipt
        details = (
            {}
            if receipt is None
            else {
                "tx_hash": receipt.tx_hash,
                "cost_wei": receipt.cost,
                "block": receipt.block,
            }
        )
        assert step.state is not None  # noqa: S101
        self._trigger.advance(live, step.state, step.reason, **details)

    def _escalate(self, live: Live, reason: str) -> None:
        if self._trigger.escalate(live, reason):
            live.stuck = 0
            return
        live.stuck += 1
        self._trigger.rebroadcast(live)
        self._is_stuck(live, reason)
        if live.stuck >= STUCK and self._trigger.change_guardian(live, f"stuck for {live.stuck} blocks"):
            live.stuck = 0

    def _is_stuck(self, live: Live, reason: str) -> None:
        self._alarms.tell_lasting(
            f"response {live.action.action_id} stuck",
            f"{live.target.name}: {reason.partition(':')[0]}, and nothing more can be sent",
        )

    async def _cancel(self, live: Live, head: Head, reason: str, *, is_done: bool) -> None:
        """Once for each head: a signer that does not answer takes its time."""
        nonce, last = live.action.nonce, live.last
        if nonce is None or last is None or live.tried_at_head == head.number:
            return
        live.tried_at_head = head.number
        above = live.guardian.out.get(nonce, last.rung.fees)
        fees = replacement(above)
        if not self._trigger.could_answer(live, nonce, fees):
            # What no bid could replace would be in the way of the answer to the next attack: the pause stays out.
            self._trigger.rebroadcast(live)
            return
        transfer = await self._sign_transfer(live.guardian, nonce, fees)
        if transfer is not None and self._trigger.withdraw(live, transfer, above, is_done=is_done):
            log.warning("response %s for %s: %s", live.action.action_id, live.target.name, reason)

    async def _unblock(self, live: Live, head: Head, *, is_overdue: bool = False) -> None:
        """Fills what keeps it waiting: nonces before its own that no response holds any more. A gap at once; where
        something is pending, once that or this should have been in a block."""
        last, guardian = live.last, live.guardian
        for nonce in self._trigger.blocked_by(live):
            is_gap = nonce >= guardian.pending
            if last is None or guardian.filled.get(nonce) == head.number or not (is_gap or is_overdue):
                continue
            out = guardian.out.get(nonce)
            least = Fees(0, 0) if out is None else replacement(out)
            fees = Fees(max(least.max_fee, last.rung.fees.max_fee), max(least.tip, last.rung.fees.tip))
            if refused := self._trigger.may_fill(live, fees):
                reason = f"{live.target.name} waits for nonce {nonce}, and {refused}"
                self._alarms.tell_lasting(f"response {live.action.action_id} stuck", reason)
                continue
            transfer = await self._sign_transfer(guardian, nonce, fees)
            if transfer is not None:
                log.warning("response %s waits for nonce %d: it is filled", live.action.action_id, nonce)
                self._trigger.fill(live, transfer)

    async def _sign_transfer(self, guardian: Guardian, nonce: int, fees: Fees) -> Loaded | None:
        """A transfer to oneself, journaled; None without a signer."""
        if guardian.signer is None:
            return None
        call = Call(guardian.address, b"")
        signed = await guardian.signer.sign(
            Transaction(
                self._chain_id, nonce, call.to, 0, b"", CANCEL_GAS, fees.max_fee, fees.tip, self._kind
            )
        )
        rung = Rung(
            self._chain_id,
            guardian.address,
            nonce,
            "",
            0,
            fees,
            CANCEL_GAS,
            call,
            signed.raw,
            signed.tx_hash,
        )
        await self._arm([rung])
        return load([rung])[0]
