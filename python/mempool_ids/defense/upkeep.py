"""What goes on while nothing happens: heads are looked at, ladders kept fresh, readiness proven, orders taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from mempool_ids.config.defense import Defense
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.arming import Armory
from mempool_ids.defense.broadcast.wire import Wire
from mempool_ids.defense.chain import Chain, Head
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.pace import is_too_old
from mempool_ids.defense.private import Private
from mempool_ids.defense.readiness import ALREADY_PAUSED, Readiness, guardian_reasons, prove, together
from mempool_ids.defense.state import State
from mempool_ids.defense.watch import Watch
from mempool_ids.exceptions import MempoolIdsError, NodeError

# Between two looks at the chain: while something is out, and while nothing is.
LIVE_S = 0.1
IDLE_S = 0.5
# Without a look at the chain for so long the watch is blind, and says so.
BLIND_S = 15.0
# An endpoint that is behind the others for so long is an alarm: blocks reach nobody at the same moment.
BEHIND_S = 15.0
# After a signer or the journal failed, until the next try: the first pause, and the longest.
PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 30.0

Rehearsals = Callable[[], Sequence[Mapping[str, Any]]]
"""The core's own rehearsals of the pauses, as its statistics have them."""


class Upkeep:
    """Keeps one chain's defense able to act."""

    def __init__(
        self,
        config: Defense,
        chain: Chain,
        state: State,
        watch: Watch,
        private: Private | None,
        wire: Wire | None,
        armories: Sequence[tuple[Guardian, Armory]],
        alarms: Alarms,
        rehearsals: Rehearsals,
        *,
        block_s: float | None = None,
        only: Protected | None = None,
    ) -> None:
        """`block_s` as `pace.block_s` has it; `only`: no other contract is kept armed and proven."""
        self._config = config
        self._chain = chain
        self._state = state
        self._watch = watch
        self._private = private
        self._wire = wire
        self._armories = armories
        self._alarms = alarms
        self._rehearsals = rehearsals
        self._block_s = block_s
        self._targets = tuple(state.targets.values()) if only is None else (only,)
        self._head: Head | None = None
        self._looked_at = time.monotonic()
        self._to_arm = {guardian.address: asyncio.Event() for guardian, _ in armories}
        self._behind_since: dict[str, float] = {}
        self._to_offer = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.readiness: dict[str, Readiness] = {}

    @property
    def signed(self) -> int:
        return sum(armory.signed for _, armory in self._armories)

    async def follow(self) -> None:
        """Looks at the chain, and drives what is live."""
        while True:
            pause = LIVE_S if self._state.book.by_target else IDLE_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._watch.wake.wait(), pause)
            self._watch.wake.clear()
            try:
                head = await self._chain.head()
                if self._head is None or head.hash != self._head.hash:
                    head = await self._checked(head)
                    await self.see(head)
                    for to_arm in self._to_arm.values():
                        to_arm.set()
                await self._watch.look(head)
                self._to_offer.set()
                for guardian, armory in self._armories:
                    if armory.is_short():
                        self._to_arm[guardian.address].set()
                self._looked_at = time.monotonic()
                self._tell_age(head)
                await self._tell_behind()
            except NodeError as error:
                if time.monotonic() - self._looked_at > BLIND_S:
                    self._alarms.tell_lasting("blind", f"the defense cannot see the chain: {error}")

    def _tell_age(self, head: Head) -> None:
        """Nobody sees the chain by nodes that stand still, however quickly they answer."""
        if why := self._too_old(head):
            self._alarms.tell_lasting("blind", f"the defense cannot see the chain: {why}")
        else:
            self._alarms.over("blind")

    async def _tell_behind(self) -> None:
        now, behind = time.monotonic(), self._chain.behind()
        if any(url not in self._behind_since for url in behind):
            await self._leave_out_wrong()  # it may be of another chain
        for url in [url for url in self._behind_since if url not in behind]:
            del self._behind_since[url]
            self._alarms.over("endpoint", url)
        for url in behind:
            if now - self._behind_since.setdefault(url, now) > BEHIND_S:
                reason = f"{url} is far behind the others' head: it is asked for nothing else until it is not"
                self._alarms.tell_lasting("endpoint", reason, url)

    def _too_old(self, head: Head) -> str | None:
        if not is_too_old(head.timestamp, time.time(), self._block_s):
            return None
        made = datetime.fromtimestamp(head.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return (
            f"the last block that any endpoint has is {head.number}, of {made} UTC: the chain stands still, all "
            "endpoints are behind, or this machine's clock is wrong"
        )

    async def keep_offered(self) -> None:
        """Beside the watch: neither holds the other up."""
        while self._private is not None:
            await self._to_offer.wait()
            self._to_offer.clear()
            if self._head is not None:
                self._private.look(self._state.book.all(), self._head.number)

    def offer_soon(self) -> None:
        """Something may have gone out: builders do not wait for the watch's next round. From any thread."""
        if self._private is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._to_offer.set)

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
        former = [one.guardian for one in self._state.book.all() if one.guardian.is_retired]
        for guardian in (*self._state.guardians, *former):
            latest, pending = await self._chain.nonces(guardian.address)
            balance = await self._chain.balance(guardian.address)
            with self._state.lock:
                strangers = self._state.seen(guardian, latest, pending, balance)
            if guardian.is_retired:
                continue  # whose key it is, and what for, is no matter of ours
            whose = f"guardian {guardian.address}"
            if strangers:
                reason = f"{whose}: a transaction that is not ours waits at nonce {strangers[0]}"
                self._alarms.tell_lasting(whose, reason)
            else:
                self._alarms.over(whose)
        with self._state.lock:
            self._state.base_fee, self._state.head = head.next_base_fee, head.number
        self._head = head

    async def keep_armed(self) -> None:
        """Each guardian by itself: none waits for another's signer."""
        async with asyncio.TaskGroup() as group:
            for guardian, armory in self._armories:
                group.create_task(self._keep_armed(guardian, armory))

    async def _keep_armed(self, guardian: Guardian, armory: Armory) -> None:
        """Whoever cannot sign or write is asked again after a pause that grows: a signer may be paid by the request."""
        to_arm, pause = self._to_arm[guardian.address], 0.0
        while True:
            await to_arm.wait()
            to_arm.clear()
            if await self._arm(guardian, armory):
                pause = 0.0
                continue
            pause = min(PAUSE_MAX_S, 2 * pause or PAUSE_FIRST_S)
            await asyncio.sleep(pause)
            to_arm.set()

    async def arm(self) -> None:
        """Signs what is missing. What cannot be signed or journaled is an alarm; what was armed before stays."""
        done = await asyncio.gather(*(self._arm(guardian, armory) for guardian, armory in self._armories))
        for (guardian, _), is_armed in zip(self._armories, done, strict=True):
            if not is_armed:
                self._to_arm[guardian.address].set()

    async def _arm(self, guardian: Guardian, armory: Armory) -> bool:
        """False where its signer or the journal does not work."""
        whose = f"guardian {guardian.address}"
        needs: dict[str, int] = {}
        for target in self._targets:
            need = await self._need(target, guardian, armory)
            if need is not None:
                needs[target.name] = need
        try:
            problems = await armory.refresh(self._targets, needs, self._state.base_fee)
        except MempoolIdsError as error:
            reason = f"{whose}: {error}; what was armed before may still be sent"
            self._alarms.tell_lasting("arming stopped", reason, guardian.address)
            return False
        self._alarms.over("arming stopped", guardian.address)
        if problems:
            self._alarms.tell_lasting("not armed", f"{whose}: {'; '.join(problems)}", guardian.address)
        else:
            self._alarms.over("not armed", guardian.address)
        return True

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
        common = []
        if self._head is not None and (why := self._too_old(self._head)):
            common.append(why)
        if self._wire is not None and self._wire.names and not any(one.up for one in self._wire.health()):
            common.append("no endpoint takes transactions")
        if self._private is not None:
            await self._private.prove()
        own = [(one, await guardian_reasons(self._chain, one)) for one in self._state.guardians]
        proofs = []
        for target in self._targets:
            proof = together(
                [
                    await prove(
                        self._chain,
                        target,
                        guardian,
                        now=time.time(),
                        actions=self._config.min_actions_funded,
                        reserve=self._state.gas.reserve,
                        rehearsed=rehearsed.get(target.name),
                        common=[*reasons, *common],
                        sends=self._config.armed,
                    )
                    for guardian, reasons in own
                ]
            )
            proofs.append(proof)
            self.readiness[target.name] = proof
            kind = f"readiness of {target.name}"
            if not proof.reasons or proof.reasons == (ALREADY_PAUSED,):
                # Paused is what it is there for.
                self._alarms.over(kind)
            else:
                can = "not every guardian can pause it" if proof.ready else "cannot be paused"
                self._alarms.tell_lasting(kind, f"{target.name}: {can}: {'; '.join(proof.reasons)}")
        return proofs
