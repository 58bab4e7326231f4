"""A bridge that takes a message nobody proved for proven: emptied by a forged message, or used with a real one."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from mempool_ids.demo.rpc import Rpc
from tests.scenarios.stage import ETHER, Contract, Monitored, Stage, Transaction, Wealth

_LOCKED = 100_000 * ETHER
_RELEASED = _LOCKED // 10
_PROCESS = "process(address,uint256,uint256)"


async def _bridge(rpc: Rpc) -> tuple[Stage, Contract, Contract]:
    """The stage, the bridge with what its users locked in it, and the token."""
    stage = await Stage.on(rpc, people=2)
    token = await stage.token(10**9 * ETHER)
    bridge = await stage.deploy("Bridge", token.address)
    await stage.give(token, bridge, _LOCKED)
    stage.monitored.append(Monitored(bridge, (token.address,), admins=(stage.deployer.address,)))
    return stage, bridge, token


def _covered(rpc: Rpc, token: Contract, bridge: Contract, owed: int) -> Wealth:
    """What is owed to users on the other chain, as far as the bridge still has it."""

    async def covered() -> int:
        return min(owed, await token.number(rpc, "balanceOf(address)", bridge.address))

    return covered


async def forgery(rpc: Rpc) -> Stage:
    """A message that was never sent says that everything is the attacker's."""
    stage, bridge, token = await _bridge(rpc)
    attacker, *_ = stage.people
    return await stage.ready(
        Transaction(attacker, bridge.address, bridge.data(_PROCESS, attacker.address, _LOCKED, 0)),
        others=_covered(rpc, token, bridge, _LOCKED),
        actor=lambda: token.number(rpc, "balanceOf(address)", attacker.address),
    )


async def release(rpc: Rpc) -> Stage:
    """A user takes out a tenth of what is locked, by a message proven against a root that the updater confirmed."""
    stage, bridge, token = await _bridge(rpc)
    user, other = stage.people
    message, sibling = (
        keccak(encode(["address", "uint256", "uint256"], [person.address, _RELEASED, 0]))
        for person in (user, other)
    )
    root = keccak(b"".join(sorted((message, sibling))))
    await stage.send(stage.deployer, bridge, "confirm(bytes32)", root)
    await stage.send(stage.deployer, bridge, "prove(bytes32,bytes32[])", message, [sibling])
    return await stage.ready(
        Transaction(user, bridge.address, bridge.data(_PROCESS, user.address, _RELEASED, 0)),
        others=_covered(rpc, token, bridge, _LOCKED - _RELEASED),
        actor=lambda: token.number(rpc, "balanceOf(address)", user.address),
    )
