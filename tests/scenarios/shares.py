"""A vault of shares whose price is what it holds: inflated by its first depositor, in one transaction or in several, or
raised by what it earned."""

from __future__ import annotations

from mempool_ids.demo.rpc import Rpc
from tests.scenarios.stage import ETHER, Actor, Contract, Monitored, Stage, Transaction, Wealth

_DEPOSIT = 1_000 * ETHER
_VIEWS = {"share_price": "sharePrice()", "total_supply": "totalSupply()"}


async def set_up(rpc: Rpc) -> tuple[Stage, Contract, Contract, Contract, Actor, list[Actor]]:
    """The stage, the vault, its queue and its token, who acts, and users whose deposits wait in the queue."""
    stage = await Stage.on(rpc, people=4)
    actor, *users = stage.people
    token = await stage.token(10**9 * ETHER)
    vault = await stage.deploy("ShareVault", token.address)
    queue = await stage.deploy("DepositQueue", vault.address)
    for person in stage.people:
        await stage.give(token, person, 2 * _DEPOSIT)
    await stage.settle()
    for user in users:
        await stage.allow(user, token, queue, _DEPOSIT)
        await stage.send(user, queue, "enqueue(uint256)", _DEPOSIT)
    stage.monitored += [
        Monitored(vault, (token.address,), views=_VIEWS),
        Monitored(queue, (token.address,), receivers=(vault.address,)),
    ]
    return stage, vault, queue, token, actor, users


def _worth(rpc: Rpc, vault: Contract, queue: Contract, users: list[Actor]) -> Wealth:
    """What waits for the users, and what their shares are worth."""

    async def worth() -> int:
        total = 0
        for user in users:
            shares = await vault.number(rpc, "balanceOf(address)", user.address)
            total += await vault.number(rpc, "convertToAssets(uint256)", shares)
            total += await queue.number(rpc, "queued(address)", user.address)
        return total

    return worth


def _held(rpc: Rpc, token: Contract, actor: Actor) -> Wealth:
    async def held() -> int:
        return await token.number(rpc, "balanceOf(address)", actor.address)

    return held


async def inflation(rpc: Rpc) -> Stage:
    """The vault is empty. One unit is deposited, more than a deposit given to it, and the queue gets no shares."""
    stage, vault, queue, token, attacker, users = await set_up(rpc)
    contract = await stage.deploy("Inflator", vault.address, queue.address, by=attacker)
    await stage.allow(attacker, token, contract, 2 * _DEPOSIT)
    data = contract.data("attack(uint256)", _DEPOSIT + ETHER)
    return await stage.ready(
        Transaction(attacker, contract.address, data),
        others=_worth(rpc, vault, queue, users),
        actor=_held(rpc, token, attacker),
    )


async def harvest(rpc: Rpc) -> Stage:
    """The vault is in use. Earnings are given to it, and the queue gets the shares that its deposits are worth."""
    stage, vault, queue, token, keeper, users = await set_up(rpc)
    owner = stage.deployer
    await stage.allow(owner, token, vault, 10 * _DEPOSIT)
    await stage.send(owner, vault, "deposit(uint256,address)", 10 * _DEPOSIT, owner.address)
    strategy = await stage.deploy("Strategy", vault.address, queue.address)
    await stage.give(token, strategy, _DEPOSIT)
    return await stage.ready(
        Transaction(keeper, strategy.address, strategy.data("harvest()")),
        others=_worth(rpc, vault, queue, [*users, owner]),
        actor=_held(rpc, token, keeper),
    )


async def _bare_vault(rpc: Rpc) -> tuple[Stage, Contract, Contract, Actor, Actor]:
    """The stage, an empty vault that is monitored by its address alone, its token, and two people who have some."""
    stage = await Stage.on(rpc, people=2)
    actor, user = stage.people
    token = await stage.token(10**9 * ETHER)
    vault = await stage.deploy("ShareVault", token.address)
    for person in stage.people:
        await stage.give(token, person, 2 * _DEPOSIT)
        await stage.allow(person, token, vault, 2 * _DEPOSIT)
    stage.monitored.append(Monitored(vault, ()))
    await stage.settle()
    return stage, vault, token, actor, user


def _has(rpc: Rpc, vault: Contract, token: Contract, actor: Actor) -> Wealth:
    """Tokens, and what the shares are worth."""

    async def has() -> int:
        shares = await vault.number(rpc, "balanceOf(address)", actor.address)
        worth = await vault.number(rpc, "convertToAssets(uint256)", shares)
        return await token.number(rpc, "balanceOf(address)", actor.address) + worth

    return has


async def gift(rpc: Rpc) -> Stage:
    """The first of two transactions: who has the only unit of a share gives the vault more than the next deposit."""
    stage, vault, token, attacker, _ = await _bare_vault(rpc)
    await stage.send(attacker, vault, "deposit(uint256,address)", 1, attacker.address)
    data = token.data("transfer(address,uint256)", vault.address, _DEPOSIT + ETHER)

    async def kept() -> int:
        """What the next deposit would still be worth to who makes it."""
        shares = await vault.number(rpc, "convertToShares(uint256)", _DEPOSIT)
        return _DEPOSIT if shares > 0 else 0

    has = _has(rpc, vault, token, attacker)

    async def gained() -> int:
        """What it has, and what it will have of that deposit."""
        return await has() + _DEPOSIT - await kept()

    return await stage.ready(Transaction(attacker, token.address, data), others=kept, actor=gained)


async def deposit_for_nothing(rpc: Rpc) -> Stage:
    """The second: a user's deposit into that vault, which gets no share."""
    stage, vault, token, attacker, user = await _bare_vault(rpc)
    await stage.send(attacker, vault, "deposit(uint256,address)", 1, attacker.address)
    await stage.send(attacker, token, "transfer(address,uint256)", vault.address, _DEPOSIT + ETHER)
    # The rest of what it has is not at stake.
    await stage.send(user, token, "transfer(address,uint256)", stage.deployer.address, _DEPOSIT)
    data = vault.data("deposit(uint256,address)", _DEPOSIT, user.address)
    return await stage.ready(
        Transaction(user, vault.address, data),
        others=_has(rpc, vault, token, user),
        actor=_has(rpc, vault, token, attacker),
    )


async def first_deposit(rpc: Rpc) -> Stage:
    """An empty vault's first deposit, of a user who gets shares for all of it."""
    stage, vault, token, user, other = await _bare_vault(rpc)
    data = vault.data("deposit(uint256,address)", _DEPOSIT, user.address)
    return await stage.ready(
        Transaction(user, vault.address, data),
        others=_has(rpc, vault, token, other),
        actor=_has(rpc, vault, token, user),
    )
