"""Keys of the signers' tests, a pause to sign, and a search for a secret in all that an error or object can show."""

from __future__ import annotations

import copy
import logging
import pickle
import re
import traceback
from typing import Any

import pytest
from eth_account import Account

from mempool_ids.defense.signers import Signer
from mempool_ids.defense.transaction import Transaction

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
OTHER_KEY = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
ADDRESS = str(Account.from_key(KEY).address).lower()
OTHER = str(Account.from_key(OTHER_KEY).address).lower()
CONTRACT = "0x" + "5f" * 20
PAUSE = Transaction(
    chain_id=1337,
    nonce=7,
    to=CONTRACT,
    value=0,
    data=bytes.fromhex("8456cb59"),
    gas=80_000,
    max_fee=300 * 10**9,
    tip=3 * 10**9,
)
LEGACY = Transaction(
    chain_id=1337,
    nonce=7,
    to=CONTRACT,
    value=0,
    data=PAUSE.data,
    gas=80_000,
    max_fee=5 * 10**9,
    tip=5 * 10**9,
    kind="legacy",
)


def fields(transaction: Transaction) -> dict[str, Any]:
    """As eth-account takes it."""
    fees = (
        {"gasPrice": transaction.max_fee}
        if transaction.kind == "legacy"
        else {"maxFeePerGas": transaction.max_fee, "maxPriorityFeePerGas": transaction.tip}
    )
    return {
        "chainId": transaction.chain_id,
        "nonce": transaction.nonce,
        "to": bytes.fromhex(transaction.to[2:]),
        "value": transaction.value,
        "data": transaction.data,
        "gas": transaction.gas,
        **fees,
    }


def signed_by(key: str, transaction: Transaction) -> bytes:
    """What eth-account signs: another implementation than ours."""
    return bytes(Account.sign_transaction(fields(transaction), key).raw_transaction)


def shows(secret: str, shown: str) -> bool:
    """Whether a text has the secret, as it is or as numbers and bytes are printed."""
    forms = {secret, secret.upper(), secret.lower()}
    bare = secret.removeprefix("0x")
    if re.fullmatch("[0-9a-f]{64}", bare) and int(bare, 16):
        forms |= {bare, bare.upper(), str(int(bare, 16)), repr(bytes.fromhex(bare))[2:-1]}
    return any(form in shown for form in forms)


def told(error: BaseException) -> str:
    """All that an error can show: itself, its causes and contexts, and the variables of every frame that raised one."""
    seen = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)
    texts = ["".join(seen.format())]
    chain: BaseException | None = error
    while chain is not None:
        texts += [repr(chain), str(chain), repr(chain.args), repr(vars(chain))]
        context = chain.__cause__ or chain.__context__
        # What is suppressed in print is there all the same.
        if context is not None:
            frames = traceback.StackSummary.extract(
                traceback.walk_tb(context.__traceback__), capture_locals=True
            )
            texts += [repr(frame.locals) for frame in frames]
        chain = context
    return "\n".join(texts)


def assert_keeps(secret: str, signer: Signer, log: pytest.LogCaptureFixture) -> None:
    """The signer neither shows the secret nor lets itself be copied."""
    logging.getLogger("test").warning("%s %r", signer, signer)
    for text in (repr(signer), str(signer), f"{signer}", log.text):
        assert not shows(secret, text)
    for take in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            take(signer)
