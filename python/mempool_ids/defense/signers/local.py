"""Signing with a key in this process. It is never shown, and no error has it in a message, a cause or a variable."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from mempool_ids.defense.signers.base import Signer, needs
from mempool_ids.defense.transaction import ORDER, Signature, Signed, SignerError, Transaction, address_of

if TYPE_CHECKING:
    from coincurve import PrivateKey, PublicKey

_KEY = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")


class LocalSigner(Signer):
    """A key in this process, and libsecp256k1: signs in less than 100 µs, and asks nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.__signature: Callable[..., bytes] | None = None
        self.__signer_of: Callable[..., PublicKey] | None = None
        self.__public = b""

    @abstractmethod
    async def _read(self) -> PrivateKey | str:
        """The key, or in words why there is none.

        In words, not as an error: that would carry the variables of whoever found out, and with them the secret.
        """

    @final
    def sign_now(self, transaction: Transaction) -> Signed:
        """As `sign`, from any thread, and at once: less than 100 µs."""
        digest = self._digest(transaction)
        return self._checked(self.__sign(digest), transaction, digest)

    @final
    async def _connect(self) -> str:
        # First of all: without it a key would be read in vain.
        library = needs("coincurve", "defense")
        found = await self._read()
        if isinstance(found, str):
            raise SignerError(found)
        self.__signature = found.sign_recoverable
        self.__signer_of = library.PublicKey.from_signature_and_message
        self.__public = found.public_key.format(compressed=False)
        return address_of(self.__public)

    @final
    async def _answer(self, _transaction: Transaction, digest: bytes) -> Signature:
        return self.__sign(digest)

    @final
    async def _disconnect(self) -> None:
        self.__signature = None

    def __sign(self, digest: bytes) -> Signature:
        signature = self.__signature
        if signature is None:
            raise SignerError("the signer is not open")
        parts = signature(digest, hasher=None)
        return Signature(int.from_bytes(parts[:32], "big"), int.from_bytes(parts[32:64], "big"), parts[64])

    @final
    def _is_ours(self, digest: bytes, signature: Signature) -> bool:
        """As the base's, five times as fast."""
        parts = (
            signature.r.to_bytes(32, "big")
            + signature.s.to_bytes(32, "big")
            + bytes([signature.y_parity or 0])
        )
        try:
            # A signature that recovers the key is one of the key, so that it needs no other check.
            signer = self.__signer_of(parts, digest, hasher=None) if self.__signer_of else None
        except Exception:  # what coincurve raises is a bare Exception
            return False
        return signer is not None and signer.format(compressed=False) == self.__public


def key_of(text: str, named: str) -> PrivateKey | str:
    """The key that the text is, 32 bytes in hexadecimal, or in words why it is none.

    Args:
        text: with or without 0x; space around it is passed over.
        named: how the words call the text.
    """
    from coincurve import PrivateKey

    found = _KEY.fullmatch(text.strip())
    if found is None:
        return f"{named} is not a private key: it has to be 32 bytes in hexadecimal, with or without 0x"
    if not 0 < int(found[1], 16) < ORDER:
        return f"{named} is not a private key: it is zero, or not below the order of secp256k1"
    return PrivateKey(bytes.fromhex(found[1]))
