"""The guardian: a key that may pause the vault and nothing else, made for one run and kept nowhere."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from mempool_ids.exceptions import ConfigError

#: The environment variable that names the key while a run lasts.
VARIABLE = "DEMO_GUARDIAN_KEY"


def check_installed() -> None:
    """Raises ConfigError where what active defense needs is not installed."""
    try:
        import mempool_ids.defense.executor  # noqa: F401
        from mempool_ids.defense.signers.base import needs

        needs("coincurve", "defense")
    except ImportError as error:
        raise ConfigError(
            f"active defense needs {error.name}: pip install 'mempool-ids[defense]'; "
            "`mempool-ids demo --watch-only` does without"
        ) from error


@contextmanager
def guardian_key() -> Iterator[None]:
    """A new key in this process's environment, gone afterwards."""
    # Below the curve's order but for a chance of 2⁻¹²⁸.
    os.environ[VARIABLE] = secrets.token_hex(32)
    try:
        yield
    finally:
        del os.environ[VARIABLE]


async def guardian_address(chain_id: int) -> str:
    """Whose key it is: 0x and lower-case hex."""
    from mempool_ids.config.defense import EnvironmentSigner
    from mempool_ids.defense.signers import signer

    one = signer(EnvironmentSigner.model_validate({"type": "environment", "key": f"env:{VARIABLE}"}))
    try:
        await one.open(chain_id)
        return one.address.lower()
    finally:
        await one.close()
