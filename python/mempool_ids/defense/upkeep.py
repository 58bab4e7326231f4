"""What goes on while nothing happens: heads are looked at, ladders kept fresh, readiness proven, orders taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mempool_ids.config.defense import Defense
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.arming import Armory
from mempool_ids.defense.broadcast.wire import Wire
from mempool_ids.defense.chain import Chain, Head
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.private import Private
from mempool_ids.defense.readiness import ALREADY_PAUSED, Readiness, guardian_reasons, prove
from mempool_ids.defense.trigger import Trigger
from mempool_ids.defense.watch import Watch
from mempool_ids.exceptions import MempoolIdsError, NodeError

# Between two looks at the chain: while something is out, and while nothing is.
LIVE_S = 0.1
IDLE_S = 0.5
# Without a look at the chain for so long the watch is blind, and says so.
BLIND_S = 15.0

Rehearsals = Callable[[], Sequence[Mapping[str, Any]]]
"""The core's own rehearsals of the pauses, as its statistics have them."""


class Upkeep:
    """Keeps one chain's defense able to act."""

    def __init__(
        self,
        config: Defense,
        chain: Chain,
        trigger: Trigger,
        watch: Watch,
        private: Private | None,
        wire: Wire | None,
        armories: Sequence[tuple[Guardian, Armory]],
        alarms: Alarms,
        rehearsals: Rehearsals,
    ) -> None:
        self._config = config
        self._chain = chain
        self._trigger = trigger
        self._watch = watch
        self._private = private
        self._wire = wire
        self._armories = armories
        self._alarms = alarms
        self._rehearsals = rehearsals
        self._head: Head | None = None
        self._looked_at = time.monotonic()
        self._to_arm = asyncio.Event()
        self._seen = asyncio.Event()
        self.readiness: dict[str, Readiness] = {}

    @property
    def signed(self) -> int:
        return sum(armory.signed for _, armory in self._armories)

    async def follow(self) -> None:
        """Looks at the chain, and drives what is live."""
        while True:
            pause = LIVE_S if self._trigger.book.by_target else IDLE_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._watch.wake.wait(), pause)
            self._watch.wake.clear()
            try:
                head = await self._chain.head()
                if self._head is None or head.hash != self._head.hash:
                    head = await self._checked(head)
                    await self.see(head)
                    self._to_arm.set()
                await self._watch.look(head)
                self._seen.set()
                if any(armory.is_short() for _, armory in self._armories):
                    self._to_arm.set()
                self._looked_at = time.monotonic()
                self._alarms.over("blind")
            except NodeError as error:
                if time.monotonic() - self._looked_at > BLIND_S:
                    self._alarms.tell_lasting("blind", f"the defense cannot see the chain: {error}")

    async def keep_offered(self) -> None:
        """Beside the watch: a builder that is slow must not hold it up."""
        while self._private is not None:
            await self._seen.wait()
            self._seen.clear()
            if self._head is not None:
                await self._private.look(self._trigger.book.all(), self._head.number)

    async def _checked(self, head: Head) -> Head:
        """Of the configured chain: nonces and receipts of another one would disarm."""
        if await self._chain.is_ours():
            return head
        await self._leave_out_wrong()
        return await self._chain.head()

    async def _leave_out_wrong(self) -> None:
        wrong = await self._chain.leave_out_wrong()
        if wrong:
            self._alarms.tell_lasting("wrong chain", "; ".join(wrong))
        else:
            self._alarms.over("wrong chain")

    async def see(self, head: Head) -> None:
        """Takes in a head: nonces, balances, the next base fee."""
        for guardian in self._trigger.guardians:
            latest, pending = await self._chain.nonces(guardian.address)
            balance = await self._chain.balance(guardian.address)
            with self._trigger.lock:
                strangers = guardian.seen(latest, pending, balance)
            whose = f"guardian {guardian.address}"
            if strangers:
                reason = f"{whose}: a transaction that is not ours waits at nonce {strangers[0]}"
                self._alarms.tell_lasting(whose, reason)
            else:
                self._alarms.over(whose)
        with self._trigger.lock:
            self._trigger.base_fee, self._trigger.head = head.next_base_fee, head.number
        self._head = head

    async def keep_armed(self) -> None:
        while True:
            await self._to_arm.wait()
            self._to_arm.clear()
            await self.arm()

    async def arm(self) -> None:
        """Signs what is missing. What cannot be signed or journaled is an alarm; what was armed before stays."""
        for guardian, armory in self._armories:
            needs: dict[str, int] = {}
            for target in self._trigger.targets.values():
                need = await self._need(target, guardian, armory)
                if need is not None:
                    needs[target.name] = need
            try:
                problems = await armory.refresh(self._trigger.targets.values(), needs, self._trigger.base_fee)
            except MempoolIdsError as error:
                reason = f"{error}; what was armed before may still be sent"
                self._alarms.tell_lasting("arming stopped", reason)
                continue
            self._alarms.over("arming stopped")
            if problems:
                self._alarms.tell_lasting("not armed", "; ".join(problems))
            else:
                self._alarms.over("not armed")

    async def _need(self, target: Protected, guardian: Guardian, armory: Armory) -> int | None:
        """Gas of its pause: by the core's rehearsal on the next block's rules, else by the node's estimate, once."""
        if target.gas is not None:
            return None
        for rehearsal in self._rehearsals():
            if rehearsal["contract"] == target.name and rehearsal["succeeds"]:
                return int(rehearsal["gas"])
        if armory.plan(target.name) is not None:
            return None
        try:
            return await self._chain.estimate(target.call, guardian.address)
        except NodeError:
            return None

    async def keep_ready(self) -> None:
        while True:
            try:
                await self.prove()
                self._alarms.over("readiness")
            except NodeError as error:
                self._alarms.tell_lasting("readiness", f"nobody can tell whether pauses would work: {error}")
            await asyncio.sleep(self._config.readiness_s)

    async def prove(self) -> list[Readiness]:
        """Proves once for every contract that its pause would work now. What was lost since the last time is an alarm.

        Raises:
            NodeError: nobody answers.
        """
        await self._leave_out_wrong()
        rehearsed = {one["contract"]: one for one in self._rehearsals()}
        guardian = self._trigger.guardians[0]
        common = await guardian_reasons(self._chain, guardian)
        if self._wire is not None and self._wire.names and not any(one.up for one in self._wire.health()):
            common.append("no endpoint takes transactions")
        if self._private is not None:
            await self._private.prove()
        proofs = []
        for target in self._trigger.targets.values():
            proof = await prove(
                self._chain,
                target,
                guardian,
                now=time.time(),
                actions=self._config.min_actions_funded,
                reserve=self._trigger.gas.reserve,
                rehearsed=rehearsed.get(target.name),
                common=common,
                sends=not self._trigger.shadow,
            )
            proofs.append(proof)
            self.readiness[target.name] = proof
            kind = f"readiness of {target.name}"
            if proof.ready or proof.reasons == (ALREADY_PAUSED,):
                # Paused is what it is there for.
                self._alarms.over(kind)
            else:
                self._alarms.tell_lasting(kind, f"{target.name} cannot be paused: {'; '.join(proof.reasons)}")
        return proofs
