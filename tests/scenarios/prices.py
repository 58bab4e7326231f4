"""A lending market that believes a pair's price of the moment, and three ways to use a flash loan near it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from mempool_ids.demo.rpc import Rpc
from tests.scenarios.stage import ETHER, Actor, Contract, Monitored, Stage, Transaction, Wealth

#: What the collateral is worth, in units of the currency.
_FAIR = 1_000
_POOL = 1_000 * ETHER
_LENT = 500_000 * ETHER
_FLASH = 5_000_000 * ETHER
_PLEDGED = 100 * ETHER
_BORROWED = 70_000 * ETHER


@dataclass(frozen=True)
class World:
    """A pair of collateral and currency, the market that asks it, and a lender of flash loans."""

    stage: Stage
    collateral: Contract
    currency: Contract
    pair: Contract
    market: Contract
    lender: Contract
    #: Who acts, and who has borrowed from the market.
    actor: Actor
    borrower: Actor

    @classmethod
    async def build(cls, rpc: Rpc) -> World:
        stage = await Stage.on(rpc, people=2)
        actor, borrower = stage.people
        collateral, currency = await stage.token(10**9 * ETHER), await stage.token(10**9 * ETHER)
        pair = await stage.deploy("Pair", collateral.address, currency.address)
        market = await stage.deploy("LendingMarket", pair.address)
        lender = await stage.deploy("FlashLender")
        await fill(stage, pair, collateral, currency, _POOL, _POOL * _FAIR)
        await stage.give(currency, market, _LENT)
        await stage.give(currency, lender, _FLASH)
        await stage.give(collateral, borrower, _PLEDGED)
        await stage.settle()
        await stage.allow(borrower, collateral, market, _PLEDGED)
        await stage.send(borrower, market, "deposit(uint256)", _PLEDGED)
        await stage.send(borrower, market, "borrow(uint256)", _BORROWED)
        stage.monitored += [
            Monitored(market, (currency.address, collateral.address)),
            Monitored(pair, (currency.address, collateral.address)),
            Monitored(lender, (currency.address,)),
        ]
        return cls(stage, collateral, currency, pair, market, lender, actor, borrower)

    def lenders(self, *debtors: str) -> Wealth:
        """What lenders have: currency in the market, and debts as far as collateral covers them at a fair price."""

        async def wealth() -> int:
            rpc = self.stage.rpc
            total = await self.currency.number(rpc, "balanceOf(address)", self.market.address)
            for debtor in debtors:
                debt = await self.market.number(rpc, "debtOf(address)", debtor)
                pledged = await self.market.number(rpc, "collateralOf(address)", debtor)
                total += min(debt, pledged * _FAIR)
            return total

        return wealth

    async def ready(self, contract: Contract, data: bytes, others: Wealth) -> Stage:
        async def held() -> int:
            return await self.currency.number(self.stage.rpc, "balanceOf(address)", self.actor.address)

        act = Transaction(self.actor, contract.address, data)
        return await self.stage.ready(act, others=others, actor=held)


async def fill(stage: Stage, pair: Contract, first: Contract, second: Contract, *amounts: int) -> None:
    """Gives a pair its liquidity, and so its price."""
    for token, amount in zip((first, second), amounts, strict=True):
        await stage.give(token, pair, amount)
    await stage.send(stage.deployer, pair, "sync()")


async def manipulation(rpc: Rpc) -> Stage:
    """The price is driven up with a flash loan, and all of the market's currency borrowed against it."""
    world = await World.build(rpc)
    attack = await world.stage.deploy(
        "PriceManipulator", world.lender.address, world.market.address, by=world.actor
    )
    data = attack.data("attack(uint256)", 3_000_000 * ETHER)
    return await world.ready(attack, data, world.lenders(world.borrower.address, attack.address))


async def arbitrage(rpc: Rpc) -> Stage:
    """Another pair pays 10 % more for the collateral: a flash loan buys in the one and sells in the other."""
    world = await World.build(rpc)
    stage, tokens = world.stage, (world.collateral, world.currency)
    dear = await stage.deploy("Pair", *(token.address for token in tokens))
    await fill(stage, dear, *tokens, _POOL, _POOL * _FAIR * 11 // 10)
    contract = await stage.deploy(
        "Arbitrageur", world.lender.address, world.pair.address, dear.address, by=world.actor
    )
    lent = world.lenders(world.borrower.address)

    async def others() -> int:
        total = await lent()
        # What the liquidity is worth at a price that the trade has no influence on: its value where x · price = y.
        for pair in (world.pair, dear):
            reserve0, reserve1, _ = await pair.read(rpc, "getReserves()")
            total += 2 * isqrt(reserve0 * reserve1 * _FAIR)
        return total

    return await world.ready(contract, contract.data("trade(uint256)", 20_000 * ETHER), others)


async def liquidation(rpc: Rpc) -> Stage:
    """The price has fallen by a seventh, and a debt is no longer covered: half of it is repaid with a flash loan."""
    world = await World.build(rpc)
    stage = world.stage
    venue = await stage.deploy("PairVenue")
    liquidator = await stage.deploy("Liquidator", world.lender.address, world.market.address, by=world.actor)
    await stage.settle()
    sold = 80 * ETHER
    await stage.allow(stage.deployer, world.collateral, venue, sold)
    signature = "sellOn(address,address,uint256)"
    await stage.send(stage.deployer, venue, signature, world.pair.address, world.collateral.address, sold)
    data = liquidator.data("liquidate(address)", world.borrower.address)
    return await world.ready(liquidator, data, world.lenders(world.borrower.address))
