"""AWS KMS: on moto's server, with real keys of secp256k1; and what only an AWS of our own answers."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import logging
import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given
from hypothesis import strategies as st
from moto.kms.utils import ECDSAPrivateKey
from moto.server import ThreadedMotoServer

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers import KmsSigner
from mempool_ids.defense.signers.kms import signature_of
from mempool_ids.defense.transaction import ORDER, Signature, SignerError, Transaction, verify
from tests.defense.answering import Asked, Never, answering
from tests.defense.keys import ADDRESS, KEY, LEGACY, OTHER_KEY, PAUSE, signed_by, told

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def sign_digest(key: ECDSAPrivateKey, message: bytes, signing_algorithm: str) -> bytes:
    """moto (5.2) hashes what is a hash already, which AWS does not with MessageType DIGEST."""
    assert signing_algorithm == "ECDSA_SHA_256"
    return key.private_key.sign(message, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(ECDSAPrivateKey, "sign", sign_digest)
    client = boto3.session.Session().client("kms", endpoint_url=moto_url, region_name="eu-central-1")
    yield client
    client.close()


def new_key(aws: Any, spec: str = "ECC_SECG_P256K1") -> str:
    return str(aws.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"])


def at(
    url: str, key_id: str = "alias/guardian", timeout_s: float = 20.0, region: str | None = "eu-central-1"
) -> KmsSigner:
    values = {"type": "kms", "key_id": key_id, "region": region, "endpoint": url, "timeout_s": timeout_s}
    return KmsSigner(sections.KmsSigner.model_validate(values))


async def test_a_key_of_kms_signs_and_never_leaves_it(aws: Any, moto_url: str) -> None:
    it = at(moto_url, new_key(aws))
    await it.open(1337)
    asked = [dataclasses.replace(each, nonce=nonce) for nonce in range(12) for each in (PAUSE, LEGACY)]
    for transaction, signed in zip(asked, await asyncio.gather(*map(it.sign, asked)), strict=True):
        assert verify(signed.raw, transaction, it.address) == signed.tx_hash
    await it.close()


async def test_an_alias_names_the_key(aws: Any, moto_url: str) -> None:
    key = new_key(aws)
    aws.create_alias(AliasName="alias/guardian", TargetKeyId=key)
    by_id, by_alias = at(moto_url, key), at(moto_url, "alias/guardian")
    for it in (by_id, by_alias):
        await it.open(1337)
        assert await it.sign(PAUSE)
        await it.close()
    assert by_id.address == by_alias.address


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048"])
async def test_a_key_of_another_curve_is_refused(aws: Any, moto_url: str, spec: str) -> None:
    with pytest.raises(SignerError, match=f"is of {spec} for SIGN_VERIFY: create one of ECC_SECG_P256K1"):
        await at(moto_url, new_key(aws, spec)).open(1337)


async def test_a_key_that_is_not_there_is_told(aws: Any, moto_url: str) -> None:
    with pytest.raises(SignerError, match=r"NotFoundException .*look at `key_id` and `region`"):
        await at(moto_url, "alias/nobody").open(1337)


class Aws:
    """KMS's two answers, with a key of ours; a test changes what they are."""

    def __init__(self) -> None:
        self.key = PrivateKey(bytes.fromhex(KEY))
        self.public: Any = self
        self.sign: Any = self
        self.high = False

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        action = asked.headers["x-amz-target"].removeprefix("TrentService.")
        answer = self.public if action == "GetPublicKey" else self.sign
        if answer is not self:
            return answer(asked) if callable(answer) else answer
        if action == "GetPublicKey":
            spki = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")
            der = spki + self.key.public_key.format(compressed=False)
            return 200, {"KeySpec": "ECC_SECG_P256K1", "KeyUsage": "SIGN_VERIFY", "PublicKey": _b64(der)}
        assert asked.json["MessageType"] == "DIGEST"
        der = self.key.sign(base64.b64decode(asked.json["Message"]), hasher=None)
        if self.high:
            r, s = utils.decode_dss_signature(der)
            der = utils.encode_dss_signature(r, ORDER - s)
        return 200, {"Signature": _b64(der), "SigningAlgorithm": "ECDSA_SHA_256"}


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("transaction", [PAUSE, LEGACY])
async def test_either_half_of_s_gives_the_signature_that_nodes_take(
    transaction: Transaction, high: bool
) -> None:
    aws = Aws()
    aws.high = high
    with answering(aws) as server:
        it = at(server.url)
        await it.open(1337)
        assert it.address == ADDRESS
        assert (await it.sign(transaction)).raw == signed_by(KEY, transaction)
        await it.close()


async def refused(aws: Aws, timeout_s: float = 20.0) -> SignerError:
    """What is raised when it signs, after it was opened without trouble."""
    with answering(aws) as server:
        it = at(server.url, timeout_s=timeout_s)
        was, aws.sign = aws.sign, aws
        await it.open(1337)
        aws.sign = was
        before = len(server.asked)
        with pytest.raises(SignerError) as caught:
            await it.sign(PAUSE)
        assert len(server.asked) == before + 1, "it is asked once"
        await it.close()
    assert SECRET not in told(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDeniedException", "kms:Sign and kms:GetPublicKey"),
        ("DisabledException", "enable the key"),
        ("KMSInvalidStateException", "pending deletion"),
        ("ThrottlingException", "quota"),
        ("SomethingNewException", "SomethingNewException"),
    ],
)
async def test_a_refusal_says_what_to_do_and_is_not_tried_again(code: str, advice: str) -> None:
    aws = Aws()
    aws.sign = (400, {"__type": code, "message": "no"})
    assert advice in str(await refused(aws))


async def test_a_failing_kms_is_not_asked_again() -> None:
    aws = Aws()
    aws.sign = (500, {"__type": "KMSInternalException", "message": "no"})
    assert "KMSInternalException" in str(await refused(aws))


async def test_an_answer_that_never_comes_ends() -> None:
    def never(_asked: Asked) -> tuple[int, Any]:
        raise Never

    aws = Aws()
    aws.sign = never
    assert "no answer in time" in str(await refused(aws, timeout_s=0.5))


@pytest.mark.parametrize("signature", [b"", b"\x30", b"\x30\x06\x02\x01\x00\x02\x01\x00", bytes(70)])
async def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    aws = Aws()
    aws.sign = (200, {"Signature": _b64(signature)})
    assert "something else than a signature" in str(await refused(aws))


async def test_an_alias_that_was_moved_is_noticed() -> None:
    aws = Aws()

    def moved(asked: Asked) -> tuple[int, Any]:
        aws.key, aws.sign = PrivateKey(bytes.fromhex(OTHER_KEY)), aws
        return aws(asked)

    aws.sign = moved
    assert "whether its key was exchanged" in str(await refused(aws))


async def test_nobody_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SignerError, match="cannot be reached"):
            await at(f"http://127.0.0.1:{taken.getsockname()[1]}").open(1337)


async def test_no_credentials_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SignerError, match="no credentials"):
        await at("http://127.0.0.1:9").open(1337)


async def test_no_region_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SignerError, match="no region: set `region`"):
        await at("http://127.0.0.1:9", region=None).open(1337)


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_every_signature_in_der_is_read(r: int, s: int) -> None:
    assert signature_of(utils.encode_dss_signature(r, s)) == Signature(r, s, None)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_signature_or_none(der: bytes) -> None:
    found = signature_of(der)
    assert found is None or (0 < found.r < ORDER and 0 < found.s < ORDER)


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (1, ORDER), (-1, 1), (1, -1)])
def test_numbers_outside_of_the_curve_are_no_signature(r: int, s: int) -> None:
    def integer(number: int) -> bytes:
        raw = number.to_bytes(33, "big", signed=True)
        return b"\x02" + bytes([len(raw)]) + raw

    content = integer(r) + integer(s)
    assert signature_of(b"\x30" + bytes([len(content)]) + content) is None
