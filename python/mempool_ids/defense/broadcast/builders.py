"""Builders' dialects, as data: `builders.toml` here, and a file of the user's in the same form."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from mempool_ids.config import Secret
from mempool_ids.config.load import locate
from mempool_ids.config.section import Positive, Section
from mempool_ids.config.values import Address, HttpUrl, relative_to
from mempool_ids.exceptions import ConfigError

_SHIPPED = "builders.toml"
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


class Replacement(Section):
    """How bundles get a name, so that a later one takes the place of an earlier."""

    id: Key
    """Key of the name, a UUID."""
    sequence: Key | None = None
    """Key of a number that grows: what comes late and is older is ignored. None: the last one to arrive counts."""


class Private(Section):
    """How a single transaction is given, without being told to the public pool."""

    method: Key
    form: Literal["raw", "object"]
    """The parameter: the transaction alone, or an object with it as `tx`."""
    last_block: bool = False
    """Whether the object may have `maxBlockNumber`."""
    hints: bool = False
    """Whether searchers are told about it unless `privacy.hints` is empty."""


class Builder(Section):
    """One builder's dialect. The keys are told in builders.toml."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    url: HttpUrl
    chains: Annotated[tuple[Positive, ...], Field(min_length=1)]
    signature: Literal["required", "optional", "ignored"]
    token: Secret | None = None
    """Sent as `Authorization`, where the builder gave one."""
    connections: Positive = 6
    bundle: Key = "eth_sendBundle"
    block: Literal["only", "last"] = "only"
    replacement: Replacement | None = None
    cancel: Literal["method", "empty"] | None = None
    reverting: Key | None = None
    dropping: Key | None = None
    private: Private | None = None
    transfer_to: Address | None = None

    @model_validator(mode="after")
    def _fits(self) -> Builder:
        if self.cancel is not None and self.replacement is None:
            raise ValueError("cancel without replacement: a bundle without a name cannot be withdrawn")
        return self


class _File(Section):
    builders: tuple[Builder, ...] = ()


@cache
def shipped() -> Mapping[str, Builder]:
    """The builders that come with the package, by name."""
    text = resources.files("mempool_ids.defense.broadcast").joinpath(_SHIPPED).read_text("utf-8")
    return _parse(text, Path(_SHIPPED))


def load(path: Path) -> Mapping[str, Builder]:
    """A file of the user's, by name.

    Raises:
        ConfigError: with one line for each thing that is wrong, with its place.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    with relative_to(path.resolve().parent):
        return _parse(text, path)


def chosen(names: Iterable[str], chain_id: int, path: Path | None = None) -> tuple[Builder, ...]:
    """The builders that the configuration names, each once.

    Args:
        path: a file of the user's, whose entries go before the package's.

    Raises:
        ConfigError: the file is wrong, there is no such builder, or it does not build for that chain.
    """
    known = {**shipped(), **(load(path) if path is not None else {})}
    found = []
    for name in dict.fromkeys(names):
        builder = known.get(name)
        if builder is None:
            raise ConfigError(f"defense.broadcast.builders: no builder {name!r}{_nearest(name, known)}")
        if chain_id not in builder.chains:
            there = ", ".join(one.name for one in known.values() if chain_id in one.chains) or "none"
            raise ConfigError(
                f"defense.broadcast.builders: {name} does not build for chain {chain_id}; known there: {there}"
            )
        found.append(builder)
    return tuple(found)


def _parse(text: str, path: Path) -> Mapping[str, Builder]:
    try:
        builders = _File.model_validate(tomllib.loads(text)).builders
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except ValidationError as error:
        lines = [_explain(detail, text, path) for detail in error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None
    by_name = {builder.name: builder for builder in builders}
    if len(by_name) != len(builders):
        twice = next(one.name for one in builders if sum(other.name == one.name for other in builders) > 1)
        raise ConfigError(f"{path}: builder {twice} is there twice")
    return by_name


def _explain(detail: ErrorDetails, text: str, path: Path) -> str:
    location = detail["loc"]
    line = locate(text, location)
    place = f"{path}:{line}: " if line else f"{path}: "
    name = ".".join(map(str, location))
    if detail["type"] == "extra_forbidden":
        return f"{place}{name}: unknown key{_nearest(str(location[-1]), _keys_at(location))}"
    if detail["type"] == "missing":
        return f"{place}{name}: is missing"
    # Never the input: a URL may hold a key.
    return f"{place}{name}: {detail['msg'].removeprefix('Value error, ')}"


def _keys_at(location: tuple[int | str, ...]) -> Iterable[str]:
    inner: dict[Any, type[Section]] = {"replacement": Replacement, "private": Private}
    if len(location) == 1:
        return _File.model_fields
    return inner.get(location[-2], Builder).model_fields


def _nearest(word: str, words: Iterable[str]) -> str:
    known = list(words)
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
