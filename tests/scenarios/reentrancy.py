"""A vault that pays before it books: drained by coming back in the middle, or used by a wallet that is a contract."""

from __future__ import annotations

from mempool_ids.demo.rpc import Rpc
from tests.scenarios.stage import ETHER, Actor, Contract, Monitored, Stage, Transaction, Wealth

_DEPOSIT = 10 * ETHER


async def set_up(rpc: Rpc) -> tuple[Stage, Contract, Actor, list[Actor]]:
    stage = await Stage.on(rpc, people=4)
    actor, *users = stage.people
    vault = await stage.deploy("Vault", stage.deployer.address)
    stage.monitored.append(Monitored(vault, ("native",), admins=(stage.deployer.address,)))
    await stage.settle()
    for user in users:
        await stage.send(user, vault, "deposit()", value=_DEPOSIT)
    return stage, vault, actor, users


def _solvent(stage: Stage, vault: Contract, users: list[Actor]) -> Wealth:
    """What the vault owes the users, as far as it can pay."""

    async def owed() -> int:
        claims = [await vault.number(stage.rpc, "balanceOf(address)", user.address) for user in users]
        return min(sum(claims), await stage.rpc.balance(vault.address))

    return owed


async def drain(rpc: Rpc) -> Stage:
    """The attacker's contract withdraws again whenever it is paid, until the vault is empty."""
    stage, vault, attacker, users = await set_up(rpc)
    contract = await stage.deploy("Attacker", vault.address, by=attacker)
    act = Transaction(attacker, contract.address, contract.data("attack()"), value=ETHER)
    return await stage.ready(
        act, others=_solvent(stage, vault, users), actor=lambda: rpc.balance(attacker.address)
    )


async def large_withdrawal(rpc: Rpc) -> Stage:
    """The largest depositor takes 30 % of the vault to its smart wallet, which looks at the vault when it is paid."""
    stage, vault, owner, users = await set_up(rpc)
    wallet = await stage.deploy("SmartWallet", vault.address, by=owner)
    await stage.settle()
    await stage.send(owner, wallet, "deposit()", value=2 * _DEPOSIT)
    amount = 5 * _DEPOSIT * 3 // 10
    act = Transaction(owner, wallet.address, wallet.data("withdraw(uint256)", amount))
    return await stage.ready(
        act, others=_solvent(stage, vault, users), actor=lambda: rpc.balance(owner.address)
    )
