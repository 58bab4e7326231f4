"""The contracts that can be defended, with what the guardian calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mempool_ids.config import Contract
from mempool_ids.config.abi import read_abi
from mempool_ids.defense.calls import check_call, pause_call, rescue_call
from mempool_ids.defense.guardian import Protected
from mempool_ids.defense.safe_harbor import Ask, safe_harbor_recipient
from mempool_ids.exceptions import ConfigError


async def check_recipients(contracts: Sequence[Contract], ask: Ask, chain_id: int) -> None:
    """Whether what is rescued goes where the protocol's Safe Harbor agreement wants it, where one is named.

    Raises:
        ConfigError: there is no such agreement, or it names another recovery address.
    """
    for contract in contracts:
        rescue = contract.rescue
        if rescue is None or rescue.protocol is None:
            continue
        wanted = await safe_harbor_recipient(ask, rescue.protocol, contract.address, chain_id)
        if wanted != rescue.recipient:
            raise ConfigError(
                f"rescue of {contract.name}: its recipient is {rescue.recipient}, and the Safe Harbor agreement of "
                f"{rescue.protocol} wants {wanted}"
            )


def protected(contracts: Sequence[Contract]) -> dict[str, Protected]:
    """By name, in the configuration's order. A contract with a rescue is rescued, not paused.

    Raises:
        ConfigError: a call does not fit the ABI or its arguments, unpauses, or names a stranger.
    """
    found: dict[str, Protected] = {}
    for contract in contracts:
        if contract.pause is None and contract.rescue is None:
            continue
        abi = None if contract.abi is None else read_abi(contract.abi)
        if contract.rescue is not None:
            call, strategy = rescue_call(contract, contract.rescue, abi), "rescue"
        else:
            call, strategy = pause_call(contract, abi), "pause"
        # What a rescue leaves is not paused: its receipt must do.
        check = None if contract.rescue is not None else check_call(contract, abi)
        gas = None if contract.pause is None or strategy == "rescue" else contract.pause.gas
        found[contract.name] = Protected(contract.name, contract.address, call, check, gas, strategy)
    return found


def find(targets: Mapping[str, Protected], name: str) -> Protected:
    """The contract of this name or address, in either case of letters.

    Raises:
        ConfigError: there is none.
    """
    if name in targets:
        return targets[name]
    for target in targets.values():
        if name.lower() in (target.name.lower(), target.address):
            return target
    raise ConfigError(f"no contract {name!r} has a pause; known: {', '.join(targets) or 'none'}")
