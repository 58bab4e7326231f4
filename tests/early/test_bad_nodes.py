"""Nodes that trace wrongly, or have no state: the sensor goes on with what is left, and counts what it does not see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.early.hostile import early, sensing
from tests.early.test_deployed import configure, early_alerts
from tests.early.traps import TRAPS
from tests.through import Change, through, through_socket

pytestmark = pytest.mark.timeout(120)

STATE = {
    *("eth_getBalance", "eth_getTransactionCount", "eth_getCode", "eth_getStorageAt", "eth_getProof"),
    # What a transaction reads is asked for all at once with this one.
    "debug_traceCall",
}


def damaged(node: Node) -> Change:
    """Each way to trace a block is damaged in a way of its own."""

    def change(request: dict[str, Any]) -> dict[str, Any] | None:
        method, params = request["method"], request["params"]
        if method == "trace_block":
            return {"result": None}
        if method != "debug_traceBlockByHash":
            return None
        told = httpx2.post(node.http_url, json=request).json()["result"]
        if params[1]["tracer"] == "callTracer":
            for trace in told:
                # Fields that are missing, null, and of another type.
                trace["result"].pop("from", None)
                trace["result"] |= {"output": None, "calls": 7, "type": ["CREATE"]}
            return {"result": told}
        return {"result": [{"result": {"pre": "0x", "post": [each]}} for each in told]}

    return change


def pruned(request: dict[str, Any]) -> dict[str, Any] | None:
    """Of no block the state is there."""
    said = ("missing trie node", "header not found", "required historical state unavailable")
    error = {"code": -32000, "message": said[request["id"] % len(said)]}
    return {"error": error} if request["method"] in STATE else None


@pytest.mark.parametrize("node", ["damaged", "without an answer"])
async def test_where_traces_are_damaged_receipts_tell_of_contracts(
    node: str, anvil_binary: Path, tmp_path: Path
) -> None:
    with Anvil(anvil_binary, AnvilOptions(block_time=1)) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            trap = await TRAPS["reentrancy"](rpc)
            config = configure(tmp_path / "run", anvil, {"reentrancy": trap})
            silent: Change = lambda request: 500 if "trace" in request["method"] else None  # noqa: E731
            change = damaged(anvil) if node == "damaged" else silent
            with through(anvil, change) as url:
                async with sensing(config, f'chain.rpc_urls=["{url}"]') as sensor:
                    contract = await trap.place()
                    await trap.stage.settle()
                    await sensor.until(
                        lambda: bool(early_alerts(sensor.events(), contract)), "the attack to be told", 30
                    )
                    await sensor.until(lambda: early(sensor)["blocks_untraced"] > 0, "it to be counted")
                    assert early(sensor)["method"] == "receipts"


async def test_where_the_state_is_pruned_scores_still_alert_and_the_rest_is_counted(
    anvil_binary: Path, tmp_path: Path
) -> None:
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            trap = await TRAPS["reentrancy"](rpc)
            config = configure(tmp_path / "run", anvil, {"reentrancy": trap})
            async with through_socket(anvil, pruned) as socket:
                with through(anvil, pruned) as url:
                    nodes = (f'chain.rpc_urls=["{url}"]', f'chain.websocket_urls=["{socket}"]')
                    thresholds = ("early.high_precision=0.2", "early.high_recall=0.1")
                    async with sensing(config, *nodes, *thresholds) as sensor:
                        contract = await trap.place()

                        def is_told() -> bool:
                            return bool(early_alerts(sensor.events(), contract))

                        def is_counted() -> bool:
                            figures = early(sensor)
                            return (
                                figures["detonations_failed"] > 0 and figures["deployments_unexecuted"] == 1
                            )

                        await sensor.until(is_told, "the attack to be told", 30)
                        await sensor.until(is_counted, "what failed to be counted")
                        (alert,) = early_alerts(sensor.events(), contract)
            assert alert["early"]["reason"] == "high_precision"
            assert alert["early"]["contract"]["detonation"] is None
