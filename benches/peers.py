"""What others need for the same work, on this machine, in the same run. Each peer's answers are checked."""

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benches import cargo

RECEIVE_COUNT = 20_000
# What web3.py receives before its handler is registered does not reach it.
LOST_AT_START = 2_000


def per_call_us(call: Callable[[], Any], seconds: float = 1.0) -> float:
    """Median microseconds of a call, over at least 30 of them."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 30 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def web3_receives() -> dict[str, Any]:
    """Transactions a second that web3.py's subscription merely hands over, from the sensor's feed."""
    with cargo.feed(RECEIVE_COUNT + LOST_AT_START) as url:
        seconds = asyncio.run(_receive(url))
    return {"tx_per_second": RECEIVE_COUNT / seconds, "count": RECEIVE_COUNT}


async def _receive(url: str) -> float:
    from web3 import AsyncWeb3, WebSocketProvider
    from web3.utils.subscriptions import PendingTxSubscription

    seen = 0
    start = 0.0
    done = asyncio.Event()

    async def handler(context: Any) -> None:
        nonlocal seen, start
        assert context.result["hash"] is not None
        if seen == 0:
            start = time.perf_counter()
        seen += 1
        if seen == RECEIVE_COUNT:
            done.set()

    provider = WebSocketProvider(
        url, websocket_kwargs={"max_size": 2**26}, subscription_response_queue_size=1 << 20
    )
    async with AsyncWeb3(provider) as w3:
        await w3.subscription_manager.subscribe(
            PendingTxSubscription(full_transactions=True, handler=handler)
        )
        task = asyncio.create_task(w3.subscription_manager.handle_subscriptions())
        await asyncio.wait_for(done.wait(), 120)
        seconds = time.perf_counter() - start
        task.cancel()
    return seconds


def decoding() -> dict[str, float]:
    """Microseconds to decode one swap's calldata: eth-abi with the types at hand, web3.py with the contract's ABI."""
    from eth_abi import decode, encode
    from web3 import Web3

    types = ["uint256", "uint256", "address[]", "address", "uint256"]
    path = ["0x" + f"{n:040x}" for n in (1, 2, 3)]
    values = (10**18, 10**17, path, "0x" + f"{9:040x}", 1_700_000_000)
    calldata = bytes.fromhex("38ed1739") + encode(types, values)
    assert decode(types, calldata[4:])[2] == tuple(path)
    names = ["amountIn", "amountOutMin", "path", "to", "deadline"]
    inputs = [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)]
    function = {
        "type": "function",
        "name": "swapExactTokensForTokens",
        "stateMutability": "nonpayable",
        "inputs": inputs,
        "outputs": [],
    }
    contract = Web3().eth.contract(abi=[function])
    assert contract.decode_function_input(calldata)[1]["amountIn"] == 10**18
    return {
        "eth_abi_us": per_call_us(lambda: decode(types, calldata[4:])),
        "web3_us": per_call_us(lambda: contract.decode_function_input(calldata)),
    }


def inference() -> dict[str, float]:
    """Microseconds for one row: scikit-learn with a model of the shipped one's size, onnxruntime from Python with the
    shipped one."""
    import onnxruntime
    from sklearn.ensemble import RandomForestClassifier

    models = cargo.ROOT / "models"
    manifest = json.loads((models / "manifest.json").read_text())
    entry = manifest["models"][manifest["default"]]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(models / entry["file"], options)
    rng = np.random.default_rng(0)
    rows = rng.random((4096, 22), dtype=np.float32)
    # Labels are noise: only the cost of asking is measured.
    forest = RandomForestClassifier(**entry["training"]["parameters"], n_jobs=1, random_state=0).fit(
        rows, rng.integers(0, 2, 4096)
    )
    row = rows[:1]
    answer = session.run([entry["output"]], {entry["input"]: row})[0]
    assert 0 <= float(np.ravel(answer)[0]) <= 1
    return {
        "scikit_learn_us": per_call_us(lambda: forest.predict_proba(row)),
        "onnxruntime_python_us": per_call_us(lambda: session.run([entry["output"]], {entry["input"]: row})),
    }
