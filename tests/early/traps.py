"""Attack contracts that are deployed and never called: a protocol in use, and what an attacker puts beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mempool_ids.demo.rpc import Rpc
from tests.scenarios import approvals, prices, reentrancy, shares, upgrades
from tests.scenarios.stage import ETHER, Actor, Contract, Stage

Place = Callable[[], Awaitable[Contract]]


@dataclass(frozen=True)
class Trap:
    """A protocol, and how its attacker's contract comes to be. `contract` is there once the stage has settled."""

    stage: Stage
    attacker: Actor
    place: Place


async def _reentrancy(rpc: Rpc) -> Trap:
    """Its owner alone can begin it, with ether of its own."""
    stage, vault, attacker, _ = await reentrancy.set_up(rpc)
    await stage.settle()
    return Trap(stage, attacker, lambda: stage.deploy("Attacker", vault.address, by=attacker))


async def _price(rpc: Rpc) -> Trap:
    """It needs an argument: how much to borrow."""
    world = await prices.World.build(rpc)
    await world.stage.settle()
    arguments = (world.lender.address, world.market.address)
    return Trap(
        world.stage,
        world.actor,
        lambda: world.stage.deploy("PriceManipulator", *arguments, by=world.actor),
    )


async def _takeover(rpc: Rpc) -> Trap:
    stage, vault, _, attacker, _ = await upgrades.set_up(rpc)
    await stage.settle()
    return Trap(stage, attacker, lambda: stage.deploy("Takeover", vault.address, by=attacker))


async def _approvals(rpc: Rpc) -> Trap:
    """Whoever calls it; it knows whom it robs."""
    stage, router, token, attacker, users = await approvals.set_up(rpc)
    await stage.settle()
    robbed = [user.address for user in users]
    return Trap(
        stage,
        attacker,
        lambda: stage.deploy("ApprovalSweeper", router.address, token.address, robbed, by=attacker),
    )


async def _donation(rpc: Rpc) -> Trap:
    """It needs an argument, and its owner's tokens."""
    stage, vault, queue, token, attacker, _ = await shares.set_up(rpc)
    await stage.settle()

    async def place() -> Contract:
        contract = await stage.deploy("Inflator", vault.address, queue.address, by=attacker)
        await stage.allow(attacker, token, contract, 2_000 * ETHER)
        return contract

    return Trap(stage, attacker, place)


async def _stored(rpc: Rpc) -> Trap:
    """Its victim is in its storage alone, and its owner must arm it first."""
    stage, vault, attacker, _ = await reentrancy.set_up(rpc)
    await stage.settle()
    return Trap(stage, attacker, lambda: stage.deploy("StoredRobber", vault.address, by=attacker))


TRAPS = {
    "reentrancy": _reentrancy,
    "price": _price,
    "takeover": _takeover,
    "approval drain": _approvals,
    "donation": _donation,
    "victim in storage": _stored,
}
