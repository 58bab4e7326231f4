"""What a chain and its pool do to a pause that is out: reorgs, strangers at its nonce, gaps, base fees, no money."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.engine import IDSEngine
from mempool_ids.exceptions import MempoolIdsError
from tests.defense.races import configuration, ring
from tests.defense.scenes import Scene, takeover
from tests.defense.trouble import (
    PAUSE,
    check_journal,
    check_nonces,
    head_seen,
    looked,
    mine_to_end,
    mine_until,
    mined_by,
    paid_by,
    pending_of,
    put,
    until,
    until_alarm,
    until_pending,
)
from tests.scenarios.stage import ETHER, GWEI, Actor

pytestmark = pytest.mark.timeout(60)
NAME = "reentrancy 0"
BLOCK_GAS = 30_000_000


@pytest.fixture
async def rpc(rpc: Rpc) -> Rpc:
    await rpc.call("evm_setBlockGasLimit", hex(BLOCK_GAS))
    return rpc


async def until_out(rpc: Rpc, scene: Scene, nonce: int, tx_hash: str | None) -> None:
    """Until the next block could have this transaction of the guardian."""

    async def is_out() -> bool:
        pending = await pending_of(rpc, scene.guardian.address, "pending")
        return nonce in pending and pending[nonce]["hash"] == tx_hash

    await until(is_out, f"{tx_hash} at nonce {nonce}")


async def is_safe(scene: Scene) -> bool:
    return await scene.is_paused() and await scene.harm() == 0


async def test_a_reorg_that_drops_the_pause_sends_it_again(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    other = await takeover(rpc, scene.guardian)
    async with ring(node, rpc, [scene, other], tmp_path, depth=2) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await rpc.mine()
        await fight.until_state(NAME, "included")
        await rpc.call("anvil_reorg", 1, [])
        await fight.until_state(NAME, "sent", count=2)
        await until_pending(rpc, scene.guardian.address)
        # Its nonce is the chain's next one again, and still its own.
        await other.attack(2 * GWEI)
        await fight.until_state("takeover 1", "sent")
        ended = await mine_to_end(fight, NAME, "takeover 1")
        assert {name: one.state for name, one in ended.items()} == {
            NAME: "confirmed",
            "takeover 1": "confirmed",
        }
        states = [one.state for one in fight.of(NAME)]
    assert states == ["intent", "verified", "sent", "included", "sent", "included", "confirmed"]
    assert await is_safe(scene)
    assert await is_safe(other)
    mined = await check_nonces(rpc, scene.guardian)
    assert [one.to for one in mined] == [scene.contract.address, other.contract.address]
    check_journal(tmp_path)


async def test_a_state_that_is_set_back_is_a_reorg_too(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """The head's number falls."""
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        snapshot = await rpc.call("evm_snapshot")
        await rpc.mine()
        await fight.until_state(NAME, "included")
        await rpc.call("evm_revert", snapshot)
        await fight.until_state(NAME, "sent", count=2)
        ended = await mine_to_end(fight, NAME)
    assert ended[NAME].state == "confirmed"
    assert await scene.is_paused()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True]


async def test_where_somebody_else_uses_the_nonce_the_pause_takes_the_next(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        pause = await until_pending(rpc, scene.guardian.address)
        tip, max_fee = (int(pause[key], 16) * 3 // 2 for key in ("maxPriorityFeePerGas", "maxFeePerGas"))
        # Its block has no room for the attack, which goes on waiting.
        await rpc.call("evm_setBlockGasLimit", hex(100_000))
        await put(scene.stage, scene.guardian, nonce=0, tip=tip, max_fee=max_fee)
        await rpc.mine()
        await rpc.call("evm_setBlockGasLimit", hex(BLOCK_GAS))
        sent = await fight.until_state(NAME, "sent", count=2)
        assert "nonce 0" in sent.reason
        ended = await mine_to_end(fight, NAME)
    assert ended[NAME].state == "confirmed", fight.story()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [False, True]
    assert await is_safe(scene)


@pytest.mark.parametrize(("tip", "max_fee"), [(GWEI // 10, 2 * GWEI), (80 * GWEI, 400 * GWEI)])
async def test_a_stranger_that_waits_at_the_nonce_is_outbid(
    tip: int, max_fee: int, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """Behind it the pause would be mined when the stranger is: too late, or never."""
    async with ring(node, rpc, [scene], tmp_path) as fight:
        # It is never mined: no block has so much room.
        await put(scene.stage, scene.guardian, nonce=0, tip=tip, max_fee=max_fee, gas=16_000_000)
        await rpc.call("evm_setBlockGasLimit", hex(15_000_000))
        await rpc.mine()
        await until_alarm(fight, "a transaction that is not ours waits at nonce 0")
        await scene.attack(2 * GWEI)
        await fight.until_state(NAME, "sent")

        async def is_ours() -> bool:
            pending = await pending_of(rpc, scene.guardian.address)
            return set(pending) == {0} and pending[0]["input"] == PAUSE

        deadline = asyncio.get_running_loop().time() + 10
        while not await is_ours():
            assert asyncio.get_running_loop().time() < deadline, fight.story()
            await asyncio.sleep(0.02)
        ended = await mine_to_end(fight, NAME)
    assert ended[NAME].state == "confirmed", fight.story()
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True]
    assert await is_safe(scene)


async def test_a_base_fee_above_the_bid_is_followed_by_a_ladder_that_is_made_for_it(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        pause = await until_pending(rpc, scene.guardian.address)
        spike = int(pause["maxFeePerGas"], 16) * 2
        await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(spike))
        await rpc.mine()
        raised = await fight.until_state(NAME, "sent", count=2)
        assert raised.max_fee_per_gas is not None
        assert raised.max_fee_per_gas > spike
        assert "not in block" in raised.reason
        ended = await mine_to_end(fight, NAME)
    assert ended[NAME].state == "confirmed", fight.story()
    assert await is_safe(scene)
    assert len(await check_nonces(rpc, scene.guardian)) == 1


async def test_a_base_fee_above_all_caps_is_an_alarm_and_waited_for(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    gas = {"max_fee_gwei": 200, "max_cost_eth": 0.4, "daily_budget_eth": 50.0}
    async with ring(node, rpc, [scene], tmp_path, gas=gas) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        for _ in range(3):
            await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(10**6 * GWEI))
            await rpc.mine()
            await until_alarm(fight, "nothing more can be sent")
        await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        ended = await mine_to_end(fight, NAME)
    assert ended[NAME].state == "confirmed", fight.story()
    for sent in fight.of(NAME, "sent"):
        assert (sent.max_fee_per_gas or 0) <= 200 * GWEI
    assert await is_safe(scene)


async def test_what_a_pool_drops_is_sent_again_before_what_waits_behind_it(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    other = await takeover(rpc, scene.guardian)
    async with ring(node, rpc, [scene, other], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        first = await until_pending(rpc, scene.guardian.address, 0)
        await other.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address, 1)
        await rpc.call("anvil_dropTransaction", first["hash"])
        await rpc.call("evm_setBlockGasLimit", hex(20_999))
        await rpc.mine()
        await rpc.call("evm_setBlockGasLimit", hex(BLOCK_GAS))
        for nonce, name in ((0, NAME), (1, "takeover 1")):
            raised = await fight.until_state(name, "sent", count=2)
            await until_out(rpc, scene, nonce, raised.tx_hash)
        ended = await mine_to_end(fight, NAME, "takeover 1")
    assert {one.state for one in ended.values()} == {"confirmed"}, fight.story()
    assert await is_safe(scene)
    assert await is_safe(other)
    assert len(await check_nonces(rpc, scene.guardian)) == 2


async def test_a_gap_that_a_forestalled_response_left_is_filled(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """Its owner pauses the one contract, and the pool loses the guardian's pause: the next one must not wait for it."""
    other = await takeover(rpc, scene.guardian)
    async with ring(node, rpc, [scene, other], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        first = await until_pending(rpc, scene.guardian.address, 0)
        await other.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address, 1)
        await rpc.call("anvil_dropTransaction", first["hash"])
        owner = scene.stage.deployer
        pause = bytes.fromhex(PAUSE[2:])
        to = scene.contract.address
        # Alone in its block: the attacks have no room.
        await rpc.call("evm_setBlockGasLimit", hex(100_000))
        await put(
            scene.stage,
            owner,
            nonce=owner.nonce,
            tip=3 * GWEI,
            max_fee=300 * GWEI,
            to=to,
            data=pause,
            gas=60_000,
        )
        await rpc.mine()
        await rpc.call("evm_setBlockGasLimit", hex(BLOCK_GAS))
        # Taken back, so that it never pauses again.
        filled = await until_pending(rpc, scene.guardian.address, 0)
        assert filled["to"] == scene.guardian.address
        # Once for each head, however often it is looked at.
        await looked(fight)
        assert (await pending_of(rpc, scene.guardian.address))[0]["hash"] == filled["hash"]
        await until_pending(rpc, scene.guardian.address, 1)
        ended = await mine_to_end(fight, NAME, "takeover 1")
    assert ended[NAME].state == "superseded", fight.story()
    assert ended["takeover 1"].state == "confirmed", fight.story()
    assert await is_safe(scene)
    assert await other.is_paused()
    assert len(await check_nonces(rpc, scene.guardian)) == 2
    # The transfer is one of what they cost, whichever of both sent it.
    assert sum(one.cost_wei or 0 for one in ended.values()) == await paid_by(rpc, scene.guardian.address)
    check_journal(tmp_path)


async def test_a_guardian_without_money_is_an_alarm_and_acts_once_it_has_some(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    await rpc.call("anvil_setBalance", scene.guardian.address, "0x0")
    async with ring(node, rpc, [scene], tmp_path) as fight:
        attack = await scene.attack(2 * GWEI)
        failed = await fight.until_state(NAME, "failed")
        assert "balance" in failed.reason
        assert failed.cost_wei in (0, "0")
        await until_alarm(fight, "unanswered")
        await until_alarm(fight, "readiness of reentrancy 0")
        await rpc.call("anvil_setBalance", scene.guardian.address, hex(ETHER))
        await rpc.call("anvil_dropTransaction", attack.tx_hash)
        await rpc.mine()
        await head_seen(fight)
        await scene.escalate(4 * GWEI)
        await fight.until_state(NAME, "sent")
        await mine_until(fight, lambda: bool(fight.of(NAME, "confirmed")), "the pause to be confirmed")
    assert await is_safe(scene)
    assert len(await mined_by(rpc, scene.guardian.address)) == 1


async def test_what_is_paused_already_is_left_alone(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await stop_it(scene)
        await head_seen(fight)
        defense = fight.engine._defense
        assert defense is not None
        action = await defense.execute_defense("pause", NAME)
        assert (action.state.value, action.cost_wei, action.attempt) == ("superseded", 0, 0)
        [proof] = await defense.prove()
        assert proof.paused
        assert proof.reasons == ("it is paused already",)
    assert await mined_by(rpc, scene.guardian.address) == []


async def stop_it(scene: Scene) -> None:
    """Its owner pauses it."""
    await scene.stage.send(scene.stage.deployer, scene.contract, "pause()")
    await scene.stage.settle()


async def test_a_pause_that_reverts_has_failed_and_is_an_alarm(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """The guardian loses its role in the very block."""
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await scene.attack(2 * GWEI)
        pause = await until_pending(rpc, scene.guardian.address)
        owner = scene.stage.deployer
        tip, max_fee = (int(pause[key], 16) * 2 for key in ("maxPriorityFeePerGas", "maxFeePerGas"))
        stranger = Actor.create().address
        data = scene.contract.data("setGuardian(address)", stranger)
        to = scene.contract.address
        await put(
            scene.stage, owner, nonce=owner.nonce, tip=tip, max_fee=max_fee, to=to, data=data, gas=100_000
        )
        ended = await mine_to_end(fight, NAME)
        assert (ended[NAME].state, ended[NAME].won) == ("failed", False), fight.story()
        assert "reverted" in ended[NAME].reason
        await until_alarm(fight, "response failed")
    assert [one.succeeded for one in await check_nonces(rpc, scene.guardian)] == [False]


async def test_a_contract_without_code_is_not_ready_and_its_pause_is_not_believed(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        await rpc.call("anvil_setCode", scene.contract.address, "0x")
        defense = fight.engine._defense
        assert defense is not None
        [proof] = await defense.prove()
        assert not proof.ready
        assert "there is no code" in " ".join(proof.reasons)
        await defense.execute_defense("pause", NAME)
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "failed", fight.story()
        assert "not paused" in ended[NAME].reason


async def test_an_abi_without_the_pause_is_refused_at_the_start(
    node: Node, scene: Scene, tmp_path: Path
) -> None:
    config = configuration(node, [scene], tmp_path)
    [contract] = config.contracts
    assert contract.pause is not None
    wrong = contract.model_copy(update={"pause": contract.pause.model_copy(update={"call": "halt()"})})
    engine = IDSEngine(config.model_copy(update={"contracts": (wrong,)}))
    with pytest.raises(MempoolIdsError, match="halt"):
        await engine.start()
