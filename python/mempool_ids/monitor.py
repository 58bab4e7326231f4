"""Pending transactions for people: a thin asyncio façade over the sensor, without a model.

For detections use `IDSEngine`: it leaves the work per transaction to Rust. Here every transaction becomes an object
of Python, which a script can bear and a busy chain's sensor cannot.
"""

import asyncio
import inspect
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

import orjson

from mempool_ids import _core
from mempool_ids.config import IDSConfig, sensor_config
from mempool_ids.exceptions import MempoolIdsError, NodeError
from mempool_ids.records.statistics import Endpoint, dropped, shared
from mempool_ids.records.transaction import PendingTransaction
from mempool_ids.runtime.receiver import Receiver, unasked_end

__all__ = ["MempoolMonitor", "MonitoringStats", "PendingTransaction"]

log = logging.getLogger(__name__)

Callback = Callable[[PendingTransaction], Awaitable[None] | None]

# Transactions kept for `process_transaction`, and those that wait for a slow reader (what finds no room is counted).
RECENT = 4096
WAITING = 1 << 16


@dataclass(frozen=True, slots=True)
class MonitoringStats:
    """Counters since `connect`."""

    received: int = 0
    duplicates: int = 0
    unparsed: int = 0
    dropped: int = 0
    """Lost for want of room, in the core or because nobody read them here."""
    reconnects: int = 0
    recovered: int = 0
    """Fetched from `txpool_content` after a lost connection."""
    anomalies: int = 0
    head_number: int = 0
    endpoints: tuple[Endpoint, ...] = ()


class MempoolMonitor:
    """Streams pending transactions.

        async with MempoolMonitor("ws://127.0.0.1:8546") as monitor:
            async for tx in monitor:
                print(tx.hash, tx.value)

    Args:
        websocket_url: one node, or several: the first to announce a transaction wins.
        chain_id: what the nodes must answer.
        config: instead of both, for everything else that can be set.
    """

    def __init__(
        self,
        websocket_url: str | Sequence[str] = (),
        chain_id: int = 1,
        *,
        config: IDSConfig | None = None,
    ) -> None:
        if config is None:
            urls = [websocket_url] if isinstance(websocket_url, str) else list(websocket_url)
            config = IDSConfig(chain={"id": chain_id, "websocket_urls": urls})
        self._config = config
        self._callbacks: list[Callback] = []
        self._sensor: _core.Sensor | None = None
        self._receiver: Receiver | None = None
        self._reader: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()
        self._waiting: asyncio.Queue[PendingTransaction | None] = asyncio.Queue(WAITING)
        self._recent: OrderedDict[str, PendingTransaction] = OrderedDict()
        # One future for each caller: one that gives up takes no other's answer with it.
        self._wanted: dict[str, set[asyncio.Future[PendingTransaction]]] = {}
        self._lost = 0
        self._reconnecting = False
        self._ended = False
        self._failure: MempoolIdsError | None = None

    def on_transaction(self, callback: Callback) -> Callback:
        """Calls `callback(tx)` for each transaction during `subscribe_pending_transactions`; usable as a decorator.

        Coroutine functions are awaited, others are called on the event loop. What they raise is logged.
        """
        self._callbacks.append(callback)
        return callback

    async def connect(self, timeout: float = 30.0) -> None:
        """Connects and subscribes; returns once every node that can be reached is subscribed.

        Raises:
            NodeError: none was within `timeout` seconds, or none ever will be: all serve another chain.
            ConfigError: no node is given.
            MempoolIdsError: it is connected already.
        """
        if self._sensor is not None:
            raise MempoolIdsError("connected already")
        sensor = _core.Sensor(sensor_config(self._config, emit="all", judge=False))
        self._sensor, self._receiver = sensor, Receiver(sensor)
        self._subscribed.clear()
        self._failure = None
        if self._ended:
            self._waiting, self._ended = asyncio.Queue(WAITING), False
        await asyncio.to_thread(sensor.start)
        self._receiver.start()
        self._reader = asyncio.create_task(self._read(self._receiver))
        subscribed = asyncio.create_task(self._subscribed.wait())
        try:
            await asyncio.wait(
                (subscribed, self._reader), timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            subscribed.cancel()
        if not self._subscribed.is_set():
            await self.close()
            nodes = ", ".join(str(url) for url in self._config.chain.websocket_urls)
            raise self._failure or NodeError(f"no subscription within {timeout:.0f} s at {nodes}")

    async def _read(self, receiver: Receiver) -> None:
        reason: bytes | None = None
        try:
            async for batch in receiver.batches():
                for kind, raw in batch:
                    if kind == "lines":
                        for line in raw.splitlines():
                            self._arrive(PendingTransaction.from_event(orjson.loads(line)["tx"]))
                    elif kind == "ready":
                        self._subscribed.set()
                    elif kind == "anomaly":
                        reason = raw
                        log.info("anomaly: %s", raw.decode())
            if self._receiver is receiver:
                self._failure = unasked_end(reason)
        except MempoolIdsError as error:  # for whoever reads: the sensor failed in its own code
            self._failure = error
        finally:
            if not self._reconnecting:
                self._ended = True
                self._offer(None)

    def _arrive(self, tx: PendingTransaction) -> None:
        self._recent[tx.hash] = tx
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        for wanted in self._wanted.get(tx.hash, ()):
            if not wanted.done():
                wanted.set_result(tx)
        self._offer(tx)

    def _offer(self, tx: PendingTransaction | None) -> None:
        """Old ones give way: who reads too slowly gets the newest."""
        while True:
            try:
                self._waiting.put_nowait(tx)
            except asyncio.QueueFull:
                self._waiting.get_nowait()
                self._lost += 1
            else:
                return

    async def __aiter__(self) -> AsyncIterator[PendingTransaction]:
        """Transactions as they arrive, until `close`.

        Raises:
            NodeError: it ended by itself, because no node serves the chain.
            MempoolIdsError: it failed in its own code.
        """
        while (tx := await self._waiting.get()) is not None:
            yield tx
        self._offer(None)  # for other readers
        if self._failure is not None:
            raise self._failure

    async def subscribe_pending_transactions(self) -> None:
        """Hands every transaction to the callbacks, until `close`. Connects first if needed."""
        if self._sensor is None:
            await self.connect()
        async for tx in self:
            for callback in tuple(self._callbacks):
                try:
                    answer = callback(tx)
                    if inspect.isawaitable(answer):
                        await answer
                except Exception:
                    log.exception("callback %r failed for transaction %s", callback, tx.hash)

    async def process_transaction(self, tx_hash: str, timeout: float = 10.0) -> PendingTransaction | None:
        """One transaction by its hash, asked from the nodes unless it was just seen.

        Returns:
            None if no node gave it within `timeout` seconds.

        Raises:
            MempoolIdsError: not connected, or `tx_hash` is no hash.
        """
        if self._sensor is None:
            raise MempoolIdsError("not connected: call connect() first")
        key = tx_hash.lower()
        if key in self._recent:
            return self._recent[key]
        wanted: asyncio.Future[PendingTransaction] = asyncio.get_running_loop().create_future()
        callers = self._wanted.setdefault(key, set())
        callers.add(wanted)
        try:
            await asyncio.to_thread(self._sensor.fetch, key)
            return await asyncio.wait_for(wanted, timeout)
        except TimeoutError:
            return None
        finally:
            callers.discard(wanted)
            if not callers:
                self._wanted.pop(key, None)

    async def reconnect(self, timeout: float = 30.0) -> None:
        """Closes all connections and opens new ones; iteration goes on. Lost connections come back without it.

        Raises:
            NodeError: no node was reached within `timeout` seconds.
        """
        self._reconnecting = True
        try:
            await self._disconnect()
        finally:
            self._reconnecting = False
        await self.connect(timeout)

    async def _disconnect(self) -> None:
        sensor, receiver, reader = self._sensor, self._receiver, self._reader
        self._sensor = self._receiver = self._reader = None
        if sensor is None or receiver is None or reader is None:
            return
        await asyncio.to_thread(sensor.stop)
        try:
            await asyncio.wait_for(asyncio.shield(reader), 10.0)
        except TimeoutError:
            receiver.abandon()
            await reader

    async def close(self) -> None:
        """Disconnects; iteration ends. Calling it again does nothing."""
        await self._disconnect()

    async def __aenter__(self) -> "MempoolMonitor":
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def get_statistics(self) -> MonitoringStats:
        """Figures as of now."""
        if self._sensor is None:
            return MonitoringStats()
        core = orjson.loads(self._sensor.stats())
        return MonitoringStats(
            **shared(core),
            dropped=dropped(core) + self._lost,
            anomalies=sum(core["anomalies"].values()),
        )
