"""A contract that is deployed and never called is enough for a pause, where calling it proves what it would do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.defense.journal import Journal
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.records.detection import ThreatDetection
from tests.defense.races import GWEI, Ring, name_of, ring
from tests.defense.scenes import STAGES, Scene
from tests.nodes import KINDS, mining

pytestmark = pytest.mark.timeout(120)

#: What is tested is what is found, however busy the machine is.
PATIENT = {"contract_ms": 5_000, "head_ms": 60_000}
#: Alone the code speaks, and most of what looks like an attack is called one.
BY_CODE = {"detonation": {"enabled": False}, "high_precision": 0.5}


@pytest.fixture(params=KINDS)
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A block a second."""
    with mining(request, 1) as running:
        yield running


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


@pytest.fixture
async def scene(rpc: Rpc) -> Scene:
    """A vault, whose robber of the setting stays unused."""
    return await STAGES["reentrancy"](rpc)


async def told_of(fight: Ring, scene: Scene, reason: str) -> ThreatDetection:
    """The alert of a new robber that nobody calls."""
    robber = await scene.stage.deploy("StoredRobber", scene.contract.address, by=scene.attacker)

    def alerts() -> list[ThreatDetection]:
        return [
            one
            for one in fight.detections
            if (early := one.event.get("early"))
            and (early["contract"]["address"], early["reason"]) == (robber.address, reason)
        ]

    await fight.until(lambda: bool(alerts()), f"the alert by {reason}")
    return alerts()[0]


async def test_a_proof_pauses_and_the_attack_finds_a_shut_door(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    name = name_of([scene], scene)
    async with ring(node, rpc, [scene], tmp_path, {"detonation": PATIENT}) as fight:
        alert = await told_of(fight, scene, "proof")
        assert alert.event["grade"] == "proved"
        assert "LIKELY LOST" not in alert.event["response"]["decision"]
        ended = await fight.until_state(name, "confirmed", "failed", "superseded", "cancelled")
        assert ended.state == "confirmed", fight.story()
        assert ended.won, fight.story()
        assert await scene.is_paused()
        await scene.stage.settle()
        bid = await scene.attack(2 * GWEI)
        _, hit = await fight.place(bid.tx_hash)
    assert not hit
    assert await scene.harm() == 0
    # Whoever asks later what was answered is told.
    with contextlib.closing(Journal.look(tmp_path / "defense.db")) as journal:
        [action] = journal.actions()
    assert action.threats == ()
    assert action.contract == alert.event["early"]["contract"]["address"]


@pytest.mark.parametrize("acts", [True, False])
async def test_by_its_code_alone_only_the_policy_pauses(
    acts: bool, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    name = name_of([scene], scene)
    policy: dict[str, Any] = {"act_on_early_score": acts}
    async with ring(node, rpc, [scene], tmp_path, BY_CODE, **policy) as fight:
        alert = await told_of(fight, scene, "high_precision")
        held = alert.event["early"]["contract"]["contained"]
        assert [one["contract"] for one in held] == [name]
        decision = alert.event["response"]["decision"]
        if acts:
            ended = await fight.until_state(name, "confirmed", "failed", "superseded", "cancelled")
            assert ended.state == "confirmed", fight.story()
        else:
            assert "people are to decide (defense.act_on_early_score)" in decision
            assert alert.event["response"]["action_id"] is None
        assert await scene.is_paused() is acts
