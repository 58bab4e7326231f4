"""A list that one sensor gives to others, signed: who it is from can be proved, and which of two is the newer.

The file is a JSON object: `payload`, a text, and `signature`, `ADDRESS:0x…` as builders know it (EIP-191 of the text 0x
+ keccak256 of the payload), so that any Ethereum key signs and the core alone checks. The payload is a text for its
bytes to be the ones that were signed, and is itself JSON: `{format, sequence, issued, labels}`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, Self

import orjson

from mempool_ids import _core
from mempool_ids.config.values import lower_address
from mempool_ids.early.labels.label import Label
from mempool_ids.exceptions import ConfigError, MempoolIdsError

FORMAT = "mempool-ids labels 1"
"""In the signed text, so that nothing else that the key ever signed is taken for a list."""
MAX_BYTES = 32 << 20


class LabelsError(ConfigError):
    """A list cannot be taken; what was there is there still."""


class Signs(Protocol):
    """Who signs."""

    address: str

    def header(self, body: bytes) -> str:
        """`ADDRESS:0x…`, the signature of a body."""


@dataclass(frozen=True)
class Bundle:
    """A list whose signature is right."""

    signer: str
    """Lower case."""
    sequence: int
    """Higher in each list of the same signer."""
    issued: datetime
    labels: list[Any]
    """Not validated yet."""

    @classmethod
    def read(cls, raw: bytes) -> Self | None:
        """None where it is no bundle, but perhaps a list. Whether the signer is trusted is the caller's to say.

        Raises:
            LabelsError: it was altered, or is none of this format.
        """
        try:
            outer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(outer, dict) or "payload" not in outer:
            return None
        payload, signature = outer["payload"], outer.get("signature")
        if not isinstance(payload, str) or not isinstance(signature, str) or len(outer) != 2:
            raise LabelsError("a bundle has a payload and a signature, both texts, and nothing else")
        signer = _signer(payload.encode(), signature)
        try:
            told = orjson.loads(payload)
            issued, sequence = datetime.fromisoformat(told["issued"]), told["sequence"]
            whole = told["format"] == FORMAT and type(sequence) is int and 0 < sequence < 1 << 63
            if not whole or issued.tzinfo is None or not isinstance(told["labels"], list):
                raise ValueError
            return cls(signer, sequence, issued, told["labels"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise LabelsError(f"what {signer} signed is no list of labels of this version") from None


def sign(labels: Iterable[Label], signer: Signs, now: datetime | None = None) -> bytes:
    """The labels as a bundle, whose sequence is the time in microseconds.

    Raises:
        LabelsError: it would be larger than anybody takes.
    """
    issued = now or datetime.now(UTC)
    content = {
        "format": FORMAT,
        "sequence": int(issued.timestamp() * 1_000_000),
        "issued": issued.isoformat(),
        "labels": [label.model_dump(exclude_defaults=True) for label in labels],
    }
    payload = orjson.dumps(content)
    raw = orjson.dumps({"payload": payload.decode(), "signature": signer.header(payload)})
    if len(raw) > MAX_BYTES:
        raise LabelsError(f"a bundle has {MAX_BYTES >> 20} MiB at the most")
    return raw


def _signer(payload: bytes, signature: str) -> str:
    """Lower case. Raises `LabelsError` unless it signed the payload."""
    text = b"0x" + _core.keccak256(payload).hex().encode()
    digest = _core.keccak256(b"\x19Ethereum Signed Message:\n%d%b" % (len(text), text))
    try:
        claimed, _, digits = signature.partition(":")
        signer = lower_address(claimed)
        parts = bytes.fromhex(digits.removeprefix("0x"))
        if len(parts) != 65 or parts[64] not in (27, 28):
            raise ValueError("no signature")
        found = _core.recover_signer(digest, parts[64] - 27, parts[:32], parts[32:64])
    except (ValueError, MempoolIdsError):
        raise LabelsError("its signature is none: ADDRESS:0x and 65 bytes in hexadecimal") from None
    if "0x" + found.hex() != signer:
        raise LabelsError(f"it was altered, or {signer} did not sign it")
    return signer
