"""Requests to builders: what they say is built here, without a socket; `Relays` sends it.

For each block go two bundles, [pause] and [pause, attack]. The second is worth more to a builder, who gets the attack's
fees, too; but an attack that is replaced makes it void. So the first is always there, under a name of its own: what
happens to the second does not touch it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from mempool_ids._core import keccak256
from mempool_ids.config import Secret
from mempool_ids.defense.broadcast.builders import Builder
from mempool_ids.defense.signers.base import needs
from mempool_ids.defense.signers.local import key_of
from mempool_ids.defense.transaction import address_of
from mempool_ids.exceptions import ConfigError

if TYPE_CHECKING:
    from coincurve import PrivateKey

MAX_TRANSACTIONS = 100
MAX_BYTES = 300_000
"""Of a bundle's transactions together (docs.flashbots.net, rpc-endpoint)."""
# A blob's sidecar does not fit into a bundle.
_BLOBS = b"\x03"


class Identity:
    """The key that signs requests to builders. It holds no money: its reputation is all that it has.

    Attributes:
        address: lower case.
    """

    def __init__(self, key: PrivateKey) -> None:
        self.__sign = key.sign_recoverable
        self.address = address_of(key.public_key.format(compressed=False))

    @classmethod
    def load(cls, secret: Secret, guardians: Collection[str]) -> Identity:
        """The key that the secret holds, 32 bytes in hexadecimal.

        Args:
            guardians: addresses that it must not be: builders would link the two, and a key that signs for the public
                is no key to pause with.

        Raises:
            ConfigError: it is not there, is no key, or is a guardian's; or coincurve is not installed. The message has
                no part of it.
        """
        needs("coincurve", "defense")
        identity = cls._read(secret)
        if isinstance(identity, str):
            raise ConfigError(identity)
        if identity.address in {address.lower() for address in guardians}:
            raise ConfigError(
                f"secret {secret} is a guardian's key: requests to builders are signed with a key of their own"
            )
        return identity

    @classmethod
    def _read(cls, secret: Secret) -> Identity | str:
        """Or in words why there is none: an error would carry this function's variables."""
        key = key_of(secret.reveal(), f"secret {secret}")
        return key if isinstance(key, str) else cls(key)

    def header(self, body: bytes) -> str:
        """`X-Flashbots-Signature` of a request: address:signature, the latter by EIP-191 of the text 0x + keccak256."""
        text = b"0x" + keccak256(body).hex().encode()
        digest = keccak256(b"\x19Ethereum Signed Message:\n%d%b" % (len(text), text))
        signed = self.__sign(digest, hasher=None)
        return f"{self.address}:0x{signed[:64].hex()}{signed[64] + 27:02x}"

    def __repr__(self) -> str:
        return f"Identity({self.address})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key is neither copied nor pickled")


def bundle_id(replacement: str, block: int, *, with_attack: bool) -> str:
    """The name of one bundle, a UUID of version 4's form, made of the response's own: the same each time.

    Each block's bundles have names of their own, since a builder keeps one bundle of a name.
    """
    digest = hashlib.sha256(f"{replacement}/{block}/{'attack' if with_attack else 'pause'}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def bundles(
    builder: Builder,
    pause: bytes,
    attack: bytes | None,
    attack_hash: str | None,
    *,
    block: int,
    replacement: str,
    sequence: int,
    blocks: int = 3,
    tail: Sequence[bytes] = (),
    only_attack: bool = False,
) -> list[bytes]:
    """Bodies of the requests that offer a pause to one builder: for each block [pause], and [pause, attack] if it fits.

    Args:
        pause: the signed transaction.
        attack: the attack's signed bytes; None where it is not known, or is not to be bundled.
        attack_hash: of the attack: it may revert, or be left out where the builder knows that.
        block: the first that they are for; the next one.
        replacement: the response's name, the same in every call for it.
        sequence: above 0, and higher in each call for this response; comes from the journal.
        blocks: so many blocks from `block` on.
        tail: more of the guardian's transactions in both bundles, after the pause: a transfer to `transfer_to`.
        only_attack: [pause, attack] alone, where [pause] was offered before.

    Raises:
        ValueError: the pause does not fit into a bundle, or the sequence is not above 0.
    """
    if sequence <= 0:
        raise ValueError("a sequence is above 0: 0 means none")
    alone = [pause, *tail]
    if not _fits(alone):
        raise ValueError(f"a bundle has at most {MAX_TRANSACTIONS} transactions and {MAX_BYTES} bytes")
    offers: list[tuple[list[bytes], bool]] = [] if only_attack else [(alone, False)]
    if attack is not None and attack_hash is not None and not attack.startswith(_BLOBS):
        both = [*alone, attack]
        if _fits(both):
            offers.append((both, True))
    bodies = []
    for first, last in _spans(builder, block, blocks):
        for transactions, with_attack in offers:
            offer: dict[str, Any] = {
                "txs": ["0x" + raw.hex() for raw in transactions],
                **_block(builder, last),
            }
            if with_attack:
                allowed = [key for key in (builder.reverting, builder.dropping) if key is not None]
                offer.update({key: [attack_hash] for key in allowed})
            offer.update(_named(builder, bundle_id(replacement, first, with_attack=with_attack), sequence))
            bodies.append(_request(builder.bundle, [offer]))
    return bodies


def cancel(
    builder: Builder,
    *,
    block: int,
    replacement: str,
    sequence: int,
    blocks: int = 3,
    only_attack: bool = False,
) -> list[bytes]:
    """Bodies that withdraw what `bundles` offered for these blocks; none where the builder knows no way.

    What is in a bid already placed stays there.

    Args:
        only_attack: withdraws [pause, attack] alone: the attack was replaced.
    """
    if builder.cancel is None or builder.replacement is None:
        return []
    bodies = []
    for first, last in _spans(builder, block, blocks):
        for with_attack in (True,) if only_attack else (False, True):
            name = bundle_id(replacement, first, with_attack=with_attack)
            if builder.cancel == "method":
                bodies.append(_request("eth_cancelBundle", [{builder.replacement.id: name}]))
            else:
                empty = {"txs": [], **_block(builder, last), **_named(builder, name, sequence)}
                bodies.append(_request(builder.bundle, [empty]))
    return bodies


def private_transaction(builder: Builder, raw: bytes, last_block: int) -> bytes | None:
    """The body that gives one transaction privately, for blocks up to `last_block` where that can be said.

    Never `fast`, which tells searchers; and no hints. None where the builder takes none.
    """
    private = builder.private
    if private is None:
        return None
    text = "0x" + raw.hex()
    if private.form == "raw":
        return _request(private.method, [text])
    given: dict[str, Any] = {"tx": text}
    if private.last_block:
        given["maxBlockNumber"] = hex(last_block)
    if private.hints:
        given["preferences"] = {"privacy": {"hints": []}}
    return _request(private.method, [given])


def _fits(transactions: Sequence[bytes]) -> bool:
    return len(transactions) <= MAX_TRANSACTIONS and sum(map(len, transactions)) <= MAX_BYTES


def _spans(builder: Builder, block: int, blocks: int) -> list[tuple[int, int]]:
    """First and last block of each bundle: one for each block, or one for all of them."""
    if builder.block == "last":
        return [(block, block + blocks - 1)]
    return [(each, each) for each in range(block, block + blocks)]


def _block(builder: Builder, last: int) -> dict[str, Any]:
    return {"blockNumber": hex(last)} if builder.block == "only" else {"maxBlockNumber": last}


def _named(builder: Builder, name: str, sequence: int) -> dict[str, Any]:
    if builder.replacement is None:
        return {}
    named: dict[str, Any] = {builder.replacement.id: name}
    if builder.replacement.sequence is not None:
        named[builder.replacement.sequence] = sequence
    return named


def _request(method: str, params: list[Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
