"""Checks of one contract's pause by one guardian: whether it succeeds, its gas today and after the fork, its price."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mempool_ids.config import Contract
from mempool_ids.config.defense import Defense
from mempool_ids.defense.amounts import in_ether
from mempool_ids.defense.armed import Kind
from mempool_ids.defense.calls import pauser_stores
from mempool_ids.defense.chain import Chain, Head, Reverted
from mempool_ids.defense.gas import GasStrategy, gas_limit
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.ladder import ladder
from mempool_ids.defense.readiness import prove
from mempool_ids.defense.rehearsal import Attempt, Stage, is_module
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.exceptions import NodeError

_AMSTERDAM = "Amsterdam"


@dataclass(frozen=True, slots=True)
class Purse:
    """What responses may cost, and at which base fee."""

    defense: Defense
    gas: GasStrategy
    base_fee: int
    """Of the next block, wei a gas."""
    kind: Kind

    @classmethod
    def of(cls, defense: Defense, head: Head) -> Purse:
        kind: Kind = "legacy" if head.base_fee is None else "eip1559"
        chosen = kind if defense.gas.kind == "auto" else defense.gas.kind
        return cls(defense, GasStrategy(defense.gas), head.next_base_fee, chosen)


async def check_pause(
    chain: Chain, stage: Stage, contract: Contract, target: Protected, guardian: Guardian, purse: Purse
) -> list[Finding]:
    """Whether it works now, and will.

    Raises:
        NodeError: nobody answers.
    """
    subject = f"{target.name} by {guardian.address}"
    proof = await prove(
        chain,
        target,
        guardian,
        now=time.time(),
        actions=purse.defense.min_actions_funded,
        reserve=purse.gas.reserve,
        rehearsed=None,
        sends=False,
    )
    findings = await _through(chain, contract, target)
    if not proof.ready:
        reasons = "; ".join(proof.reasons)
        only_paused = proof.paused is True and len(proof.reasons) == 1
        status = Status.WARNING if only_paused else Status.FAILED
        return [Finding("pause", subject, status, reasons), *findings]
    try:
        today = await stage.attempt(target, guardian.address)
        gas = await _gas(stage, target, guardian.address, today)
    except NodeError as error:
        today, detail = None, f"cannot be rehearsed, its gas is the node's estimate: {error}"
        gas = [Finding("gas", subject, Status.WARNING, detail)]
    if today is not None and not today.succeeds:
        return [Finding("pause", subject, Status.FAILED, f"fails: {today.why_not}"), *findings]
    need = today.gas if today is not None else proof.gas
    return [*_priced(subject, target, guardian, purse, need or 0), *gas, *findings]


def _priced(subject: str, target: Protected, guardian: Guardian, purse: Purse, need: int) -> list[Finding]:
    """What it would bid, and whether that can be paid."""
    limit = gas_limit(need, target.gas)
    bids = ladder(purse.base_fee, limit, purse.gas, rungs=purse.defense.rungs, kind=purse.kind)
    if not bids:
        detail = "succeeds, but not even the lowest bid is within the caps at this base fee"
        return [Finding("pause", subject, Status.FAILED, detail)]
    most = limit * bids[-1].max_fee + target.call.value
    detail = f"succeeds; gas limit {limit:,}; {len(bids)} bids, up to {in_ether(most)} each"
    actions = purse.defense.min_actions_funded
    needed = actions * most + purse.gas.reserve
    what = f"{actions} pauses of {target.name} at the highest bid need {in_ether(needed)}"
    enough = Status.OK if guardian.balance >= needed else Status.FAILED
    return [
        Finding("pause", subject, Status.OK, detail),
        Finding("funds", guardian.address, enough, f"{in_ether(guardian.balance)}; {what}"),
    ]


async def _gas(stage: Stage, target: Protected, guardian: str, today: Attempt) -> list[Finding]:
    """By the rules of now and of Amsterdam, where creating state costs more (EIP-8037)."""
    subject = f"{target.name} by {guardian}"
    later = await stage.attempt(target, guardian, rules="amsterdam")
    now = f"{today.gas:,} gas by the next block's rules ({today.fork})"
    then = f"{later.gas:,} by Amsterdam's" if later.succeeds else f"by Amsterdam's it fails ({later.why_not})"
    words = now if today.fork == _AMSTERDAM else f"{now}, {then}"
    if not later.succeeds:
        return [Finding("gas", subject, Status.WARNING, words)]
    if target.gas is None:
        return [Finding("gas", subject, Status.OK, f"{words}; the limit follows, 1.3 ×")]
    if not (await stage.attempt(target, guardian, gas=target.gas)).succeeds:
        detail = (
            f"{words}: pause.gas = {target.gas:,} runs out. Leave it out, and the limit follows the rules"
        )
        return [Finding("gas", subject, Status.FAILED, detail)]
    if not (await stage.attempt(target, guardian, gas=target.gas, rules="amsterdam")).succeeds:
        detail = (
            f"{words}: pause.gas = {target.gas:,} does today and runs out with the fork. Leave it out, and the "
            "limit follows the rules"
        )
        return [Finding("gas", subject, Status.WARNING, detail)]
    return [Finding("gas", subject, Status.OK, f"{words}; pause.gas = {target.gas:,} does for both")]


async def _through(chain: Chain, contract: Contract, target: Protected) -> list[Finding]:
    """What is called instead of the contract, as far as that needs looking after."""
    findings = []
    if is_module(target) and target.check is None:
        detail = "a Safe does not revert where its module's call fails: without `check` a failure looks like success"
        findings.append(Finding("via", target.name, Status.WARNING, detail))
    asked = None if contract.pause is None else pauser_stores(contract)
    if asked is None:
        return findings
    call, expected = asked
    try:
        stored = await chain.call(call)
    except Reverted as error:
        detail = f"{call.to} does not answer as a Pauser: {error}"
        return [*findings, Finding("pauser", target.name, Status.FAILED, detail)]
    if stored == expected:
        detail = f"{call.to} stores the call that is configured"
        return [*findings, Finding("pauser", target.name, Status.OK, detail)]
    # An empty `bytes` is an offset and a length of 0.
    what = "another call than the one that is configured" if any(stored[32:64]) else "no call"
    detail = f"{call.to} stores {what} for {contract.address}: its owner's setTarget writes it down"
    return [*findings, Finding("pauser", target.name, Status.FAILED, detail)]
