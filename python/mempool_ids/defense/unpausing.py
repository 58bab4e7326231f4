"""What would start something again that was stopped. The defense never does.

Bytes say it where the function is known; a configuration says it by the function's name, too. What is unknown by both
cannot be told: a `set(uint256,bool)` is believed. Functions that set several flags at once (Comet's `pause`) set
those that are given as false, too: give all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from mempool_ids.config.contracts import Argument
from mempool_ids.defense.armed import Call
from mempool_ids.defense.encoding import Signature

MODULE: Final = Signature.parse("execTransactionFromModule(address,uint256,bytes,uint8)")
"""Of a Safe, for a module."""
MANAGER: Final = Signature.parse("execute(address,bytes)")
"""Of an AccessManager."""

_MOST_NESTED: Final = 4

_STARTS_AGAIN: Final = re.compile(
    r"(?:(?:^|_)[uU]|U)[nN]_?(?i:paus|freez|froz|kill|lock|halt|stop|block)"
    r"|(?:(?:^|_)[rR]|R)[eE](?i:sume|start|open|activat)"
)
_STOPS: Final = re.compile(r"(?i)(pause|shut_?down|closed?$|frozen|freeze|stop|halt|kill)")
_UNPAUSES: Final = frozenset(
    Signature.parse(text).selector
    for text in (
        "unpause()",
        "unpause(address)",
        "unpause(uint256)",
        "unpause(bytes32)",
        "unpauseAll()",
        "unPause()",
        "resume()",
        "unfreeze()",
        "unlock()",
        "unkill_me()",
        "restart()",
    )
)
_SETTERS: Final = {
    signature.selector: signature
    for signature in map(
        Signature.parse,
        (
            "setPaused(bool)",
            "setPause(bool)",
            "pause(bool)",
            "setPaused(address,bool)",
            "setPause(address,bool)",
            "setEmergencyShutdown(bool)",
            "setPoolPause(bool)",
            "setPoolPause(bool,uint40)",
            "setReservePause(address,bool)",
            "setReservePause(address,bool,uint40)",
            "setReserveFreeze(address,bool)",
            "setTargetClosed(address,bool)",
            "setFrozen(bool)",
            "setStopped(bool)",
            "pause(bool,bool,bool,bool,bool)",
            "pause(uint256)",
        ),
    )
}


def says_unpause(signature: Signature, arguments: Sequence[Argument]) -> bool:
    """Whether its name says so: `unpause…`, `resume…`, or something that stops, and all its flags are false.

    Raises:
        ConfigError: the arguments do not fit.
    """
    if _STARTS_AGAIN.search(signature.name):
        return True
    values = zip(signature.types, signature.values(arguments), strict=True)
    flags = [value for kind, value in values if kind == "bool"]
    return bool(flags) and not any(flags) and _STOPS.search(signature.name) is not None


def unpauses(call: Call) -> bool:
    """Whether this would start something again: by the functions that are known to, through a Safe or a manager too.

    What cannot be decoded is taken for a yes.
    """
    data = call.data
    try:
        for _ in range(_MOST_NESTED):
            inner = _inside(data)
            if inner is None:
                return _starts_again(data)
            data = inner
    except DecodingError:
        return True
    # Nobody has a reason to hide a call so deep.
    return True


def _starts_again(data: bytes) -> bool:
    selector = data[:4]
    if selector in _UNPAUSES:
        return True
    setter = _SETTERS.get(selector)
    if setter is None:
        return False
    values = decode(setter.types, data[4:])
    # `pause(uint256)` clears the bits that are 0; all others have flags, beside what they are about.
    flags = [value for kind, value in zip(setter.types, values, strict=True) if kind == "bool"]
    return not any(flags or values)


def _inside(data: bytes) -> bytes | None:
    """The calldata of what it calls, where it is a call that carries another."""
    for signature, place in ((MODULE, 2), (MANAGER, 1)):
        if data[:4] == signature.selector:
            return bytes(decode(signature.types, data[4:])[place])
    return None
