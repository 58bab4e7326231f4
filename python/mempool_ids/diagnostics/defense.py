"""Checks of the defense: would the pause of each contract work now, and what would it cost?"""

import time

from mempool_ids.config import IDSConfig, IDSMode
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.exceptions import MempoolIdsError, NodeError


async def check_defense(config: IDSConfig) -> list[Finding]:
    """Nothing where no contract has a pause. Signs nothing, sends nothing, and leaves the journal alone."""
    if not any(contract.pause or contract.rescue for contract in config.contracts):
        if config.operational_mode is IDSMode.ACTIVE_DEFENSE:
            return [
                Finding("defense", "", Status.FAILED, "no contract has a `pause`: nothing to defend with")
            ]
        return []
    try:
        return await _check(config)
    except MempoolIdsError as error:
        return [Finding("defense", "", Status.FAILED, str(error))]
    except ImportError as error:
        detail = f"{error.name} is not installed: pip install 'mempool-ids[defense]'"
        return [Finding("defense", "", Status.FAILED, detail)]


async def _check(config: IDSConfig) -> list[Finding]:
    from mempool_ids.defense.chain import Chain
    from mempool_ids.defense.gas import GasStrategy
    from mempool_ids.defense.guardian import Guardian
    from mempool_ids.defense.protected import protected
    from mempool_ids.defense.signers import signer

    defense = config.defense
    if not config.chain.rpc_urls:
        return [Finding("defense", "", Status.FAILED, "it sends and asks over HTTP: set chain.rpc_urls")]
    targets = protected(config.contracts)
    mode = (
        "armed"
        if defense.armed
        else "shadow: nothing is sent"
        if defense.shadow
        else "neither armed nor shadow"
    )
    acts = config.operational_mode is IDSMode.ACTIVE_DEFENSE
    findings = [
        Finding(
            "defense", "", Status.OK if acts and (defense.armed or defense.shadow) else Status.WARNING, mode
        )
    ]
    chain = Chain(config.chain.rpc_urls)
    try:
        head = await chain.head()
        gas = GasStrategy(defense.gas)
        sections = [("signer", defense.signer), ("backup", defense.backup)]
        guardians = []
        for name, section in sections:
            if section is None:
                continue
            one = signer(section)
            started = time.monotonic()
            try:
                await one.open(config.chain.id)
                took = (time.monotonic() - started) * 1000
                findings.append(Finding(name, one.address, Status.OK, f"{section.type}: opened", took))
                guardians.append(Guardian(one.address, None))
            except MempoolIdsError as error:
                findings.append(Finding(name, section.type, Status.FAILED, str(error)))
            finally:
                await one.close()
        if not guardians and defense.guardian is not None:
            guardians.append(Guardian(defense.guardian, None))
        if not guardians:
            return [
                *findings,
                Finding("signer", "", Status.FAILED, "defense.signer is not set, or does not open"),
            ]
        for guardian in guardians:
            findings += await _guardian(config, chain, guardian, gas, head.next_base_fee, targets)
    finally:
        await chain.close()
    return findings


async def _guardian(config, chain, guardian, gas, base_fee, targets) -> list[Finding]:  # type: ignore[no-untyped-def]
    from mempool_ids.defense.amounts import in_ether
    from mempool_ids.defense.gas import gas_limit
    from mempool_ids.defense.ladder import ladder
    from mempool_ids.defense.readiness import guardian_reasons, prove

    defense = config.defense
    latest, pending = await chain.nonces(guardian.address)
    guardian.seen(latest, pending, await chain.balance(guardian.address))
    findings = [
        Finding("guardian", guardian.address, Status.FAILED, reason)
        for reason in await guardian_reasons(chain, guardian)
    ]
    balance = in_ether(guardian.balance)
    for target in targets.values():
        proof = await prove(
            chain,
            target,
            guardian,
            now=time.time(),
            actions=defense.min_actions_funded,
            reserve=gas.reserve,
            rehearsed=None,
            sends=False,
        )
        subject = f"{target.name} by {guardian.address}"
        if not proof.ready or proof.gas is None:
            findings.append(Finding("pause", subject, Status.FAILED, "; ".join(proof.reasons)))
            continue
        limit = gas_limit(proof.gas, target.gas)
        bids = ladder(base_fee, limit, gas, rungs=defense.rungs)
        if not bids:
            detail = "not even the lowest bid is within the caps at this base fee"
            findings.append(Finding("pause", subject, Status.FAILED, detail))
            continue
        most = limit * bids[-1].max_fee
        text = f"succeeds; {proof.gas:,} gas, limit {limit:,}; {len(bids)} bids, up to {in_ether(most)} each"
        funds = guardian.balance >= defense.min_actions_funded * most + gas.reserve
        findings.append(Finding("pause", subject, Status.OK, text))
        findings.append(
            Finding(
                "funds",
                guardian.address,
                Status.OK if funds else Status.FAILED,
                f"{balance} for {defense.min_actions_funded} pauses of {target.name} at the highest bid"
                if funds
                else f"{balance}; {defense.min_actions_funded} pauses of {target.name} at the highest bid need "
                f"{in_ether(defense.min_actions_funded * most + gas.reserve)}",
            )
        )
    return findings


__all__ = ["NodeError", "check_defense"]
