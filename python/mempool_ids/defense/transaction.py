"""What a guardian is asked to sign, and the check of what it signed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import orjson

from mempool_ids import _core
from mempool_ids.exceptions import MempoolIdsError

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
# EIP-2681: the highest nonce cannot be used. EIP-155: a legacy signature adds twice the chain's id to its v.
_BOUNDS = {
    "chain_id": 2**63 - 19,
    "nonce": 2**64 - 2,
    "value": 2**256 - 1,
    "gas": 2**64 - 1,
    "max_fee": 2**128 - 1,
    "tip": 2**128 - 1,
}
#: Order of secp256k1. Nodes refuse a signature whose s is above its half (EIP-2).
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class SignerError(MempoolIdsError):
    """A signer cannot be used, or did not sign what it was asked to; the message says what to do, and has no secret."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A call to sign. Amounts in wei, fees in wei a gas.

    Raises:
        ValueError: a field is not what a transaction can have.
    """

    chain_id: int
    nonce: int
    to: str
    """Lower-case address."""
    value: int
    data: bytes
    gas: int
    """Gas limit."""
    max_fee: int
    tip: int
    """In a legacy transaction both are its gas price."""
    kind: Literal["eip1559", "legacy"] = "eip1559"

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.to):
            raise ValueError("to: not a lower-case address")
        for name, most in _BOUNDS.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name}: not within 0 and {most}")
        if self.chain_id == 0:
            raise ValueError("chain_id: 0 would be valid on every chain")
        if self.kind not in ("eip1559", "legacy"):
            raise ValueError("kind: neither eip1559 nor legacy")
        if self.tip > self.max_fee:
            raise ValueError("tip: above max_fee")
        if self.kind == "legacy" and self.tip != self.max_fee:
            raise ValueError("tip: not max_fee, while a legacy transaction has one gas price")


@dataclass(frozen=True, slots=True)
class Signed:
    """Bytes to send, and the hash that the transaction goes by."""

    raw: bytes
    tx_hash: str


@dataclass(frozen=True, slots=True)
class Signature:
    """Of a digest. Which of the two halves `s` is in does not matter."""

    r: int
    s: int
    y_parity: int | None
    """None where the signer does not tell."""


def signing_hash(transaction: Transaction) -> bytes:
    """What the guardian's key signs: 32 bytes."""
    return _core.unsigned_transaction(_told(transaction))[1]


def seal(transaction: Transaction, signature: Signature, is_ours: Callable[[Signature], bool]) -> Signed:
    """The transaction with that signature. Its fields are right because it is written here; its sender is checked.

    Args:
        transaction: what was signed.
        signature: of its `signing_hash`.
        is_ours: whether the guardian is who signed; it is given the parity, and `s` in the lower half (EIP-2).

    Raises:
        SignerError: it is of another key, or no signature.
    """
    r, s, parity = signature.r, signature.s, signature.y_parity
    if s > ORDER // 2:
        s, parity = ORDER - s, None if parity is None else 1 - parity
    for each in (0, 1) if parity is None else (parity,):
        if is_ours(Signature(r, s, each)):
            return assemble(transaction, each, r, s)
    raise SignerError(
        "the signer signed with another key than it was opened with; nothing was sent. Look at the section `signer`, "
        "and whether its key was exchanged"
    )


def assemble(transaction: Transaction, y_parity: int, r: int, s: int) -> Signed:
    """The transaction with that signature; who signed is not checked.

    Raises:
        SignerError: it is no signature, or `s` is in the higher half.
    """
    try:
        raw, tx_hash = _core.signed_transaction(_told(transaction), y_parity, _bytes(r), _bytes(s))
    except (MempoolIdsError, OverflowError):
        raise SignerError(
            "the signer answered with numbers that are no signature; nothing was sent"
        ) from None
    return Signed(raw, "0x" + tx_hash.hex())


def recover(digest: bytes, signature: Signature) -> str | None:
    """The lower-case address of who signed; None where that can be nobody, or `s` is in the higher half."""
    try:
        parity = signature.y_parity or 0
        return "0x" + _core.recover_signer(digest, parity, _bytes(signature.r), _bytes(signature.s)).hex()
    except (MempoolIdsError, OverflowError):
        return None


def address_of(public: bytes) -> str:
    """The lower-case address of an uncompressed public key, 65 bytes."""
    return "0x" + _core.keccak256(public[1:])[12:].hex()


def verify(raw: bytes, transaction: Transaction, address: str) -> str:
    """The hash of signed bytes, once every field and the sender (a lower-case address) are what was asked for.

    Raises:
        SignerError: they are not; the message names the field.
    """
    try:
        found = orjson.loads(_core.decode_transaction(raw))
    except MempoolIdsError as error:
        raise SignerError(
            f"the signer answered with bytes that are no transaction ({error}); nothing was sent"
        ) from None
    wanted = _asked(transaction)
    for name, value in wanted.items():
        if found.get(name) != value:
            raise SignerError(
                f"the signer signed something else: {name} is {_shown(found.get(name))}, not {_shown(value)}; nothing "
                "was sent. Look into the signer's log, and at who can make it sign"
            )
    if found["from"] != address:
        raise SignerError(
            f"the signer signed with another key: of {found['from']}, not of {address}; nothing was sent. "
            "Look at the section `signer` and at the keys that the signer has"
        )
    # One encoding only: neither a higher s, nor a field that we do not know of, nor what a lax reader passes over.
    parts = (found["y_parity"], int(found["r"], 16), int(found["s"], 16))
    if assemble(transaction, *parts).raw != raw:
        raise SignerError(
            "the signer signed something else: its bytes are not encoded as ours; nothing was sent"
        )
    return str(found["hash"])


def _asked(transaction: Transaction) -> dict[str, object]:
    """The transaction as the core tells it."""
    told: dict[str, object] = {
        "type": 0 if transaction.kind == "legacy" else 2,
        "chain_id": transaction.chain_id,
        "nonce": transaction.nonce,
        "to": transaction.to,
        "value": str(transaction.value),
        "data": "0x" + transaction.data.hex(),
        "gas": transaction.gas,
    }
    if transaction.kind == "legacy":
        return {**told, "gas_price": str(transaction.max_fee)}
    return {
        **told,
        "max_fee_per_gas": str(transaction.max_fee),
        "max_priority_fee_per_gas": str(transaction.tip),
        "access_list": [],
    }


def _told(transaction: Transaction) -> str:
    """The transaction as the core takes it."""
    told: dict[str, object] = {**_asked(transaction)}
    for name in ("type", "access_list"):
        told.pop(name, None)
    return orjson.dumps(told).decode()


def _bytes(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _shown(value: object) -> object:
    text = str(value)
    return text if len(text) <= 90 else f"{text[:90]}…"
