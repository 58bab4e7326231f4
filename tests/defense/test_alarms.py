"""What lasts is told once, and counted by its kind."""

import asyncio

from mempool_ids.defense.alarms import Alarms


async def test_what_lasts_is_told_once_of_each_and_counted_by_kind() -> None:
    told: list[tuple[str, str]] = []
    alarms = Alarms(asyncio.get_running_loop(), lambda *alarm: told.append(alarm))
    for of in ("a-1", "a-2", "a-1", "a-2"):
        alarms.tell_lasting("response stuck", f"{of} is stuck", of)
    assert told == [("response stuck", "a-1 is stuck"), ("response stuck", "a-2 is stuck")]
    alarms.over("response stuck", "a-1")
    alarms.tell_lasting("response stuck", "a-1 is stuck", "a-1")
    alarms.tell_lasting("response stuck", "a-2 is stuck", "a-2")
    assert alarms.counts == {"response stuck": 3}


async def test_another_reason_is_told_though_it_lasts() -> None:
    told: list[str] = []
    alarms = Alarms(asyncio.get_running_loop(), lambda _, reason: told.append(reason))
    for reason in ("the disk is full", "the disk is full", "the disk is gone"):
        alarms.tell_lasting("journal", reason)
    assert told == ["the disk is full", "the disk is gone"]
