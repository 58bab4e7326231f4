"""Baits: attacks that are withdrawn once they were answered. They cost the guardian no more than its budget, fill no
memory, and do not open the way for the real one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.defense import book, upkeep
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import Ring, ring
from tests.defense.scenes import Scene, reentrancy, takeover
from tests.defense.trouble import (
    check_journal,
    check_nonces,
    mine_to_end,
    put,
    until,
    until_pending,
)
from tests.scenarios.stage import ETHER, GWEI, Actor, Contract, Stage

pytestmark = pytest.mark.timeout(180)
NAME, OTHER = "reentrancy 0", "takeover 1"
ROUNDS, SENDERS, AT_ONCE = 100, 100, 10


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is withdrawn is taken back at once."""
    monkeypatch.setattr(book, "JUDGED_S", 0.0)
    monkeypatch.setattr(upkeep, "LIVE_S", 0.02)
    monkeypatch.setattr(upkeep, "IDLE_S", 0.02)


@dataclass
class Baiter:
    """Somebody with a contract that could rob the vault."""

    stage: Stage
    actor: Actor
    robber: Contract
    nonce: int = 1

    async def lay(self, tip: int) -> str:
        """An attack that would work, pending."""
        data = self.robber.data("attack()")
        return await put(
            self.stage,
            self.actor,
            nonce=self.nonce,
            tip=tip,
            max_fee=tip + 50 * GWEI,
            to=self.robber.address,
            data=data,
            gas=3_000_000,
            value=ETHER,
        )

    async def take_away(self, tip: int) -> None:
        await put(
            self.stage, self.actor, nonce=self.nonce, tip=tip * 5 // 4, max_fee=(tip + 50 * GWEI) * 5 // 4
        )
        self.nonce += 1


async def baiters(rpc: Rpc, scene: Scene, count: int) -> list[Baiter]:
    stage = await Stage.on(rpc, people=0)
    found = []
    for _ in range(count):
        actor = Actor.create()
        await rpc.call("anvil_setBalance", actor.address, hex(100 * ETHER))
        robber = await stage.deploy("Attacker", scene.contract.address, by=actor)
        found.append(Baiter(stage, actor, robber))
    await stage.settle()
    return found


def spent(fight: Ring) -> int:
    statistics = fight.engine.get_statistics().defense
    assert statistics is not None
    return int(statistics["spent_wei"])


async def paid(rpc: Rpc, scene: Scene) -> int:
    return 100 * ETHER - await rpc.balance(scene.guardian.address)


async def play(fight: Ring, some: list[Baiter], tip: int, ended: int) -> bool:
    """All of these lay a bait, and withdraw it once it was answered. False where it was not taken back."""
    rpc = fight.rpc
    hashes = await asyncio.gather(*(one.lay(tip) for one in some))
    await asyncio.gather(*(fight.until_alerted(tx_hash) for tx_hash in hashes))
    await fight.until_state(NAME, "sent", count=ended + 1)
    await asyncio.gather(*(one.take_away(tip) for one in some))
    guardian = fight.engine._defense._run.state.guardians[0]  # type: ignore[union-attr]
    nonce = guardian.latest

    def is_settled() -> bool:
        return guardian.latest > nonce or any(live.withdrawn for live in lives(fight))

    def all_gone() -> bool:
        return all(threat.fate == "gone" for live in lives(fight) for threat in live.threats.values())

    await fight.until(all_gone, "all baits to be gone")
    try:
        await fight.until(is_settled, "the response to be taken back", 1.0)
    except AssertionError:
        return False
    await rpc.mine()
    await fight.until_state(NAME, "cancelled", count=ended + 1)
    return True


def lives(fight: Ring) -> list[Any]:
    return fight.engine._defense._run.state.book.all()  # type: ignore[union-attr]


async def test_a_thousand_baits_of_a_hundred_senders_and_then_the_real_attack(
    node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    """Each is a pending transaction that would rob the vault, seen and proved by the sensor itself."""
    scene = await reentrancy(rpc)
    crowd = await baiters(rpc, scene, SENDERS)
    gas = {"max_fee_gwei": 2_000, "max_cost_eth": 0.4, "daily_budget_eth": 2.0}
    async with ring(node, rpc, [scene], tmp_path, gas=gas) as fight:
        for turn in range(ROUNDS):
            first = turn * AT_ONCE % SENDERS
            assert await play(fight, crowd[first : first + AT_ONCE], 2 * GWEI, turn), fight.story()
        assert len(fight.detections) == ROUNDS * AT_ONCE
        assert await paid(rpc, scene) <= 2 * ETHER
        is_bounded(fight)
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address, ROUNDS)
        await fight.until_state(NAME, "sent", count=ROUNDS + 1)
        await rpc.mine()
        ended = await mine_until_confirmed(fight)
        assert ended.won, ended
    assert await scene.is_paused()
    assert await scene.harm() == 0
    mined = await check_nonces(rpc, scene.guardian)
    assert [one.is_pause for one in mined] == [False] * ROUNDS + [True]
    assert await paid(rpc, scene) <= 2 * ETHER
    check_journal(tmp_path)


async def mine_until_confirmed(fight: Ring) -> Any:
    for _ in range(20):
        if fight.of(NAME, "confirmed"):
            break
        await fight.rpc.mine()
        await asyncio.sleep(0.05)
    return await fight.until_state(NAME, "confirmed")


def is_bounded(fight: Ring) -> None:
    """What is kept of what is over."""
    run = fight.engine._defense._run  # type: ignore[union-attr]
    [guardian] = run.state.guardians
    assert run.state.book.all() == []
    assert guardian.taken == {}
    assert len(guardian.out) <= 3
    assert all(len(by_nonce) <= 6 for by_nonce in guardian.ladders.values())
    assert run.ledger._joined == {}
    assert len(run.alarms._lasting) <= 3


async def test_baits_that_make_the_guardian_pay_dearly_have_the_contract_paused_and_not_defenceless(
    node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    """A bait that pays its builder much is answered by more, and costs the guardian ten times what it costs its sender.
    Before the money for the next response is gone, a response is not taken back any more."""
    scene = await reentrancy(rpc)
    other = await takeover(rpc, scene.guardian)
    crowd = await baiters(rpc, scene, 4)
    budget = 0.3
    gas = {"max_fee_gwei": 2_000, "max_cost_eth": 0.1, "daily_budget_eth": budget}
    async with ring(node, rpc, [scene, other], tmp_path, gas=gas) as fight:
        rounds = 0
        while await play(fight, [crowd[rounds % 4]], 50 * GWEI, rounds):
            rounds += 1
            assert rounds < 40
        assert rounds >= 2
        ended = await mine_to_confirm(fight)
        assert ended == "confirmed", fight.story()
        assert await scene.is_paused()
        assert await scene.harm() == 0
        assert await paid(rpc, scene) <= int(budget * ETHER)
        # The last quarter is for others.
        await other.attack(2 * GWEI)
        await fight.until_state(OTHER, "sent")
        await until_pending(rpc, scene.guardian.address, rounds + 1)
        result = await mine_to_end(fight, OTHER)
        assert (result[OTHER].state, result[OTHER].won) == ("confirmed", True), fight.story()
    assert await other.harm() == 0
    assert await paid(rpc, scene) <= int(budget * ETHER)


async def mine_to_confirm(fight: Ring) -> str:
    return str((await mine_until_confirmed(fight)).state)


async def test_baits_that_humans_decline_cost_nothing_and_hide_no_attack(
    node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    """However many come while a human is asked, they are one question more; and the next attack is one of its own."""
    scene = await reentrancy(rpc)
    crowd = await baiters(rpc, scene, AT_ONCE)
    async with ring(node, rpc, [scene], tmp_path, confirm={"seconds": 3600, "default": "act"}) as fight:
        defense = fight.engine._defense
        assert defense is not None
        hashes = [await crowd[0].lay(2 * GWEI)]
        first = await fight.until_state(NAME, "intent")
        hashes += await asyncio.gather(*(one.lay(2 * GWEI) for one in crowd[1:]))
        await asyncio.gather(*(fight.until_alerted(tx_hash) for tx_hash in hashes))
        await defense._run.asking.take(str(first.action_id), False, "test")
        second = await fight.until_state(NAME, "intent", count=2)
        assert set(second.threats) == set(hashes[1:])
        await defense._run.asking.take(str(second.action_id), False, "test")
        await fight.until_state(NAME, "cancelled", count=2)
        assert lives(fight) == []
        attack = await scene.attack(3 * GWEI)
        third = await fight.until_state(NAME, "intent", count=3)
        assert third.threats == (attack.tx_hash,)
        assert await check_nonces(rpc, scene.guardian) == []
        await defense._run.asking.take(str(third.action_id), True, "test")
        assert await mine_to_confirm_pending(fight, rpc, scene) == "confirmed", fight.story()
    assert await scene.harm() == 0
    check_journal(tmp_path)


async def test_cheap_threats_use_up_nothing_that_a_grave_one_needs(
    node: Node, rpc: Rpc, tmp_path: Path
) -> None:
    """A hundred small proved thefts, in the shape of the sensor's own alert, given to the executor: they are held back
    by the counts; the real attack, through the sensor, is not."""
    scene = await reentrancy(rpc)
    [baiter] = await baiters(rpc, scene, 1)
    async with ring(node, rpc, [scene], tmp_path) as fight:
        defense = fight.engine._defense
        assert defense is not None
        recorded: list[bytes] = []
        respond = defense.respond

        def keep(alert: Any) -> Any:
            recorded.append(json.dumps(alert).encode())
            return respond(alert)

        defense.respond = keep  # type: ignore[method-assign]
        assert await play(fight, [baiter], 2 * GWEI, 0)
        defense.respond = respond  # type: ignore[method-assign]
        [template] = recorded
        refused = 0
        for number in range(100):
            alert = json.loads(template)
            alert["tx"]["hash"] = f"0x{number + 1:064x}"
            alert["tx"]["from"] = f"0x{number % 20 + 1:040x}"
            alert["victims"] = [{**alert["victims"][0], "amount": str(10**16), "share": 0.0003}]
            answer = json.loads(await asyncio.to_thread(defense.receive, "alert", json.dumps(alert).encode()))
            refused += answer["response"]["action_id"] is None
            if answer["response"]["action_id"] is not None:
                defense.outcome(alert["tx"]["hash"], "dropped")
                await mine_until_closed(fight, rpc)
        assert refused >= 85
        assert await paid(rpc, scene) < ETHER
        await scene.attack(2 * GWEI)
        await fight.until_alerted(scene.sent[-1].tx_hash)
        ended = await mine_to_confirm_pending(fight, rpc, scene)
        assert ended == "confirmed", fight.story()
    assert await scene.harm() == 0


async def mine_until_closed(fight: Ring, rpc: Rpc) -> None:
    async def is_over() -> bool:
        if lives(fight) and all(live.withdrawn for live in lives(fight)):
            await rpc.mine()
        return not lives(fight)

    await until(is_over, "the response to end", 10)


async def mine_to_confirm_pending(fight: Ring, rpc: Rpc, scene: Scene) -> str:
    mined = len(await check_nonces(rpc, scene.guardian))
    await until_pending(rpc, scene.guardian.address, mined)
    return await mine_to_confirm(fight)
