"""From a function's signature and arguments as a configuration has them to calldata."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi import grammar
from eth_abi.abi import encode, is_encodable_type
from eth_abi.exceptions import ABITypeError, EncodingError, ParseError
from eth_utils.crypto import keccak

from mempool_ids.config.contracts import Argument
from mempool_ids.config.values import lower_address
from mempool_ids.exceptions import ConfigError

Abi = Sequence[Mapping[str, Any]]
"""The entries of a contract's ABI, as solc writes them."""

_SIGNATURE = re.compile(r"\s*([A-Za-z_$][\w$]*)\s*(\(.*\))\s*", re.ASCII)
_BYTES = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_INTEGER = re.compile(r"-?[0-9]+|0x[0-9a-fA-F]+")
_MOST_DIGITS = 80  # 2**256 has 78; longer text is no number of the chain, and slow to read
_BOOLEANS = {"true": True, "false": False}
_VIEWS = ("view", "pure")


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's name and the canonical types of its parameters."""

    name: str
    types: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Signature:
        """From `setPaused(bool)`; `uint` and `int` are those of 256 bits.

        Raises:
            ConfigError: it is no name with types of the ABI in parentheses.
        """
        found = _SIGNATURE.fullmatch(text)
        parameters = found[2].replace(" ", "") if found else ""
        if found and parameters == "()":
            return cls(found[1], ())
        try:
            parsed = grammar.parse(grammar.normalize(parameters))  # type: ignore[no-untyped-call]
            if found and isinstance(parsed, grammar.TupleType) and not parsed.is_array:
                types = tuple(component.to_type_str() for component in parsed.components)
                # `function` is normalized to bytes24, whose selector is another.
                if all(map(is_encodable_type, types)) and "function" not in parameters:
                    return cls(found[1], types)
        except (ABITypeError, ParseError, ValueError):
            pass
        raise ConfigError(f"{text!r} is no function as name(type,type,…)")

    def __str__(self) -> str:
        return f"{self.name}({','.join(self.types)})"

    @property
    def selector(self) -> bytes:
        return keccak(text=str(self))[:4]

    def values(self, arguments: Sequence[Argument]) -> tuple[Any, ...]:
        """The arguments as the encoder takes them.

        Raises:
            ConfigError: their number, or one of them, does not fit.
        """
        if len(arguments) != len(self.types):
            raise ConfigError(f"{self} takes {len(self.types)} arguments, not {len(arguments)}")
        return tuple(
            _value(kind, argument, f"argument {number} of {self}")
            for number, (kind, argument) in enumerate(zip(self.types, arguments, strict=True), start=1)
        )

    def calldata(self, arguments: Sequence[Argument]) -> bytes:
        """Selector and arguments.

        Raises:
            ConfigError: their number, or one of them, does not fit.
        """
        values = self.values(arguments)
        try:
            return self.selector + encode(self.types, values)
        except EncodingError as error:
            raise ConfigError(f"the arguments of {self} do not fit: {error}") from None


def _value(kind: str, given: Argument, what: str) -> Any:
    parsed = grammar.parse(kind)
    if isinstance(parsed, grammar.BasicType) and not parsed.is_array:
        if parsed.base in ("uint", "int"):
            return _integer(given, parsed.base == "int", parsed.sub, what)
        if parsed.base == "bool":
            return _boolean(given, what)
        if parsed.base == "address":
            return _address(given, what)
        if parsed.base == "bytes":
            return _bytes(given, parsed.sub, what)
        if parsed.base == "string" and isinstance(given, str):
            return given
    raise ConfigError(f"{what} is of type {kind}, which a configuration cannot give")


def _integer(given: Argument, signed: bool, bits: int, what: str) -> int:
    # Of Python's types bool is an int, too.
    if isinstance(given, str) and len(given) <= _MOST_DIGITS and _INTEGER.fullmatch(given):
        number = int(given, 16 if given.startswith("0x") else 10)
    elif isinstance(given, int) and not isinstance(given, bool):
        number = given
    else:
        raise ConfigError(f"{what} must be an integer (in quotes above 64 bits)")
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if not least <= number <= most:
        raise ConfigError(f"{what} does not fit into {bits} bits")
    return number


def _boolean(given: Argument, what: str) -> bool:
    value = _BOOLEANS.get(given) if isinstance(given, str) else given
    if not isinstance(value, bool):
        raise ConfigError(f"{what} must be true or false")
    return value


def _address(given: Argument, what: str) -> str:
    try:
        return lower_address(str(given))
    except ValueError as error:
        raise ConfigError(f"{what}: {error}") from None


def _bytes(given: Argument, size: int | None, what: str) -> bytes:
    if not isinstance(given, str) or not _BYTES.fullmatch(given):
        raise ConfigError(f"{what} must be bytes: 0x and hexadecimal digits, two a byte")
    value = bytes.fromhex(given[2:])
    if size is not None and len(value) != size:
        raise ConfigError(f"{what} must have {size} bytes, not {len(value)}")
    return value


def functions(abi: Abi) -> dict[str, Mapping[str, Any]]:
    """The functions of an ABI by their signatures, as `setPaused(bool)`."""
    entries = [entry for entry in abi if entry.get("type", "function") == "function" and entry.get("name")]
    return {
        f"{entry['name']}({','.join(_type(one) for one in entry.get('inputs', ()))})": entry
        for entry in entries
    }


def _type(parameter: Mapping[str, Any]) -> str:
    """Of a struct its components, in parentheses: that is what a selector is made of."""
    kind = str(parameter.get("type", ""))
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_type(one) for one in parameter.get("components", ()))
    return f"({inner}){kind.removeprefix('tuple')}"


def confirm_against(abi: Abi, function: str, *, view: bool = False) -> None:
    """Whether the contract has this function, and whether it is one to send (with `view`, one to ask).

    Raises:
        ConfigError: the ABI does not have it, or it is of the other kind. The message names what it may have meant.
    """
    signature = Signature.parse(function)
    known = functions(abi)
    entry = known.get(str(signature))
    if entry is None:
        alike = {text: other for text, other in known.items() if _reads(other) == view}
        raise ConfigError(f"the ABI has no {signature}{_hint(signature, alike)}")
    if _reads(entry) and not view:
        raise ConfigError(f"{signature} is a view: it changes nothing")
    if view and not _reads(entry):
        raise ConfigError(f"{signature} is no view: it cannot be asked")
    if view and not entry.get("outputs", [True]):
        raise ConfigError(f"{signature} answers nothing")


def _reads(entry: Mapping[str, Any]) -> bool:
    mutability = entry.get("stateMutability")
    return mutability in _VIEWS if mutability is not None else bool(entry.get("constant"))


def _hint(signature: Signature, known: Mapping[str, Mapping[str, Any]]) -> str:
    """Its namesakes with other types first: they are what one gets wrong most."""
    namesakes = [text for text, entry in known.items() if entry["name"] == signature.name]
    near = namesakes or difflib.get_close_matches(str(signature), list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
