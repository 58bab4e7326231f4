"""The engine: runs a sensor, makes its detections durable, tells people and programs."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import orjson

from mempool_ids import _core
from mempool_ids.config import IDSConfig, IDSMode, sensor_config
from mempool_ids.config.models import Webhook
from mempool_ids.config.speaking import silent, speaking
from mempool_ids.exceptions import ConfigError, MempoolIdsError
from mempool_ids.records.deployment import Deployment
from mempool_ids.records.detection import ThreatDetection
from mempool_ids.records.events import ALARM, Event, anomaly_event, stats_event
from mempool_ids.records.response import Response
from mempool_ids.records.statistics import IDSStatistics, from_core
from mempool_ids.runtime.background import settled
from mempool_ids.runtime.callbacks import Callback, Callbacks, DeploymentCallback, ResponseCallback
from mempool_ids.runtime.receiver import Batch, Receiver, unasked_end
from mempool_ids.runtime.recorder import Recorder
from mempool_ids.sinks.export import export
from mempool_ids.sinks.webhook import Outbox
from mempool_ids.storage.store import Store, sink_id

if TYPE_CHECKING:
    from mempool_ids.defense.action import DefenseAction, Transition
    from mempool_ids.defense.executor import DefenseExecutor

__all__ = ["IDSConfig", "IDSEngine", "IDSMode", "IDSStatistics", "ThreatDetection"]

log = logging.getLogger(__name__)

T = TypeVar("T")

# How long `stop` waits for the core to hand over what it has, and then for callbacks and webhooks.
DRAIN_S = 10.0
FAREWELL_S = 3.0
# Pause before a background task that ended unexpectedly is started again.
RESTART_S = 1.0


def check_defense(config: IDSConfig) -> None:
    """Raises ConfigError where the configuration wants a defense and does not say whether it may send."""
    if config.operational_mode is not IDSMode.ACTIVE_DEFENSE:
        return
    if not config.defense.armed and not config.defense.shadow:
        raise ConfigError(
            'operational_mode = "active_defense" does nothing by itself: set defense.shadow = true to rehearse '
            "(everything but the sending, written down), and once `mempool-ids check` is green and "
            "`mempool-ids defend report` convinces you, defense.armed = true"
        )


class IDSEngine:
    """Runs a sensor.

        engine = IDSEngine(IDSConfig(websocket_url="ws://127.0.0.1:8546", monitored_contracts=["0x…"]))
        engine.on_detection(print)
        async with engine:
            await engine.wait()

    Args:
        config: what to watch and whom to tell.
        replay: captures to judge instead of live nodes.
        speed: of a replay: 0 as fast as possible, 1 as recorded.
        transport: instead of the network for webhooks, for tests.
    """

    def __init__(
        self,
        config: IDSConfig,
        *,
        replay: Sequence[str | Path] = (),
        speed: float = 0.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.config = config
        self._replay = [Path(path) for path in replay]
        self._speed = speed
        self._transport = transport
        self._callbacks: Callbacks[ThreatDetection] = Callbacks()
        self._response_callbacks: Callbacks[Response] = Callbacks()
        self._deployment_callbacks: Callbacks[Deployment] = Callbacks()
        self._defense: DefenseExecutor | None = None
        # What the defense tells, on its way to storage and log.
        self._told: deque[Event] = deque()
        self._has_told = asyncio.Event()
        # At the end two want to: the task that does it all along, and `stop`.
        self._telling = asyncio.Lock()
        self._sensor: _core.Sensor | None = None
        self._recorder: Recorder | None = None
        self._outboxes: list[Outbox] = []
        self._background: list[asyncio.Task[None]] = []
        self._background_failures = 0
        self._speaking = {one.name: speaking(one) for one in config.contracts}
        lacking = {one.name: len(list(silent(one))) for one in config.contracts}
        self._silent = {name: count for name, count in lacking.items() if count}
        self._consumer: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._receiver: Receiver | None = None
        # Storage and event log are used from this one thread, in the order of submission.
        self._thread = ThreadPoolExecutor(1, "ids-storage")
        self._ready = asyncio.Event()
        self._started_at = 0.0
        self._final: IDSStatistics | None = None

    def on_detection(self, callback: Callback) -> Callback:
        """Calls `callback(detection)` for every new detection that is not muted; usable as a decorator.

        Coroutine functions are awaited; others run on a thread. Each is called after the detection is stored, for
        one at a time, and waits for no other; what it raises is logged and counted. It may call `stop`.
        """
        self._callbacks.add(callback)
        return callback

    def on_deployment(self, callback: DeploymentCallback) -> DeploymentCallback:
        """As `on_detection`, for every new contract: `callback(deployment)`, once more when it has been called."""
        self._deployment_callbacks.add(callback)
        return callback

    def on_response(self, callback: ResponseCallback) -> ResponseCallback:
        """As `on_detection`, for every change of state of a response: `callback(response)`."""
        self._response_callbacks.add(callback)
        return callback

    async def start(self) -> None:
        """Loads model and rules, opens storage and event log, and begins to watch. Returns without waiting for nodes.

        In active defense, responses are armed first: that asks a node and signs.

        Raises:
            ConfigError: the configuration, a webhook's secret or its environment is not usable.
            SignerError, JournalError, NodeError: active defense cannot be armed.
            RulesError, ModelError: a rule or the model does not load.
            MempoolIdsError: storage or event log cannot be opened, or it was started before.
        """
        if self._consumer is not None:
            raise MempoolIdsError("an engine is started once; make another")
        check_defense(self.config)
        hooks = self._hooks()
        # Armed before the first detection can come. What is replayed is over: nothing answers it.
        self._defense = None if self._replay else await self._defend()
        try:
            await self._start(hooks)
        except BaseException:
            if self._defense is not None:
                await self._defense.stop()
            raise

    async def _defend(self) -> "DefenseExecutor | None":
        if self.config.operational_mode is not IDSMode.ACTIVE_DEFENSE:
            return None
        try:
            from mempool_ids.defense.executor import DefenseExecutor
        except ImportError as error:
            raise ConfigError(
                f"active defense needs {error.name}: pip install 'mempool-ids[defense]'"
            ) from None
        executor = DefenseExecutor(
            self.config, on_change=self._tell_change, on_alarm=self._tell_alarm, rehearsals=self._rehearsals
        )
        await executor.start()
        return executor

    async def _start(self, hooks: tuple[Webhook, ...]) -> None:
        defense = self._defense
        pauses = None if defense is None else defense.pauses()
        text = sensor_config(self.config, replay=self._replay, speed=self._speed, pauses=pauses)
        sensor = await asyncio.to_thread(_core.Sensor, text)
        sinks = [sink_id(hook.url.full) for hook in hooks]
        recorder = None
        try:
            recorder = await self._in_storage(lambda: Recorder(self.config, sinks))
            self._outboxes = [
                Outbox(hook, recorder.store, self._in_storage, self._transport, self._ask_url_of)
                for hook in hooks
            ]
            await asyncio.to_thread(sensor.start)
        except BaseException:
            await self._close_outboxes()
            if recorder is not None:
                await self._in_storage(recorder.close)
            self._thread.shutdown()
            raise
        self._sensor, self._recorder = sensor, recorder
        self._receiver = Receiver(sensor, defense)
        self._started_at = time.monotonic()
        self._receiver.start()
        self._consumer = asyncio.create_task(self._consume(self._receiver, recorder))
        self._callbacks.start()
        self._response_callbacks.start()
        self._deployment_callbacks.start()
        if defense is not None:
            self._in_background("responses", self._record_responses)
        self._in_background("statistics", self._log_statistics)
        for hook, outbox in zip(hooks, self._outboxes, strict=True):
            self._in_background(f"webhook {hook.url}", outbox.run)

    def _hooks(self) -> tuple[Webhook, ...]:
        """The webhooks in use. Raises ConfigError where a secret is missing."""
        if self.config.operational_mode is IDSMode.MONITOR_ONLY:
            return ()
        for number, hook in enumerate(self.config.alerts.webhooks):
            try:
                hook.secret.reveal()
            except ConfigError as error:
                raise ConfigError(f"alerts.webhooks.{number}.secret: {error}") from None
        return self.config.alerts.webhooks

    def _in_background(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._background.append(asyncio.create_task(self._keep_running(name, work)))

    async def _keep_running(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            error = await settled(work())
            self._background_failures += 1
            log.error("%s: ended unexpectedly, goes on in %.0f s", name, RESTART_S, exc_info=error)
            await asyncio.sleep(RESTART_S)

    async def _close_outboxes(self) -> None:
        for outbox in self._outboxes:
            await outbox.close()

    async def _in_storage(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _consume(self, receiver: Receiver, recorder: Recorder) -> None:
        reason: bytes | None = None
        async for batch in receiver.batches():
            await self._handle(batch, recorder)
            reason = next((raw for kind, raw in reversed(batch) if kind == "anomaly"), reason)
        if not self._replay and self._stopping is None:
            error = unasked_end(reason)
            log.error("nothing is watched any more: %s", error)
            raise error

    async def _handle(self, batch: Batch, recorder: Recorder) -> None:
        if any(kind == "ready" for kind, _ in batch):
            self._ready.set()
        recorded = await self._in_storage(lambda: recorder.record(batch))
        for alert, _ in recorded.alerts:
            if not alert["notify"]:
                continue
            self._callbacks.put(ThreatDetection.from_event(alert))
        for deploy, _ in recorded.deployments:
            self._deployment_callbacks.put(Deployment.from_event(deploy["contract"]))
        for outbox in self._outboxes if recorded.alerts else ():
            for key, raw in recorded.unstored():
                outbox.send_unstored(key, raw)
            outbox.wake()

    def _ask_url(self, event: Mapping[str, Any]) -> str | None:
        """Where a human can answer the question that an event is; it is no part of what is stored."""
        is_question = event["event_type"] == "response" and event["state"] == "intent"
        if self._defense is None or not is_question:
            return None
        return self._defense.ask_url(event["action_id"])

    def _ask_url_of(self, raw: bytes) -> str | None:
        """The same for an event as it was stored."""
        return self._ask_url(orjson.loads(raw)) if b'"intent"' in raw else None

    def _tell_change(self, action: "DefenseAction", transition: "Transition") -> None:
        from mempool_ids.defense.events import response_event

        self._tell(response_event(self.config.sensor, self.config.chain.id, action, transition))

    def _tell_alarm(self, kind: str, reason: str) -> None:
        self._tell(anomaly_event(self.config.sensor, self.config.chain.id, ALARM, kind, reason))

    def _tell(self, event: Event) -> None:
        self._told.append(event)
        self._has_told.set()

    async def _record_responses(self) -> None:
        while True:
            await self._has_told.wait()
            await self._record_told()

    async def _record_told(self) -> None:
        """What the defense told, in order: storage, log, callbacks, webhooks."""
        async with self._telling:
            await self._record_next()

    async def _record_next(self) -> None:
        self._has_told.clear()
        events = list(self._told)
        recorder = self._recorder
        if recorder is None or not events:
            return
        recorded = await self._in_storage(lambda: recorder.record_responses(events))
        for _ in events:
            self._told.popleft()
        for event, _ in recorded.responses:
            if event["event_type"] == "response":
                self._response_callbacks.put(Response.from_event(event, self._ask_url(event)))
        for outbox in self._outboxes:
            for key, raw in recorded.unstored():
                outbox.send_unstored(key, raw)
            outbox.wake()

    def _rehearsals(self) -> list[dict[str, Any]]:
        """How the core's own rehearsals of the pauses went."""
        if self._sensor is None:
            return []
        return list(self.core_statistics().get("pauses", ()))

    async def _log_statistics(self) -> None:
        while True:
            await asyncio.sleep(self.config.alerts.stats_interval_s)
            await self._write_statistics()

    async def _write_statistics(self) -> None:
        recorder = self._recorder
        if recorder is not None:
            event = stats_event(self.config.sensor, self.config.chain.id, self.get_statistics().as_dict())
            await self._in_storage(lambda: recorder.write_event(event))

    async def wait_ready(self, timeout: float | None = None) -> bool:
        """Whether the sensor came to be subscribed (or its capture open) within `timeout` seconds.

        False at once where the engine ends before that; `wait` says why.
        """
        if self._consumer is None:
            return False
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait((ready, self._consumer), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        return self._ready.is_set()

    async def wait(self) -> None:
        """Until the replay has ended or the engine was stopped.

        Raises:
            NodeError: a live sensor ended by itself, because no node serves the chain.
            Exception: what else made the engine fail.
        """
        if self._consumer is not None:
            await asyncio.shield(self._consumer)

    async def reload(self) -> None:
        """Reads the rules' files again, without losing a transaction.

        Raises:
            RulesError: a rule does not load; the old ones stay.
        """
        sensor = self._sensor
        if sensor is not None:
            await asyncio.to_thread(sensor.reload, list(self.config.detection.rules))

    async def stop(self) -> None:
        """Stops watching, handles every event that the core still has, and closes. Called again, awaits the same.

        Raises:
            Exception: what made the engine fail while it ran.
        """
        sensor, consumer, recorder = self._sensor, self._consumer, self._recorder
        if sensor is not None and consumer is not None and recorder is not None and self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(sensor, consumer, recorder))
        if self._stopping is None or self._stopping.done():
            return
        self._callbacks.leave_out_caller()
        self._response_callbacks.leave_out_caller()
        self._deployment_callbacks.leave_out_caller()
        await asyncio.shield(self._stopping)

    async def _stop(self, sensor: _core.Sensor, consumer: asyncio.Task[None], recorder: Recorder) -> None:
        await asyncio.to_thread(sensor.stop)
        try:
            await self._drain(consumer)
        finally:
            if self._defense is not None:
                await self._defense.stop()
            await self._record_told()
            with contextlib.suppress(TimeoutError):
                every = (self._callbacks, self._response_callbacks, self._deployment_callbacks)
                idle = [callbacks.idle() for callbacks in every]
                idle += [outbox.idle() for outbox in self._outboxes]
                await asyncio.wait_for(asyncio.gather(*idle), FAREWELL_S)
            await self._callbacks.close()
            await self._response_callbacks.close()
            await self._deployment_callbacks.close()
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)
            await self._close_outboxes()
            await self._write_statistics()
            self._final = self.get_statistics()
            self._sensor = None
            await self._in_storage(recorder.close)
            self._thread.shutdown()

    async def _drain(self, consumer: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait_for(asyncio.shield(consumer), DRAIN_S)
        except TimeoutError:
            log.error("the core did not end within %.0f s; its last events may be missing", DRAIN_S)
            if self._receiver is not None:
                self._receiver.abandon()
            await consumer

    async def __aenter__(self) -> "IDSEngine":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def core_statistics(self) -> dict[str, Any]:
        """The core's own counters, as `Sensor.stats()` gives them.

        Raises:
            MempoolIdsError: the engine is not running.
        """
        if self._sensor is None:
            raise MempoolIdsError("the engine is not running")
        counters: dict[str, Any] = orjson.loads(self._sensor.stats())
        return counters

    def get_statistics(self) -> IDSStatistics:
        """Figures as of now; after `stop`, the last ones."""
        if self._final is not None:
            return self._final
        recorder = self._recorder
        if self._sensor is None or recorder is None:
            return IDSStatistics()
        deliveries = {"delivered": 0, "retried": 0, "failed": 0}
        for outbox in self._outboxes:
            for state, count in outbox.counts.items():
                deliveries[state] += count
        return from_core(
            self.core_statistics(),
            uptime_s=time.monotonic() - self._started_at,
            stored=recorder.stored,
            repeated=recorder.repeated,
            muted=recorder.muted,
            malformed=recorder.malformed,
            storage_failures=recorder.storage_failures,
            event_log_failures=recorder.event_log_failures,
            callback_failures=self._callbacks.failures,
            callbacks_dropped=self._callbacks.dropped,
            background_failures=self._background_failures,
            deliveries=deliveries,
            invariants_speaking=self._speaking,
            invariants_silent=self._silent,
            defense=None if self._defense is None else self._defense.get_statistics().as_dict(),
        )

    def export_detections(self, filepath: str | Path) -> int:
        """Writes all stored detections with their outcomes, as `.json`, `.jsonl` or `.csv`; returns how many.

        Raises:
            ValueError: another suffix.
            MempoolIdsError: the storage cannot be read.
            OSError: the file cannot be written.
        """
        store = Store(self.config.storage.path, self.config.chain.id)
        try:
            return export(store.events(), Path(filepath))
        finally:
            store.close()
