"""Nothing that a signer answers is believed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.config.values import checksummed
from mempool_ids.defense.transaction import (
    ORDER,
    Signature,
    SignerError,
    Transaction,
    address_of,
    assemble,
    recover,
    seal,
    signing_hash,
    verify,
)
from tests.defense.keys import ADDRESS, KEY, LEGACY, OTHER, OTHER_KEY, PAUSE, fields, signed_by

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
FEES = st.integers(0, 10**15)


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    kind = draw(st.sampled_from(["eip1559", "legacy"]))
    max_fee = draw(FEES)
    return Transaction(
        chain_id=draw(st.integers(1, 2**40)),
        nonce=draw(st.integers(0, 2**64 - 2)),
        to=draw(ADDRESSES),
        value=draw(st.integers(0, 2**256 - 1)),
        data=draw(st.binary(max_size=200)),
        gas=draw(st.integers(21_000, 2**63)),
        max_fee=max_fee,
        tip=max_fee if kind == "legacy" else draw(st.integers(0, max_fee)),
        kind=kind,
    )


def ours(key: str, transaction: Transaction) -> bytes:
    parts = PrivateKey(bytes.fromhex(key)).sign_recoverable(signing_hash(transaction), hasher=None)
    r, s = int.from_bytes(parts[:32], "big"), int.from_bytes(parts[32:64], "big")
    return assemble(transaction, parts[64], r, s).raw


@given(transactions())
def test_what_we_sign_is_byte_for_byte_what_eth_account_signs(transaction: Transaction) -> None:
    raw = ours(KEY, transaction)
    assert raw == signed_by(KEY, transaction)
    tx_hash = verify(raw, transaction, ADDRESS)
    assert tx_hash == "0x" + keccak(raw).hex()


@given(transactions(), transactions())
def test_another_transaction_is_never_taken_for_the_one_that_was_asked_for(
    asked: Transaction, signed: Transaction
) -> None:
    if asked != signed:
        with pytest.raises(SignerError, match="something else"):
            verify(ours(KEY, signed), asked, ADDRESS)


CHANGES: dict[str, Any] = {
    "chain_id": 1,
    "nonce": 8,
    "to": "0x" + "66" * 20,
    "value": 1,
    "data": bytes.fromhex("3f4ba83a"),
    "gas": 80_001,
    "max_fee": 300 * 10**9 + 1,
    "tip": 3 * 10**9 - 1,
}


#: Of fields that errors call as the chain does.
NAMES = {"max_fee": "max_fee_per_gas", "tip": "max_priority_fee_per_gas"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_field_is_named(name: str) -> None:
    lie = dataclasses.replace(PAUSE, **{name: CHANGES[name]})
    with pytest.raises(SignerError, match=rf"something else: {NAMES.get(name, name)} is "):
        verify(ours(KEY, lie), PAUSE, ADDRESS)


def test_another_kind_is_named() -> None:
    same = dataclasses.replace(PAUSE, tip=PAUSE.max_fee)
    with pytest.raises(SignerError, match="type is 0, not 2"):
        verify(ours(KEY, dataclasses.replace(same, kind="legacy")), same, ADDRESS)


def test_an_access_list_is_something_else() -> None:
    listed = {**fields(PAUSE), "accessList": [{"address": PAUSE.to, "storageKeys": []}]}
    raw = bytes(Account.sign_transaction(listed, KEY).raw_transaction)
    with pytest.raises(SignerError):
        verify(raw, PAUSE, ADDRESS)


@pytest.mark.parametrize("transaction", [PAUSE, LEGACY])
def test_another_key_is_named(transaction: Transaction) -> None:
    with pytest.raises(SignerError, match=rf"another key: of {OTHER}, not of {ADDRESS}"):
        verify(ours(OTHER_KEY, transaction), transaction, ADDRESS)


@pytest.mark.parametrize("transaction", [PAUSE, LEGACY])
def test_a_high_s_is_refused_as_nodes_refuse_it(transaction: Transaction) -> None:
    raw = ours(KEY, transaction)
    low = raw[-32:]
    assert int.from_bytes(low, "big") <= ORDER // 2
    high = (ORDER - int.from_bytes(low, "big")).to_bytes(32, "big")
    flipped = raw[:-32] + high
    where = raw.index(b"\xa0" + raw[-65:-33]) - 1
    for last in {flipped[where] ^ 1, flipped[where] - 1, flipped[where] + 1}:
        lie = flipped[:where] + bytes([last % 256]) + flipped[where + 1 :]
        with pytest.raises(SignerError):
            verify(lie, transaction, ADDRESS)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(raw: bytes) -> None:
    with pytest.raises(SignerError):
        verify(raw, PAUSE, ADDRESS)


@given(st.data())
def test_any_changed_bit_is_refused(data: st.DataObject) -> None:
    transaction = data.draw(st.sampled_from([PAUSE, LEGACY]))
    raw = bytearray(ours(KEY, transaction))
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[place // 8] ^= 1 << place % 8
    with pytest.raises(SignerError):
        verify(bytes(raw), transaction, ADDRESS)


@pytest.mark.parametrize("lie", [b"", b"\x00", b"\x02", b"\x7f"])
def test_more_or_fewer_bytes_are_refused(lie: bytes) -> None:
    raw = ours(KEY, PAUSE)
    for changed in (raw + lie + b"\x00", raw[:-1] + lie, lie + raw if lie else raw[1:]):
        if changed != raw:
            with pytest.raises(SignerError):
                verify(changed, PAUSE, ADDRESS)


def by(address: str, digest: bytes) -> Callable[[Signature], bool]:
    return lambda signature: recover(digest, signature) == address


@given(transactions(), st.booleans(), st.booleans())
def test_either_half_of_s_and_a_missing_parity_give_the_same_bytes(
    transaction: Transaction, high: bool, untold: bool
) -> None:
    digest = signing_hash(transaction)
    parts = PrivateKey(bytes.fromhex(KEY)).sign_recoverable(digest, hasher=None)
    r, s = int.from_bytes(parts[:32], "big"), int.from_bytes(parts[32:64], "big")
    told = Signature(r, ORDER - s if high else s, None if untold else parts[64] ^ high)
    sealed = seal(transaction, told, by(ADDRESS, digest))
    assert sealed == assemble(transaction, parts[64], r, s)
    assert sealed.tx_hash == verify(sealed.raw, transaction, ADDRESS)


@given(st.integers(0, 2**256 + 1), st.integers(0, 2**256 + 1), st.sampled_from([None, 0, 1, 2, 255]))
def test_any_other_signature_is_sealed_for_nobody(r: int, s: int, parity: int | None) -> None:
    with pytest.raises(SignerError):
        seal(PAUSE, Signature(r, s, parity), by(ADDRESS, signing_hash(PAUSE)))


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (1, ORDER - 1), (2**256, 1)])
def test_what_is_no_signature_is_nobody_s_and_not_assembled(r: int, s: int) -> None:
    assert recover(signing_hash(PAUSE), Signature(r, s, 0)) is None
    with pytest.raises(SignerError, match="no signature"):
        assemble(PAUSE, 0, r, s)


def test_an_address_is_told_with_its_checksum() -> None:
    # The examples of EIP-55.
    for address in (
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ):
        assert checksummed(address.lower()) == address


def test_an_address_is_the_key_s_hash() -> None:
    assert address_of(PrivateKey(bytes.fromhex(KEY)).public_key.format(compressed=False)) == ADDRESS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to", "0x" + "5F" * 20),
        ("to", "0x5f"),
        ("to", ""),
        ("nonce", -1),
        ("nonce", 2**64 - 1),
        ("value", 2**256),
        ("gas", -1),
        ("max_fee", 2**128),
        ("tip", PAUSE.max_fee + 1),
        ("chain_id", 0),
        ("chain_id", 2**64),
        ("kind", "blob"),
    ],
)
def test_no_transaction_has_such_a_field(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: "):
        dataclasses.replace(PAUSE, **{name: value})


def test_a_legacy_transaction_has_one_price() -> None:
    with pytest.raises(ValueError, match="one gas price"):
        dataclasses.replace(LEGACY, tip=LEGACY.max_fee - 1)
