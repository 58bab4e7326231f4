"""`DefenseExecutor`: from a detection to a paused contract."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import orjson

from mempool_ids.config import IDSConfig
from mempool_ids.defense.action import DefenseAction
from mempool_ids.defense.alarms import OnAlarm
from mempool_ids.defense.amounts import in_ether
from mempool_ids.defense.book import Fate
from mempool_ids.defense.ledger import OnChange
from mempool_ids.defense.opening import Opening, Running
from mempool_ids.defense.readiness import Readiness
from mempool_ids.defense.state import State
from mempool_ids.defense.statistics import DefenseStatistics, Quantiles
from mempool_ids.defense.trigger import Note
from mempool_ids.defense.upkeep import LIVE_S, Rehearsals
from mempool_ids.exceptions import ConfigError, MempoolIdsError

log = logging.getLogger(__name__)

# Pause before a task that ended unexpectedly is started again.
_RESTART_S = 1.0
# How long the start waits for connections.
_WARM_UP_S = 2.0


class DefenseExecutor:
    """Keeps responses armed, answers detections with them, and follows them until the contract is paused.

    The engine makes one in active defense. By itself:

        async with DefenseExecutor(config) as executor:
            action = await executor.execute_defense("pause", "Vault", threat_tx_hash, threat_gas_price)
            action = await executor.wait_for(action.action_id)

    Args:
        config: with `defense`, contracts that have a `pause`, and `chain.rpc_urls`.
        on_change: takes every change of state of an action, in order, once the journal has it.
        on_alarm: takes what people must know and is no action: kind and reason.
        rehearsals: the core's `pauses` statistics, where a sensor runs.
        only: name or address of the contract that alone is armed, for who pauses by hand and cannot wait for all.
    """

    def __init__(
        self,
        config: IDSConfig,
        *,
        on_change: OnChange | None = None,
        on_alarm: OnAlarm | None = None,
        rehearsals: Rehearsals = tuple,
        only: str | None = None,
    ) -> None:
        self._config = config
        self._only = only
        self._on_change = on_change
        self._on_alarm = on_alarm
        self._rehearsals = rehearsals
        self._stack = AsyncExitStack()
        self._running: Running | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._alerts = 0
        self._to_wire, self._decided = Quantiles(), Quantiles()

    async def start(self) -> None:
        """Opens signer, journal and nodes, resumes what a former process left, and arms. Returns once armed.

        Raises:
            ConfigError: the configuration does not do for a defense.
            SignerError: the signer does not work.
            JournalError: the journal cannot be used.
            NodeError: no node answers, or one is on another chain.
        """
        if not self._config.chain.rpc_urls:
            raise ConfigError("active defense sends and asks over HTTP: set chain.rpc_urls")
        try:
            opening = Opening(
                self._config, self._stack, self._on_change, self._on_alarm, self._rehearsals, self._only
            )
            self._running = running = await opening.open()
            await running.upkeep.arm()
            if running.wire is not None:
                # Until every endpoint's connections are open, or for so long; readiness says who is missing.
                await asyncio.to_thread(running.wire.wait_warm, _WARM_UP_S)
            self._introduce(running.state)
            for name, work in (
                ("ledger", running.ledger.run),
                ("watch", running.upkeep.follow),
                ("arming", running.upkeep.keep_armed),
                ("readiness", running.upkeep.keep_ready),
                ("orders", running.orders.run),
                ("pruning", running.pruning.run),
                *([("offers", running.upkeep.keep_offered)] if running.private is not None else []),
            ):
                self._tasks.append(asyncio.create_task(self._keep(name, work), name=f"defense-{name}"))
        except BaseException:
            await self.stop()
            raise

    def _introduce(self, state: State) -> None:
        """Who stands ready for what."""
        mode = "ARMED" if self._config.defense.armed else "shadow mode, nothing is sent"
        for guardian in state.guardians:
            figures = guardian.figures()
            log.info(
                "defense: %s: guardian %s with %s, %d bids armed for %s",
                mode,
                guardian.address,
                in_ether(guardian.balance),
                figures["rungs"],
                ", ".join(state.targets),
            )

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """A task that fails is an alarm, and goes on."""
        while True:
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception("defense: %s", name)
                self._run.alarms.tell(f"{name} failed", f"{type(error).__name__}: {error}")
            await asyncio.sleep(_RESTART_S)

    async def stop(self) -> None:
        """Answers nothing more, and stops following. What is out stays out; the journal has it, and a restart goes on
        with it."""
        if self._running is not None:
            self._running.trigger.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._running is not None:
            await self._running.watch.stop()
        await self._stack.aclose()

    async def __aenter__(self) -> DefenseExecutor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def _run(self) -> Running:
        if self._running is None or self._running.trigger.is_stopped:
            raise MempoolIdsError("the defense is not running")
        return self._running

    def ask_url(self, action_id: str) -> str | None:
        """Where a human can answer, while one is asked about this action. Whoever has the link can answer: it goes to
        whom it is sent to, and is written nowhere."""
        return None if self._running is None else self._running.asking.url(action_id)

    def receive(self, kind: str, raw: bytes) -> bytes:
        """Takes an event as the core wrote it; answers an alert, and returns it with what was decided.

        Called on the thread that the core's events arrive on, in order, before anything else sees them. Never raises.
        """
        if kind == "outcome":
            self._take_outcome(raw)
        return self._answer(raw) if kind == "alert" else raw

    def _answer(self, raw: bytes) -> bytes:
        started = time.time()
        try:
            alert = orjson.loads(raw)
            note = self.respond(alert)
            if note.sent_at is not None:
                self._decided.add((note.sent_at - started) * 1e6)
                detected = datetime.fromisoformat(alert["timestamp"]).timestamp()
                self._to_wire.add((note.sent_at - detected) * 1e6)
            if note.tell:
                self._run.alarms.soon("unanswered", f"{alert['tx']['hash']}: {note.decision}")
            said = {"action_id": note.action_id, "decision": note.decision}
            return orjson.dumps({**alert, "response": {**alert["response"], **said}})
        except Exception as error:
            # Whatever it is, people are still told of the alert.
            log.exception("defense: an alert could not be decided on")
            if self._running is not None:
                reason = f"an alert could not be decided on: {type(error).__name__}: {error}"
                self._running.alarms.soon("decision failed", reason)
            return raw

    def practise(self) -> None:
        """Keeps the hot path warm: called on the thread that receives while nothing arrives. Never raises."""
        try:
            self._run.trigger.practise()
        except Exception:
            log.exception("defense: practice failed")

    def respond(self, alert: Mapping[str, Any]) -> Note:
        """Answers an `alert` event at once, from any thread.

        Raises:
            MempoolIdsError: the defense is not running.
        """
        self._alerts += 1
        return self._run.trigger.fire(alert)

    def _take_outcome(self, raw: bytes) -> None:
        """What became of a threat."""
        try:
            event = orjson.loads(raw)
            self.outcome(str(event["hash"]), str(event["outcome"]))
        except Exception:
            log.exception("defense: an outcome could not be read")

    def outcome(self, tx_hash: str, outcome: str) -> None:
        """What became of a threat, as the core's `outcome` events have it. Thread-safe."""
        run = self._run
        fate = {"mined": Fate.MINED, "replaced": Fate.GONE, "dropped": Fate.GONE}.get(outcome, Fate.PENDING)
        with run.state.lock:
            for live in run.state.book.answering(tx_hash):
                live.threats[tx_hash].fate, live.threats[tx_hash].fate_at = fate, time.monotonic()
        run.watch.wake_soon()

    async def execute_defense(
        self,
        strategy: str,
        target_contract: str,
        threat_tx_hash: str | None = None,
        threat_gas_price: int = 0,
        urgency: str = "critical",
    ) -> DefenseAction:
        """Responds by hand: through the same journal, caps, rails and watch as to an alert.

        Args:
            strategy: `pause`, or `rescue` where the contract is configured so.
            target_contract: name or address.
            threat_tx_hash: what it answers; None where there is nothing pending.
            threat_gas_price: wei a gas that the threat pays.
            urgency: `low`, `normal`, `high`, `critical`.

        Returns:
            The action as it is now; `wait_for` waits for its end.

        Raises:
            ConfigError: there is no such contract or urgency, the contract's response is another one, or the threat is
                no hash.
            MempoolIdsError: it was refused, or the defense is not running; the message says why.
        """
        return await self._run.by_hand.execute(
            strategy, target_contract, threat_tx_hash, threat_gas_price, urgency
        )

    async def retry_failed_action(self, action: DefenseAction) -> DefenseAction:
        """Tries again what failed: a new action for the same target and threat.

        Raises:
            MempoolIdsError: it has not failed, or is refused.
        """
        return await self._run.by_hand.retry(action)

    async def action(self, action_id: str) -> DefenseAction:
        """An action as it is now.

        Raises:
            MempoolIdsError: there is none of that id.
        """
        return await self._run.by_hand.action(action_id)

    async def wait_for(self, action_id: str, timeout_s: float = 120.0) -> DefenseAction:
        """The action once it is over.

        Raises:
            TimeoutError: it is not, after so long.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                action = await self.action(action_id)
                if action.is_over:
                    return action
                await asyncio.sleep(LIVE_S)

    async def prove(self) -> list[Readiness]:
        """Proves once for every contract that its pause would work now.

        Raises:
            NodeError: nobody answers.
        """
        return await self._run.upkeep.prove()

    def pauses(self) -> dict[str, dict[str, Any]]:
        """What the core rehearses, and simulates before an attack: by contract, who calls what."""
        state = self._run.state
        return {name: target.question(state.guardians[0].address) for name, target in state.targets.items()}

    def get_statistics(self) -> DefenseStatistics:
        """Figures as of now."""
        run = self._running
        if run is None:
            return DefenseStatistics()
        defense, counts = self._config.defense, run.ledger.counts
        return DefenseStatistics(
            armed=defense.armed,
            shadow=defense.shadow,
            alerts=self._alerts,
            actions=counts["actions"],
            by_state=run.ledger.by_state(),
            won=counts["won"],
            lost=counts["lost"],
            capped=counts["capped"],
            spent_wei=counts["spent"],
            saved_wei=counts["saved"],
            rungs_signed=run.upkeep.signed,
            to_wire_us=self._to_wire.as_dict(),
            decide_us=self._decided.as_dict(),
            alarms=dict(run.alarms.counts),
            guardians=tuple(guardian.figures() for guardian in run.state.guardians),
            contracts=tuple(run.upkeep.readiness.values()),
            endpoints=tuple(run.wire.health()) if run.wire is not None else (),
        )
