"""The contracts that can be defended, with what the guardian calls."""

from __future__ import annotations

from collections.abc import Sequence

from mempool_ids.config import Contract
from mempool_ids.defense.calls import check_call, pause_call, read_abi, rescue_call
from mempool_ids.defense.guardian import Protected


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
