"""The bench on recorded blocks: the node serves what the record has, a live sensor judges all of one block."""

from __future__ import annotations

import json

import pytest
from benches.quality import chart, recorded
from benches.quality.blocks import GRADES, alarms, judged, parts, section
from benches.quality.calls import calls
from benches.quality.classes import class_of
from benches.quality.fake_node import FakeNode
from benches.quality.popular import popular
from benches.quality.recorded import Account, Block
from websockets.asyncio.client import connect

from tests.support import labelled_data

SMALL = 19_923_400
"""24 transactions."""
DATA = labelled_data()
WITH_DATA = pytest.mark.skipif(
    not (DATA / recorded.BLOCKS).exists(), reason=f"{DATA / recorded.BLOCKS} is not there"
)
PLAIN = "0x" + "11" * 20
LOST = "0x" + "22" * 20
STRANGER = "0x" + "33" * 20


@pytest.fixture(scope="module")
def block() -> Block:
    return next(one for one in recorded.blocks(DATA) if one.number == SMALL)


def made_up(**state: Account) -> Block:
    header = {
        "number": "0x64",
        "timestamp": "0x65000000",
        "parentHash": "0x" + "ab" * 32,
        "miner": PLAIN,
        "gasLimit": "0x1c9c380",
        "difficulty": "0x0",
        "baseFeePerGas": "0x7",
    }
    accounts = {PLAIN: Account(5, 2, "0x6001", {1: 7}), LOST: Account(0, 1, None, {}), **state}
    return Block(header, ({"hash": "0x" + "cd" * 32, "to": PLAIN},), accounts)


async def asked(url: str, *questions: tuple[str, list[object]]) -> list[object]:
    """Results, or errors' messages."""
    async with connect(url) as connection:
        answers = []
        for number, (method, params) in enumerate(questions):
            await connection.send(json.dumps({"id": number, "method": method, "params": params}))
            answer = json.loads(await connection.recv())
            answers.append(answer.get("result", answer.get("error", {}).get("message")))
        return answers


async def test_the_node_answers_what_was_recorded_and_counts_what_was_not() -> None:
    async with FakeNode.running(made_up()) as node:
        known = await asked(
            node.url,
            ("eth_getBalance", [PLAIN, "latest"]),
            ("eth_getTransactionCount", [PLAIN, "latest"]),
            ("eth_getCode", [PLAIN, "latest"]),
            ("eth_getStorageAt", [PLAIN, "0x1", "latest"]),
            ("eth_blockNumber", []),
        )
        assert known == ["0x5", "0x2", "0x6001", f"0x{7:064x}", "0x63"]
        assert not node.unrecorded
        missing = await asked(
            node.url,
            ("eth_getStorageAt", [PLAIN, "0x2", "latest"]),
            ("eth_getBalance", [STRANGER, "latest"]),
            ("eth_getCode", [LOST, "latest"]),
        )
        assert missing == [f"0x{0:064x}", "0x0", "this code was not recorded"]
        assert set(node.unrecorded) == {f"{PLAIN} 0x2", STRANGER, f"code of {LOST}"}
        assert await asked(node.url, ("debug_traceCall", [])) == [
            "the method does not exist/is not available"
        ]


def test_a_contract_that_calls_pairs_is_none() -> None:
    functions = ("0902f1ac", "0dfe1681", "022c0d9f")
    pair = "0x" + "".join(f"8063{selector}14610001" for selector in functions)
    caller = "0x" + "".join(f"63{selector}60e01b" for selector in functions)
    block = made_up(**{STRANGER: Account(0, 1, pair, {}), LOST: Account(0, 1, caller, {})})
    assert class_of(block, STRANGER, 9, is_popular=False) == "v2 pair"
    assert class_of(block, LOST, 1, is_popular=False) == "wallet"
    assert class_of(block, LOST, 9, is_popular=True) == "service"


def test_a_factory_is_not_what_it_creates() -> None:
    created = "".join(f"8063{selector}14610001" for selector in ("0902f1ac", "0dfe1681", "022c0d9f"))
    block = made_up(**{STRANGER: Account(0, 1, "0x8063c9c6539614610001" + "5b" * 3_000 + created, {})})
    assert class_of(block, STRANGER, 9, is_popular=True) == "service"


def test_a_clone_is_what_its_implementation_is() -> None:
    token = "0x" + "".join(f"8063{selector}14610001" for selector in ("a9059cbb", "70a08231", "18160ddd"))
    clone = f"0x363d3d373d3d3d363d73{STRANGER[2:]}5af43d82803e903d91602b57fd5bf3"
    block = made_up(**{STRANGER: Account(0, 1, token, {}), LOST: Account(0, 1, clone, {})})
    assert class_of(block, LOST, 1, is_popular=False) == "token"


@WITH_DATA
async def test_every_transaction_of_a_block_is_judged_and_the_counts_add_up(block: Block) -> None:
    known = popular()
    async with FakeNode.running(block) as node:
        told = await calls(node, block)
    hashes = {transaction["hash"] for transaction in block.transactions}
    assert told.called.keys() | told.unjudged <= hashes
    assert not told.called.keys() & told.unjudged
    # Whoever is called directly, and has code, is called.
    contracts = block.contracts()
    direct = {one["hash"]: one["to"] for one in block.transactions if one["to"] in contracts}
    assert all(
        to in told.called[transaction] for transaction, to in direct.items() if transaction in told.called
    )
    assert direct.keys() <= told.called.keys() | told.unjudged

    result = await judged(block, known)
    assert result["transactions"] + result["left_out"] == len(hashes)
    assert not result["failures"]
    assert result["calls"].keys() == result["monitored"].keys()
    assert 0 < result["contacts"] <= sum(result["calls"].values())
    assert {alert["hash"] for alert in result["alone"]} <= {alert["hash"] for alert in result["alerts"]}

    counted = alarms([result])
    assert sum(counts["calls"] for counts in counted.values()) == sum(result["calls"].values())
    assert sum(counts[grade] for counts in counted.values() for grade in GRADES) == len(result["alone"])
    assert [len(some) for some in parts([result]).values()] == [1, 0, 1]
    report = "\n".join(section({"blocks": [result]}))
    assert all(alert["hash"] in report for alert in result["alerts"])


def test_the_chart_has_a_bar_for_each_class() -> None:
    drawn = chart.rates({"token": {"calls": 1000, "proved": 2}, "wallet": {"calls": 10}}, GRADES)
    assert "token" in drawn
    assert "wallet" in drawn
    assert ">2.0<" in drawn
