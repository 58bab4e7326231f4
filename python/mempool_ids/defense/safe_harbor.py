"""Where a protocol that adopted SEAL's Safe Harbor agreement wants what was rescued to be sent.

The registry of version 3 and its agreements, as audited: github.com/security-alliance/safe-harbor, commit 0b0abb8b,
registry-contracts/src/SafeHarborRegistry.sol, Agreement.sol and types/AgreementTypes.sol. The registry has the same
address on every chain that it is on. An agreement is adopted by an account of the protocol, not by its contracts, and
names a recovery address for each chain; the contracts that it is about are on a list.

What is not read here: the terms of the agreement (bounty, identity, diligence), whether contracts that a listed one
created are in scope, and agreements of versions 1 and 2. Whether a rescue is allowed is the protocol's to say.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from mempool_ids.defense.armed import Call
from mempool_ids.defense.encoding import Signature
from mempool_ids.exceptions import ConfigError

REGISTRY: Final = "0x326733493e143b8904716e7a64a9f4fb6a185a2c"
"""Lower-case."""

Ask = Callable[[Call], Awaitable[bytes]]
"""Calls on the latest block and returns the answer; an exception of its own where it reverts or nobody answers."""

_GET_AGREEMENT: Final = Signature.parse("getAgreement(address)")
_GET_DETAILS: Final = Signature.parse("getDetails()")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_CHAINS: Final = "(string,(string,uint8)[],string)[]"
"""Recovery address, accounts with the scope of what they created, CAIP-2 name of the chain."""
_DETAILS: Final = f"(string,(string,string)[],{_CHAINS},(uint256,uint256,bool,uint8,string,uint256),string)"


async def safe_harbor_recipient(ask: Ask, protocol: str, contract: str, chain_id: int) -> str:
    """The recovery address, lower-case, that `protocol` (who adopted the agreement) fixed for `contract` on this chain.

    What `ask` raises goes through: the registry reverts where nobody of that address adopted anything.

    Raises:
        ConfigError: there is no agreement of version 3, it does not list the contract on this chain by its own
            address, or its recovery address is none.
    """
    found = await ask(Call(REGISTRY, _GET_AGREEMENT.calldata([protocol])))
    agreement = _decode("address", found, f"the Safe Harbor registry says nothing of {protocol}")
    if int(agreement, 16) == 0:
        raise ConfigError(f"{protocol} has adopted no Safe Harbor agreement")
    answer = await ask(Call(agreement.lower(), _GET_DETAILS.calldata([])))
    chains = _decode(_DETAILS, answer, f"the Safe Harbor agreement {agreement} is none of version 3")[2]
    for recovery, accounts, chain in chains:
        if chain == f"eip155:{chain_id}" and contract.lower() in {name.lower() for name, _ in accounts}:
            return _recovery(recovery, agreement)
    raise ConfigError(f"the Safe Harbor agreement {agreement} does not list {contract} on chain {chain_id}")


def _decode(kind: str, answer: bytes, otherwise: str) -> Any:
    try:
        return decode([kind], answer)[0]
    except (DecodingError, UnicodeDecodeError, OverflowError):
        raise ConfigError(otherwise) from None


def _recovery(text: str, agreement: str) -> str:
    """The agreement has it as text."""
    if not _ADDRESS.fullmatch(text) or int(text, 16) == 0:
        raise ConfigError(f"the Safe Harbor agreement {agreement} has {text[:64]!r} as recovery address")
    return text.lower()
