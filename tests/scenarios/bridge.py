"""Bridges that pay out what a message says: one that takes what nobody proved for proven, and one that takes what
nobody, or one validator alone, signed for signed by enough of them. Each emptied, and used as it is meant."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from mempool_ids.demo.rpc import Rpc
from tests.scenarios.stage import ETHER, Actor, Contract, Monitored, Stage, Transaction, Wealth

_LOCKED = 100_000 * ETHER
_RELEASED = _LOCKED // 10
#: Of one large user.
_LARGE = _LOCKED * 45 // 100
_STOLEN = _LOCKED * 9 // 10
_PROCESS = "process(address,uint256,uint256)"
_RELEASE = "release(address,uint256,uint256,uint8[],bytes32[],bytes32[])"
_NOBODY = "0x" + 40 * "0"


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


async def _validators(rpc: Rpc, *also: str) -> tuple[Stage, Contract, Contract, list[Actor]]:
    """The stage, a bridge that two of three validators release from, the token, and the validators."""
    stage = await Stage.on(rpc, people=4)
    token = await stage.token(10**9 * ETHER)
    validators = stage.people[1:]
    named = [*(each.address for each in validators), *also]
    bridge = await stage.deploy("ValidatorBridge", token.address, named, 2)
    await stage.give(token, bridge, _LOCKED)
    # By its address alone.
    stage.monitored.append(Monitored(bridge, ()))
    return stage, bridge, token, validators


def _signed(bridge: Contract, to: Actor, amount: int, signers: list[Actor | None]) -> bytes:
    """Calldata of a release; a signer that is None is a broken signature."""
    message = keccak(
        encode(["address", "address", "uint256", "uint256"], [bridge.address, to.address, amount, 0])
    )
    made = [signer.key.unsafe_sign_hash(message) if signer else None for signer in signers]
    return bridge.data(
        _RELEASE,
        to.address,
        amount,
        0,
        [each.v if each else 0 for each in made],
        [(each.r if each else 1).to_bytes(32, "big") for each in made],
        [(each.s if each else 1).to_bytes(32, "big") for each in made],
    )


async def _robbed(rpc: Rpc, stage: Stage, bridge: Contract, token: Contract, data: bytes) -> Stage:
    attacker, *_ = stage.people
    return await stage.ready(
        Transaction(attacker, bridge.address, data),
        others=_covered(rpc, token, bridge, _LOCKED),
        actor=lambda: token.number(rpc, "balanceOf(address)", attacker.address),
    )


async def unsigned(rpc: Rpc) -> Stage:
    """Nobody is among the validators by mistake, and two broken signatures are nobody's."""
    stage, bridge, token, _ = await _validators(rpc, _NOBODY)
    attacker, *_ = stage.people
    data = _signed(bridge, attacker, _STOLEN, [None, None])
    return await _robbed(rpc, stage, bridge, token, data)


async def signed_twice(rpc: Rpc) -> Stage:
    """A validator hands in its own signature twice."""
    stage, bridge, token, (rogue, *_) = await _validators(rpc)
    attacker, *_ = stage.people
    data = _signed(bridge, attacker, _STOLEN, [rogue, rogue])
    return await _robbed(rpc, stage, bridge, token, data)


async def signed_release(rpc: Rpc) -> Stage:
    """A user takes out 45 % of what is locked, by the signatures of two validators."""
    stage, bridge, token, (first, second, _) = await _validators(rpc)
    user, *_ = stage.people
    data = _signed(bridge, user, _LARGE, [first, second])
    return await stage.ready(
        Transaction(user, bridge.address, data),
        others=_covered(rpc, token, bridge, _LOCKED - _LARGE),
        actor=lambda: token.number(rpc, "balanceOf(address)", user.address),
    )
