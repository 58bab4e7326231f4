"""Checks that a guardian can do no more than it needs: whether it could start again what it stops, or call what is
its owner's. Asked by simulation, so only of what the ABI or everybody knows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

from eth_abi.abi import encode

from mempool_ids.config import Contract
from mempool_ids.config.abi import read_abi
from mempool_ids.config.contracts import Argument
from mempool_ids.defense.armed import Call
from mempool_ids.defense.calls import KNOWN_PAUSES, Via, is_paused
from mempool_ids.defense.chain import Chain, Reverted
from mempool_ids.defense.encoding import Abi, Signature, functions
from mempool_ids.defense.guardian import Protected
from mempool_ids.defense.rehearsal import Stage, Taken, call, is_module, view
from mempool_ids.defense.unpausing import MANAGER, MODULE, says_unpause
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.exceptions import ConfigError, NodeError

# Tried where there is no ABI to say what there is.
_STARTS = ("unpause()", "unpauseAll()", "resume()", "unfreeze()", "unkill_me()")
# Of each contract.
_MOST = 24
_AT_ONCE = 8


async def check_powers(
    chain: Chain, stage: Stage, contract: Contract, target: Protected, guardian: str
) -> list[Finding]:
    """What the guardian could do beside the pause. Nothing where that cannot be asked."""
    if contract.pause is None:
        return []
    abi = None if contract.abi is None else read_abi(contract.abi)
    subject = f"{guardian} on {target.name}"
    try:
        found = await _starts_again(stage, contract, target, guardian, abi)
        beyond = await _beyond(chain, contract, abi, guardian)
    except NodeError as error:
        return [Finding("powers", subject, Status.WARNING, f"what else it may do is not known: {error}")]
    findings = []
    if found is not None:
        module = ": a module may do whatever its Safe may" if is_module(target) else ""
        detail = f"the guardian can unpause: {found} succeeds for it once the contract is paused{module}"
        findings.append(Finding("powers", subject, Status.WARNING, detail))
    if beyond:
        detail = f"the guardian may call what strangers may not: {', '.join(beyond)}"
        findings.append(Finding("powers", subject, Status.WARNING, detail))
    return findings or [Finding("powers", subject, Status.OK, "no way to unpause was found")]


async def _starts_again(
    stage: Stage, contract: Contract, target: Protected, guardian: str, abi: Abi | None
) -> str | None:
    """The first call that starts it again, on the state with the pause."""
    tries = list(_tries(contract, abi))[:_MOST]
    looks = [] if target.check is None else [view(target.check)]
    steps = [step for _, one in tries for step in (call(one, guardian), *looks)]
    done = await stage.attempt(target, guardian, then=steps)
    if not done.succeeds and not done.paused_before:
        return None
    size = 1 + len(looks)
    for index, (words, one) in enumerate(tries):
        taken = done.then[index * size : (index + 1) * size]
        if _started(one, taken):
            return words
    return None


def _started(one: Call, taken: tuple[Taken, ...]) -> bool:
    did = taken[0]
    if not did.succeeded or (one.data[:4] == MODULE.selector and not any(did.output)):
        return False
    return len(taken) == 1 or (taken[1].succeeded and not is_paused(taken[1].output))


def _tries(contract: Contract, abi: Abi | None) -> Iterator[tuple[str, Call]]:
    """What would start it again: straight, and through what the guardian pauses by."""
    via = None if contract.pause is None else Via.of(contract.pause)
    for words, one in _unpauses(contract, abi):
        yield words, one
        if via is None or one.to != contract.address:
            continue
        if via.kind == "safe_module":
            data = MODULE.selector + encode(MODULE.types, [one.to, 0, one.data, 0])
            yield f"{words} through the Safe", Call(via.address, data)
        elif via.kind == "access_manager":
            data = MANAGER.selector + encode(MANAGER.types, [one.to, one.data])
            yield f"{words} through the manager", Call(via.address, data)


def _unpauses(contract: Contract, abi: Abi | None) -> Iterator[tuple[str, Call]]:
    turned = _turned(contract)
    if turned is not None:
        yield turned
    for text, signature, arguments in _callable(contract, _STARTS if abi is None else _writes(abi)):
        if says_unpause(signature, arguments):
            yield text, Call(contract.address, signature.calldata(arguments))


def _turned(contract: Contract) -> tuple[str, Call] | None:
    """The pause's own call with its flags turned: who may set a flag often may clear it, too."""
    pause = contract.pause
    if pause is None:
        return None
    signature, via = Signature.parse(pause.call), Via.of(pause)
    if "bool" not in signature.types:
        return None
    closes = via is not None and via.kind == "access_manager" and signature.name == "setTargetClosed"
    arguments: list[Argument] = [contract.address, False] if closes else list(pause.args)
    arguments = [
        False if kind == "bool" else given for kind, given in zip(signature.types, arguments, strict=True)
    ]
    to = via.address if via is not None and closes else contract.address
    return f"{signature} with false", Call(to, signature.calldata(arguments))


async def _beyond(chain: Chain, contract: Contract, abi: Abi | None, guardian: str) -> list[str]:
    """Functions that succeed for the guardian now and not for somebody else, with arguments of no meaning."""
    if abi is None or contract.pause is None:
        return []
    stranger, room = "0x" + secrets.token_hex(20), asyncio.Semaphore(_AT_ONCE)
    own = {str(Signature.parse(contract.pause.call)), *KNOWN_PAUSES}

    async def succeeds(one: Call, sender: str) -> bool:
        try:
            await chain.call(one, sender)
        except Reverted:
            return False
        return True

    async def ask(text: str, one: Call) -> str | None:
        async with room:
            may = await succeeds(one, guardian) and not await succeeds(one, stranger)
        return text if may else None

    asked = [
        ask(text, Call(contract.address, signature.calldata(arguments)))
        for text, signature, arguments in _callable(contract, _writes(abi))
        if text not in own and not says_unpause(signature, arguments)
    ]
    return [text for text in await asyncio.gather(*asked[:_MOST]) if text is not None]


def _writes(abi: Abi) -> list[str]:
    known = functions(abi).items()
    return [text for text, entry in known if entry.get("stateMutability") not in ("view", "pure")]


def _callable(
    contract: Contract, texts: tuple[str, ...] | list[str]
) -> Iterator[tuple[str, Signature, list[Argument]]]:
    """Those that can be called with arguments of no meaning: the contract's own address, zeros, false."""
    for text in texts:
        try:
            signature = Signature.parse(text)
            arguments = [_nothing(kind, contract.address) for kind in signature.types]
            signature.calldata(arguments)
        except ConfigError:
            continue
        yield text, signature, arguments


def _nothing(kind: str, address: str) -> Argument:
    if kind == "address":
        return address
    if kind == "bool":
        return False
    if kind == "string":
        return ""
    return "0x" + "00" * int(kind.removeprefix("bytes") or 0) if kind.startswith("bytes") else 0
