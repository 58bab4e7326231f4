"""Of several endpoints the freshest head wins, whoever answers first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from mempool_ids.config.models import Chain
from mempool_ids.defense import heads
from mempool_ids.defense.heads import BEHIND, Heads
from mempool_ids.defense.pace import block_s, is_too_old


@dataclass(frozen=True)
class Block:
    number: int


class Nodes:
    """What each says, and whether it says it."""

    def __init__(self, **numbers: int) -> None:
        self.numbers = numbers
        self.open = {name: asyncio.Event() for name in numbers}
        for event in self.open.values():
            event.set()
        self.heads: Heads[str, Block] = Heads(self.ask)

    async def ask(self, name: str) -> Block:
        await self.open[name].wait()
        if self.numbers[name] < 0:
            raise OSError(f"{name} is down")
        return Block(self.numbers[name])

    async def look(self) -> tuple[int, list[str]]:
        head, order = await self.heads.freshest(list(self.numbers))
        return head.number, order


async def test_the_freshest_wins_and_is_asked_first() -> None:
    nodes = Nodes(a=100, b=101, c=101)
    assert await nodes.look() == (101, ["b", "c", "a"])
    assert nodes.heads.behind == frozenset()


async def test_one_that_is_far_behind_is_left_out_until_it_is_not() -> None:
    nodes = Nodes(a=100, b=101 + BEHIND)
    await nodes.look()
    assert nodes.heads.behind == {"a"}
    nodes.numbers["a"] = 101 + BEHIND
    await nodes.look()
    assert nodes.heads.behind == frozenset()


async def test_one_that_hangs_holds_up_nothing_and_counts_once_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heads, "_GRACE_S", 0.01)
    nodes = Nodes(a=100, b=110)
    nodes.open["b"].clear()
    assert await nodes.look() == (100, ["a", "b"])
    nodes.open["b"].set()
    await asyncio.sleep(0)
    assert await nodes.look() == (110, ["b", "a"])


async def test_what_a_node_said_long_ago_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was ahead, and hangs since: whoever answers is believed."""
    monkeypatch.setattr(heads, "_GRACE_S", 0.01)
    monkeypatch.setattr(heads, "_SLOW_S", 0.0)
    nodes = Nodes(a=100, b=110)
    await nodes.look()
    nodes.open["b"].clear()
    assert await nodes.look() == (100, ["a", "b"])
    assert nodes.heads.behind == frozenset()


async def test_one_that_is_down_is_asked_last_and_all_that_are_down_say_why() -> None:
    nodes = Nodes(a=-1, b=100)
    assert await nodes.look() == (100, ["b", "a"])
    nodes.numbers["b"] = -1
    with pytest.raises(OSError, match="is down"):
        await nodes.look()


def test_a_head_is_too_old_by_the_pace_of_its_chain() -> None:
    ethereum, tests = block_s(Chain(id=1)), block_s(Chain(id=31337))
    assert (ethereum, tests) == (12.0, None)
    assert not is_too_old(1_000, 1_060, ethereum)
    assert is_too_old(1_000, 1_061, ethereum)
    assert not is_too_old(1_000, 1_030, 0.25)
    assert is_too_old(1_000, 1_031, 0.25)
    assert not is_too_old(1_000, 10**9, tests), "who tests makes blocks when they like"
