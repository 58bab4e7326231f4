"""Ordinary contracts of well-known packages, ready to be created: what must raise no alert and no proof.

`contracts/ordinary` builds the corpus (`make ordinary`); ORDINARY.md beside it tells what it was built of.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).with_name("ordinary.jsonl.gz")
# As in contracts/ordinary/constructor.mjs.
_VAULT = "76617a756c7476617a756c7476617a756c740001"
_TOKEN = "76617a756c7476617a756c7476617a756c740002"
_DEPLOYER = "76617a756c7476617a756c7476617a756c740003"


@dataclass(frozen=True)
class OrdinaryContract:
    """One contract: `package:version/path:Contract@settings`, its kind, and how to create it."""

    id: str
    kind: str
    #: Hex with 0x, constructor arguments included; placeholders stand for the addresses a test chooses.
    init: str
    #: In how many places of `init` the monitored vault's address comes.
    vault: int

    def creation(self, vault: str, token: str, deployer: str) -> str:
        """Init code as 0x hex for these addresses (0x hex, 20 bytes each)."""
        code = self.init
        for placeholder, address in ((_VAULT, vault), (_TOKEN, token), (_DEPLOYER, deployer)):
            code = code.replace(placeholder, address.removeprefix("0x").lower())
        return code


def ordinary_contracts() -> Iterator[OrdinaryContract]:
    """All of the corpus, in its order."""
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield OrdinaryContract(**json.loads(line))
