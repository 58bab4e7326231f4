"""A journal that does not grow with every move of the base fee, and has whatever may go out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mempool_ids.defense import pruning
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.guardian import Guardian
from mempool_ids.defense.journal import Journal, JournalError, JournalThread, Marks
from mempool_ids.defense.pruning import Pruning
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.journal_samples import GUARDIAN, ladder, open_journal, rung
from tests.defense.races import Ring, ring
from tests.defense.scenes import Scene
from tests.defense.trouble import head_seen, mine_to_end, until
from tests.scenarios.stage import GWEI


def waits(fight: Ring) -> set[str]:
    """Hashes of what is armed."""
    assert fight.engine._defense is not None
    (guardian,) = fight.engine._defense._run.state.guardians
    ladders = [ladder for by_nonce in guardian.ladders.values() for ladder in by_nonce.values()]
    return {loaded.rung.tx_hash for ladder in ladders for loaded in ladder}


async def journaled(fight: Ring) -> set[str]:
    assert fight.engine._defense is not None
    ledger = fight.engine._defense._run.ledger
    (guardian,) = fight.engine._defense._run.state.guardians
    nonces = range(guardian.latest + 8)
    rungs = [
        await ledger._in_journal(lambda at=at: ledger._journal.armed(guardian.address, at)) for at in nonces
    ]  # type: ignore[misc]
    return {one.tx_hash for some in rungs for one in some}


async def test_ladders_of_former_base_fees_are_forgotten_while_it_runs(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_EVERY_S", 0.05)
    monkeypatch.setattr(pruning, "_SUPERSEDED_S", -60.0)  # at once
    async with ring(node, rpc, [scene], tmp_path) as fight:
        for base_fee in (5 * GWEI, GWEI, 20 * GWEI, 5 * GWEI, GWEI):
            before = waits(fight)
            await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
            await rpc.mine()
            await head_seen(fight)
            await fight.until(lambda before=before: waits(fight) != before, "other ladders")  # type: ignore[misc]

        async def is_small() -> bool:
            return len(await journaled(fight)) <= 2 * len(waits(fight))

        await until(is_small, "what is loaded and what was before to be all")
        assert waits(fight) <= await journaled(fight)
        await scene.attack(2 * GWEI)
        await fight.until_state("reentrancy 0", "sent")
        ended = await mine_to_end(fight, "reentrancy 0")
        assert ended["reentrancy 0"].state == "confirmed"
        sent = {one.tx_hash for one in fight.of("reentrancy 0", "sent")}
        assert sent <= await journaled(fight), "what went out stays"


class Disk(Pruning):
    """Over a journal of its own."""

    def __init__(self, folder: Path) -> None:
        self.journal = open_journal(folder)
        self.marks = Marks.beside(self.journal.path)
        self.told: list[str] = []
        self.alarms = Alarms(
            asyncio.get_running_loop(), lambda kind, reason: self.told.append(f"{kind}: {reason}")
        )
        self.in_journal = JournalThread()
        super().__init__(
            self.journal, self.in_journal, self.marks, {}, [Guardian(GUARDIAN, None, 7)], self.alarms
        )


async def test_what_was_marked_stays_and_what_fails_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_EVERY_S", 0.01)
    monkeypatch.setattr(pruning, "_MOST", 5)
    monkeypatch.setattr(pruning, "_PORTION", 2)
    monkeypatch.setattr(pruning, "_SUPERSEDED_S", -60.0)
    disk = Disk(tmp_path)
    for start in range(0, 40, 10):
        disk.journal.arm([rung(7, "vault", number) for number in range(start, start + 4)])
    disk.marks.put(bytes.fromhex(rung(7, "vault", 1).tx_hash[2:]), 1.0)

    def full(*_: object) -> int:
        raise JournalError("the disk is full")

    with monkeypatch.context() as failing:
        failing.setattr(Journal, "forget", full)
        running = asyncio.create_task(disk.run())

        async def is_told() -> bool:
            return bool(disk.told)

        await until(is_told, "an alarm")
    assert disk.told == ["journal: the disk is full"]

    async def is_pruned() -> bool:
        return len(await disk.in_journal(lambda: disk.journal.armed(GUARDIAN, 7))) == 9

    await until(is_pruned, "the first two ladders to go, but for what was marked")
    running.cancel()
    disk.in_journal.close()
    assert ladder(7, "vault")[1] in disk.journal.armed(GUARDIAN, 7)
    disk.marks.close()
    disk.journal.close()
