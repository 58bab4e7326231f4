"""A router that calls what it is told: with others' allowances, or with one's own."""

from __future__ import annotations

from mempool_ids.demo.rpc import Rpc
from tests.scenarios.prices import fill
from tests.scenarios.stage import ETHER, Actor, Contract, Monitored, Stage, Transaction, Wealth

_HELD = 5_000 * ETHER
_UNLIMITED = 2**256 - 1


async def set_up(rpc: Rpc) -> tuple[Stage, Contract, Contract, Actor, list[Actor]]:
    """The stage, the router, a token, who acts, and users who let the router spend that token without a limit."""
    stage = await Stage.on(rpc, people=4)
    actor, *users = stage.people
    token = await stage.token(10**9 * ETHER)
    router = await stage.deploy("SwapRouter")
    for user in users:
        await stage.give(token, user, _HELD)
    await stage.settle()
    for user in users:
        await stage.allow(user, token, router, _UNLIMITED)
    stage.monitored.append(Monitored(router, (token.address,)))
    return stage, router, token, actor, users


def _held(rpc: Rpc, token: Contract, *actors: Actor) -> Wealth:
    async def held() -> int:
        return sum([await token.number(rpc, "balanceOf(address)", actor.address) for actor in actors])

    return held


async def drain(rpc: Rpc) -> Stage:
    """The token is named as the venue, so that the router sends away what its users let it spend."""
    stage, router, token, attacker, users = await set_up(rpc)
    contract = await stage.deploy("ApprovalDrainer", router.address, by=attacker)
    victims = [user.address for user in users]
    data = contract.data("attack(address,address[])", token.address, victims)
    return await stage.ready(
        Transaction(attacker, contract.address, data),
        others=_held(rpc, token, *users),
        actor=_held(rpc, token, attacker),
    )


async def swap(rpc: Rpc) -> Stage:
    """A user sells a fifth of its tokens on a pair; the router spends its allowance and nobody else's."""
    stage, router, token, _, users = await set_up(rpc)
    user, *others = users
    bought = await stage.token(10**9 * ETHER)
    pair = await stage.deploy("Pair", token.address, bought.address)
    venue = await stage.deploy("PairVenue")
    await fill(stage, pair, token, bought, 100_000 * ETHER, 100_000 * ETHER)
    amount, least = _HELD // 5, _HELD // 6
    sell = venue.data("sellOn(address,address,uint256)", pair.address, token.address, amount)
    signature = "swap(address,uint256,address,uint256,address,bytes)"
    data = router.data(signature, token.address, amount, bought.address, least, venue.address, sell)
    return await stage.ready(
        Transaction(user, router.address, data),
        others=_held(rpc, token, *others),
        actor=_held(rpc, bought, user),
    )
