"""A vault behind a proxy: taken over by a stranger, or moved elsewhere by its owner."""

from __future__ import annotations

from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError
from tests.scenarios.stage import ETHER, Actor, Contract, Monitored, Stage, Transaction

_DEPOSIT = 10_000 * ETHER


async def set_up(rpc: Rpc) -> tuple[Stage, Contract, Contract, Actor, list[Actor]]:
    """The stage, the vault, its token, who acts, and the users. The owner is the deployer."""
    stage = await Stage.on(rpc, people=4)
    actor, *users = stage.people
    token = await stage.token(10**9 * ETHER)
    logic = await stage.deploy("UpgradeableVault")
    proxy = await stage.deploy("Proxy", logic.address)
    vault = Contract(logic.name, proxy.address)
    owner = stage.deployer
    await stage.send(owner, vault, "initialize(address,address)", token.address, owner.address)
    for user in users:
        await stage.give(token, user, _DEPOSIT)
    await stage.settle()
    for user in users:
        await stage.allow(user, token, vault, _DEPOSIT)
        await stage.send(user, vault, "deposit(uint256)", _DEPOSIT)
    stage.monitored.append(Monitored(vault, (token.address,), admins=(owner.address,)))
    return stage, vault, token, actor, users


async def takeover(rpc: Rpc) -> Stage:
    """A stranger initializes the vault anew, upgrades it to code of its own, and takes the tokens."""
    stage, vault, token, attacker, users = await set_up(rpc)
    contract = await stage.deploy("Takeover", vault.address, by=attacker)

    async def withdrawable() -> int:
        return sum([await _gets(stage, user, vault, "withdraw(uint256)", _DEPOSIT) for user in users])

    async def held() -> int:
        return await token.number(rpc, "balanceOf(address)", attacker.address)

    act = Transaction(attacker, contract.address, contract.data("attack()"))
    return await stage.ready(act, others=withdrawable, actor=held)


async def migration(rpc: Rpc) -> Stage:
    """The owner upgrades the vault to its last code, which at once sends everything to the successor."""
    stage, vault, token, _, users = await set_up(rpc)
    owner = stage.deployer
    last = await stage.deploy("MigratingVault")
    successor = await stage.deploy("SuccessorVault", vault.address)
    migrate = last.data("migrate(address)", successor.address)

    async def withdrawable() -> int:
        """From the one vault or the other, whichever pays."""
        return sum(
            [
                max(
                    await _gets(stage, user, vault, "withdraw(uint256)", _DEPOSIT),
                    await _gets(stage, user, successor, "claim()"),
                )
                for user in users
            ]
        )

    async def held() -> int:
        return await token.number(rpc, "balanceOf(address)", owner.address)

    data = vault.data("upgradeToAndCall(address,bytes)", last.address, migrate)
    return await stage.ready(Transaction(owner, vault.address, data), others=withdrawable, actor=held)


async def _gets(stage: Stage, user: Actor, vault: Contract, signature: str, *arguments: int) -> int:
    """What the user would get by this call now: the deposit, or nothing."""
    try:
        await vault.read(stage.rpc, signature, *arguments, sender=user)
    except RpcError:
        return 0
    return _DEPOSIT
