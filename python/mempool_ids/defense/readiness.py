"""Would the pause of a contract work now? Asked of the chain, again and again, before anything happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mempool_ids.defense.calls import is_paused
from mempool_ids.defense.chain import Chain, Reverted
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.exceptions import NodeError

ALREADY_PAUSED = "it is paused already"


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was proven of one contract."""

    contract: str
    ready: bool
    """One guardian can pause it at least."""
    reasons: tuple[str, ...]
    """Why not every guardian can, in words."""
    paused: bool | None
    """What `check` answers; None without one."""
    gas: int | None
    """That the pause needs now; None where it does not succeed."""
    gas_amsterdam: int | None
    """That it needs by Amsterdam's rules (EIP-8037, EIP-8038); None where nobody has simulated it."""
    proven_at: float
    """Unix seconds."""


async def guardian_reasons(chain: Chain, guardian: Guardian) -> list[str]:
    """What keeps a guardian from sending anything.

    Raises:
        NodeError: nobody answers.
    """
    reasons = []
    if await chain.code(guardian.address):
        reasons.append(
            f"guardian {guardian.address} has code (EIP-7702): pools take one transaction of such an account at a "
            "time. Use an account that has delegated nothing"
        )
    if guardian.strangers:
        reasons.append(
            f"a transaction that is not ours waits at nonce {min(guardian.strangers)} of guardian {guardian.address}: "
            "the key is not this sensor's alone"
        )
    return reasons


def funds_reason(guardian: Guardian, target: str, actions: int, reserve: int) -> str | None:
    """Whether the balance is too low for so many pauses at the highest bid."""
    ladder = guardian.ladder(target, guardian.next_nonce())
    if not ladder:
        return None
    top = ladder[-1].rung
    needed = actions * (top.gas_limit * top.fees.max_fee + top.call.value) + reserve
    if guardian.balance >= needed:
        return None
    return (
        f"guardian {guardian.address} has {guardian.balance / 1e18:.4f} ETH, and {actions} pauses at the highest bid "
        f"need {needed / 1e18:.4f}"
    )


async def prove(
    chain: Chain,
    target: Protected,
    guardian: Guardian,
    *,
    now: float,
    actions: int,
    reserve: int,
    rehearsed: Mapping[str, Any] | None,
    common: Iterable[str] = (),
    sends: bool = True,
) -> Readiness:
    """Whether `target` can be paused by `guardian`.

    Args:
        actions: pauses at the highest bid that the balance must cover.
        rehearsed: the core's own rehearsal by the next block's rules, as in its statistics.
        common: what is wrong with the guardian or the endpoints, whatever the contract.
        sends: False in shadow mode: no ladder and no funds are needed.

    Raises:
        NodeError: nobody answers.
    """
    reasons = list(common)
    paused: bool | None = None
    if not await chain.code(target.call.to):
        reasons.append(f"there is no code at {target.call.to}")
    if target.check is not None:
        try:
            paused = is_paused(await chain.call(target.check))
        except Reverted as error:
            reasons.append(f"its check fails: {error}")
    gas: int | None = None
    try:
        gas = await chain.estimate(target.call, guardian.address)
    except Reverted as error:
        if not paused:
            reasons.append(
                f"the call does not succeed for {guardian.address} (does it have the role?): {error}"
            )
    if paused:
        reasons.append(ALREADY_PAUSED)
    if sends:
        if not guardian.ladder(target.name, guardian.next_nonce()) and not paused:
            reasons.append(f"nothing is armed for the next nonce of guardian {guardian.address}")
        short = funds_reason(guardian, target.name, actions, reserve)
        if short:
            reasons.append(short)
    return Readiness(
        contract=target.name,
        ready=not reasons,
        reasons=tuple(reasons),
        paused=paused,
        gas=gas,
        gas_amsterdam=(rehearsed or {}).get("gas_amsterdam"),
        proven_at=now,
    )


def together(proofs: Sequence[Readiness]) -> Readiness:
    """What was proven of one contract for each of its guardians, the first first."""
    able = [proof for proof in proofs if proof.ready]
    reasons = dict.fromkeys(reason for proof in proofs for reason in proof.reasons)
    gas = next((proof.gas for proof in proofs if proof.gas is not None), None)
    return replace((able or proofs)[0], reasons=tuple(reasons), gas=gas)


__all__ = ["NodeError", "Readiness", "funds_reason", "guardian_reasons", "prove", "together"]
