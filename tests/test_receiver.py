import asyncio
import threading

import pytest

from mempool_ids.runtime import receiver as module
from mempool_ids.runtime.receiver import Batch, Receiver


class Source:
    """Gives batches as a core does, then the end."""

    def __init__(self, batches: list[Batch], error: Exception | None = None) -> None:
        self.batches = batches
        self.error = error
        self.taken = 0
        self.polled = threading.Event()

    def recv(self, timeout: float, limit: int = 1024, /) -> Batch:
        self.polled.set()
        if self.batches:
            self.taken += 1
            return self.batches.pop(0)
        if self.error:
            raise self.error
        return [("end", b"")]


async def collect(source: Source) -> Batch:
    receiver = Receiver(source)
    receiver.start()
    return [event async for batch in receiver.batches() for event in batch]


async def test_events_come_in_order_and_end_with_the_source() -> None:
    expected = [("alert", str(number).encode()) for number in range(3000)]
    batches = [expected[start : start + 7] for start in range(0, 3000, 7)]
    assert await collect(Source(batches)) == expected


async def test_what_breaks_the_source_reaches_the_reader_after_its_events() -> None:
    source = Source([[("alert", b"1")]], RuntimeError("gone"))
    receiver = Receiver(source)
    receiver.start()
    batches = receiver.batches()
    assert await anext(batches) == [("alert", b"1")]
    with pytest.raises(RuntimeError, match="gone"):
        await anext(batches)


async def test_a_busy_loop_does_not_stop_the_pulling() -> None:
    source = Source([[("alert", b"x")] for _ in range(500)])
    receiver = Receiver(source)
    receiver.start()
    # The loop is blocked here, as by a careless callback.
    receiver._thread.join(5)
    assert source.taken == 500
    assert sum([len(batch) async for batch in receiver.batches()]) == 500


async def test_the_backlog_is_bounded_and_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKLOG_EVENTS", 10)
    source = Source([[("alert", b"x")] * 5 for _ in range(20)])
    receiver = Receiver(source)
    receiver.start()
    receiver._thread.join(0.3)
    assert source.taken == 3  # two fit, one is in the hand
    assert sum([len(batch) async for batch in receiver.batches()]) == 100


async def test_an_abandoned_receiver_ends() -> None:
    class Silent:
        def recv(self, timeout: float, limit: int = 1024, /) -> Batch:
            threading.Event().wait(0.01)
            return []

    receiver = Receiver(Silent())
    receiver.start()
    reader = asyncio.create_task(anext(aiter(receiver.batches()), None))
    receiver.abandon()
    assert await asyncio.wait_for(reader, 5) is None
    receiver._thread.join(5)
    assert not receiver._thread.is_alive()
