"""A contract's ABI as its file has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mempool_ids.exceptions import ConfigError


def abi_entries(path: Path) -> list[Any]:
    """Its entries, from its JSON or from an artifact that has it under `abi`, whatever they are.

    Raises:
        ConfigError: it cannot be read, or is no list.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"ABI {path}: {getattr(error, 'strerror', None) or 'not JSON'}") from None
    entries = content.get("abi") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise ConfigError(f"ABI {path}: not a list of entries")
    return entries


def read_abi(path: Path) -> list[dict[str, Any]]:
    """The same, each an object.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    entries = abi_entries(path)
    if not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"ABI {path}: not a list of entries")
    return entries
