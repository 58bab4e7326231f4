"""Checks of the files that hold a key or a password: nobody but the sensor's user should read them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from mempool_ids.config import IDSConfig, Secret
from mempool_ids.config.defense import KeystoreSigner
from mempool_ids.diagnostics.findings import Finding, Status


def check_secret_files(config: IDSConfig) -> Iterator[Finding]:
    """A warning for each that others may read. What is not there is said by what needs it."""
    for path in dict.fromkeys(_files(config)):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & 0o077:
            detail = f"its mode is {stat.S_IMODE(mode):04o}, and others may read it: chmod 600 {path}"
            yield Finding("secret file", str(path), Status.WARNING, detail)


def _files(value: object) -> Iterator[Path]:
    if isinstance(value, Secret):
        if value.file is not None:
            yield value.file
    elif isinstance(value, BaseModel):
        if isinstance(value, KeystoreSigner):
            yield value.path
        for name in type(value).model_fields:
            yield from _files(getattr(value, name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _files(one)
