"""A mixer pays a note once, to whom its secret's holder names; new accounts have nothing but what they are paid."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.early.mixer import NOTE, Mixer, fresh_account
from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError

pytestmark = pytest.mark.timeout(60)


async def test_a_note_is_paid_once_and_the_paid_account_can_send(anvil_binary: Path) -> None:
    with Anvil(anvil_binary, AnvilOptions(block_time=1)) as node:
        async with Rpc(node.http_url) as rpc:
            owner, customer, relayer, *_ = await rpc.accounts()
            dice = random.Random(1)
            mixer = await Mixer.build(rpc, dice, owner, customer, relayer)
            assert await rpc.balance(mixer.contract.address) == NOTE
            account = await fresh_account(rpc, dice)
            assert (await rpc.balance(account), await rpc.nonce(account)) == (0, 0)

            await mixer.pay(rpc, account, 10)
            assert await rpc.balance(account) == NOTE
            assert await rpc.balance(mixer.contract.address) == 0
            with pytest.raises(RpcError, match="paid nothing"):
                await mixer.pay(rpc, account, 10)

            sent = await rpc.send(account, owner, value=NOTE // 2, gas=21_000)
            assert (await rpc.receipt(sent, 10))["status"] == "0x1"


async def test_without_its_secret_a_note_is_nobodys(anvil_binary: Path) -> None:
    with Anvil(anvil_binary, AnvilOptions(block_time=1)) as node:
        async with Rpc(node.http_url) as rpc:
            owner, customer, relayer, thief, *_ = await rpc.accounts()
            mixer = await Mixer.build(rpc, random.Random(1), owner, customer, relayer)
            guess = Mixer(mixer.contract, relayer, 1)
            with pytest.raises(RpcError, match="paid nothing"):
                await guess.pay(rpc, thief, 10)
            assert await rpc.balance(mixer.contract.address) == NOTE
