"""The corpus of ordinary contracts is what tests of false alarms take it for."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.contracts import deploy
from mempool_ids.demo.rpc import Rpc
from tests.early.ordinary import OrdinaryContract, ordinary_contracts

KINDS = {
    "account", "amm", "bot", "bridge", "distributor", "factory", "governor", "lending", "multicall", "multisig",
    "multitoken", "nft", "oracle", "paymaster", "proxy", "router", "staking", "timelock", "token", "vault", "vesting",
}  # fmt: skip
#: Shorter code is not scored; a minimal proxy has 45 bytes.
SHORT = 60
CREATION_GAS = 15_000_000
LEFT_OPEN = re.compile(b"vazult".hex() * 3 + "000[123]")


@pytest.fixture(scope="module")
def corpus() -> list[OrdinaryContract]:
    return list(ordinary_contracts())


def operations(code: bytes) -> bytes:
    """The opcodes, without what is pushed and without the compiler's metadata."""
    metadata = int.from_bytes(code[-2:]) + 2
    if metadata < len(code) and 0xA1 <= code[-metadata] <= 0xA4:
        code = code[:-metadata]
    found, at = bytearray(), 0
    while at < len(code):
        found.append(code[at])
        at += code[at] - 0x5E if 0x60 <= code[at] <= 0x7F else 1
    return bytes(found)


def test_it_holds_at_least_five_hundred_contracts_each_with_its_own_name(
    corpus: list[OrdinaryContract],
) -> None:
    assert len(corpus) >= 500
    assert len({contract.id for contract in corpus}) == len(corpus)


def test_it_holds_every_kind_of_ordinary_contract(corpus: list[OrdinaryContract]) -> None:
    kinds = Counter(contract.kind for contract in corpus)
    assert kinds.keys() >= KINDS
    assert kinds["bot"] >= 50


def test_many_hold_the_address_of_the_vault_they_use(corpus: list[OrdinaryContract]) -> None:
    vault, token, deployer = ("0x" + byte * 20 for byte in ("51", "52", "53"))
    for contract in corpus:
        made = contract.creation(vault, token, deployer)
        assert made.count("51" * 20) == contract.vault
        assert not LEFT_OPEN.search(made)
    assert sum(contract.vault > 0 for contract in corpus) >= 60


async def test_each_can_be_created_and_no_two_run_the_same_operations(
    corpus: list[OrdinaryContract], anvil_binary: Path
) -> None:
    with Anvil(anvil_binary, AnvilOptions()) as node:
        async with Rpc(node.http_url) as rpc:
            deployer = (await rpc.accounts())[0]
            vault = await deploy(rpc, "Vault", deployer, deployer)
            token = await deploy(rpc, "Token", deployer, 10**24)
            await rpc.call("evm_setBlockGasLimit", hex(CREATION_GAS * len(corpus)))
            hashes = [
                await rpc.send(
                    deployer, None, each.creation(vault.address, token.address, deployer), gas=CREATION_GAS
                )
                for each in corpus
            ]
            await rpc.mine()
            receipts = [await rpc.receipt(tx_hash, 10) for tx_hash in hashes]
            failed = [
                each.id for each, receipt in zip(corpus, receipts, strict=True) if receipt["status"] != "0x1"
            ]
            assert failed == []
            codes = await asyncio.gather(
                *(rpc.call("eth_getCode", receipt["contractAddress"], "latest") for receipt in receipts)
            )
    runtimes = [bytes.fromhex(code[2:]) for code in codes]
    short = {each.kind for each, code in zip(corpus, runtimes, strict=True) if len(code) <= SHORT}
    assert short <= {"proxy"}
    assert len({operations(code) for code in runtimes}) == len(corpus)
