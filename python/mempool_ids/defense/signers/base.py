"""What all signers share: they are opened, they sign, and what they signed is checked."""

from abc import ABC, abstractmethod
from importlib import import_module
from types import ModuleType
from typing import NoReturn, final

from mempool_ids.defense.transaction import (
    Signature,
    Signed,
    SignerError,
    Transaction,
    recover,
    seal,
    signing_hash,
    verify,
)
from mempool_ids.exceptions import ConfigError

__all__ = ["Signer", "SignerError", "needs"]


class Signer(ABC):
    """Signs as one guardian, on one chain.

    Attributes:
        address: the guardian's, lower case; known once it is open.
    """

    def __init__(self) -> None:
        self.address = ""
        self._chain_id: int | None = None

    @final
    async def open(self, chain_id: int) -> None:
        """Connects, and learns or proves its address; anew where it was open.

        Args:
            chain_id: of the only chain that it will sign for.

        Raises:
            SignerError: it cannot be used; the message says what to do.
            ConfigError: a secret is not where the configuration says, or a package is not installed.
        """
        await self.close()
        try:
            self.address = await self._connect()
        except BaseException:
            await self.close()
            raise
        self._chain_id = chain_id

    @final
    async def sign(self, transaction: Transaction) -> Signed:
        """The signed transaction, whose every field and sender was checked.

        Raises:
            SignerError: it did not answer, refused, or signed something else; the message says what to do.
        """
        digest = self._digest(transaction)
        return self._checked(await self._answer(transaction, digest), transaction, digest)

    @final
    async def close(self) -> None:
        """Forgets key and connection. Nothing can be signed afterwards, until it is opened again."""
        self._chain_id = None
        await self._disconnect()

    @abstractmethod
    async def _connect(self) -> str:
        """Gets ready, and returns the lower-case address that signatures will be held to."""

    @abstractmethod
    async def _answer(self, transaction: Transaction, digest: bytes) -> bytes | Signature:
        """The signed bytes, or a signature of the digest alone; the caller checks either."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Idempotent, also after `_connect` failed."""

    def _digest(self, transaction: Transaction) -> bytes:
        if self._chain_id is None:
            raise SignerError("the signer is not open")
        if transaction.chain_id != self._chain_id:
            raise SignerError(
                f"the signer was opened for chain {self._chain_id}, and is asked to sign for chain "
                f"{transaction.chain_id}; nothing was signed"
            )
        return signing_hash(transaction)

    def _checked(self, answer: bytes | Signature, transaction: Transaction, digest: bytes) -> Signed:
        if isinstance(answer, Signature):
            return seal(transaction, answer, lambda signature: self._is_ours(digest, signature))
        return Signed(answer, verify(answer, transaction, self.address))

    def _is_ours(self, digest: bytes, signature: Signature) -> bool:
        return recover(digest, signature) == self.address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address or 'not open'})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # A copy, or a pickle, could hold the key where nobody looks for it.
        raise TypeError("a signer is neither copied nor pickled")


def needs(module: str, extra: str) -> ModuleType:
    """`module`, imported when it is used: who signs otherwise need not have it.

    Raises:
        ConfigError: it is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0].replace("_", "-")
        raise ConfigError(
            f"this signer needs {package} ({error}): pip install 'mempool-ids[{extra}]'"
        ) from error
