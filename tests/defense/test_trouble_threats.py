"""A threat that is withdrawn takes the response with it, and one that comes back finds it as strong as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from mempool_ids.defense import book
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import Ring, configuration, ring
from tests.defense.scenes import Scene, Sent, takeover
from tests.defense.trouble import (
    PAUSE,
    check_journal,
    check_nonces,
    looked,
    mine_to_end,
    pending_of,
    put,
    sensor,
    until,
    until_pending,
    withdraw,
)
from tests.scenarios.stage import ETHER, GWEI, Stage, Transaction

pytestmark = pytest.mark.timeout(60)
NAME, OTHER = "reentrancy 0", "takeover 1"


async def until_out(scene: Scene, input_: str, nonce: int = 0) -> None:
    """Until the pool has this of the guardian at the nonce."""

    async def is_out() -> bool:
        pending = await pending_of(scene.stage.rpc, scene.guardian.address, "pending")
        return nonce in pending and pending[nonce]["input"] == input_

    await until(is_out, f"{input_} of the guardian at nonce {nonce}", 10)


async def test_it_is_taken_back_and_the_next_one_has_the_next_nonce(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    other = await takeover(rpc, scene.guardian)
    async with ring(node, rpc, [scene, other], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await withdraw(scene)
        await until_out(scene, "0x")
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "cancelled", fight.story()
        assert ended[NAME].cost_wei not in (None, 0, "0")
        await other.attack(2 * GWEI)
        await until_out(scene, PAUSE, nonce=1)
        ended = await mine_to_end(fight, OTHER)
        assert ended[OTHER].state == "confirmed", fight.story()
    mined = await check_nonces(rpc, scene.guardian)
    assert [one.is_pause for one in mined] == [False, True]
    assert not await scene.is_paused()
    assert await other.is_paused()
    check_journal(tmp_path)


async def test_it_is_kept_where_the_configuration_says_so(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "JUDGED_S", 0.0)
    async with ring(node, rpc, [scene], tmp_path, when_gone="keep") as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        gone = await withdraw(scene)
        await outcome_seen(fight)
        await looked(fight)
        await until_out(scene, PAUSE)
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()
        assert (await rpc.receipt(gone, 5))["status"] == "0x1"
    assert await scene.is_paused()


async def outcome_seen(fight: Ring) -> None:
    """Until the defense knows that a threat is gone."""
    defense = fight.engine._defense
    assert defense is not None

    def knows() -> bool:
        live = defense._run.state.book.all()
        return any(threat.fate == "gone" for one in live for threat in one.threats.values())

    await fight.until(knows, "the threat to be gone", 10)


async def test_a_pause_that_is_mined_before_its_cancellation_stands(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await withdraw(scene)
        await outcome_seen(fight)
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True]


async def test_an_attack_that_comes_back_after_the_cancellation_is_out_finds_the_pause_above_it(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """The bait that opens the way: withdraw, wait until the pause is taken back, attack."""
    async with ring(node, rpc, [scene], tmp_path) as fight:
        first = await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await withdraw(scene)
        await until_out(scene, "0x")
        # The very same attack, at the nonce of the withdrawal.
        tip, max_fee = first.tip * 2, first.max_fee * 2
        act = scene.act
        attack = await put(
            scene.stage,
            scene.attacker,
            nonce=first.nonce,
            tip=tip,
            max_fee=max_fee,
            to=act.to,
            data=act.data,
            gas=act.gas,
            value=act.value,
        )
        await fight.until_alerted(attack)
        await until_out(scene, PAUSE)
        ended = await mine_to_end(fight, NAME)
        assert (ended[NAME].state, ended[NAME].won) == ("confirmed", True), fight.story()
        assert (await rpc.receipt(attack, 5))["status"] == "0x0"
    assert await scene.harm() == 0
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True]
    check_journal(tmp_path)


async def test_an_attack_from_another_sender_joins_what_is_out(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of both is withdrawn: the pause stays for the other."""
    monkeypatch.setattr(book, "JUDGED_S", 0.0)
    second = await rival(rpc, scene)
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        attack = await second.attack(3 * GWEI)
        await fight.until_alerted(attack.tx_hash)
        await withdraw(scene)
        await outcome_seen(fight)
        await looked(fight)
        await until_out(scene, PAUSE)
        ended = await mine_to_end(fight, NAME)
        assert (ended[NAME].state, ended[NAME].won) == ("confirmed", True), fight.story()
        assert len(ended[NAME].threats) == 2
        assert (await rpc.receipt(attack.tx_hash, 5))["status"] == "0x0"
    assert await scene.harm() == 0


async def rival(rpc: Rpc, scene: Scene) -> Scene:
    """Another thief with a contract of its own, after the same vault."""
    stage = await Stage.on(rpc, people=1)
    [thief] = stage.people
    robber = await stage.deploy("Attacker", scene.contract.address, by=thief)
    await stage.settle()
    act = Transaction(thief, robber.address, robber.data("attack()"), value=ETHER)
    return Scene(scene.kind, stage, scene.victim, scene.guardian, thief, act, scene.habits, scene.harm)


@pytest.mark.parametrize(
    "order", ["after the alert", "before the alert", "with its hash", "before a restart"]
)
async def test_a_person_s_order_is_not_withdrawn_with_the_threat(
    order: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "JUDGED_S", 0.0)
    config = configuration(node, [scene], tmp_path)
    async with sensor(config, rpc, tmp_path) as fight:
        attack = await scene.attack(2 * GWEI, send=False)
        if order == "after the alert":
            await show(fight, scene, attack)
            await ordered(fight)
        else:
            await ordered(fight, attack.tx_hash if order == "with its hash" else None)
            await until_pending(rpc, scene.guardian.address)
            await show(fight, scene, attack)
        if order != "before a restart":
            await is_not_withdrawn(fight, scene)
    if order == "before a restart":
        async with sensor(config, rpc, tmp_path) as fight:
            [live] = fight.engine._defense._run.state.book.all()  # type: ignore[union-attr]
            assert list(live.threats) == [attack.tx_hash]
            fight.engine._defense.outcome(attack.tx_hash, "replaced")  # type: ignore[union-attr]
            await is_not_withdrawn(fight, scene)


async def show(fight: Ring, scene: Scene, attack: Sent) -> None:
    """The attack is pending, and answered."""
    await fight.rpc.send_raw(attack.raw)
    scene.sent.append(attack)
    await fight.until_alerted(attack.tx_hash)
    await until_pending(fight.rpc, scene.guardian.address)


async def ordered(fight: Ring, threat: str | None = None) -> None:
    defense = fight.engine._defense
    assert defense is not None
    await defense.execute_defense("pause", NAME, threat)


async def is_not_withdrawn(fight: Ring, scene: Scene) -> None:
    await withdraw(scene)
    await outcome_seen(fight)
    await looked(fight)
    await until_out(scene, PAUSE)
    ended = await mine_to_end(fight, NAME)
    assert ended[NAME].state == "confirmed", fight.story()
    assert await scene.is_paused()


async def test_a_cancellation_that_no_block_takes_is_raised(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await withdraw(scene)
        await until_out(scene, "0x")
        first = await until_pending(rpc, scene.guardian.address)
        await rpc.call("evm_setBlockGasLimit", hex(20_999))
        await rpc.mine()
        await rpc.call("evm_setBlockGasLimit", hex(30_000_000))

        async def is_raised() -> bool:
            return bool((await until_pending(rpc, scene.guardian.address))["hash"] != first["hash"])

        await until(is_raised, "a higher transfer", 10)
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "cancelled", fight.story()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [False]
