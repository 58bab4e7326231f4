"""A treasury that obeys votes of the moment: emptied with borrowed ones, or paying what its holders decided."""

from __future__ import annotations

from mempool_ids.demo.rpc import Rpc
from tests.scenarios.stage import ETHER, Actor, Contract, Monitored, Stage, Transaction

_VOTES = 1_000_000 * ETHER
_TREASURY = 400_000 * ETHER
_GRANT = _TREASURY * 2 // 5


async def _governor(rpc: Rpc) -> tuple[Stage, Contract, Contract, Contract]:
    """The stage, the governor, its votes, and the token of its treasury."""
    stage = await Stage.on(rpc, people=3)
    votes = await stage.token(_VOTES)
    treasury = await stage.token(_TREASURY)
    governor = await stage.deploy("Governor", votes.address)
    await stage.give(treasury, governor, _TREASURY)
    stage.monitored.append(Monitored(governor, (treasury.address,)))
    return stage, governor, votes, treasury


async def _held(rpc: Rpc, token: Contract, *holders: Actor | Contract) -> int:
    return sum([await token.number(rpc, "balanceOf(address)", holder.address) for holder in holders])


async def _vote_borrower(
    stage: Stage, governor: Contract, votes: Contract, treasury: Contract
) -> tuple[Actor, Contract]:
    """An attacker and its contract, and a lender of a majority of the votes."""
    attacker, *_ = stage.people
    lender = await stage.deploy("FlashLender")
    await stage.give(votes, lender, _VOTES * 6 // 10)
    contract = await stage.deploy(
        "VoteBorrower", lender.address, governor.address, treasury.address, by=attacker
    )
    # The lender's fee is in votes.
    await stage.give(votes, contract, _VOTES // 1_000)
    return attacker, contract


async def flash_vote(rpc: Rpc) -> Stage:
    """A majority of the votes is borrowed, and a proposal made, voted for and executed before it is given back."""
    stage, governor, votes, treasury = await _governor(rpc)
    attacker, contract = await _vote_borrower(stage, governor, votes, treasury)
    return await stage.ready(
        Transaction(attacker, contract.address, contract.data("attack(uint256)", _VOTES * 55 // 100)),
        others=lambda: _held(rpc, treasury, governor),
        actor=lambda: _held(rpc, treasury, attacker),
    )


async def grant(rpc: Rpc) -> Stage:
    """Holders of the majority have voted for a payment of 40 %, and one of them executes it."""
    stage, governor, votes, treasury = await _governor(rpc)
    first, second, worker = stage.people
    for holder in (first, second):
        await stage.give(votes, holder, _VOTES * 3 // 10)
    pay = treasury.data("transfer(address,uint256)", worker.address, _GRANT)
    await stage.settle()
    await stage.send(first, governor, "propose(address,bytes)", treasury.address, pay)
    await stage.settle()
    for holder in (first, second):
        await stage.send(holder, governor, "vote(uint256)", 0)
    return await stage.ready(
        Transaction(first, governor.address, governor.data("execute(uint256)", 0)),
        # The payment is what the holders wanted: not lost, but with whom they gave it to.
        others=lambda: _held(rpc, treasury, governor, worker),
        actor=lambda: _held(rpc, treasury, first),
    )


async def moment_vote(rpc: Rpc) -> Stage:
    """What was proposed in a block before is voted for and executed in one transaction, with votes borrowed for it."""
    stage, governor, votes, treasury = await _governor(rpc)
    attacker, contract = await _vote_borrower(stage, governor, votes, treasury)
    pay = treasury.data("transfer(address,uint256)", attacker.address, _TREASURY)
    await stage.settle()
    await stage.send(attacker, governor, "propose(address,bytes)", treasury.address, pay)
    amount = _VOTES * 55 // 100
    return await stage.ready(
        Transaction(attacker, contract.address, contract.data("carryOut(uint256,uint256)", 0, amount)),
        others=lambda: _held(rpc, treasury, governor),
        actor=lambda: _held(rpc, treasury, attacker),
    )
