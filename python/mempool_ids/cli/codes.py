"""Contracts as people give them to `mempool-ids score`: addresses, hex, files of hex or of JSON lines."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from mempool_ids.config.values import lower_address
from mempool_ids.early.detector import LONGEST, Kind

# Characters of a line: both, in JSON, and something to spare.
_LONGEST_LINE = 4 * LONGEST
_HEX = re.compile(r"0[xX][0-9a-fA-F]+")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")


@dataclass(frozen=True)
class Contract:
    """One contract to score, by its code or its address (lower-case), or why it cannot be."""

    id: object
    code: bytes = b""
    kind: Kind | None = None
    address: str | None = None
    error: str | None = None


def contracts(arguments: Iterable[str]) -> Iterator[Contract]:
    """Those of each argument, in order: an address, hex, `-` for stdin, or a file.

    A file whose first character is a brace has JSON lines, any other has hex.
    """
    for argument in arguments:
        if argument == "-":
            yield from _read("stdin", sys.stdin.buffer)
        elif _HEX.fullmatch(argument):
            yield _of_text(argument if _ADDRESS.fullmatch(argument) else f"{argument[:18]}…", argument)
        else:
            try:
                with Path(argument).open("rb") as file:
                    yield from _read(argument, file)
            except OSError as error:
                yield Contract(
                    argument, error=f"{error.strerror}; nor is it an address, or code in hex with 0x"
                )


def _read(name: str, file: Any) -> Iterator[Contract]:
    first = file.readline(_LONGEST_LINE)
    while first and not first.strip():
        first = file.readline(_LONGEST_LINE)
    if not first.lstrip().startswith(b"{"):
        yield from _hex_lines(name, first, file)
        return
    number, line = 0, first
    while line:
        number += 1
        whole = line.endswith(b"\n") or len(line) < _LONGEST_LINE
        if not whole:
            while (rest := file.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield Contract(f"{name}:{number}", error="the line is too long")
        elif line.strip():
            yield _of_json(f"{name}:{number}", line)
        line = file.readline(_LONGEST_LINE)


def _hex_lines(name: str, first: bytes, file: Any) -> Iterator[Contract]:
    """A contract a line where a second line begins with 0x, too; else all is one."""
    if not first.lstrip().lower().startswith(b"0x"):
        yield _of_hex(name, (first + file.read(_LONGEST_LINE)).decode("utf-8", "replace"))
        return
    line, number = first, 0
    while line:
        following = file.readline(_LONGEST_LINE)
        # What is wrapped goes on without 0x.
        while following and not following.lstrip().lower().startswith(b"0x"):
            if len(line) <= _LONGEST_LINE:
                line += following
            following = file.readline(_LONGEST_LINE)
        number += 1
        alone = number == 1 and not following
        yield _of_text(name if alone else f"{name}:{number}", line.decode("utf-8", "replace"))
        line = following


def _of_json(place: str, line: bytes) -> Contract:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Contract(place, error=f"not JSON: {error}")
    if not isinstance(row, dict):
        return Contract(place, error="not a JSON object")
    code, kind, address = row.get("code"), row.get("kind"), row.get("address")
    if code is None and isinstance(address, str):
        return _of_address(row.get("id", address), address)
    name = row.get("id", place)
    if not isinstance(code, str):
        return Contract(name, error="it has no code, and no address")
    if kind is not None and kind not in get_args(Kind):
        return Contract(name, error=f"kind {kind!r} is neither runtime nor creation")
    return _of_hex(name, code, cast("Kind | None", kind))


def _of_text(name: str, text: str) -> Contract:
    """Twenty bytes with 0x are an address: as code they could do nothing."""
    text = text.strip()
    return _of_address(text, text) if _ADDRESS.fullmatch(text) else _of_hex(name, text)


def _of_address(name: object, text: str) -> Contract:
    try:
        return Contract(name, address=lower_address(text))
    except ValueError as error:
        return Contract(name, error=str(error))


def _of_hex(name: object, text: str, kind: Kind | None = None) -> Contract:
    digits = "".join(text.split()).removeprefix("0x").removeprefix("0X")
    if not digits:
        return Contract(name, error="the code is empty")
    if len(digits) > 2 * LONGEST:
        return Contract(name, error=f"the code is longer than {LONGEST:,} bytes")
    if len(digits) % 2:
        return Contract(name, error=f"{len(digits)} hex digits are no whole number of bytes")
    try:
        return Contract(name, bytes.fromhex(digits), kind)
    except ValueError:
        return Contract(name, error="the code is not hex")
