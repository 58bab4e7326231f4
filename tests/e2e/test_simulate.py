"""`mempool-ids simulate` on a real chain: what it says would happen is what happens."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address

from mempool_ids.demo.anvil import Anvil
from mempool_ids.demo.contracts import Deployed, artifact
from mempool_ids.demo.rpc import Rpc
from tests.e2e.conftest import CHAIN_ID, Protocol
from tests.e2e.harness import run
from tests.e2e.scene import fill
from tests.through import through, without_debug

ETHER = 10**18
GAS = 1_000_000


def simulate(
    node: Anvil, protocol: Protocol, transaction: str | Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    contract = json.dumps([{"name": "Vault", "address": protocol.vault.address}])
    settings = [
        f"chain.id={CHAIN_ID}",
        f"chain.rpc_urls={node.http_url}",
        f"contracts={contract}",
    ]
    flags = [flag for setting in settings for flag in ("--set", setting)]
    return run("simulate", transaction, *flags, *arguments)


def report(node: Anvil, protocol: Protocol, transaction: str | Path, *arguments: str) -> dict[str, Any]:
    done = simulate(node, protocol, transaction, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@dataclass
class Attack:
    """Pending, on a vault that others have filled."""

    tx_hash: str
    sender: str


async def attack(protocol: Protocol) -> Attack:
    rpc, vault = protocol.rpc, protocol.vault
    await fill(protocol)
    sender = protocol.accounts[5]
    created = await rpc.send(sender, None, artifact("Attacker").creation(vault.address), gas=GAS)
    await rpc.mine()
    contract = (await rpc.receipt(created, 5))["contractAddress"]
    robbing = Deployed(artifact("Attacker"), contract.lower())
    return Attack(await robbing.send(rpc, sender, "attack()", value=10 * ETHER, gas=GAS), sender)


async def mined(rpc: Rpc, tx_hash: str) -> dict[str, Any]:
    await rpc.mine()
    return await rpc.receipt(tx_hash, 5)


async def test_a_pending_attack_is_shown_before_it_happens_and_as_it_happened_after(
    node: Anvil, protocol: Protocol
) -> None:
    attacked = await attack(protocol)
    head = await protocol.rpc.block_number()
    before = report(node, protocol, attacked.tx_hash)
    done = before["simulation"]
    assert (done["outcome"], done["block"], done["touched"]) == ("succeeded", head + 1, ["Vault"])
    assert {"reentrancy", "outflow"} & {broken["name"] for broken in done["invariants"]}
    assert before["verdict"]["threat_level"] in ("HIGH", "CRITICAL")
    assert await protocol.rpc.is_pending(attacked.tx_hash), "nothing was done"
    assert await protocol.rpc.balance(protocol.vault.address) == 30 * ETHER

    receipt = await mined(protocol.rpc, attacked.tx_hash)
    assert int(receipt["blockNumber"], 16) == done["block"]
    assert int(receipt["gasUsed"], 16) == done["gas_used"]
    lost = {flow["account"]: int(flow["amount"]) for flow in done["flows"]}
    assert lost[protocol.vault.address] == -30 * ETHER == -int(done["outflows"][0]["amount"])
    assert lost[attacked.sender] == 30 * ETHER
    assert await protocol.rpc.balance(protocol.vault.address) == 0

    after = report(node, protocol, attacked.tx_hash)
    assert after["simulation"]["gas_used"] == done["gas_used"]
    assert after["calls"] == before["calls"]
    assert after["simulation"]["invariants"] == done["invariants"]


async def test_a_mined_transaction_is_executed_on_what_the_block_was_before_it(
    node: Anvil, protocol: Protocol
) -> None:
    rpc, vault, sender = protocol.rpc, protocol.vault, protocol.accounts[2]
    first = await protocol.deposit(ETHER)
    # Without the one before it in the same block it would revert.
    second = await vault.send(rpc, sender, "withdraw(uint256)", ETHER, gas=95_000)
    receipts = [await mined(rpc, first), await rpc.receipt(second, 5)]
    assert receipts[0]["blockHash"] == receipts[1]["blockHash"]
    for tx_hash, receipt in zip((first, second), receipts, strict=True):
        reported = report(node, protocol, tx_hash)
        assert not reported["without_earlier"]
        done = reported["simulation"]
        assert done["outcome"] == "succeeded"
        assert done["block"] == int(receipt["blockNumber"], 16)
        assert done["gas_used"] == int(receipt["gasUsed"], 16)


async def test_where_no_node_tells_what_the_block_was_before_it_this_is_said(
    node: Anvil, protocol: Protocol
) -> None:
    rpc, vault, sender = protocol.rpc, protocol.vault, protocol.accounts[2]
    await protocol.deposit(ETHER)
    withdrawal = await vault.send(rpc, sender, "withdraw(uint256)", ETHER, gas=95_000)
    await mined(rpc, withdrawal)
    with through(node, without_debug) as url:
        reported = report(node, protocol, withdrawal, "--set", f"chain.rpc_urls={url}")
        said = simulate(node, protocol, withdrawal, "--set", f"chain.rpc_urls={url}").stdout
    assert reported["without_earlier"]
    assert reported["simulation"]["outcome"] == "reverted"
    assert "no node tells what the block's earlier transactions left" in " ".join(said.split())


async def test_the_block_whose_state_it_is_executed_on_can_be_chosen(node: Anvil, protocol: Protocol) -> None:
    rpc, vault, sender = protocol.rpc, protocol.vault, protocol.accounts[2]
    empty = await rpc.block_number()
    await mined(rpc, await protocol.deposit(ETHER))
    block = await rpc.call("eth_getBlockByNumber", "latest", False)
    withdrawal = await vault.send(rpc, sender, "withdraw(uint256)", ETHER, gas=95_000)
    outcomes = [
        report(node, protocol, withdrawal, "--block", chosen)["simulation"]
        for chosen in (str(empty), "latest", block["hash"])
    ]
    # On the empty vault's state its nonce is not the next one either, which a pending one's need not be.
    assert [done["outcome"] for done in outcomes] == ["reverted", "succeeded", "succeeded"]
    assert [done["block"] - empty for done in outcomes] == [1, 2, 2]


async def test_what_was_never_sent_is_executed_from_its_signed_bytes_and_from_json(
    node: Anvil, protocol: Protocol, tmp_path: Path
) -> None:
    rpc, vault = protocol.rpc, protocol.vault
    key = Account.from_key("0x" + "01" * 32)
    sender = key.address.lower()
    await mined(rpc, await rpc.send(protocol.accounts[1], sender, value=2 * ETHER, gas=21_000))
    data = vault.artifact.calldata("deposit()")
    fields = {
        "to": to_checksum_address(vault.address),
        "value": ETHER,
        "data": data,
        "gas": 95_000,
        "nonce": 0,
        "chainId": CHAIN_ID,
        "maxFeePerGas": 50 * 10**9,
        "maxPriorityFeePerGas": 10**9,
    }
    signed = key.sign_transaction(fields)
    raw = "0x" + bytes(signed.raw_transaction).hex()
    by_bytes = report(node, protocol, raw)
    assert by_bytes["tx"]["from"] == sender
    assert by_bytes["tx"]["hash"] == "0x" + bytes(signed.hash).hex()
    assert by_bytes["calls"][0]["function"] == "deposit()"
    assert by_bytes["simulation"]["outcome"] == "succeeded"
    assert int(await rpc.call("eth_getTransactionCount", sender, "pending"), 16) == 0, "nothing was sent"

    file = tmp_path / "raw.txt"
    file.write_text(raw + "\n")
    assert report(node, protocol, file) == by_bytes

    sent = await rpc.call("eth_sendRawTransaction", raw)
    known = await rpc.call("eth_getTransactionByHash", sent)
    for name, content in {
        "tx.json": known,
        "answer.json": {"jsonrpc": "2.0", "id": 1, "result": known},
    }.items():
        file = tmp_path / name
        file.write_text(json.dumps(content))
        assert report(node, protocol, file) == by_bytes
    assert int((await mined(rpc, sent))["gasUsed"], 16) == by_bytes["simulation"]["gas_used"]


@pytest.mark.parametrize("backend", ["debug_trace_call", "eth_simulate_v1"])
async def test_a_node_that_executes_it_finds_the_same_gas_and_flows(
    backend: str, node: Anvil, protocol: Protocol
) -> None:
    attacked = await attack(protocol)
    ours = report(node, protocol, attacked.tx_hash)["simulation"]
    theirs = report(node, protocol, attacked.tx_hash, "--set", f"simulation.backend={backend}")["simulation"]
    for field in ("outcome", "block", "gas_used", "flows"):
        assert theirs[field] == ours[field], field


async def test_the_terminal_shows_calls_by_name_and_the_verdict(node: Anvil, protocol: Protocol) -> None:
    attacked = await attack(protocol)
    done = simulate(node, protocol, attacked.tx_hash)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("Vault.withdraw(amount=10000000000000000000)") == 4
    assert "Vault    -30.000000  ETH" in done.stdout
    assert "✗ reentrancy of Vault: " in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith(("proved, HIGH 0.", "proved, CRITICAL 0.", "proved, CRITICAL 1."))


async def test_what_the_node_does_not_know_is_exit_code_1(node: Anvil, protocol: Protocol) -> None:
    unknown = simulate(node, protocol, "0x" + "12" * 32)
    assert unknown.returncode == 1, unknown.stderr
    sent = await protocol.deposit(ETHER)
    future = simulate(node, protocol, sent, "--block", "1000000")
    assert future.returncode == 1, future.stderr
    wrong = simulate(node, protocol, sent, "--set", "chain.id=5")
    assert wrong.returncode == 1, wrong.stderr
    for done in (unknown, future, wrong):
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
