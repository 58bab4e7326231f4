"""Checks of what a response needs: somebody who signs, calls that succeed, a journal, builders that answer."""

from __future__ import annotations

import time

import orjson

from mempool_ids import _core
from mempool_ids.config import Contract, IDSConfig, IDSMode
from mempool_ids.config import defense as sections
from mempool_ids.defense.broadcast.builders import chosen
from mempool_ids.defense.broadcast.bundle import Identity
from mempool_ids.defense.broadcast.relays import Relays
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.protected import protected
from mempool_ids.defense.readiness import guardian_reasons
from mempool_ids.defense.rehearsal import Stage
from mempool_ids.defense.signers import signer
from mempool_ids.defense.standing import opened, standing
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.diagnostics.journal import check_journal
from mempool_ids.diagnostics.pauses import Purse, check_pause
from mempool_ids.diagnostics.powers import check_powers
from mempool_ids.exceptions import ConfigError, MempoolIdsError


async def check_responses(config: IDSConfig) -> list[Finding]:
    """All of it.

    Raises:
        ConfigError: a call does not fit the ABI or its arguments, unpauses, or names a stranger.
    """
    findings = [_mode(config), *_confirm(config)]
    if not config.chain.rpc_urls:
        return [*findings, _failed("it sends and asks over HTTP: set chain.rpc_urls")]
    targets = protected(config.contracts)
    guardians, signers = await _guardians(config)
    findings += signers
    findings += check_journal(config)
    findings += await _builders(config, guardians)
    return findings + await _on_chain(config, targets, guardians)


async def _on_chain(config: IDSConfig, targets: dict[str, Protected], guardians: list[str]) -> list[Finding]:
    findings = []
    chain = Chain(config.chain.rpc_urls, config.chain.id)
    try:
        findings += [_failed(wrong) for wrong in await chain.leave_out_wrong()]
        purse = Purse.of(config.defense, await chain.head())
        for address in guardians:
            # What is wrong with the journal is said by its own check.
            with opened(config.defense.journal) as (records, _):
                guardian = await standing(chain, address, records)
            findings += await _guardian(config, chain, guardian, purse, targets)
    except MempoolIdsError as error:
        findings.append(_failed(str(error)))
    finally:
        await chain.close()
    return findings


def _confirm(config: IDSConfig) -> list[Finding]:
    """Who is asked for longer than a block takes answers when the attack is in."""
    confirm = config.defense.confirm
    if not confirm.seconds:
        return []
    file = None if config.chain.spec is None else str(config.chain.spec)
    block_s = orjson.loads(_core.chain_spec(config.chain.id, file))["block_time_ms"] / 1000
    if confirm.seconds <= block_s:
        return [Finding("confirm", "", Status.OK, f"a human is asked for {confirm.seconds:g} s")]
    detail = (
        f"a human is asked for {confirm.seconds:g} s, and a block takes {block_s:g} s: the attack may be in before "
        "anybody answers. Ask for less, or rely on the rules alone (seconds = 0)"
    )
    return [Finding("confirm", "", Status.WARNING, detail)]


def _mode(config: IDSConfig) -> Finding:
    defense = config.defense
    if config.operational_mode is not IDSMode.ACTIVE_DEFENSE:
        detail = f"operational_mode is {config.operational_mode.value}: nothing is paused"
        return Finding("defense", "", Status.WARNING, detail)
    if defense.armed and defense.signer is None:
        return _failed("armed without defense.signer: who is to sign?")
    if defense.armed:
        return Finding("defense", "", Status.OK, "armed")
    if defense.shadow:
        return Finding("defense", "", Status.OK, "shadow: everything but the sending")
    return _failed(
        "neither armed nor shadow: the sensor does not start. Set defense.shadow, or defense.armed"
    )


def _failed(detail: str) -> Finding:
    return Finding("defense", "", Status.FAILED, detail)


async def _guardians(config: IDSConfig) -> tuple[list[str], list[Finding]]:
    """Who would pause, and whether the signers open."""
    defense = config.defense
    addresses: list[str] = []
    findings = []
    for name, section in (("signer", defense.signer), ("backup", defense.backup)):
        if section is None:
            continue
        address, finding = await _open(name, section, config.chain.id)
        findings.append(finding)
        if address in addresses:
            detail = "the same key as defense.signer: it makes nothing independent"
            findings.append(Finding(name, str(address), Status.FAILED, detail))
        elif address is not None:
            addresses.append(address)
    if not defense.armed and defense.guardian is not None:
        if addresses and defense.guardian not in addresses:
            detail = f"shadow mode rehearses with it, and the signer's is {addresses[0]}"
            findings.append(Finding("guardian", defense.guardian, Status.WARNING, detail))
        addresses = [defense.guardian]
    if not addresses and not findings:
        detail = "nobody is to pause: set defense.signer, or for shadow mode defense.guardian"
        findings.append(Finding("guardian", "", Status.FAILED, detail))
    return addresses, findings


async def _open(name: str, section: sections.Signer, chain_id: int) -> tuple[str | None, Finding]:
    """Opens a signer for its address; it signs nothing."""
    one = signer(section)
    started = time.monotonic()
    try:
        await one.open(chain_id)
        took = (time.monotonic() - started) * 1000
        return one.address, Finding(name, one.address, Status.OK, f"{section.type}: opened", took)
    except MempoolIdsError as error:
        return None, Finding(name, section.type, Status.FAILED, str(error))
    finally:
        await one.close()


async def _builders(config: IDSConfig, guardians: list[str]) -> list[Finding]:
    section = config.defense.broadcast
    if not section.builders:
        return []
    try:
        builders = chosen(section.builders, config.chain.id, section.builders_file)
        identity = None if section.identity is None else Identity.load(section.identity, guardians)
        async with Relays(builders, identity) as relays:
            told = await relays.check()
    except MempoolIdsError as error:
        return [Finding("builders", ", ".join(section.builders), Status.FAILED, str(error))]
    # As long as there is another way.
    down = Status.WARNING if section.public or any(one.up for one in told) else Status.FAILED
    return [
        Finding(
            "builder",
            one.builder,
            Status.OK if one.up else down,
            "answers" if one.up else f"cannot be counted on: {one.error}",
            None if one.rtt_s is None else one.rtt_s * 1000,
        )
        for one in told
    ]


async def _guardian(
    config: IDSConfig, chain: Chain, guardian: Guardian, purse: Purse, targets: dict[str, Protected]
) -> list[Finding]:
    reasons = await guardian_reasons(chain, guardian)
    findings = [Finding("guardian", guardian.address, Status.FAILED, reason) for reason in reasons]
    stage = Stage(config)
    for target in targets.values():
        contract = _entry(config, target)
        findings += await check_pause(chain, stage, contract, target, guardian, purse)
        findings += await check_powers(chain, stage, contract, target, guardian.address)
    return findings


def _entry(config: IDSConfig, target: Protected) -> Contract:
    for contract in config.contracts:
        if contract.name == target.name:
            return contract
    raise ConfigError(f"no contract {target.name}")
