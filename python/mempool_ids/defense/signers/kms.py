"""A key in AWS KMS, which never leaves it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers.base import Signer, needs
from mempool_ids.defense.transaction import ORDER, Signature, SignerError, Transaction, address_of

#: A ladder is many signatures, and each takes KMS some 50 ms. boto3 blocks a thread for each.
AT_ONCE = 16
#: SubjectPublicKeyInfo of an uncompressed point of secp256k1 (RFC 5480) has one form, and this is before the point.
_SPKI = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")


class KmsSigner(Signer):
    """Signs digests with `kms:Sign`; `kms:GetPublicKey` tells the address."""

    def __init__(self, section: sections.KmsSigner) -> None:
        super().__init__()
        self._section = section
        self._client: Any = None
        self._threads: ThreadPoolExecutor | None = None

    async def _connect(self) -> str:
        needs("boto3", "kms")
        self._threads = ThreadPoolExecutor(AT_ONCE, "kms")
        self._client = await self._asked(self._new_client)
        told = await self._asked(lambda: self._client.get_public_key(KeyId=self._section.key_id))
        der = told.get("PublicKey", b"")
        if (
            not der.startswith(_SPKI + b"\x04")
            or len(der) != len(_SPKI) + 65
            or told.get("KeyUsage") != "SIGN_VERIFY"
        ):
            spec = told.get("KeySpec") or told.get("CustomerMasterKeySpec")
            raise SignerError(
                f"{self._who} is of {spec} for {told.get('KeyUsage')}: create one of ECC_SECG_P256K1 for "
                "SIGN_VERIFY, and set `key_id` to it"
            )
        return address_of(der[len(_SPKI) :])

    def _new_client(self) -> Any:
        import boto3
        from botocore.config import Config

        section = self._section
        config = Config(
            connect_timeout=section.timeout_s,
            read_timeout=section.timeout_s,
            # Whoever asks decides whether it is still worth it.
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=AT_ONCE,
        )
        endpoint = section.endpoint.full if section.endpoint else None
        # A session of its own: the default one is not for several threads.
        return boto3.session.Session().client(
            "kms", region_name=section.region, endpoint_url=endpoint, config=config
        )

    async def _answer(self, _transaction: Transaction, digest: bytes) -> Signature:
        told = await self._asked(
            lambda: self._client.sign(
                KeyId=self._section.key_id,
                Message=digest,
                MessageType="DIGEST",
                SigningAlgorithm="ECDSA_SHA_256",
            )
        )
        found = signature_of(told.get("Signature", b""))
        if found is None:
            raise SignerError(
                f"{self._who}: KMS answered with something else than a signature; nothing was sent"
            )
        return found

    async def _asked(self, question: Callable[[], Any]) -> Any:
        """What boto3 answers, in a thread; its errors in our words."""
        from botocore.exceptions import BotoCoreError, ClientError

        if self._threads is None:
            raise SignerError("the signer is not open")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except ClientError as error:
            told = error.response.get("Error", {})
            code, reason = str(told.get("Code")), str(told.get("Message", ""))[:200]
            why = f"{code} ({reason}){_ADVICE.get(code, '')}"
        except BotoCoreError as error:
            kind = type(error).__name__
            why = _UNREACHED.get(kind, f"cannot be asked ({kind}); look at `region` and `endpoint`")
        except ValueError:
            why = "cannot be asked; look at `endpoint`"
        # Not within the except: what boto3 raised has the request in it.
        raise SignerError(f"{self._who}: {why}")

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
        if client is not None:
            client.close()

    @property
    def _who(self) -> str:
        return f"KMS key {self._section.key_id}"


def signature_of(der: bytes) -> Signature | None:
    """What DER says (SEC 1, C.5: a sequence of two integers), both within the curve's order; else None."""
    if len(der) < 2 or der[0] != 0x30 or der[1] != len(der) - 2 or der[1] > 127:
        return None
    rest, numbers = der[2:], []
    for _ in range(2):
        if len(rest) < 2 or rest[0] != 0x02:
            return None
        length = rest[1]
        content, rest = rest[2 : 2 + length], rest[2 + length :]
        if len(content) != length or not 1 <= length <= 33:
            return None
        numbers.append(int.from_bytes(content, "big", signed=True))
    r, s = numbers
    if rest or not (0 < r < ORDER and 0 < s < ORDER):
        return None
    return Signature(r, s, None)


_ADVICE = {
    "AccessDeniedException": ": the credentials need kms:Sign and kms:GetPublicKey of this key (docs/signers.md)",
    "NotFoundException": ": look at `key_id` and `region`",
    "DisabledException": ": enable the key",
    "KMSInvalidStateException": ": the key is pending deletion, or not usable",
    "ThrottlingException": ": raise the account's quota of cryptographic operations (ECC)",
    "UnrecognizedClientException": ": the credentials are not known there",
    "ExpiredTokenException": ": renew the credentials",
}
_NO_CREDENTIALS = "no credentials: set them as boto3 finds them (environment, profile, role)"
_UNREACHED = {
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": _NO_CREDENTIALS,
    "NoRegionError": "no region: set `region`, or AWS_REGION",
    "ConnectTimeoutError": "no answer in time; look at the network, or raise `timeout_s`",
    "ReadTimeoutError": "no answer in time; look at the network, or raise `timeout_s`",
    "EndpointConnectionError": "cannot be reached; look at the network, `region` and `endpoint`",
    "ProfileNotFound": "the profile of AWS_PROFILE is not there",
}
