"""A key from a keystore V3 file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mempool_ids.config import Secret
from mempool_ids.config import defense as sections
from mempool_ids.defense.signers.base import needs
from mempool_ids.defense.signers.local import LocalSigner, key_of
from mempool_ids.defense.transaction import address_of

if TYPE_CHECKING:
    from coincurve import PrivateKey


class KeystoreSigner(LocalSigner):
    """Decrypts the file once, when it is opened: that takes a second, by design of the format."""

    def __init__(self, section: sections.KeystoreSigner) -> None:
        super().__init__()
        self._path = section.path
        self._password = section.password

    async def _read(self) -> PrivateKey | str:
        needs("eth_account", "defense")
        return await asyncio.to_thread(_decrypt, self._path, self._password)


def _decrypt(path: Path, password: Secret) -> PrivateKey | str:
    from eth_account import Account

    try:
        keystore = json.loads(path.read_bytes())
    except OSError as error:
        return f"keystore {path}: {error.strerror}"
    except ValueError:
        keystore = None
    if not isinstance(keystore, dict) or not {"crypto", "Crypto"} & keystore.keys():
        return f"keystore {path}: not a keystore file (JSON, version 3)"
    crypto = keystore.get("crypto") or keystore.get("Crypto")
    # eth-keyfile does not look at it, and would decrypt to some other key.
    if not isinstance(crypto, dict) or crypto.get("cipher") != "aes-128-ctr":
        return f"keystore {path}: cannot be decrypted; its cipher has to be aes-128-ctr"
    opened = password.reveal()
    try:
        key = Account.decrypt(keystore, opened).hex()
    except Exception as error:
        # Only of a wrong password do we know what it is called; others may say more than we want told.
        if isinstance(error, ValueError) and "MAC mismatch" in str(error):
            return f"keystore {path}: wrong password; secret {password} is another one's"
        return f"keystore {path}: cannot be decrypted ({type(error).__name__}); is it of version 3?"
    found = key_of(key, f"keystore {path}")
    told = keystore.get("address")
    if not isinstance(found, str) and isinstance(told, str):
        address = address_of(found.public_key.format(compressed=False))
        if told.lower().removeprefix("0x") != address[2:]:
            return (
                f"keystore {path}: its key is of {address}, while it says {told[:42]!r}: it was tampered with"
            )
    return found
