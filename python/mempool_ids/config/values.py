"""Types of single configuration values: paths, URLs and secrets that print redacted, addresses, lists."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mempool_ids._core import keccak256
from mempool_ids.exceptions import ConfigError

_base: ContextVar[Path | None] = ContextVar("base", default=None)


@contextmanager
def relative_to(folder: Path) -> Iterator[None]:
    """Within it, relative paths are validated as relative to `folder` (the configuration file's)."""
    token = _base.set(folder)
    try:
        yield
    finally:
        _base.reset(token)


class Typed(str):
    """A text from a flag or an environment variable: paths in it are relative to where the command is typed."""

    __slots__ = ()


def resolve(path: str | Path, part_of: str = "") -> Path:
    """The path as given if absolute (after `~`), else below the configuration file's folder, or, where it (or the text
    that it is `part_of`) is `Typed`, below the working directory.
    """
    typed = isinstance(path, Typed) or isinstance(part_of, Typed)
    base = None if typed else _base.get()
    return Path(os.path.normpath((base or Path.cwd()) / Path(path).expanduser()))


def _path(value: object) -> object:
    return resolve(value) if isinstance(value, str | Path) else value


# Before pydantic makes a plain `str` or `Path` of it.
ConfigPath = Annotated[Path, BeforeValidator(_path)]


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [type(value)(part.strip()) for part in value.split(",") if part.strip()]


Listed = BeforeValidator(_split)
"""Lets an environment variable or flag give a list as `a,b`."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def checksummed(address: str) -> str:
    """An address with the case of its letters that EIP-55 gives them."""
    digits = address[2:].lower()
    hashed = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if nibble >= "8" else digit for digit, nibble in zip(digits, hashed, strict=False)
    )


def lower_address(text: str) -> str:
    """An address in lower case. Mixed case is a checksum, which must be right; one case is none.

    Raises:
        ValueError: it is no address, or mistyped.
    """
    if not _ADDRESS.fullmatch(text):
        raise ValueError("an address is 0x and 40 hexadecimal digits")
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != checksummed(text):
        raise ValueError(
            "an address whose checksum is wrong (EIP-55): mistyped? Copy it again from its source"
        )
    return text.lower()


Address = Annotated[str, AfterValidator(lower_address)]
"""Lower-case hexadecimal with 0x."""


_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def lower_hash(text: str) -> str:
    """A transaction's or block's hash in lower case.

    Raises:
        ValueError: it is none.
    """
    if not _HASH.fullmatch(text):
        raise ValueError("a hash is 0x and 64 hexadecimal digits")
    return text.lower()


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("must be host:port, for example 127.0.0.1:8123")
    return value


Listen = Annotated[str, AfterValidator(_listen)]
"""`host:port`, where something is served."""


# A path segment of this many characters may be a key; rust/core/src/node/redact.rs has the same.
KEY_LENGTH = 8


def redact_url(url: str) -> str:
    """The URL without what may be a key: user info, long path segments, the query."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "***"
    if not parts.scheme:
        return "***"
    if ":" in host:
        host = f"[{host}]"
    user = "***@" if parts.username or parts.password else ""
    path = "/".join("***" if len(part) >= KEY_LENGTH else part for part in parts.path.split("/"))
    query = "?***" if parts.query else ""
    return f"{parts.scheme}://{user}{host}{f':{port}' if port else ''}{path}{query}"


class _Text:
    """A text that is validated from a string and never printed whole."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = self._check(text)

    @classmethod
    def _check(cls, text: str) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Text) and type(other) is type(self) and other._text == self._text

    def __hash__(self) -> int:
        return hash((type(self), self._text))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _validate(cls, value: object) -> "_Text":
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise ValueError("must be a string")
        return cls(value)


class Url(_Text):
    """A URL; `str` and `repr` show it redacted, `full` is the real one."""

    __slots__ = ()

    @classmethod
    def _check(cls, text: str) -> str:
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError:
            raise ValueError("not a URL") from None
        if not parts.scheme or not parts.hostname:
            raise ValueError("not a URL of the form scheme://host[:port][/path]")
        return text

    @property
    def full(self) -> str:
        return self._text

    @property
    def scheme(self) -> str:
        return urlsplit(self._text).scheme

    def __str__(self) -> str:
        return redact_url(self._text)


class Secret(_Text):
    """Where a secret is (`env:NAME` or `file:PATH`); its value is read at use and never kept or printed."""

    __slots__ = ()

    @classmethod
    def _check(cls, text: str) -> str:
        kind, _, where = text.partition(":")
        if kind not in ("env", "file") or not where:
            # The text itself may be the secret: it must not appear in the message.
            raise ValueError("secrets are given as env:NAME or file:PATH, never as such")
        return text if kind == "env" else f"file:{resolve(where, text)}"

    @property
    def file(self) -> Path | None:
        """The file that it is in, if it is in one."""
        kind, _, where = self._text.partition(":")
        return Path(where) if kind == "file" else None

    def reveal(self) -> str:
        """The secret's value.

        Raises:
            ConfigError: the variable is not set, or the file is unreadable or empty.
        """
        kind, _, where = self._text.partition(":")
        if kind == "env":
            value = os.environ.get(where, "")
        else:
            try:
                value = Path(where).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(
                    f"secret {self}: {getattr(error, 'strerror', None) or 'not text'}"
                ) from None
        if not value:
            raise ConfigError(f"secret {self} is not set" if kind == "env" else f"secret {self} is empty")
        return value

    def __str__(self) -> str:
        return self._text


def _websocket(url: Url) -> Url:
    if url.scheme not in ("ws", "wss"):
        raise ValueError("must begin with ws:// or wss://")
    return url


def _http(url: Url) -> Url:
    if url.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    return url


WebSocketUrl = Annotated[Url, AfterValidator(_websocket)]
HttpUrl = Annotated[Url, AfterValidator(_http)]
