"""Trouble on the sensor's own machine: its signer, its disk, its journal, its clock."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.defense import upkeep
from mempool_ids.defense.journal import JournalError
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.engine import IDSEngine
from tests.defense.answering import Asked, Never, answering
from tests.defense.keys import fields
from tests.defense.races import configuration, ring
from tests.defense.scenes import Scene, takeover
from tests.defense.test_signers_jsonrpc import Stand, read
from tests.defense.trouble import (
    alarms,
    check_journal,
    check_nonces,
    head_seen,
    looked,
    mine_to_end,
    mine_until,
    put,
    sensor,
    settings,
    until,
    until_alarm,
    until_pending,
    victim,
    withdraw,
)
from tests.scenarios.stage import ETHER, GWEI, Actor

pytestmark = pytest.mark.timeout(60)
NAME, OTHER = "reentrancy 0", "takeover 1"


class Mortal:
    """A signer that is asked over HTTP, while it lives."""

    def __init__(self, scene: Scene) -> None:
        self.stand = Stand()
        self.stand.accounts = [scene.guardian.address]
        self.stand.sign = lambda asked: (
            scene.guardian.key.sign_transaction(fields(read(asked))).raw_transaction
        )
        self.state = "alive"

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        if self.state == "silent":
            raise Never
        return self.stand(asked) if self.state == "alive" else (500, b"dead")


@pytest.mark.parametrize("death", ["dead", "silent"])
async def test_with_a_dead_signer_what_is_armed_goes_out_and_is_followed(
    death: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    other = await takeover(rpc, scene.guardian)
    mortal = Mortal(scene)
    with answering(mortal) as server:
        signer = {"type": "jsonrpc", "url": server.url, "address": scene.guardian.address, "timeout_s": 1.0}
        config = configuration(node, [scene, other], tmp_path, signer=signer)
        async with sensor(config, rpc, tmp_path) as fight:
            mortal.state = death
            await rpc.mine()
            await head_seen(fight)
            await scene.attack(2 * GWEI)
            await until_pending(rpc, scene.guardian.address, 0)
            await other.attack(2 * GWEI)
            await until_pending(rpc, scene.guardian.address, 1)
            await until_alarm(fight, "what was armed before may still be sent")
            ended = await mine_to_end(fight, NAME, OTHER)
            assert {one.state for one in ended.values()} == {"confirmed"}, fight.story()
            # It comes back, and so does what is armed.
            mortal.state = "alive"
            await rpc.mine()
            await until(lambda: is_armed(fight), "all nonces to be armed again", 15)
    assert await scene.harm() == 0
    assert await other.harm() == 0
    assert len(await check_nonces(rpc, scene.guardian)) == 2


async def test_a_dead_signer_is_asked_again_after_a_pause_and_told_of_once(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PAUSE_FIRST_S", 30.0)
    mortal = Mortal(scene)
    with answering(mortal) as server:
        signer = {"type": "jsonrpc", "url": server.url, "address": scene.guardian.address, "timeout_s": 1.0}
        async with sensor(configuration(node, [scene], tmp_path, signer=signer), rpc, tmp_path) as fight:
            mortal.state = "dead"
            # Two nonces are free and one is taken: there is something to arm all the time.
            await scene.attack(2 * GWEI)
            await until_pending(rpc, scene.guardian.address, 0)
            await until_alarm(fight, "arming stopped")
            await looked(fight)
            asked = len(server.asked)
            await rpc.mine()
            await head_seen(fight)
            await looked(fight, 5)
            assert len(server.asked) == asked
            assert len([one for one in alarms(tmp_path) if one.startswith("arming stopped")]) == 1


async def test_no_guardian_waits_for_another_s_signer(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mortal, second = Mortal(scene), Actor.create()
    await rpc.call("anvil_setBalance", second.address, hex(100 * ETHER))
    monkeypatch.setenv("MEMPOOL_IDS_TEST_SECOND", second.key.key.hex())
    with answering(mortal) as server:
        signer = {"type": "jsonrpc", "url": server.url, "address": scene.guardian.address, "timeout_s": 600.0}
        backup = {"type": "environment", "key": "env:MEMPOOL_IDS_TEST_SECOND"}
        config = configuration(node, [scene], tmp_path, signer=signer, backup=backup)
        config = with_gas(config, 60_000)
        async with sensor(config, rpc, tmp_path) as fight:
            mortal.state = "silent"
            for actor in (scene.guardian, second):
                await put(scene.stage, actor, nonce=0, tip=GWEI, max_fee=100 * GWEI)
            await rpc.mine()
            first, other = fight.engine._defense._run.state.guardians  # type: ignore[union-attr]
            await fight.until(lambda: bool(other.ladder(NAME, 3)), "the second to be armed at its nonce 3")
            assert not first.ladder(NAME, 3)


def with_gas(config: IDSConfig, gas: int) -> IDSConfig:
    """A pause whose gas nobody simulates: the second guardian has no role."""
    contracts = []
    for contract in config.contracts:
        assert contract.pause is not None
        pause = contract.pause.model_copy(update={"gas": gas})
        contracts.append(contract.model_copy(update={"pause": pause}))
    return config.model_copy(update={"contracts": tuple(contracts)})


async def is_armed(fight: Any) -> bool:
    run = fight.engine._defense._run
    [guardian] = run.state.guardians
    first = guardian.next_nonce()
    return all(guardian.ladder(name, first + ahead) for name in (NAME, OTHER) for ahead in range(3))


async def test_without_a_signer_nothing_is_taken_back_and_the_others_are_not_held_up(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    other = await takeover(rpc, scene.guardian)
    mortal = Mortal(scene)
    with answering(mortal) as server:
        signer = {"type": "jsonrpc", "url": server.url, "address": scene.guardian.address, "timeout_s": 0.5}
        config = configuration(node, [scene, other], tmp_path, signer=signer)
        async with sensor(config, rpc, tmp_path) as fight:
            await scene.attack(2 * GWEI)
            await until_pending(rpc, scene.guardian.address, 0)
            mortal.state = "silent"
            await withdraw(scene)
            await until_alarm(fight, f"{NAME}: SignerError")
            await other.attack(2 * GWEI)
            await until_pending(rpc, scene.guardian.address, 1)
            ended = await mine_to_end(fight, NAME, OTHER)
            assert {one.state for one in ended.values()} == {"confirmed"}, fight.story()
    assert await other.harm() == 0


async def test_with_a_full_disk_what_is_armed_goes_out_and_the_next_start_knows_it(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    with victim(tmp_path, settings(node, [scene], tmp_path), "full", scene) as running:
        await asyncio.to_thread(running.hear, "ready")
        await rpc.mine()
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)

        async def is_told() -> bool:
            return any("journal: " in one and "free some space" in one for one in alarms(tmp_path))

        await until(is_told, "an alarm of the journal", 15)
        await rpc.mine()

        async def has_stopped() -> bool:
            return any(one.startswith("arming stopped") for one in alarms(tmp_path))

        await until(has_stopped, "an alarm of the arming", 15)
        running.kill()
    assert await scene.is_paused()
    assert await scene.harm() == 0
    check_journal(tmp_path)
    async with sensor(configuration(node, [scene], tmp_path), rpc, tmp_path) as fight:
        await mine_until(fight, lambda: bool(fight.of(NAME, "confirmed")), "the pause to be confirmed")
        assert [one.state for one in fight.of(NAME)] == [
            "intent",
            "verified",
            "sent",
            "included",
            "confirmed",
        ]
    assert len(await check_nonces(rpc, scene.guardian)) == 1


async def test_marks_that_cannot_be_written_are_told_once_and_hold_up_nothing(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        marks = fight.engine._defense._run.ledger._marks  # type: ignore[union-attr]
        assert marks is not None
        read_only = os.open(marks.path, os.O_RDONLY)
        os.dup2(read_only, marks._fd)
        os.close(read_only)
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await until_alarm(fight, "marks: marks could not be written")
        ended = await mine_to_end(fight, NAME)
        assert (ended[NAME].state, ended[NAME].won) == ("confirmed", True), fight.story()
        statistics = fight.engine.get_statistics().defense
        assert statistics is not None
        assert statistics["alarms"] == {"marks": 1}
    assert await scene.harm() == 0


async def test_a_damaged_journal_is_refused_with_advice_and_left_as_it_is(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path):
        pass
    path = tmp_path / "defense.db"
    whole = bytearray(path.read_bytes())
    page = len(whole) // 2 // 4096 * 4096
    whole[page : page + 2048] = b"\xa5" * 2048
    path.write_bytes(whole)
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    engine = IDSEngine(configuration(node, [scene], tmp_path))
    with pytest.raises(JournalError, match=r"nothing is armed. Stop the sensor and copy"):
        await engine.start()
    assert path.read_bytes() == bytes(whole)
    await scene.attack(2 * GWEI)
    assert await check_nonces(rpc, scene.guardian) == []


@pytest.mark.parametrize("hours", [-3, 3])
async def test_a_clock_that_jumps_changes_neither_what_is_asked_nor_what_is_followed(
    hours: int, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await takeover(rpc, scene.guardian)
    true = time.time
    async with ring(node, rpc, [scene, other], tmp_path, confirm={"seconds": 2, "default": "act"}) as fight:
        await scene.attack(2 * GWEI)
        await fight.until_state(NAME, "intent")
        monkeypatch.setattr(time, "time", lambda: true() + hours * 3600)
        await looked(fight)
        # It is asked on, and for no longer than was said.
        assert fight.of(NAME)[-1].state == "intent"
        await until_pending(rpc, scene.guardian.address)
        await withdraw(scene)
        await mine_until_cancelled(fight, rpc, scene)
        await other.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address, 1)
        ended = await mine_to_end(fight, OTHER)
        assert ended[OTHER].state == "confirmed", fight.story()
    assert await other.harm() == 0
    check_journal(tmp_path)


async def mine_until_cancelled(fight: Any, rpc: Rpc, scene: Scene) -> None:
    async def is_transfer() -> bool:
        pending = await until_pending(rpc, scene.guardian.address)
        return bool(pending["input"] == "0x")

    await until(is_transfer, "the transfer to oneself", 10)
    ended = await mine_to_end(fight, NAME)
    assert ended[NAME].state == "cancelled", fight.story()
