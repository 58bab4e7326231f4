"""Checks of a contract's views: what does not answer a number is never checked, and nothing else would say so."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from mempool_ids import _core
from mempool_ids.config import Contract
from mempool_ids.config.abi import abi_entries
from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.exceptions import ConfigError
from mempool_ids.node import Client, Refused

WORD = 2 + 64
"""Characters of one word as 0x…"""


def views_of(contract: Contract) -> dict[str, str]:
    """By its key in `views` the function that is named there, without spaces."""
    named: dict[str, str] = contract.views.model_dump(exclude_none=True)
    return {key: re.sub(r"\s", "", function) for key, function in named.items()}


def views_not_in_abi(contract: Contract) -> Iterator[Finding]:
    """A failure for each view that the contract's ABI does not have. Nothing where there is no ABI to be read."""
    known = None if contract.abi is None else numbers_in_abi(contract.abi)
    if known is None:
        return
    for key, function in views_of(contract).items():
        if function not in known:
            near = difflib.get_close_matches(function, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f" (it has {', '.join(sorted(known)) or 'none'})"
            detail = f"views.{key}: the ABI has no view {function} that answers one number{hint}"
            yield Finding("views", contract.name, Status.FAILED, detail)


async def word_of(node: Client, contract: str, function: str, *words: int) -> str | None:
    """The one word that a view answers, as 0x…; None where it answers something else.

    Raises:
        Refused: it fails, or is not there.
        RpcError: the node does not answer.
    """
    data = _core.keccak256(function.encode())[:4] + b"".join(word.to_bytes(32, "big") for word in words)
    answer = await node.call("eth_call", {"to": contract, "data": "0x" + data.hex()}, "latest")
    return answer if isinstance(answer, str) and len(answer) == WORD else None


async def check_views(node: Client, contract: Contract) -> list[Finding]:
    """One finding, or none without views. A view that reverts now may answer later, so it is a warning."""
    silent = []
    for key, function in views_of(contract).items():
        try:
            if await word_of(node, contract.address, function) is None:
                silent.append(f"{key} = {function} does not answer one number")
        except Refused as error:
            silent.append(f"{key} = {function} fails ({error.reason})")
    if silent:
        detail = f"{'; '.join(silent)}: what needs it is not checked"
        return [Finding("views", contract.name, Status.WARNING, detail)]
    answered = ", ".join(views_of(contract))
    return [Finding("views", contract.name, Status.OK, f"{answered} answered")] if answered else []


def numbers_in_abi(abi: Path) -> set[str] | None:
    """Its functions without parameters that change nothing and answer one value; None where it cannot be read."""
    try:
        entries = abi_entries(abi)
    except ConfigError:
        return None  # said by the check of ABIs
    return {
        f"{entry['name']}()"
        for entry in entries
        if isinstance(entry, dict)
        and entry.get("type") == "function"
        and entry.get("stateMutability") in ("view", "pure")
        and not entry.get("inputs")
        and len(entry.get("outputs") or ()) == 1
        and entry.get("name")
    }
