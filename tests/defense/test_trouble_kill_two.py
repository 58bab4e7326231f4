"""kill -9 while a response has a second nonce, a second key, or bytes that no ladder has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.config import IDSConfig
from mempool_ids.defense.armed import EXACT
from mempool_ids.defense.journal import Journal
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.liar import liar
from tests.defense.races import next_block
from tests.defense.scenes import STAGES, Scene
from tests.defense.test_trouble_backup import backup, but_for, values_of
from tests.defense.trouble import (
    Mined,
    Victim,
    check_journal,
    check_nonces,
    head_seen,
    mine_until,
    mined_by,
    paid_by,
    sensor,
    settings,
    until,
    until_pending,
    victim,
)
from tests.geth import Geth
from tests.scenarios.stage import GWEI, Actor

pytestmark = pytest.mark.timeout(90)
__all__ = ["backup"]
NAME = "reentrancy 0"


async def mine_empty(rpc: Rpc) -> None:
    """A block that has no room for any transaction."""
    await rpc.call("evm_setBlockGasLimit", hex(20_999))
    await rpc.mine()
    await rpc.call("evm_setBlockGasLimit", hex(30_000_000))


async def at_once() -> None:
    """Nothing is waited for."""


async def goes_on(
    values: dict[str, Any],
    rpc: Rpc,
    scene: Scene,
    folder: Path,
    *whose: Actor,
    in_pool: Callable[[], Awaitable[None]] = at_once,
) -> list[Mined]:
    """The next process confirms it, with what it cost; all that these guardians have in the chain then.

    Args:
        in_pool: returns once the pool has what is to come before the attack.
    """
    check_journal(folder)
    async with sensor(IDSConfig(**values), rpc, folder) as fight:
        await in_pool()
        await mine_until(fight, lambda: bool(fight.of(NAME, "confirmed")), "the pause to be confirmed")
        story = fight.story()
        paid = sum([await paid_by(rpc, one.address) for one in whose])
        assert fight.of(NAME, "confirmed")[-1].cost_wei == paid, story
    assert await scene.is_paused()
    assert await scene.harm() == 0
    check_journal(folder)
    records = Journal.look(folder / "defense.db")
    assert [action.state.value for action in records.actions()] == ["confirmed"], story
    records.close()
    # A third start finds nothing to do.
    mined = [one for guardian in whose for one in await check_nonces(rpc, guardian)]
    async with sensor(IDSConfig(**values), rpc, folder) as fight:
        for _ in range(3):
            await rpc.mine()
            await head_seen(fight)
    assert [one for guardian in whose for one in await check_nonces(rpc, guardian)] == mined
    return mined


async def to_lost_bytes(scene: Scene, rpc: Rpc, victim: Victim) -> dict[str, Any]:
    """The pool loses a pause whose nonce seems to be used, and the next one at the next nonce; then neither is.

    Returns:
        The first, as it was while it was pending.
    """
    guardian = scene.guardian.address
    await asyncio.to_thread(victim.hear, "ready")
    await rpc.mine()
    await scene.attack(2 * GWEI)
    first = await until_pending(rpc, guardian, 0)
    await rpc.call("anvil_dropTransaction", first["hash"])
    await rpc.call("anvil_setNonce", guardian, "0x1")
    await mine_empty(rpc)
    second = await until_pending(rpc, guardian, 1)
    await rpc.call("anvil_dropTransaction", second["hash"])
    await rpc.call("anvil_setNonce", guardian, "0x0")
    return first


async def to_a_gap(scene: Scene, rpc: Rpc, victim: Victim) -> None:
    """The chain takes back that the guardian's first nonce is used, and the pool has lost what was there."""
    await to_lost_bytes(scene, rpc, victim)
    reached = asyncio.create_task(asyncio.to_thread(victim.hear, "reached"))
    # The gap is filled at the head after the one at which it is seen, whichever that is.
    while not reached.done():
        await mine_empty(rpc)
        await asyncio.wait({reached}, timeout=0.5)
    await reached


@pytest.mark.parametrize("point", ["cancel signed", "cancel out"])
async def test_what_fills_a_gap_is_known_after_a_kill(
    point: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    values = settings(node, [scene], tmp_path)
    with victim(tmp_path, values, point, scene) as running:
        await to_a_gap(scene, rpc, running)
        running.kill()

    async def is_filled() -> bool:
        return await rpc.call("eth_getTransactionCount", scene.guardian.address, "pending") == "0x2"

    async def in_pool() -> None:
        await mine_empty(rpc)
        await until(is_filled, "the pause behind what fills the gap")

    mined = await goes_on(values, rpc, scene, tmp_path, scene.guardian, in_pool=in_pool)
    assert [(one.nonce, one.is_pause) for one in mined] == [(0, False), (1, True)]


async def to_the_rest(scene: Scene, rpc: Rpc, victim: Victim, folder: Path) -> None:
    """What was thought to be lost is mined, and what took its place waits where no block is made."""
    first = await to_lost_bytes(scene, rpc, victim)
    records = Journal.look(folder / "defense.db")
    rung = records.rung(first["hash"])
    records.close()
    assert rung is not None
    await rpc.send_raw(rung.raw)
    await rpc.mine()
    await rpc.mine()
    await asyncio.to_thread(victim.hear, "reached")


@pytest.mark.parametrize("point", ["cancel signed", "cancel out"])
async def test_what_is_taken_back_before_the_end_is_known_after_a_kill(
    point: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    values = settings(node, [scene], tmp_path)
    with victim(tmp_path, values, point, scene) as running:
        await to_the_rest(scene, rpc, running, tmp_path)
        running.kill()
    mined = await goes_on(values, rpc, scene, tmp_path, scene.guardian)
    assert [(one.nonce, one.is_pause) for one in mined] == [(0, True), (1, False)]


@pytest.mark.parametrize("point", ["second bytes", "second sent"])
async def test_after_a_change_of_guardian_the_second_alone_pays(
    point: str, node: Node, rpc: Rpc, scene: Scene, backup: Actor, tmp_path: Path
) -> None:
    values = await values_of(node, scene, backup, tmp_path)
    with liar(node.port) as bad:
        values["chain"]["rpc_urls"] = [bad.url]
        message = "insufficient funds for gas * price + value"
        bad.lies["eth_sendRawTransaction"] = but_for(scene.guardian, message)
        with victim(tmp_path, values, point, scene) as running:
            await asyncio.to_thread(running.hear, "ready")
            await rpc.mine()
            await scene.attack(2 * GWEI)
            await asyncio.to_thread(running.hear, "reached")
            await until_pending(rpc, backup.address)
            running.kill()
        mined = await goes_on(values, rpc, scene, tmp_path, scene.guardian, backup)
    assert [one.is_pause for one in mined] == [False]
    assert mined == await mined_by(rpc, backup.address)


@pytest.mark.timeout(120)
async def test_an_exact_bid_that_no_journal_has_is_found_in_its_file(
    geth_binary: Path, tmp_path: Path
) -> None:
    with Geth(geth_binary, period=2) as node:
        async with Rpc(node.http_url) as rpc:
            scene = await STAGES["reentrancy"](rpc)
            values = settings(node, [scene], tmp_path, exact=True)
            with victim(tmp_path, values, "exact", scene) as running:
                await asyncio.to_thread(running.hear, "ready")
                await next_block(rpc)
                await scene.attack(2 * GWEI)
                await asyncio.to_thread(running.hear, "reached")
                running.kill()
            records = Journal.look(tmp_path / "defense.db")
            assert records.actions() == []
            async with sensor(IDSConfig(**values), rpc, tmp_path) as fight:
                ended = await fight.until_state(NAME, "confirmed")
            [mined] = await check_nonces(rpc, scene.guardian)
            assert mined.is_pause
            assert mined.tx_hash == ended.tx_hash
            assert await scene.harm() == 0
            rung = records.rung(mined.tx_hash)
            [action] = records.actions()
            records.close()
            assert rung is not None
            assert rung.rung == EXACT
            assert action.cost_wei == await paid_by(rpc, scene.guardian.address)
    check_journal(tmp_path)
