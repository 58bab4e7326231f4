"""What the sensor asks of a node is answered by anvil and by geth, and where it looks alike, it is alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import websockets

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.contracts import Deployed, artifact
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc

SLOT = f"0x{1:064x}"
DEPOSIT = 10**18


@pytest.fixture(params=["anvil", "geth"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node that mines by itself, so that one test serves both."""
    if request.param == "geth":
        yield request.getfixturevalue("geth")
    else:
        with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions(block_time=1)) as anvil:
            yield anvil


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    async with Rpc(node.http_url) as connected:
        yield connected


async def vault_of(rpc: Rpc, owner: str) -> Deployed:
    creation = await rpc.send(owner, None, artifact("Vault").creation(owner))
    receipt = await rpc.receipt(creation, 10)
    return Deployed(artifact("Vault"), receipt["contractAddress"])


async def test_a_pending_transaction_is_announced_with_its_contents(node: Node, rpc: Rpc) -> None:
    (sender, *_) = await rpc.accounts()
    async with websockets.connect(node.websocket_url, proxy=None) as socket:
        subscribe = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe"}
        await socket.send(json.dumps({**subscribe, "params": ["newPendingTransactions", True]}))
        await asyncio.wait_for(socket.recv(), 5)
        tx_hash = await rpc.send(sender, sender, value=1, gas=21_000)
        announced = json.loads(await asyncio.wait_for(socket.recv(), 5))["params"]["result"]
    assert announced["hash"] == tx_hash
    assert announced["from"] == sender
    assert announced["blockNumber"] is None
    assert {"r", "s", "yParity", "maxFeePerGas", "accessList"} <= announced.keys()


async def test_state_can_be_had_from_tracers_proofs_and_access_lists(rpc: Rpc) -> None:
    (sender, *_) = await rpc.accounts()
    vault = await vault_of(rpc, sender)
    sent = await vault.send(rpc, sender, "deposit()", value=DEPOSIT)
    receipt = await rpc.receipt(sent, 10)
    assert receipt["status"] == "0x1"
    block = receipt["blockNumber"]
    before = hex(int(block, 16) - 1)

    # A block's diff: what the slot was not, and what it became.
    diff = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True, "disableCode": True}}
    (traced,) = await rpc.call("debug_traceBlockByHash", receipt["blockHash"], diff)
    assert traced["txHash"] == sent
    assert SLOT not in traced["result"]["pre"][vault.address].get("storage", {})
    assert "code" not in traced["result"]["pre"][vault.address]
    assert int(traced["result"]["post"][vault.address]["storage"][SLOT], 16) == DEPOSIT

    # What was created was nothing before.
    creation = await rpc.send(sender, None, vault.artifact.creation(sender), gas=2_000_000)
    made = await rpc.receipt(creation, 10)
    (created,) = await rpc.call("debug_traceBlockByHash", made["blockHash"], diff)
    address = made["contractAddress"].lower()
    assert address in created["result"]["post"]
    assert address not in created["result"]["pre"]
    assert "code" not in created["result"]["post"][address]

    # What a call would need, and do, at a block of the past.
    data = vault.artifact.calldata("deposit()")
    call = {"from": sender, "to": vault.address, "data": data, "value": hex(DEPOSIT), "gas": hex(200_000)}
    needed = await rpc.call("debug_traceCall", call, before, {"tracer": "prestateTracer"})
    assert int(needed[vault.address]["storage"][SLOT], 16) == 0
    assert needed[vault.address]["code"] == await rpc.call("eth_getCode", vault.address, before)
    done: dict[str, Any] = await rpc.call("debug_traceCall", call, "latest", diff)
    assert int(done["post"][vault.address]["storage"][SLOT], 16) == 2 * DEPOSIT
    tree = await rpc.call("debug_traceCall", call, "latest", {"tracer": "callTracer"})
    assert (tree["type"], tree["to"]) == ("CALL", vault.address)

    # The same slot by the other ways.
    listed = (await rpc.call("eth_createAccessList", call, "latest"))["accessList"]
    assert SLOT in next(entry for entry in listed if entry["address"] == vault.address)["storageKeys"]
    proof = await rpc.call("eth_getProof", vault.address, [SLOT], block)
    assert proof["storageProof"][0]["value"] == hex(DEPOSIT)
    simulated = {"blockStateCalls": [{"calls": [call]}]}
    ((outcome,),) = [block["calls"] for block in await rpc.call("eth_simulateV1", simulated, "latest")]
    assert (outcome["status"], len(outcome["logs"])) == ("0x1", 1)
    assert (await rpc.call("txpool_content")).keys() == {"pending", "queued"}
