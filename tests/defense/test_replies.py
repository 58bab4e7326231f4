from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.defense.broadcast.replies import Answer, Reply, read
from mempool_ids.defense.broadcast.wire import send_raw_body
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError, Unanswered
from tests.defense.relay import hash_of
from tests.geth import Geth

GWEI = 10**9
ETHER = 10**18


def refused(message: str, **more: Any) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": message, **more}})


def done(result: Any) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result})


# --- in the clients' words, as their sources have them

WORDS = [
    # go-ethereum v1.17: core/error.go, core/txpool/errors.go, core/txpool/legacypool/legacypool.go
    ("geth", "already known", Reply.ALREADY_KNOWN),
    ("geth", "nonce too low: next nonce 3, tx nonce 1", Reply.NONCE_TOO_LOW),
    ("geth", "nonce too high: tx nonce 9, gapped nonce 3", Reply.NONCE_TOO_HIGH),
    ("geth", "replacement transaction underpriced", Reply.REPLACEMENT_UNDERPRICED),
    ("geth", "transaction underpriced", Reply.UNDERPRICED),
    ("geth", "transaction underpriced: new tx gas fee cap 1 < 2 minimum needed", Reply.UNDERPRICED),
    ("geth", "transaction gas price below minimum: gas tip cap 0, minimum needed 1", Reply.UNDERPRICED),
    ("geth", "insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1", Reply.NO_FUNDS),
    ("geth", "in-flight transaction limit reached for delegated accounts", Reply.IN_FLIGHT_LIMIT),
    ("geth", "gapped-nonce tx from delegated accounts", Reply.GAPPED_DELEGATED),
    ("geth", "max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1", Reply.FEE_TOO_LOW),
    ("geth", "exceeds block gas limit", Reply.GAS_LIMIT),
    ("geth", "transaction gas limit too high (cap: 16777216, tx: 20000000)", Reply.GAS_LIMIT),
    ("geth", "intrinsic gas too low: gas 1, minimum needed 21000", Reply.GAS_LIMIT),
    ("geth", "insufficient gas for floor data gas cost: gas 1, minimum needed 2", Reply.GAS_LIMIT),
    ("geth", "invalid sender: invalid chain id for signer: have 1 want 1337", Reply.WRONG_CHAIN),
    ("geth", "txpool is full", Reply.POOL_FULL),
    ("geth", "account limit exceeded: pooled 64 txs", Reply.POOL_FULL),
    ("geth", "tx fee (1.50 ether) exceeds the configured cap (1.00 ether)", Reply.REFUSED),
    ("geth", "transaction type not supported", Reply.REFUSED),
    ("geth", "address already reserved", Reply.REFUSED),
    # reth: crates/rpc/rpc-eth-types/src/error/mod.rs
    ("reth", "nonce too low: next nonce 3, tx nonce 1", Reply.NONCE_TOO_LOW),
    ("reth", "exceeds max transaction gas limit", Reply.GAS_LIMIT),
    ("reth", "max fee per gas less than block base fee", Reply.FEE_TOO_LOW),
    ("reth", "transaction priority fee below minimum required priority fee 1", Reply.UNDERPRICED),
    ("reth", "insufficient funds for gas * price + value: have 1 want 2", Reply.NO_FUNDS),
    # Nethermind: AcceptTxResult.cs, names until 2025, then the words that geth has
    ("nethermind", "AlreadyKnown", Reply.ALREADY_KNOWN),
    ("nethermind", "OldNonce, Current nonce: 3, nonce of rejected tx: 1.", Reply.NONCE_TOO_LOW),
    ("nethermind", "NonceGap, Future nonce. Expected nonce: 3", Reply.NONCE_TOO_HIGH),
    ("nethermind", "NonceTooFarInFuture", Reply.NONCE_TOO_HIGH),
    ("nethermind", "ReplacementNotAllowed", Reply.REPLACEMENT_UNDERPRICED),
    ("nethermind", "FeeTooLow, MaxFeePerGas too low.", Reply.UNDERPRICED),
    ("nethermind", "FeeTooLowToCompete", Reply.UNDERPRICED),
    ("nethermind", "InsufficientFunds, Account balance: 0, cumulative cost: 1", Reply.NO_FUNDS),
    ("nethermind", "GasLimitExceeded, Gas limit: 1, gas limit of rejected tx: 2", Reply.GAS_LIMIT),
    ("nethermind", "NotCurrentNonceForDelegation", Reply.GAPPED_DELEGATED),
    ("nethermind", "DelegatorHasPendingTx", Reply.IN_FLIGHT_LIMIT),
    # Besu: RpcErrorType.java
    ("besu", "Known transaction", Reply.ALREADY_KNOWN),
    ("besu", "Nonce too low", Reply.NONCE_TOO_LOW),
    ("besu", "Nonce too high", Reply.NONCE_TOO_HIGH),
    ("besu", "Transaction nonce is too distant from current sender nonce", Reply.NONCE_TOO_HIGH),
    ("besu", "Replacement transaction underpriced", Reply.REPLACEMENT_UNDERPRICED),
    ("besu", "Gas price below configured minimum gas price", Reply.UNDERPRICED),
    ("besu", "Gas price below current base fee", Reply.FEE_TOO_LOW),
    ("besu", "Upfront cost exceeds account balance", Reply.NO_FUNDS),
    ("besu", "Transaction gas limit exceeds block gas limit", Reply.GAS_LIMIT),
    ("besu", "Intrinsic gas exceeds gas limit", Reply.GAS_LIMIT),
    ("besu", "Wrong chainId", Reply.WRONG_CHAIN),
    ("besu", "Invalid transaction type", Reply.REFUSED),
    # Erigon: txnprovider/txpool/txpoolcfg/txpoolcfg.go
    ("erigon", "existing txn with same hash", Reply.ALREADY_KNOWN),
    ("erigon", "could not replace existing tx", Reply.REPLACEMENT_UNDERPRICED),
    ("erigon", "underpriced", Reply.UNDERPRICED),
    ("erigon", "fee too low", Reply.UNDERPRICED),
    ("erigon", "nonce too low", Reply.NONCE_TOO_LOW),
    ("erigon", "insufficient funds", Reply.NO_FUNDS),
    ("erigon", "IntrinsicGas", Reply.GAS_LIMIT),
    ("erigon", "gas limit is too high", Reply.GAS_LIMIT),
    ("erigon", "pending sub-pool is full", Reply.POOL_FULL),
    ("erigon", "spammer", Reply.POOL_FULL),
    ("erigon", "EIP-7702 transaction with authority already reserved", Reply.REFUSED),
    # anvil: crates/anvil/src/eth/error.rs
    ("anvil", "transaction already imported", Reply.ALREADY_KNOWN),
    (
        "anvil",
        "Tx: [0xab] insufficient gas price to replace existing transaction",
        Reply.REPLACEMENT_UNDERPRICED,
    ),
    ("anvil", "Insufficient funds for gas * price + value", Reply.NO_FUNDS),
    ("anvil", "intrinsic gas too high -- CallerGasLimitMoreThanBlock", Reply.GAS_LIMIT),
    ("anvil", "Incompatible EIP-155 transaction, signed for another chain", Reply.WRONG_CHAIN),
    # providers
    ("provider", "unknown transaction type", Reply.REFUSED),
    ("provider", "project ID does not have access", Reply.REFUSED),
]


@pytest.mark.parametrize(("client", "message", "kind"), WORDS)
def test_each_clients_words_are_told_apart(client: str, message: str, kind: Reply) -> None:
    answer = read(refused(message))
    assert answer == Answer(kind, message)
    assert answer.is_held is (kind in (Reply.ACCEPTED, Reply.ALREADY_KNOWN))


@pytest.mark.parametrize(
    ("said", "kind", "tx_hash"),
    [
        (done("0x" + "AB" * 32), Reply.ACCEPTED, "0x" + "ab" * 32),
        (
            done({"bundleHash": "0x" + "cd" * 32, "receivedTimestampMs": 1.5}),
            Reply.ACCEPTED,
            "0x" + "cd" * 32,
        ),
        (done(200), Reply.ACCEPTED, None),
        (orjson.dumps({"id": 1, "result": 200, "error": None}), Reply.ACCEPTED, None),
        (done(False), Reply.REFUSED, None),
        (orjson.dumps({"id": 1, "error": "nonce too low"}), Reply.NONCE_TOO_LOW, None),
        (
            orjson.dumps({"id": 1, "jsonerror": {"code": -38000, "message": "nonce too low"}}),
            Reply.NONCE_TOO_LOW,
            None,
        ),
        (refused("internal error", data="already known"), Reply.ALREADY_KNOWN, None),
        (refused("known transaction: 0x" + "ef" * 32), Reply.ALREADY_KNOWN, "0x" + "ef" * 32),
        (orjson.dumps({"id": 1}), Reply.NO_ANSWER, None),
        (b"[]", Reply.NO_ANSWER, None),
        (b"<html>Bad Gateway", Reply.NO_ANSWER, None),
        (b"", Reply.NO_ANSWER, None),
        (Unanswered("no answer within 5 s"), Reply.NO_ANSWER, None),
        (RpcError("answered 429"), Reply.NO_ANSWER, None),
    ],
)
def test_what_is_said_otherwise_is_understood(
    said: bytes | RpcError, kind: Reply, tx_hash: str | None
) -> None:
    answer = read(said)
    assert (answer.kind, answer.tx_hash) == (kind, tx_hash)
    assert (answer.message == "") is (kind is Reply.ACCEPTED)


@given(
    st.one_of(
        st.binary(), st.recursive(st.none() | st.text() | st.integers(0, 9), st.lists).map(orjson.dumps)
    )
)
def test_nothing_that_an_endpoint_says_breaks_anything(said: bytes) -> None:
    answer = read(said)
    assert len(answer.message) <= 200


@given(st.text())
def test_an_error_is_never_taken_for_having_it_unless_it_says_so(message: str) -> None:
    answer = read(refused(message))
    assert answer.kind is not Reply.ACCEPTED
    assert len(answer.message) <= 200


# --- of real nodes


@dataclass
class Pool:
    """A real node's pool, and somebody with ether who sends into it."""

    rpc: Rpc
    chain_id: int
    rich: str
    sender: LocalAccount
    is_anvil: bool

    async def fund(self, address: str, wei: int) -> None:
        await self.mine(await self.rpc.send(self.rich, address, value=wei, gas=21_000))

    async def mine(self, tx_hash: str) -> None:
        if self.is_anvil:
            await self.rpc.mine()
        receipt = await self.rpc.receipt(tx_hash, 20)
        assert receipt["status"] == "0x1"

    def sign(self, by: LocalAccount | None = None, **changes: Any) -> bytes:
        fields = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": 0,
            "to": "0x" + "11" * 20,
            "value": 1,
            "gas": 21_000,
            "maxFeePerGas": 20 * GWEI,
            "maxPriorityFeePerGas": 2 * GWEI,
            **changes,
        }
        return bytes((by or self.sender).sign_transaction(fields).raw_transaction)

    async def give(self, raw: bytes) -> Answer:
        """What the node's very reply is taken for."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            response = await client.post(
                self.rpc.url.full, content=send_raw_body(raw, 1), headers={"Content-Type": "application/json"}
            )
        return read(response.content)


@pytest.fixture(scope="module")
def anvil(anvil_binary: Path) -> Iterator[Node]:
    with Anvil(anvil_binary, AnvilOptions()) as node:
        yield node


@pytest.fixture(scope="module")
def usual_geth(geth_binary: Path) -> Iterator[Node]:
    with Geth(geth_binary, period=1) as node:
        yield node


@pytest.fixture(scope="module")
def strict_geth(geth_binary: Path) -> Iterator[Node]:
    """Keeps nothing for later: with `--txpool.nolocals` it says what the pool says."""
    node = Geth(geth_binary, period=1)
    node._arguments.append("--txpool.nolocals")
    with node:
        yield node


@asynccontextmanager
async def pool_of(node: Node) -> AsyncIterator[Pool]:
    async with Rpc(node.http_url) as rpc:
        chain_id = int(await rpc.call("eth_chainId"), 16)
        made = Pool(rpc, chain_id, (await rpc.accounts())[0], Account.create(), isinstance(node, Anvil))
        await made.fund(made.sender.address, ETHER)
        yield made


async def accepted(pool: Pool) -> Answer:
    raw = pool.sign()
    answer = await pool.give(raw)
    assert answer.tx_hash == hash_of("0x" + raw.hex())
    return answer


async def already_known(pool: Pool) -> Answer:
    # At a nonce to come, where no block takes it away in between.
    raw = pool.sign(nonce=1)
    await pool.give(raw)
    return await pool.give(raw)


async def nonce_too_low(pool: Pool) -> Answer:
    first = await pool.give(pool.sign())
    assert first.tx_hash is not None
    await pool.mine(first.tx_hash)
    return await pool.give(pool.sign(value=2))


async def replacement_underpriced(pool: Pool) -> Answer:
    await pool.give(pool.sign(nonce=1))
    return await pool.give(pool.sign(nonce=1, value=2))


async def no_funds(pool: Pool) -> Answer:
    return await pool.give(pool.sign(value=2 * ETHER))


async def below_base_fee(pool: Pool) -> Answer:
    return await pool.give(pool.sign(maxFeePerGas=1, maxPriorityFeePerGas=1))


async def no_tip(pool: Pool) -> Answer:
    return await pool.give(pool.sign(maxPriorityFeePerGas=0))


async def too_little_gas(pool: Pool) -> Answer:
    return await pool.give(pool.sign(gas=20_000))


async def more_gas_than_a_block(pool: Pool) -> Answer:
    return await pool.give(pool.sign(gas=2**40, maxFeePerGas=1, maxPriorityFeePerGas=1, value=0))


async def wrong_chain(pool: Pool) -> Answer:
    return await pool.give(pool.sign(chainId=5))


async def garbage(pool: Pool) -> Answer:
    return await pool.give(b"\x02\xc0")


async def delegate(pool: Pool) -> None:
    """Makes the sender a delegated account (EIP-7702)."""
    authorization = pool.sender.sign_authorization(
        {"chainId": pool.chain_id, "address": "0x" + "22" * 20, "nonce": 1}
    )
    answer = await pool.give(pool.sign(type=4, gas=100_000, authorizationList=[authorization]))
    assert answer.tx_hash is not None, answer
    await pool.mine(answer.tx_hash)
    assert (await pool.rpc.call("eth_getCode", pool.sender.address, "latest")).startswith("0xef0100")


async def a_gap_of_a_delegated_account(pool: Pool) -> Answer:
    await delegate(pool)
    # The pool learns of a block after everybody else, and takes a gap until then.
    return await until_refused(pool, range(4, 104))


async def a_second_one_of_a_delegated_account(pool: Pool) -> Answer:
    await delegate(pool)
    return await until_refused(pool, range(2, 102))


async def until_refused(pool: Pool, nonces: Iterable[int]) -> Answer:
    """Gives it one after the other, below the base fee, so that they wait."""
    answer = Answer(Reply.NO_ANSWER)
    for nonce in nonces:
        answer = await pool.give(pool.sign(nonce=nonce, value=0, maxFeePerGas=2, maxPriorityFeePerGas=1))
        if not answer.is_held:
            break
        await asyncio.sleep(0.01)
    return answer


Case = Callable[[Pool], Awaitable[Answer]]

# A pool keeps some transactions that can only be included later.
CASES: list[tuple[Case, dict[str, Reply]]] = [
    (accepted, {"anvil": Reply.ACCEPTED, "usual_geth": Reply.ACCEPTED}),
    (already_known, {"anvil": Reply.ALREADY_KNOWN, "usual_geth": Reply.ALREADY_KNOWN}),
    (nonce_too_low, {"anvil": Reply.NONCE_TOO_LOW, "usual_geth": Reply.NONCE_TOO_LOW}),
    (
        replacement_underpriced,
        {"anvil": Reply.REPLACEMENT_UNDERPRICED, "usual_geth": Reply.REPLACEMENT_UNDERPRICED},
    ),
    (no_funds, {"anvil": Reply.NO_FUNDS, "usual_geth": Reply.NO_FUNDS}),
    (below_base_fee, {"anvil": Reply.FEE_TOO_LOW, "usual_geth": Reply.ACCEPTED}),
    (no_tip, {"anvil": Reply.ACCEPTED, "usual_geth": Reply.UNDERPRICED}),
    (too_little_gas, {"anvil": Reply.GAS_LIMIT, "usual_geth": Reply.GAS_LIMIT}),
    (more_gas_than_a_block, {"anvil": Reply.GAS_LIMIT, "usual_geth": Reply.GAS_LIMIT}),
    (wrong_chain, {"anvil": Reply.WRONG_CHAIN, "usual_geth": Reply.WRONG_CHAIN}),
    (garbage, {"anvil": Reply.REFUSED, "usual_geth": Reply.REFUSED}),
    (a_gap_of_a_delegated_account, {"strict_geth": Reply.GAPPED_DELEGATED}),
    (a_second_one_of_a_delegated_account, {"strict_geth": Reply.IN_FLIGHT_LIMIT}),
]


@pytest.mark.parametrize(
    ("node", "case", "kind"),
    [
        pytest.param(node, case, kind, id=f"{node}-{case.__name__}")
        for case, kinds in CASES
        for node, kind in kinds.items()
    ],
)
async def test_a_real_nodes_answer_is_taken_for_what_it_is(
    request: pytest.FixtureRequest, node: str, case: Case, kind: Reply
) -> None:
    async with pool_of(request.getfixturevalue(node)) as pool:
        answer = await case(pool)
    assert answer.kind is kind, answer


async def test_a_yes_of_geth_is_not_yet_in_its_pool(usual_geth: Node) -> None:
    """Unless it runs with --txpool.nolocals, it says yes to what its pool refuses for now, and tries again later."""
    async with pool_of(usual_geth) as pool:
        await delegate(pool)
        for nonce in range(4, 104):
            answer = await pool.give(pool.sign(nonce=nonce, value=0))
            assert answer.kind is Reply.ACCEPTED
            if await pool.rpc.call("eth_getTransactionByHash", answer.tx_hash) is None:
                return
            await asyncio.sleep(0.01)
    pytest.fail("it has all of them")
