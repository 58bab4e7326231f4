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
from mempool_ids.defense.book import Fate, Live
from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.defense.calls import is_paused
from mempool_ids.defense.chain import Chain, Head, Receipt, Reverted
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.guardian import Guardian, Loaded
from mempool_ids.defense.race import Do, Sight, Step, next_step
from mempool_ids.defense.shadow import position
from mempool_ids.defense.signers.base import SignerError
from mempool_ids.defense.transaction import Transaction
from mempool_ids.defense.trigger import Trigger
from mempool_ids.exceptions import NodeError

log = logging.getLogger(__name__)

# A transfer to oneself.
_CANCEL_GAS = 21_000
# Of a threat that is replaced, so long a replacement may take to be judged.
JUDGED_S = 2.0
# Threats of one action that are looked for in blocks.
_LOOKED_FOR = 16
# Heads after which a threat that no block has is no longer waited for in shadow mode.
_IMAGINED = 50
# Heads without anything higher to bid, after which a second guardian takes over.
STUCK = 3


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
            try:
                await self._look_at(live, head)
            except (NodeError, SignerError) as error:
                log.warning("response %s: %s", live.action.action_id, error)

    async def _look_at(self, live: Live, head: Head) -> None:
        if live.decide_by is not None:
            await self._ask(live)
        elif live.action.shadow:
            await self._imagine(live, head)
        elif live.action.state in (ActionState.SENT, ActionState.INCLUDED):
            sight = await self._sight(live, head)
            step = next_step(
                live.action, live.sent_at_head, sight, self._depth, cancelling=live.cancel is not None
            )
            if step.do is Do.NOTHING and step.state is None:
                step = self._refused(live) or step
            await self._take(live, step, sight)

    async def _imagine(self, live: Live, head: Head) -> None:
        """What would have become of a response that was not sent: it is known once the threat is mined, or gone."""
        if live.action.state is not ActionState.SENT or live.last is None:
            return
        gone = self._cause_gone(live)
        if gone is not None:
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
        if answer is None:
            if time.time() < (live.decide_by or 0.0):
                return
            answer = self._default_act
        if answer:
            self._trigger.act(live)
        else:
            live.decide_by = None
            self._trigger.advance(live, ActionState.CANCELLED, "a human refused, or nobody answered")

    async def _sight(self, live: Live, head: Head) -> Sight:
        with self._trigger.lock:
            hashes = [loaded.rung.tx_hash for loaded in live.sent]
            cancel = live.cancel.rung.tx_hash if live.cancel else None
            threats = list(live.threats.values())[-_LOOKED_FOR:]
        receipts = {tx_hash: await self._in_chain(tx_hash) for tx_hash in hashes}
        attack = await self._attack([threat.tx_hash for threat in threats])
        return Sight(
            now=time.time(),
            head=head.number,
            latest_nonce=live.guardian.latest,
            receipts={tx_hash: receipt for tx_hash, receipt in receipts.items() if receipt},
            cancel=await self._in_chain(cancel) if cancel else None,
            paused=await self.paused(live),
            cause_gone=self._cause_gone(live) if self._cancels else None,
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
        """What the contract says on the head; None where it says nothing."""
        if live.target.check is None:
            return None
        try:
            return is_paused(await self._chain.call(live.target.check))
        except (Reverted, NodeError):
            return None

    def _cause_gone(self, live: Live) -> str | None:
        """Only what was replaced or dropped is gone: who attacked once may do so again."""
        threats = live.threats.values()
        if not threats or live.more or any(threat.fate is not Fate.GONE for threat in threats):
            return None
        if time.time() - max(threat.fate_at for threat in threats) < JUDGED_S:
            return None
        return "cancelled: what it answers was replaced or dropped"

    def _refused(self, live: Live) -> Step | None:
        """Where no endpoint took the last bytes, there is no block to wait for."""
        answers = list(live.answers.values())
        if not answers or live.action.state is not ActionState.SENT:
            return None
        kinds = {answer.kind for answer in answers}
        if kinds & {Reply.ACCEPTED, Reply.ALREADY_KNOWN, Reply.NO_ANSWER}:
            return None
        # Not where a replacement is too low: ours are far enough apart, so that it is somebody else's, with our key.
        # The next block shows whether it pauses, too.
        if kinds & {Reply.UNDERPRICED, Reply.FEE_TOO_LOW}:
            return Step(Do.ESCALATE, reason=f"refused: {answers[0].message}")
        return None

    async def _take(self, live: Live, step: Step, sight: Sight) -> None:
        if step.do is Do.ESCALATE:
            self._escalate(live, step.reason)
        elif step.do is Do.NEXT_NONCE:
            self._trigger.next_nonce(live, step.reason)
        elif step.do is Do.CANCEL:
            await self._cancel(live, step.reason)
        if step.receipt is not None:
            self._note(live, step, step.receipt, sight)
        if step.state is not None:
            self._change(live, step)
        if step.do is Do.REBROADCAST:
            self._trigger.rebroadcast(live)
        if live.action.state is ActionState.FAILED and not live.action.shadow:
            self._alarms.tell("response failed", f"{live.target.name}: {live.action.reason}")

    def _note(self, live: Live, step: Step, receipt: Receipt, sight: Sight) -> None:
        with self._trigger.lock:
            action = live.action
            if step.won is not None:
                action.won = step.won
            if receipt.tx_hash != (live.cancel.rung.tx_hash if live.cancel else None):
                action.tx_hash, action.block, action.position = (
                    receipt.tx_hash,
                    receipt.block,
                    receipt.position,
                )
            if action.cost_wei != receipt.cost:
                action.cost_wei = receipt.cost
                self._trigger.rails.settled(sight.now, action.action_id, receipt.cost)

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
        if live.stuck == 1:
            self._alarms.tell(
                "response stuck", f"{live.target.name}: {reason}, and nothing higher can be bid"
            )
        if live.stuck >= STUCK and self._trigger.change_guardian(live, f"stuck for {live.stuck} blocks"):
            live.stuck = 0

    async def _cancel(self, live: Live, reason: str) -> None:
        last = live.last
        if last is None:
            return
        cancel = await self.sign_transfer(live.guardian, last.rung.nonce, last.rung.fees)
        if cancel is None:
            return
        live.cancel = cancel
        log.warning("response %s for %s: %s", live.action.action_id, live.target.name, reason)
        await self._chain.send(cancel.rung.raw)

    async def sign_transfer(self, guardian: Guardian, nonce: int, above: Fees) -> Loaded | None:
        """A transfer to oneself that replaces what has these fees, journaled; None without a signer."""
        if guardian.signer is None:
            return None
        fees = replacement(above)
        call = Call(guardian.address, b"")
        signed = await guardian.signer.sign(
            Transaction(
                self._chain_id, nonce, call.to, 0, b"", _CANCEL_GAS, fees.max_fee, fees.tip, self._kind
            )
        )
        rung = Rung(
            self._chain_id,
            guardian.address,
            nonce,
            "",
            0,
            fees,
            _CANCEL_GAS,
            call,
            signed.raw,
            signed.tx_hash,
        )
        await self._arm([rung])
        return load([rung])[0]
