"""Two sensors with one guardian's key, and several victims of one guardian at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import Ring, configuration, name_of, ring
from tests.defense.scenes import Scene, prices, reentrancy, takeover
from tests.defense.trouble import (
    check_journal,
    check_nonces,
    mine_to_end,
    mine_until,
    pending_of,
    put,
    sensor,
    until,
    until_pending,
)
from tests.scenarios.stage import ETHER, GWEI

pytestmark = pytest.mark.timeout(60)
NAME = "reentrancy 0"


@pytest.mark.parametrize("rungs", [16, 11])
async def test_of_two_sensors_with_one_key_one_wins_and_nothing_is_paid_twice(
    rungs: int, node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    """With the same ladder their bytes are the same; with others they outbid each other, within one nonce."""
    scene = await reentrancy(rpc)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    first, second = (
        configuration(node, [scene], folder, rungs=count)
        for folder, count in zip(folders, (16, rungs), strict=True)
    )
    async with sensor(first, rpc, folders[0]) as one, sensor(second, rpc, folders[1]) as two:
        await scene.attack(2 * GWEI)
        await one.until_state(NAME, "sent")
        await two.until_state(NAME, "sent")
        # Two blocks have no room for either: each sensor sees its bid left out.
        await rpc.call("evm_setBlockGasLimit", hex(20_999))
        for _ in range(2):
            before = [len(fight.of(NAME, "sent")) for fight in (one, two)]
            await rpc.mine()
            for fight, count in zip((one, two), before, strict=True):
                await fight.until_state(NAME, "sent", count=count + 1)
        await rpc.call("evm_setBlockGasLimit", hex(30_000_000))
        await until_pending(rpc, scene.guardian.address)
        await mine_until(one, lambda: is_over(one) and is_over(two), "both to end")
        ends = sorted(fight.of(NAME)[-1].state for fight in (one, two))
        story = one.story() + two.story()
        hashes = {
            fight.of(NAME, "confirmed")[-1].tx_hash for fight in (one, two) if fight.of(NAME, "confirmed")
        }
    # Where the bytes are the same both have won by them.
    assert ends == ["confirmed", "superseded"] or (ends == ["confirmed", "confirmed"] and len(hashes) == 1), (
        story
    )
    if ends[1] == "superseded":
        [loser] = [fight for fight in (one, two) if fight.of(NAME, "superseded")]
        assert "somebody else was first" in loser.of(NAME, "superseded")[-1].reason
    mined = await check_nonces(rpc, scene.guardian)
    assert [one.is_pause for one in mined] == [True], story
    # What left no room was answered once a block by each, and no more.
    assert all(len(fight.of(NAME, "sent")) <= 5 for fight in (one, two)), story
    assert await scene.is_paused()
    assert await scene.harm() == 0
    for folder in folders:
        check_journal(folder)


def is_over(fight: Ring) -> bool:
    return bool(fight.of(NAME, "confirmed", "superseded", "failed", "cancelled"))


async def test_three_victims_in_one_block_are_all_paused_with_nonces_in_a_row(
    node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    scenes = [await reentrancy(rpc)]
    for deploy in (prices, takeover):
        scenes.append(await deploy(rpc, scenes[0].guardian))
    names = [name_of(scenes, scene) for scene in scenes]
    async with ring(node, rpc, scenes, tmp_path) as fight:
        for scene in scenes:
            await scene.attack(2 * GWEI)
        for name in names:
            await fight.until_state(name, "sent")
        await until_waiting(rpc, scenes[0], 3)
        ended = await mine_to_end(fight, *names)
    assert {name: (one.state, one.won) for name, one in ended.items()} == dict.fromkeys(
        names, ("confirmed", True)
    ), fight.story()
    await are_safe(rpc, scenes)
    mined = await check_nonces(rpc, scenes[0].guardian)
    assert len(mined) == 3
    assert len({one.block for one in mined}) == 1


async def until_waiting(rpc: Rpc, scene: Scene, count: int) -> None:
    async def are_there() -> bool:
        return len(await pending_of(rpc, scene.guardian.address, "pending")) == count

    await until(are_there, f"{count} pauses in the pool", 10)


async def are_safe(rpc: Rpc, scenes: list[Scene]) -> None:
    for scene in scenes:
        assert await scene.is_paused()
        assert await scene.harm() == 0


async def test_more_victims_than_armed_nonces_are_answered_all_the_same(
    node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    scenes = [await reentrancy(rpc)]
    scenes += [await takeover(rpc, scenes[0].guardian) for _ in range(3)]
    names = [name_of(scenes, scene) for scene in scenes]
    async with ring(node, rpc, scenes, tmp_path, nonces=1) as fight:
        for scene in scenes:
            await scene.attack(2 * GWEI)
        for name in names:
            await fight.until_state(name, "sent")
        await until_waiting(rpc, scenes[0], 4)
        ended = await mine_to_end(fight, *names)
    assert {one.state for one in ended.values()} == {"confirmed"}, fight.story()
    await are_safe(rpc, scenes)
    assert len(await check_nonces(rpc, scenes[0].guardian)) == 4


def calls(targets: list[tuple[str, bytes, int]], names: list[str]) -> bytes:
    """Code that calls each of these with its data and value where it is given data, and takes ether where it is not.

    Args:
        names: addresses that it only carries.
    """
    code = b"\x36\x60\x05\x57\x00\x5b"  # CALLDATASIZE PUSH1 5 JUMPI STOP JUMPDEST
    for name in names:
        code += b"\x73" + bytes.fromhex(name[2:]) + b"\x50"  # PUSH20 POP
    for to, data, value in targets:
        code += b"\x7f" + data.ljust(32, b"\x00") + b"\x60\x00\x52"  # PUSH32 PUSH1 0 MSTORE
        code += b"\x60\x00" * 2 + b"\x60" + bytes([len(data)]) + b"\x60\x00"  # no output, the input
        code += (
            b"\x67" + value.to_bytes(8, "big") + b"\x73" + bytes.fromhex(to[2:]) + b"\x5a\xf1\x50"
        )  # CALL POP
    return code + b"\x00"


async def test_one_transaction_against_three_contracts_is_answered_for_each(
    node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    """The pauses are tried together: what one of them leaves is more than a tenth of the harm."""
    scenes = [await reentrancy(rpc)]
    scenes += [await reentrancy(rpc, scenes[0].guardian) for _ in range(2)]
    names = [name_of(scenes, scene) for scene in scenes]
    thief = scenes[0].attacker
    swarm = "0x" + "5a" * 19 + "01"
    attack = scenes[0].act.data
    code = calls(
        [(scene.act.to, attack, ETHER) for scene in scenes], [scene.contract.address for scene in scenes]
    )
    await rpc.call("anvil_setCode", swarm, "0x" + code.hex())
    for scene in scenes:
        await obey(rpc, scene, swarm)
    await rpc.mine()
    async with ring(node, rpc, scenes, tmp_path) as fight:
        sent = await put(
            scenes[0].stage,
            thief,
            nonce=thief.nonce,
            tip=2 * GWEI,
            max_fee=102 * GWEI,
            to=swarm,
            data=attack,
            gas=5_000_000,
            value=3 * ETHER,
        )
        alert = await fight.until_alerted(sent)
        assert sorted(alert.event["response"]["targets"]) == sorted(names), alert.event
        for name in names:
            await fight.until_state(name, "sent")
        await until_waiting(rpc, scenes[0], 3)
        ended = await mine_to_end(fight, *names)
    assert {(one.state, one.won) for one in ended.values()} == {("confirmed", True)}, fight.story()
    await are_safe(rpc, scenes)
    assert len(await check_nonces(rpc, scenes[0].guardian)) == 3


async def obey(rpc: Rpc, scene: Scene, swarm: str) -> None:
    """The robber's immutable owner, in its code, becomes the swarm."""
    code = await rpc.call("eth_getCode", scene.act.to, "latest")
    owner = scene.attacker.address[2:]
    assert owner in code
    await rpc.call("anvil_setCode", scene.act.to, code.replace(owner, swarm[2:]))
