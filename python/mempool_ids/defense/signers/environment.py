"""A key from an environment variable or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers.local import LocalSigner, key_of

if TYPE_CHECKING:
    from coincurve import PrivateKey


class EnvironmentSigner(LocalSigner):
    """Reads the key once, when it is opened."""

    def __init__(self, section: sections.EnvironmentSigner) -> None:
        super().__init__()
        self._where = section.key

    async def _read(self) -> PrivateKey | str:
        return key_of(self._where.reveal(), f"secret {self._where}")
