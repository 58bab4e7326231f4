"""The simulator beside nodes and py-evm: the same transactions on the same state, in the same run, answers compared.

`ANVIL=… GETH=… PY_EVM=… python -m benches.simulators [--quick]` prints the figures. A peer that is not named is left
out, which is said; `PY_EVM` is a Python that has py-evm.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benches import cargo, nodes

BLOCKS = (18_988_207, 19_426_586, 19_932_148, 19_933_612)
"""After the merge, which all peers still know, and of some hundred transactions; two of Shanghai, two of Cancun."""

RUNS = 5
"""Of each transaction; the median counts."""

Transaction = dict[str, Any]
Ask = Callable[[dict[str, Any], Transaction], bytes]
"""The request for a transaction of a block."""


def measure(quick: bool = False, profile: str = "dist") -> dict[str, Any]:
    """Figures of the simulator alone, and of each peer beside it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "own.json")
        arguments = ["--json", str(path), *(["--quick"] if quick else [])]
        _run(cargo.command("simulate", *arguments, profile=profile))
        own = json.loads(path.read_text())
        if own is None:
            return {"own": None, "peers": {}}
        numbers = BLOCKS[1:3] if quick else BLOCKS
        _run(cargo.command("simulate", "export", folder, *map(str, numbers), profile=profile))
        files = [Path(folder, f"{number}.json") for number in numbers]
        return {"own": own, "peers": _peers(files)}


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=cargo.ROOT, check=True, stdout=sys.stderr)


def _peers(files: list[Path]) -> dict[str, Any]:
    blocks = [json.loads(path.read_text()) for path in files]
    found: dict[str, Any] = {}
    for client in ("anvil", "geth"):
        binary = os.environ.get(client.upper())
        if not binary:
            _skipped(client)
            continue
        for method, ask in METHODS.items():
            found[f"{client} {method}"] = _compare(blocks, partial(_node, client, binary, ask))
    if python := os.environ.get("PY_EVM"):
        answers = {block["number"]: _py_evm(python, path) for block, path in zip(blocks, files, strict=True)}
        found["py-evm"] = _compare(blocks, lambda block: answers[block["number"]])
    else:
        _skipped("py_evm")
    return found


def _skipped(name: str) -> None:
    print(f"WARNING: {name.upper()} is not set: the simulator is not compared with {name}", file=sys.stderr)


def trace_call(block: dict[str, Any], transaction: Transaction) -> bytes:
    overrides = _environment(block) | {"number": block["number"]}
    config = {"tracer": "callTracer", "blockOverrides": overrides}
    return nodes.request("debug_traceCall", _call(transaction), "latest", config)


def simulate(block: dict[str, Any], transaction: Transaction) -> bytes:
    # Not its number: the node would make all the blocks between.
    calls = {"blockOverrides": _environment(block), "calls": [_call(transaction)]}
    options = {"blockStateCalls": [calls], "traceTransfers": True, "validation": False}
    return nodes.request("eth_simulateV1", options, "latest")


METHODS: dict[str, Ask] = {
    "debug_traceCall": trace_call,
    "eth_simulateV1": simulate,
}


def _environment(block: dict[str, Any]) -> dict[str, Any]:
    same = {"gasLimit": "gasLimit", "coinbase": "feeRecipient", "mixHash": "prevRandao"}
    same |= {"timestamp": "time", "baseFeePerGas": "baseFeePerGas"}
    return {name: block[ours] for ours, name in same.items()}


def _call(transaction: Transaction) -> dict[str, Any]:
    # Some follow others of their sender that are not there: the nonce is the next one.
    return {key: value for key, value in transaction["call"].items() if key != "nonce"}


Answers = list[tuple[float, int] | None]
"""Microseconds and gas of each transaction; None where the peer refused it."""


def _node(client: str, binary: str, ask: Ask, block: dict[str, Any]) -> tuple[float, Answers]:
    with nodes.running(client, binary, block) as rpc:
        ping = nodes.request("eth_chainId")
        floor = statistics.median(rpc.send(ping)[0] for _ in range(200)) * 1e6
        answers: Answers = []
        for transaction in block["transactions"]:
            body = ask(block, transaction)
            times, answer = zip(*(rpc.send(body) for _ in range(RUNS)), strict=True)
            gas = _gas_used(json.loads(answer[0]))
            answers.append(None if gas is None else (statistics.median(times) * 1e6, gas))
    return floor, answers


def _gas_used(answer: dict[str, Any]) -> int | None:
    if "result" not in answer:
        return None
    result = answer["result"]
    call = result[0]["calls"][0] if isinstance(result, list) else result
    return int(call["gasUsed"], 16)


def _py_evm(python: str, path: Path) -> tuple[float, Answers]:
    script = Path(__file__).with_name("py_evm.py")
    done = subprocess.run([python, str(script), str(path)], check=True, stdout=subprocess.PIPE)
    return 0.0, [tuple(answer) if answer else None for answer in json.loads(done.stdout)]


def _compare(
    blocks: list[dict[str, Any]], run: Callable[[dict[str, Any]], tuple[float, Answers]]
) -> dict[str, Any]:
    """Times where the peer used the same gas as we did, so that it did the same work."""
    floors, refused, other_gas = [], 0, 0
    ours: list[float] = []
    theirs: list[float] = []
    for block in blocks:
        floor, answers = run(block)
        floors.append(floor)
        for transaction, answer in zip(block["transactions"], answers, strict=True):
            if answer is None:
                refused += 1
            elif answer[1] != transaction["gas_used"]:
                other_gas += 1
            else:
                ours.append(transaction["us"])
                theirs.append(answer[0])
    if not ours:
        raise RuntimeError(f"nothing to compare: {refused} refused, {other_gas} with other gas")
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True))
    return {
        "transactions": len(ours),
        "refused": refused,
        "other_gas": other_gas,
        "floor_us": statistics.median(floors),
        "us": _spread(theirs),
        "ours_us": _spread(ours),
        "ratio": _spread(ratios),
        "ratio_of_sums": sum(theirs) / sum(ours),
        "tenfold_share": sum(ratio >= 10 for ratio in ratios) / len(ratios),
    }


def _spread(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p10": cuts[9], "p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": max(values)}


if __name__ == "__main__":
    print(json.dumps(measure("--quick" in sys.argv), indent=1))
