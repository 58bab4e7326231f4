"""`mempool-ids score`: how much contracts' code looks like an attacker's."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from mempool_ids.cli.options import ConfigFile, Overrides, configuration
from mempool_ids.cli.terminal import say
from mempool_ids.exceptions import ConfigError
from mempool_ids.model.manifest import BUILTIN

# Scored at once: between two of these Ctrl-C is heard, and progress told.
_BATCH = 256
_TOLD_EVERY_S = 5.0
# Bytes of the longest code that is looked at: init code has 48 KiB at the most; what is beyond 64 KiB is cut.
_LONGEST = 256 << 10
# Characters of a line: both, in JSON, and something to spare.
_LONGEST_LINE = 4 * _LONGEST
_KINDS = {"creation": True, "runtime": False}


@dataclass(frozen=True)
class Contract:
    """One contract to score, or why it cannot be."""

    id: object
    code: bytes = b""
    creation: bool | None = None
    error: str | None = None


def score(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files of hex, or of JSON lines with id, code, perhaps kind (runtime or creation); - or none: stdin.",
            show_default=False,
        ),
    ] = None,
    chain: Annotated[
        int | None,
        typer.Option(
            help="Chain id, for its thresholds.", min=1, show_default="chain.id of the configuration"
        ),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Scores contracts by their code and prints one JSON line each.

    Code is hex, with or without 0x, white space anywhere. Of init code the constructor is run, without a state; what is
    said to be runtime code and is plainly init code is taken for it. A line that cannot be scored has an error. Exit
    code 1 if none could be.

    **Examples**

        mempool-ids score contract.hex

        jq -c '{id: .address, code: .code, kind: "runtime"}' dump.jsonl | mempool-ids score --chain 56
    """
    from mempool_ids._core import ContractScorer
    from mempool_ids.model.library import onnxruntime_library

    settings = configuration(config, overrides)
    folder = settings.detection.model or BUILTIN
    scorer = ContractScorer(str(folder), str(onnxruntime_library()), chain or settings.chain.id)
    done = scored = 0
    begun = told = time.monotonic()
    rest = _contracts(files or [Path("-")])
    while contracts := list(islice(rest, _BATCH)):
        good = [contract for contract in contracts if contract.error is None]
        answers = scorer.score([c.code for c in good], [c.creation for c in good])
        results = iter(map(json.loads, answers))
        for contract in contracts:
            answer = {"error": contract.error} if contract.error else next(results)
            typer.echo(json.dumps({"id": contract.id, **answer}))
        done, scored = done + len(contracts), scored + len(good)
        if (now := time.monotonic()) - told >= _TOLD_EVERY_S:
            told = now
            say(f"{done:,} contracts, {done / (now - begun):,.0f} a second")
    if not done:
        raise ConfigError("there is no code to score")
    if not scored:
        raise typer.Exit(1)


def _contracts(files: list[Path]) -> Iterator[Contract]:
    """Those of each file, in order. A file whose first character is a brace has JSON lines, any other has hex."""
    for path in files:
        name = "stdin" if str(path) == "-" else str(path)
        if name == "stdin":
            yield from _read(name, sys.stdin.buffer)
            continue
        try:
            with path.open("rb") as file:
                yield from _read(name, file)
        except OSError as error:
            yield Contract(name, error=str(error.strerror))


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
        yield _of_hex(name, (first + file.read(_LONGEST_LINE)).decode("utf-8", "replace"), None)
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
        yield _of_hex(name if alone else f"{name}:{number}", line.decode("utf-8", "replace"), None)
        line = following


def _of_json(place: str, line: bytes) -> Contract:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Contract(place, error=f"not JSON: {error}")
    if not isinstance(row, dict):
        return Contract(place, error="not a JSON object")
    name = row.get("id", place)
    code, kind = row.get("code"), row.get("kind")
    if not isinstance(code, str):
        return Contract(name, error="it has no code")
    if kind is not None and (not isinstance(kind, str) or kind not in _KINDS):
        return Contract(name, error=f"kind {kind!r} is neither runtime nor creation")
    return _of_hex(name, code, None if kind is None else _KINDS[kind])


def _of_hex(name: object, text: str, creation: bool | None) -> Contract:
    digits = "".join(text.split()).removeprefix("0x").removeprefix("0X")
    if not digits:
        return Contract(name, error="the code is empty")
    if len(digits) > 2 * _LONGEST:
        return Contract(name, error=f"the code is longer than {_LONGEST:,} bytes")
    if len(digits) % 2:
        return Contract(name, error=f"{len(digits)} hex digits are no whole number of bytes")
    try:
        return Contract(name, bytes.fromhex(digits), creation)
    except ValueError:
        return Contract(name, error="the code is not hex")
