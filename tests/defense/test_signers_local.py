"""Keys in this process: they sign, fast, and are never seen."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from pydantic import TypeAdapter

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers import LocalSigner, Signer, signer
from mempool_ids.defense.transaction import ORDER, SignerError, Transaction, verify
from mempool_ids.exceptions import ConfigError
from tests.defense.keys import ADDRESS, KEY, LEGACY, OTHER, PAUSE, assert_keeps, shows, signed_by, told

PASSWORD = "correct horse battery"


def section(**values: Any) -> sections.Signer:
    return TypeAdapter[sections.Signer](sections.Signer).validate_python(values)


@pytest.fixture(scope="module")
def keystore_text() -> str:
    return json.dumps(Account.encrypt(KEY, PASSWORD, kdf="scrypt", iterations=2))


@pytest.fixture
def from_keystore(tmp_path: Path, keystore_text: str, monkeypatch: pytest.MonkeyPatch) -> Signer:
    (tmp_path / "guardian.json").write_text(keystore_text)
    monkeypatch.setenv("PASSWORD", PASSWORD)
    return signer(section(type="keystore", path=str(tmp_path / "guardian.json"), password="env:PASSWORD"))


def from_environment(monkeypatch: pytest.MonkeyPatch, key: str) -> Signer:
    monkeypatch.setenv("GUARDIAN", key)
    return signer(section(type="environment", key="env:GUARDIAN"))


async def opening(it: Signer) -> SignerError:
    with pytest.raises(SignerError) as caught:
        await it.open(1337)
    return caught.value


@pytest.mark.parametrize("key", [KEY, "0x" + KEY, "0X" + KEY.upper(), f" 0x{KEY}\n"])
@pytest.mark.parametrize("transaction", [PAUSE, LEGACY])
async def test_a_key_in_the_environment_signs(
    monkeypatch: pytest.MonkeyPatch, key: str, transaction: Transaction
) -> None:
    it = from_environment(monkeypatch, key)
    await it.open(1337)
    assert it.address == ADDRESS
    signed = await it.sign(transaction)
    assert signed.raw == signed_by(KEY, transaction)
    assert signed.tx_hash == verify(signed.raw, transaction, ADDRESS)


async def test_a_keystore_signs(from_keystore: Signer) -> None:
    await from_keystore.open(1337)
    assert from_keystore.address == ADDRESS
    assert (await from_keystore.sign(PAUSE)).raw == signed_by(KEY, PAUSE)


async def test_what_cannot_wait_is_signed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    it = from_environment(monkeypatch, KEY)
    await it.open(1337)
    assert isinstance(it, LocalSigner)
    assert it.sign_now(PAUSE) == await it.sign(PAUSE)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("00" * 32, "zero"),
        (f"{ORDER:064x}", "not below the order"),
        ("ff" * 32, "not below the order"),
        (KEY[:-1], "32 bytes in hexadecimal"),
        (KEY + "00", "32 bytes in hexadecimal"),
        (KEY[:-1] + "g", "32 bytes in hexadecimal"),
        ("0x0x" + KEY[2:], "32 bytes in hexadecimal"),
        ("one two three four five six seven eight nine ten eleven twelve", "32 bytes in hexadecimal"),
        ("٠" * 64, "32 bytes in hexadecimal"),
    ],
)
async def test_what_is_no_key_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str, why: str
) -> None:
    error = await opening(from_environment(monkeypatch, key))
    assert why in str(error)
    assert "env:GUARDIAN" in str(error)
    assert not shows(key, told(error))


@pytest.mark.parametrize("key", [1, ORDER - 1])
async def test_the_least_and_the_greatest_key_sign(monkeypatch: pytest.MonkeyPatch, key: int) -> None:
    it = from_environment(monkeypatch, f"{key:064x}")
    await it.open(1337)
    assert (await it.sign(PAUSE)).raw == signed_by(f"{key:064x}", PAUSE)


async def test_a_missing_variable_is_named() -> None:
    with pytest.raises(ConfigError, match="env:NOT_THERE is not set"):
        await signer(section(type="environment", key="env:NOT_THERE")).open(1337)


async def test_a_wrong_password_is_told_and_not_shown(
    from_keystore: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "incorrect horse")
    error = await opening(from_keystore)
    assert "wrong password" in str(error)
    assert not shows("incorrect horse", told(error))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: None, "No such file"),
        (lambda text: text[:100], "not a keystore file"),
        (lambda text: "[]", "not a keystore file"),
        (lambda text: json.dumps({**json.loads(text), "version": 1}), "cannot be decrypted"),
        (lambda text: text.replace("scrypt", "md5"), "cannot be decrypted"),
        (lambda text: text.replace("aes-128-ctr", "rot13"), "cannot be decrypted"),
        (lambda text: json.dumps({**json.loads(text), "address": OTHER}), "tampered"),
    ],
)
async def test_a_keystore_that_is_none_is_refused_in_words(
    from_keystore: Signer, tmp_path: Path, change: Any, why: str
) -> None:
    path = tmp_path / "guardian.json"
    text = change(path.read_text())
    path.unlink() if text is None else path.write_text(text)
    error = await opening(from_keystore)
    assert why in str(error)
    assert str(path) in str(error)
    for secret in (PASSWORD, KEY):
        assert not shows(secret, told(error))


async def test_a_key_is_never_seen(
    monkeypatch: pytest.MonkeyPatch, from_keystore: Signer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for it in (from_environment(monkeypatch, KEY), from_keystore):
        for _ in range(2):
            assert_keeps(KEY, it, caplog)
            assert_keeps(PASSWORD, it, caplog)
            await it.open(1337)
        assert ADDRESS in repr(it)
        assert not shows(KEY, repr(vars(it)))


async def test_another_chain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    it = from_environment(monkeypatch, KEY)
    await it.open(1)
    with pytest.raises(SignerError, match=r"opened for chain 1, .* chain 1337") as caught:
        await it.sign(PAUSE)
    assert not shows(KEY, told(caught.value))


async def test_a_closed_signer_has_forgotten_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    it = from_environment(monkeypatch, KEY)
    with pytest.raises(SignerError, match="not open"):
        await it.sign(PAUSE)
    await it.open(1337)
    assert "PrivateKey" in repr(vars(it))
    await it.close()
    await it.close()
    with pytest.raises(SignerError, match="not open"):
        await it.sign(PAUSE)
    assert "PrivateKey" not in repr(vars(it))
    await it.open(1337)
    assert (await it.sign(PAUSE)).raw == signed_by(KEY, PAUSE)


async def test_a_signature_that_is_not_ours_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A faulty library, or a bit that flips: the signature is checked too."""
    it = from_environment(monkeypatch, KEY)
    await it.open(1337)
    whole = vars(it)["_LocalSigner__signature"]
    vars(it)["_LocalSigner__signature"] = lambda digest, hasher: (
        bytes([whole(digest, hasher=hasher)[0] ^ 1]) + whole(digest, hasher=hasher)[1:]
    )
    with pytest.raises(SignerError, match="another key"):
        await it.sign(PAUSE)


async def test_an_exact_signature_takes_less_than_100_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    it = from_environment(monkeypatch, KEY)
    await it.open(1337)
    assert isinstance(it, LocalSigner)
    took = []
    for _ in range(500):
        before = time.perf_counter_ns()
        it.sign_now(PAUSE)
        took.append(time.perf_counter_ns() - before)
    # The best of many: others use this machine too.
    assert min(took) < 100_000


@pytest.mark.parametrize(
    ("module", "extra", "values"),
    [
        ("coincurve", "defense", {"type": "environment", "key": "env:GUARDIAN"}),
        ("eth_account", "defense", {"type": "keystore", "path": "x.json", "password": "env:PASSWORD"}),
        ("hvac", "vault", {"type": "vault", "url": "http://127.0.0.1:1", "token": "env:TOKEN", "path": "x"}),
        ("boto3", "kms", {"type": "kms", "key_id": "x"}),
    ],
)
async def test_a_missing_package_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str, values: dict[str, Any]
) -> None:
    monkeypatch.setenv("GUARDIAN", KEY)
    monkeypatch.setitem(sys.modules, module, None)
    it = signer(section(**values))
    with pytest.raises(
        ConfigError, match=rf"{module.replace('_', '-')} .*pip install 'mempool-ids\[{extra}\]'"
    ):
        await it.open(1337)
    assert "not open" in repr(it)
