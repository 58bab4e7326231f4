"""Vault's KV store, version 2, as its HTTP interface answers; Vault itself is not run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mempool_ids.config import defense as sections
from mempool_ids.defense.signers import VaultSigner
from mempool_ids.defense.transaction import SignerError
from mempool_ids.exceptions import ConfigError
from tests.defense.answering import Answering, Asked, Never, answering
from tests.defense.keys import ADDRESS, KEY, PAUSE, assert_keeps, shows, signed_by, told

TOKEN = "hvs.CAESIJ-a-token-of-the-tests"


def secret(fields: Any) -> dict[str, Any]:
    """https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version"""
    metadata = {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False, "version": 2}
    return {
        "request_id": "a",
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": {"data": fields, "metadata": metadata},
        "wrap_info": None,
        "warnings": None,
        "auth": None,
    }


class Vault:
    def __init__(self) -> None:
        self.answer: tuple[int, Any] | type[Never] = (200, secret({"private_key": "0x" + KEY, "other": 1}))

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("x-vault-token") != TOKEN:
            return 403, {"errors": ["permission denied"]}
        if asked.path != "/v1/secret/data/team/guardian":
            return 404, {"errors": []}
        if self.answer is Never:
            raise Never
        assert isinstance(self.answer, tuple)
        return self.answer


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def server(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    monkeypatch.setenv("TOKEN", TOKEN)
    with answering(vault) as found:
        yield found


def at(url: str, **changes: Any) -> VaultSigner:
    values = {"type": "vault", "url": url, "token": "env:TOKEN", "path": "team/guardian", "timeout_s": 20.0}
    return VaultSigner(sections.VaultSigner.model_validate({**values, **changes}))


async def refusal(it: VaultSigner) -> str:
    with pytest.raises(SignerError) as caught:
        await it.open(1337)
    shown = told(caught.value)
    assert not shows(KEY, shown)
    assert TOKEN not in shown
    return str(caught.value)


async def test_a_key_in_vault_signs_and_is_read_once(
    server: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    it = at(server.url)
    await it.open(1337)
    assert it.address == ADDRESS
    for _ in range(3):
        assert (await it.sign(PAUSE)).raw == signed_by(KEY, PAUSE)
    assert len(server.asked) == 1
    assert_keeps(KEY, it, caplog)
    assert_keeps(TOKEN, it, caplog)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((403, {"errors": ["1 error occurred:\n\t* permission denied"]}), "its policy may not read this"),
        ((404, {"errors": []}), "nothing is there"),
        ((404, secret(None)), "was deleted"),
        ((503, {"errors": ["Vault is sealed"]}), "sealed"),
        ((500, {"errors": [KEY]}), "refuses"),
        ((200, secret({"key": KEY})), "no field 'private_key'"),
        ((200, secret({"private_key": 7})), "is no text"),
        ((200, secret({"private_key": KEY[:-2]})), "32 bytes in hexadecimal"),
        ((200, secret({"private_key": "0" * 64})), "zero"),
        # A store of version 1, which has no metadata around its fields.
        ((200, {"data": {"private_key": KEY}}), "KV store of version 2"),
        ((200, b"<html>"), "KV store of version 2"),
        ((200, b"[]"), "KV store of version 2"),
    ],
)
async def test_what_is_no_key_says_what_to_do(vault: Vault, server: Answering, answer: Any, why: str) -> None:
    vault.answer = answer
    assert why in await refusal(at(server.url))


async def test_a_wrong_token_is_told(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hvs.another")
    assert "the token is wrong" in await refusal(at(server.url))


async def test_a_missing_token_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(ConfigError, match="env:TOKEN is not set"):
        await at("http://127.0.0.1:9").open(1337)


async def test_a_wrong_path_is_told(server: Answering) -> None:
    assert "look at `mount` and `path`" in await refusal(at(server.url, path="elsewhere"))


async def test_the_token_does_not_follow_a_redirect(vault: Vault, server: Answering) -> None:
    with answering(lambda _asked: (200, secret({"private_key": KEY}))) as elsewhere:
        vault.answer = (307, (elsewhere.url + "/v1/secret/data/team/guardian").encode())
        await refusal(at(server.url))
        assert elsewhere.asked == []


async def test_an_answer_that_never_comes_ends(vault: Vault, server: Answering) -> None:
    vault.answer = Never
    assert "no answer in time" in await refusal(at(server.url, timeout_s=0.5))


async def test_nobody_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert "cannot be reached" in await refusal(at(f"http://127.0.0.1:{taken.getsockname()[1]}"))
