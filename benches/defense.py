"""The defense, on a real node with real attacks: how long from a verdict to bytes on the wire, and what arming takes.

`python -m benches.defense [--quick]` prints the figures. Each attack is a transaction of its own on a vault of its own,
pending in anvil; each answer is checked: the pause is in the node's pool, and outbids the attack.
"""

import asyncio
import contextlib
import json
import os
import secrets
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from eth_account import Account
from tests.defense.answering import Asked, answering
from tests.defense.races import GWEI, configuration, name_of
from tests.defense.scenes import Scene, reentrancy
from tests.e2e.harness import SensorProcess

from mempool_ids.config import IDSConfig
from mempool_ids.config.defense import Defense, EnvironmentSigner
from mempool_ids.config.values import Secret
from mempool_ids.defense.armed import Call
from mempool_ids.defense.arming import Armory
from mempool_ids.defense.gas import GasStrategy
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.journal import Journal
from mempool_ids.defense.signers import signer
from mempool_ids.defense.signers.local import LocalSigner
from mempool_ids.defense.transaction import Transaction
from mempool_ids.demo.anvil import Anvil, AnvilOptions, find_anvil
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.timeline import alert_to_wire_us

VAULTS = 16
"""Attacked by a round, each once; all are armed by one guardian."""
SIGNER_MS = 50
"""Of the remote signer: what a KMS takes."""
CONTRACTS, RUNGS = 100, 16
"""What is armed anew."""
QUIET_S = 0.2
"""The sensor is left alone with an attack for so long."""
KEY = "MEMPOOL_IDS_BENCH_KEY"


def measure(quick: bool = False) -> dict[str, Any]:
    """All figures, in µs unless named otherwise."""
    return {
        "local_key": asyncio.run(_wire(1 if quick else 10)),
        "remote_signer": asyncio.run(_wire(1 if quick else 4, remote=True)),
        "exact_us": asyncio.run(_exact(500 if quick else 5_000)),
        "rearming": asyncio.run(_rearm()),
    }


async def _wire(rounds: int, *, remote: bool = False) -> dict[str, Any]:
    """From verdict to wire, over so many rounds of `VAULTS` attacks, each by a sensor in a process of its own."""
    done = [await _round(remote) for _ in range(rounds)]
    took = [us for each, _ in done for us in each]
    return {
        "attacks": len(took),
        "signer_ms": SIGNER_MS if remote else 0,
        "verdict_to_wire_us": _quantiles(took),
        "in_python_us": statistics.median(in_python for _, in_python in done),
    }


async def _round(remote: bool) -> tuple[tuple[float, ...], float]:
    """One attack on each vault: µs from each verdict to the wire, and the median of Python's part of it."""
    with Anvil(find_anvil(), AnvilOptions()) as node, tempfile.TemporaryDirectory() as folder:
        async with Rpc(node.http_url) as rpc:
            scenes: list[Scene] = []
            for _ in range(VAULTS):
                scenes.append(await reentrancy(rpc, scenes[0].guardian if scenes else None))
            key = scenes[0].guardian.key
            with answering(lambda asked: _sign(key, asked)) as server:
                section = {"type": "jsonrpc", "url": server.url, "address": key.address.lower()}
                more = {"signer": section} if remote else {}
                config = configuration(node, scenes, Path(folder), **more)
                sensor = SensorProcess(["run", *_settings(config)], Path(folder))
                try:
                    await sensor.wait_ready()
                    for scene in scenes:
                        await _attack(sensor, rpc, scene, name_of(scenes, scene))
                    await sensor.terminate()
                    events = sensor.events()
                finally:
                    sensor.close()
    figures = [event for event in events if event["event_type"] == "stats"][-1]["stats"]["defense"]
    assert figures["actions"] == VAULTS, figures
    by_type = {
        kind: [event for event in events if event["event_type"] == kind] for kind in ("alert", "response")
    }
    took = alert_to_wire_us(by_type["alert"], by_type["response"])
    assert len(took) == VAULTS, took
    return took, figures["decide_us"]["p50"]


def _settings(config: IDSConfig) -> list[str]:
    """The configuration as flags: whole sections, as JSON."""
    given = config.model_dump(mode="json", exclude_unset=True)
    given["chain"] |= {
        "websocket_urls": [url.full for url in config.chain.websocket_urls],
        "rpc_urls": [url.full for url in config.chain.rpc_urls],
    }
    given["alerts"]["stats_interval_s"] = 1.0
    flags = [f"{name}={json.dumps(value)}" for name, value in given.items()]
    return [part for flag in flags for part in ("--set", flag)]


async def _attack(sensor: SensorProcess, rpc: Rpc, scene: Scene, name: str) -> None:
    """One attack and its answer; the next waits until the next nonces are armed."""
    sent = await scene.attack(2 * GWEI)
    # Whoever reads its log meanwhile takes the processor from it.
    await asyncio.sleep(QUIET_S)

    def answers() -> list[dict[str, Any]]:
        events = sensor.events()
        responses = [event for event in events if event["event_type"] == "response"]
        return [event for event in responses if event["target"] == name and event["state"] == "sent"]

    await sensor.until(lambda: bool(answers()), f"an answer for {name}", 30.0)
    known = await rpc.call("eth_getTransactionByHash", answers()[0]["tx_hash"])
    while known is None:
        await asyncio.sleep(0.01)
        known = await rpc.call("eth_getTransactionByHash", answers()[0]["tx_hash"])
    assert int(known["maxPriorityFeePerGas"], 16) > sent.tip
    assert known["to"] == scene.contract.address
    answered = answers()[0]["nonce"] + 1

    def is_armed() -> bool:
        figures = [event for event in sensor.events() if event["event_type"] == "stats"]
        [guardian] = figures[-1]["stats"]["defense"]["guardians"] if figures else [{"taken": 0, "free": 0}]
        return bool(guardian["taken"] >= answered and guardian["free"] >= 2)

    await sensor.until(is_armed, "the next nonces to be armed", 120.0)


def _sign(key: Any, asked: Asked) -> tuple[int, Any]:
    """`eth_signTransaction`, as slow as a KMS."""
    request = asked.json
    if request["method"] == "eth_accounts":
        result: Any = [key.address]
    elif request["method"] == "eth_signTransaction":
        time.sleep(SIGNER_MS / 1000)
        [given] = request["params"]
        fields = {name: given[name] for name in given if name not in ("from", "input")}
        fields["data"] = given.get("data", given.get("input", "0x"))
        signed = key.sign_transaction(fields)
        result = {"raw": signed.raw_transaction.to_0x_hex(), "tx": {}}
    else:
        return 200, {
            "jsonrpc": "2.0",
            "id": request["id"],
            "error": {"code": -32601, "message": "no such method"},
        }
    return 200, {"jsonrpc": "2.0", "id": request["id"], "result": result}


async def _open(chain_id: int) -> LocalSigner:
    os.environ[KEY] = secrets.token_hex(32)
    one = signer(EnvironmentSigner(type="environment", key=Secret(f"env:{KEY}")))
    await one.open(chain_id)
    assert isinstance(one, LocalSigner)
    return one


async def _exact(count: int) -> dict[str, float]:
    """One signature with a key in this process: hash, sign, recover, assemble."""
    key = await _open(1)
    took = []
    for nonce in range(count):
        transaction = Transaction(1, nonce, "0x" + "11" * 20, 0, bytes(4), 60_000, 300 * GWEI, 3 * GWEI)
        started = time.perf_counter()
        signed = key.sign_now(transaction)
        took.append((time.perf_counter() - started) * 1e6)
    assert Account.recover_transaction(signed.raw).lower() == key.address
    return _quantiles(took)


async def _rearm() -> dict[str, float]:
    """Ladders of many contracts signed anew and journaled, and what the loop feels of it."""
    key = await _open(1)
    guardian = Guardian(key.address, key, latest=7, balance=10**20)
    targets = [
        Protected(f"Vault {number}", f"0x{number:040x}", Call(f"0x{number:040x}", bytes(4)), None, 60_000)
        for number in range(1, CONTRACTS + 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder, "defense.db"), chain_id=1, guardian=key.address)

        async def journaled(rungs: Any) -> None:
            await asyncio.to_thread(journal.arm, rungs)

        config = Defense(nonces=1, rungs=RUNGS)
        armory = Armory(
            config,
            GasStrategy(config.gas),
            guardian,
            1,
            "eip1559",
            journaled,
            contextlib.nullcontext(),
        )
        lags: list[float] = []
        watching = asyncio.create_task(_lag(lags))
        started = time.perf_counter()
        problems = await armory.refresh(targets, {}, 10 * GWEI)
        seconds = time.perf_counter() - started
        watching.cancel()
        armed = sum(len(ladder) for by_nonce in guardian.ladders.values() for ladder in by_nonce.values())
        journal.close()
    assert not problems, problems
    assert armed == CONTRACTS * RUNGS, armed
    return {
        "contracts": CONTRACTS,
        "rungs": RUNGS,
        "seconds": seconds,
        "loop_lag_ms_p99": _quantiles(lags)["p99"] * 1000,
        "threads": threading.active_count(),
    }


async def _lag(lags: list[float]) -> None:
    """How late the loop comes back to a task that sleeps for a millisecond, seconds."""
    while True:
        started = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append(time.perf_counter() - started - 0.001)


def _quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {"p50": ordered[last // 2], "p99": ordered[int(last * 0.99)], "max": ordered[-1]}


def targets(found: dict[str, Any]) -> list[tuple[str, float, str, bool]]:
    """Rows of the report's targets: what, measured, goal, reached."""
    rows = []
    for name, key in (
        ("a key in this process", "local_key"),
        (f"a signer of {SIGNER_MS} ms", "remote_signer"),
    ):
        wire = found[key]["verdict_to_wire_us"]
        rows += [
            (f"verdict → bytes on the wire, {name}, p50, µs", wire["p50"], "< 1,000", wire["p50"] < 1_000),
            (f"verdict → bytes on the wire, {name}, p99, µs", wire["p99"], "< 3,000", wire["p99"] < 3_000),
        ]
    exact, rearming = found["exact_us"]["p50"], found["rearming"]["seconds"]
    what = f"arming {CONTRACTS} contracts × {RUNGS} rungs anew, s"
    return [
        *rows,
        ("exact signature with a local key, p50, µs", exact, "< 100", exact < 100),
        (what, rearming, "< 1", rearming < 1),
    ]


def section(found: dict[str, Any]) -> list[str]:
    lines = [
        "",
        "## Defense",
        "",
        (
            "Attacks on vaults, each pending in anvil, answered by an armed `mempool-ids run`; each answer was in "
            "the node's pool and outbid its attack. The verdict's time is the core's; bytes are on the wire when the "
            "sockets took them."
        ),
        "",
        "| µs | attacks | p50 | p99 | max |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, key in (
        ("a key in this process", "local_key"),
        (f"a signer of {SIGNER_MS} ms", "remote_signer"),
    ):
        figures = found[key]["verdict_to_wire_us"]
        lines.append(
            f"| verdict → wire, {name} | {found[key]['attacks']} | {figures['p50']:,.0f} | {figures['p99']:,.0f} | "
            f"{figures['max']:,.0f} |"
        )
    exact, rearming = found["exact_us"], found["rearming"]
    in_python = found["local_key"]["in_python_us"]
    return [
        *lines,
        "",
        f"Of that Python's part is {in_python:,.0f} µs in the median; node, sensor and attacker share the machine.",
        "",
        (
            f"An exact signature takes {exact['p50']:.0f} µs (p99 {exact['p99']:.0f}). Arming {rearming['contracts']} "
            f"contracts × {rearming['rungs']} rungs anew, signed, checked and on the disk, takes "
            f"{rearming['seconds']:.2f} s; the event loop is late by {rearming['loop_lag_ms_p99']:.1f} ms meanwhile "
            "(p99)."
        ),
    ]


if __name__ == "__main__":
    print(json.dumps(measure("--quick" in sys.argv), indent=1))
