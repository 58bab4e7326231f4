"""What a response calls: a contract's pause, straight or through what the guardian acts by, and what is asked then.

Nothing here unpauses, sends ether, or names a recipient that the configuration does not fix.

By `via` the transaction's own success says different things:

- none, `pauser`, `access_manager`: where the inner call fails, it reverts.
- `safe_module`: the Safe answers false and does **not** revert where the inner call fails. A simulation that succeeds,
  or a receipt with status 1, proves nothing there: ask `check_call`.
- `several` reverts only where none of its contracts was paused: ask `check_call` of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from eth_abi.abi import encode

from mempool_ids.config.contracts import Argument, Contract, Pause, Rescue
from mempool_ids.defense.armed import Call
from mempool_ids.defense.encoding import Abi, Signature, confirm_against, functions
from mempool_ids.defense.unpausing import MANAGER, MODULE, says_unpause, unpauses
from mempool_ids.exceptions import ConfigError

__all__ = [
    "KNOWN_CHECKS",
    "KNOWN_PAUSES",
    "check_call",
    "confirm_against",
    "is_paused",
    "pause_call",
    "pauser_stores",
    "rescue_call",
    "several",
    "unpauses",
]

KNOWN_PAUSES: Final[Mapping[str, bytes]] = MappingProxyType(
    {
        "pause()": bytes.fromhex("8456cb59"),
        "setPaused(bool)": bytes.fromhex("16c38b3c"),
        "pause(uint256)": bytes.fromhex("136439dd"),  # EigenLayer: a bit each
        "pauseAll()": bytes.fromhex("595c6a67"),
        "emergencyShutdown()": bytes.fromhex("3403c2fc"),
        "setEmergencyShutdown(bool)": bytes.fromhex("14c64402"),  # Yearn
        "setPoolPause(bool)": bytes.fromhex("7641f3d9"),  # Aave, on its PoolConfigurator
        "pause(bool,bool,bool,bool,bool)": bytes.fromhex("44c35d07"),  # Comet
        "setTargetClosed(address,bool)": bytes.fromhex("167bd395"),  # OpenZeppelin's AccessManager
        "kill_me()": bytes.fromhex("e3698853"),  # Curve
    }
)
"""Functions that are known to pause, with their selectors."""

KNOWN_CHECKS: Final[Mapping[str, bytes]] = MappingProxyType(
    {
        "paused()": bytes.fromhex("5c975abb"),
        "isTargetClosed(address)": bytes.fromhex("a166aa89"),
    }
)
"""Views that are known to tell of it."""

_CLOSE: Final = Signature.parse("setTargetClosed(address,bool)")
_CLOSED: Final = Signature.parse("isTargetClosed(address)")
_PAUSER: Final = Signature.parse("pause(address)")
_PAUSER_MANY: Final = Signature.parse("pauseMany(address[])")
_PAUSER_STORED: Final = Signature.parse("callOf(address)")
_OPERATION_CALL: Final = 0
"""Of a Safe; 1 would be a delegated call, which is never made."""


class Via(NamedTuple):
    """What the guardian calls instead of the contract."""

    kind: str
    """`pauser`, `safe_module` or `access_manager`."""
    address: str
    """Lower-case."""

    @classmethod
    def of(cls, pause: Pause) -> Via | None:
        kind, _, address = (pause.via or "").partition(":")
        return cls(kind, address.lower()) if pause.via else None


def pause_call(contract: Contract, abi: Abi | None = None) -> Call:
    """What the guardian calls to pause this contract, confirmed against the contract's ABI where there is one.

    Through an AccessManager, `setTargetClosed(address,bool)` closes the contract there (its arguments, if given, must
    say so); any other `call` is carried out on the contract by the manager's `execute`.

    Raises:
        ConfigError: it has no pause, the ABI does not have it or says that it is a view, its arguments do not fit,
            or it would unpause.
    """
    pause = _pause_of(contract)
    via = Via.of(pause)
    if via is not None and via.kind == "access_manager" and Signature.parse(pause.call) == _CLOSE:
        return _closing(contract, pause, via)
    inner = _checked(contract, pause.call, pause.args, abi)
    if via is None:
        return inner
    if via.kind == "pauser":
        return Call(via.address, _PAUSER.selector + encode(_PAUSER.types, [contract.address]))
    if via.kind == "safe_module":
        values = [inner.to, 0, inner.data, _OPERATION_CALL]
        return Call(via.address, MODULE.selector + encode(MODULE.types, values))
    return Call(via.address, MANAGER.selector + encode(MANAGER.types, [inner.to, inner.data]))


def check_call(contract: Contract, abi: Abi | None = None) -> Call | None:
    """What is asked to know whether it is paused (`is_paused` of the answer); None where only a receipt can tell.

    A contract that an AccessManager closes says nothing of it: unless another view is given, the manager is asked.

    Raises:
        ConfigError: as `pause_call`, of the view.
    """
    pause = _pause_of(contract)
    via = Via.of(pause)
    closes = via is not None and via.kind == "access_manager" and Signature.parse(pause.call) == _CLOSE
    asked = Signature.parse(pause.check) if pause.check is not None else None
    if via is not None and closes and asked in (None, _CLOSED):
        arguments = pause.check_args or (contract.address,)
        return Call(via.address, _CLOSED.calldata(arguments))
    if asked is None:
        return None
    if abi is not None:
        try:
            confirm_against(abi, str(asked), view=True)
        except ConfigError as error:
            raise ConfigError(f"{contract.name}: pause.check: {error}") from None
    return Call(contract.address, asked.calldata(pause.check_args))


def is_paused(output: bytes) -> bool:
    """Whether the answer of a check says that it is paused: something else than 0. No answer says nothing, so no."""
    return any(output)


def several(pauser: str, contracts: Sequence[Contract]) -> Call:
    """One transaction that pauses all of these, by a Pauser that all of them name. It goes on past those that fail.

    Raises:
        ConfigError: there is none, one of them is paused by something else, or its pause would unpause.
    """
    address = pauser.lower()
    if not contracts:
        raise ConfigError("no contract to pause")
    for contract in contracts:
        pause_call(contract)
        if Via.of(_pause_of(contract)) != Via("pauser", address):
            raise ConfigError(f"{contract.name} is not paused by the pauser {address}")
    targets = list(dict.fromkeys(contract.address for contract in contracts))
    return Call(address, _PAUSER_MANY.selector + encode(_PAUSER_MANY.types, [targets]))


def pauser_stores(contract: Contract) -> tuple[Call, bytes] | None:
    """What to ask a Pauser of this contract, and what it must answer: the very call that is configured.

    None where it is not paused by one. A guardian does not choose what a Pauser calls: if the answer is another, its
    owner has another call in mind, or none.
    """
    pause = _pause_of(contract)
    via = Via.of(pause)
    if via is None or via.kind != "pauser":
        return None
    inner = _checked(contract, pause.call, pause.args, None)
    asked = Call(via.address, _PAUSER_STORED.selector + encode(_PAUSER_STORED.types, [contract.address]))
    return asked, encode(["bytes"], [inner.data])


def rescue_call(contract: Contract, rescue: Rescue, abi: Abi | None = None) -> Call:
    """What the guardian calls to bring assets of this contract to the one address that is fixed for it.

    Of its arguments, those of type `address` must be assets of the contract, or the recipient, and exactly one is the
    recipient. Bytes of any length are refused: they may be a call that names somebody else.

    Raises:
        ConfigError: its arguments do not keep to that or do not fit, the ABI does not have it, or it would unpause.
    """
    signature = Signature.parse(rescue.call)
    recipient = rescue.recipient.lower()
    if int(recipient, 16) == 0 or recipient == contract.address or recipient in contract.assets:
        raise ConfigError(f"rescue of {contract.name}: nothing is safe with {recipient}")
    if "bytes" in signature.types:
        raise ConfigError(f"rescue of {contract.name}: {signature} takes bytes, which may name anybody")
    call = _checked(contract, rescue.call, rescue.args, abi)
    values = zip(signature.types, signature.values(rescue.args), strict=True)
    named = [value for kind, value in values if kind == "address" and value not in contract.assets]
    if named != [recipient]:
        raise ConfigError(
            f"rescue of {contract.name}: beside its assets, {signature} must name the recipient {recipient} once "
            f"and nobody else, not {', '.join(named) or 'nobody'}"
        )
    return call


def _pause_of(contract: Contract) -> Pause:
    if contract.pause is None:
        raise ConfigError(f"{contract.name} has no pause")
    return contract.pause


def _checked(contract: Contract, function: str, arguments: Sequence[Argument], abi: Abi | None) -> Call:
    """The contract's own function, none that starts something again."""
    signature = Signature.parse(function)
    if abi is not None:
        try:
            confirm_against(abi, function)
        except ConfigError as error:
            raise ConfigError(f"{contract.name}: {error}{_known_in(abi, str(error))}") from None
    call = Call(contract.address, signature.calldata(arguments))
    if says_unpause(signature, arguments) or unpauses(call):
        raise ConfigError(
            f"{contract.name}: {signature} with these arguments would unpause, which is never done"
        )
    return call


def _closing(contract: Contract, pause: Pause, via: Via) -> Call:
    expected = (contract.address, True)
    if pause.args and _CLOSE.values(pause.args) != expected:
        raise ConfigError(
            f"{contract.name}: {_CLOSE} must close {contract.address} itself: leave its args out"
        )
    return Call(via.address, _CLOSE.calldata(expected))


def _known_in(abi: Abi, said: str) -> str:
    known = [text for text in functions(abi) if text in KNOWN_PAUSES and text not in said]
    return f" (it has {', '.join(known)})" if known else ""
