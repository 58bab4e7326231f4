"""Reads the configuration: flag over environment over file.

Errors name the key, its place and the nearest valid key.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mempool_ids.config.models import IDSConfig
from mempool_ids.config.values import Typed, relative_to
from mempool_ids.exceptions import ConfigError

PREFIX = "MEMPOOL_IDS_"
DEFAULT_FILE = "ids.toml"

Location = tuple[int | str, ...]

# Arguments of IDSConfig's constructor for people in Python; in a file they would be a second way to say the same.
_CONVENIENCE = {"websocket_url": "chain.websocket_urls", "monitored_contracts": "contracts"}


def load(
    path: str | Path | None = None, overrides: Iterable[str] = (), *, environ: Mapping[str, str] | None = None
) -> IDSConfig:
    """The validated configuration.

    Args:
        path: TOML file; None takes `$MEMPOOL_IDS_CONFIG`, else `ids.toml` here if there is one, else defaults.
        overrides: `key.sub=value`, the value as TOML or JSON or else a bare string; `a,b` gives a list of texts. Paths
            in the file are relative to the file, those in overrides and variables to the working directory.
        environ: instead of the process's environment.

    Raises:
        ConfigError: with one line for each thing that is wrong.
    """
    environ = os.environ if environ is None else environ
    file = _find(path, environ)
    text = _read(file) if file else ""
    data = _parse(text, file)
    origins: dict[Location, str] = {}
    for key, value, origin in (*_from_environment(environ), *_from_flags(overrides)):
        _assign(data, key, value, origin)
        origins[key] = origin
    _reject_convenience(data)
    base = file.resolve().parent if file else Path.cwd()
    with relative_to(base):
        try:
            return IDSConfig.model_validate(data)
        except ValidationError as error:
            lines = [_explain(detail, origins, text, file) for detail in error.errors(include_url=False)]
    raise ConfigError("\n".join(dict.fromkeys(lines)))


def _find(path: str | Path | None, environ: Mapping[str, str]) -> Path | None:
    chosen = path or environ.get(f"{PREFIX}CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    default = Path(DEFAULT_FILE)
    return default if default.is_file() else None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8 text") from None


def _parse(text: str, file: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{file}: nested too deeply") from None


def _value(text: str) -> Any:
    """As TOML (`5`, `true`, `["a"]`) or JSON, else the text itself; `0x…` is text, an address and no number."""
    if "\n" not in text and not text.startswith("0x"):
        try:
            return _typed(tomllib.loads(f"value = {text}")["value"])
        except (tomllib.TOMLDecodeError, RecursionError):
            pass
    if text.startswith(("[", "{")):
        try:
            return _typed(json.loads(text))
        except (ValueError, RecursionError):
            pass
    return Typed(text)


def _typed(value: Any) -> Any:
    """The value with its texts marked as not being the file's."""
    if isinstance(value, str):
        return Typed(value)
    if isinstance(value, list):
        return [_typed(each) for each in value]
    return {key: _typed(each) for key, each in value.items()} if isinstance(value, dict) else value


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[Location, Any, str]]:
    """`MEMPOOL_IDS_CHAIN__ID` or `MEMPOOL_IDS_CHAIN_ID` is `chain.id`."""
    names = {"_".join(path): path for path in _leaves(IDSConfig)}
    sections = set(IDSConfig.model_fields)
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == f"{PREFIX}CONFIG":
            continue
        name = variable.removeprefix(PREFIX).replace("__", "_").lower()
        if name in names:
            yield names[name], _value(environ[variable]), f"environment variable {variable}"
            continue
        # Variables of other tools may share the prefix; what looks like one of ours must not be ignored silently.
        near = difflib.get_close_matches(name, names, 1, 0.8)
        if near or name.split("_")[0] in sections:
            hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
            raise ConfigError(f"environment variable {variable}: no such setting{hint}")


def _from_flags(overrides: Iterable[str]) -> Iterator[tuple[Location, Any, str]]:
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {key}: expected key=value, for example chain.id=1")
        location = tuple(int(part) if part.isdigit() else part for part in key.strip().split("."))
        yield location, _value(value.strip()), f"--set {key.strip()}"


def _assign(data: dict[str, Any], key: Location, value: Any, origin: str) -> None:
    here: Any = data
    for index, part in enumerate(key):
        last = index == len(key) - 1
        if isinstance(part, int) and isinstance(here, list):
            if part >= len(here):
                raise ConfigError(f"{origin}: there is no entry {part}")
        elif not isinstance(here, dict) or isinstance(part, int):
            raise ConfigError(f"{origin}: {'.'.join(map(str, key[:index]))} has no keys of its own")
        if last:
            here[part] = value
        else:
            here = here.setdefault(part, {}) if isinstance(here, dict) else here[part]


def _reject_convenience(data: Mapping[str, Any]) -> None:
    for key, instead in _CONVENIENCE.items():
        if key in data:
            raise ConfigError(f"{key}: unknown key; did you mean {instead}?")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections within an annotation such as `tuple[Contract, ...]` or `Pause | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None or isinstance(annotation, UnionType):
        for argument in get_args(annotation):
            yield from _models(argument)


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(_is_list(argument) for argument in get_args(annotation))
    return origin is tuple


def _leaves(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of all settings that one value can fill; a list of tables is one, as JSON."""
    for name, field in model.model_fields.items():
        nested = list(_models(field.annotation))
        if not nested or _is_list(field.annotation):
            yield (*prefix, name)
        for section in nested if not _is_list(field.annotation) else ():
            yield from _leaves(section, (*prefix, name))


def _kind(model: type[BaseModel]) -> str | None:
    """Of a section that there are several kinds of, told apart by `type`: its own."""
    field = model.model_fields.get("type")
    return None if field is None else get_args(field.annotation)[0]


def _sections_at(location: Location) -> list[type[BaseModel]]:
    """Of a section with several kinds all, or the one that pydantic's location names."""
    found: list[type[BaseModel]] = [IDSConfig]
    for part in location:
        if isinstance(part, str):
            found = [model for model in found if _kind(model) == part] or [
                nested
                for model in found
                if part in model.model_fields
                for nested in _models(model.model_fields[part].annotation)
            ]
    return found


def _as_written(location: Location) -> Location:
    """Without the kinds that pydantic puts in between: `defense.signer.path`, not `defense.signer.keystore.path`."""
    return tuple(
        part
        for index, part in enumerate(location)
        if index == len(location) - 1
        or not any(_kind(section) == part for section in _sections_at(location[:index]))
    )


def _nearest(location: Location) -> str:
    *parents, key = location
    section = next(iter(_sections_at(tuple(parents))), None)
    if section is None:
        return ""
    prefix = "".join(f"{part}." for part in _as_written(location)[:-1] if isinstance(part, str))
    near = difflib.get_close_matches(str(key), section.model_fields, 1, 0.6)
    if near:
        return f"; did you mean {prefix}{near[0]}?"
    elsewhere = [".".join(path) for path in _leaves(IDSConfig) if path[-1] == key]
    if elsewhere:
        return f"; did you mean {elsewhere[0]}?"
    closest = min(
        section.model_fields, key=lambda name: -difflib.SequenceMatcher(None, str(key), name).ratio()
    )
    return f"; the nearest valid key is {prefix}{closest} (valid: {', '.join(section.model_fields)})"


def _explain(detail: ErrorDetails, origins: Mapping[Location, str], text: str, file: Path | None) -> str:
    location = _as_written(detail["loc"])
    name = ".".join(map(str, location)) or "configuration"
    if detail["type"] == "extra_forbidden":
        message = f"unknown key{_nearest(detail['loc'])}"
    elif detail["type"] == "missing":
        message = "is missing"
    elif detail["type"] in ("union_tag_not_found", "union_tag_invalid"):
        message = _which_kind(detail)
    else:
        # Never the input: it may be a secret or hold one.
        message = detail["msg"].removeprefix("Value error, ")
    return f"{_place(location, origins, text, file)}{name}: {message}"


def _which_kind(detail: ErrorDetails) -> str:
    kinds = [kind for kind in map(_kind, _sections_at(detail["loc"])) if kind is not None]
    given = str(detail.get("ctx", {}).get("tag", ""))
    near = difflib.get_close_matches(given, kinds, 1)
    said = f"there is no type {given!r}" if given else "its type is missing"
    return f"{said}{f'; did you mean {near[0]}?' if near else ''} (types: {', '.join(kinds)})"


def _place(location: Location, origins: Mapping[Location, str], text: str, file: Path | None) -> str:
    for length in range(len(location), 0, -1):
        if location[:length] in origins:
            return f"{origins[location[:length]]}: "
    for key, origin in origins.items():
        if key[: len(location)] == location:
            return f"{origin}: "
    if file is None:
        return ""
    line = locate(text, location)
    return f"{file}:{line}: " if line else f"{file}: "


_TABLE = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")


def _dotted(text: str) -> list[str]:
    return [part.strip().strip("\"'") for part in text.split(".")]


def locate(text: str, location: Location) -> int | None:
    """The line (from 1) of the deepest part of `location` that the TOML text shows."""
    best, best_length = None, 0
    table: Location = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.match(line):
            table = tuple(_dotted(match[2]))
            if match[1] == "[[":
                index = counts[match[2]] = counts.get(match[2], -1) + 1
                table = (*table, index)
            path = table
        elif match := _KEY.match(line):
            path = (*table, *_dotted(match[1]))
        else:
            continue
        if len(path) > best_length and location[: len(path)] == path:
            best, best_length = number, len(path)
    return best
