"""The early detector: from a creation to its proof, live, and what a day of deployments costs.

`python -m benches.early [--quick]` prints the figures. Each alert is checked to be a proof.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.harness import COMMAND, SensorProcess, alerts
from tests.early.hostile import SHIPPED, early, rich, sensing
from tests.early.ordinary import ordinary_contracts
from tests.early.test_deployed import configure
from tests.early.traps import TRAPS
from tests.support import labelled_data

from mempool_ids.demo.anvil import Anvil, AnvilOptions, find_anvil
from mempool_ids.demo.rpc import Rpc

SCORED = 5_000
"""Contracts that the command scores."""
A_DAY = 10_000
"""Deployments of a busy chain."""
ATTACKS = 30
BATCH, GAS = 32, 15_000_000
"""Ordinary contracts of a block, and gas of each."""
YOUNG, BLOCK_S = 300, 0.2
"""Heads on which a contract is called again, and seconds between them here."""
THREADS = ("ids-scout", "ids-detonate")
_POLL_S = 0.001


def measure(quick: bool = False) -> dict[str, Any]:
    """All figures; `command` is None where the labelled contracts are not there."""
    return {
        "proved_ms": asyncio.run(_proved(5 if quick else ATTACKS)),
        "day": asyncio.run(_day(64, 10) if quick else _day(None, YOUNG)),
        "command": _command(500 if quick else SCORED),
    }


async def _proved(count: int) -> dict[str, float]:
    """From a pending creation's sending to the line of its proof in the event log, ms: one attack after another."""
    with Anvil(find_anvil(), AnvilOptions()) as node, tempfile.TemporaryDirectory() as folder:
        async with Rpc(node.http_url) as rpc:
            trap = await TRAPS["reentrancy"](rpc)
            vault = trap.stage.monitored[0].contract
            attackers = await rich(rpc, count)
            config = configure(Path(folder, "run"), node, {"reentrancy": trap})
            took = []
            async with sensing(config, *SHIPPED) as sensor:
                for told, attacker in enumerate(attackers):
                    begun = time.perf_counter()
                    contract = await trap.stage.deploy("Attacker", vault.address, by=attacker)
                    await _lines(sensor, contract.address, told)
                    took.append((time.perf_counter() - begun) * 1e3)
                    # What else it is told of is not measured.
                    await sensor.settle(told + 1)
                proofs = [one for one in alerts(sensor.events()) if one.get("early")]
            assert len(proofs) == count, len(proofs)
            assert {(one["grade"], one["early"]["reason"]) for one in proofs} == {("proved", "proof")}
    ordered = sorted(took)
    return {
        "count": count,
        "p50": statistics.median(ordered),
        "p90": ordered[count * 9 // 10],
        "max": ordered[-1],
    }


async def _lines(sensor: SensorProcess, address: str, before: int) -> None:
    """Waits for the contract's alert, reading no more than what was written since."""
    deadline, wanted = time.monotonic() + 30, address.encode()
    with sensor.log.open("rb") as log:
        seen = b""
        while time.monotonic() < deadline:
            seen += log.read()
            whole, _, seen = seen.rpartition(b"\n")
            if any(b'"alert"' in line and wanted in line for line in whole.splitlines()):
                return
            await asyncio.sleep(_POLL_S)
    raise AssertionError(f"attack {before} was not told of")


async def _day(limit: int | None, heads: int) -> dict[str, float]:
    """The ordinary corpus through a live sensor: what its threads for new contracts take, and on the heads after it."""
    corpus = list(ordinary_contracts())[:limit]
    with Anvil(find_anvil(), AnvilOptions()) as node, tempfile.TemporaryDirectory() as folder:
        async with Rpc(node.http_url) as rpc:
            await rpc.call("evm_setBlockGasLimit", hex(BATCH * GAS))
            trap = await TRAPS["reentrancy"](rpc)
            vault = trap.stage.monitored[0].contract
            token = await trap.stage.token(10**24)
            await trap.stage.settle()
            config = configure(Path(folder, "run"), node, {"reentrancy": trap})
            settings = (*SHIPPED, "early.detonation.contracts=8000")
            async with sensing(config, *settings) as sensor:
                before, blocks = _seconds(sensor.pid), 0
                accounts = await rpc.accounts()
                for first in range(0, len(corpus), BATCH):
                    for number, each in enumerate(corpus[first : first + BATCH]):
                        deployer = accounts[number % len(accounts)]
                        code = each.creation(vault.address, token.address, deployer)
                        await rpc.send(deployer, None, code, gas=GAS)
                    await rpc.mine()
                    blocks += 1

                def all_called() -> bool:
                    figures = early(sensor)
                    told = figures.get("deployments", 0) + figures.get("deployments_small", 0)
                    return told >= len(corpus) and figures["waiting"] == 0

                # A head's time does not do for all: those left wait for the next one.
                async with asyncio.timeout(300):
                    while not all_called():
                        await rpc.mine()
                        await asyncio.sleep(BLOCK_S)
                        blocks += 1
                first = _seconds(sensor.pid)
                for _ in range(heads):
                    await rpc.mine()
                    await asyncio.sleep(BLOCK_S)
                last = _seconds(sensor.pid)
                assert alerts(sensor.events()) == []
                await sensor.until(lambda: early(sensor)["detonated"] > 0, "figures")
                figures = early(sensor)
    each = sum(last.values()) - sum(before.values())
    return {
        "contracts": len(corpus),
        "blocks": blocks,
        "heads": heads,
        "detonated": figures["detonated"],
        "detonations_dropped": figures["detonations_dropped"],
        "found_ms": (first["ids-scout"] - before["ids-scout"]) / len(corpus) * 1e3,
        "called_ms": (first["ids-detonate"] - before["ids-detonate"]) / len(corpus) * 1e3,
        "again_ms": (sum(last.values()) - sum(first.values())) / len(corpus) * 1e3,
        "core_percent": each / len(corpus) * A_DAY / 86_400 * 100,
    }


def _seconds(pid: int) -> dict[str, float]:
    """Processor time of the sensor's threads for new contracts (Linux)."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
        if name in THREADS:
            user, system = rest.split()[11:13]
            found[name] = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    assert found.keys() == set(THREADS), found
    return found


def _command(count: int) -> dict[str, float] | None:
    """`mempool-ids score` of so many contracts, and of one: seconds, the best of three."""
    data = labelled_data() / "contracts" / "train.parquet"
    if not data.exists():
        return None
    import pyarrow.parquet as pq

    rows = pq.read_table(data, columns=["kind", "code"]).to_pylist()
    # Evenly of all sources, which come one after the other.
    rows = rows[:: len(rows) // count][:count]
    lines = [
        json.dumps({"id": number, "code": "0x" + row["code"].hex(), "kind": row["kind"]}) + "\n"
        for number, row in enumerate(rows)
    ]
    return {
        "count": count,
        "bytes": sum(len(row["code"]) for row in rows),
        "seconds": min(_scored(lines) for _ in range(3)),
        "one_seconds": min(_scored(lines[:1]) for _ in range(3)),
    }


def _scored(lines: list[str]) -> float:
    command = [os.environ.get("MEMPOOL_IDS", str(COMMAND)), "score"]
    begun = time.perf_counter()
    done = subprocess.run(command, input="".join(lines), capture_output=True, text=True, check=True)
    took = time.perf_counter() - begun
    scored = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["id"] for one in scored] == list(range(len(lines)))
    assert all(0 <= one["score"] <= 1 and one["factors"] for one in scored)
    return took


def targets(found: dict[str, Any], stages: Mapping[str, Any]) -> list[tuple[str, float, str, bool]]:
    """Rows of the report's targets: what, measured, goal, reached. `stages`: criterion's, ns."""
    proved, day, command = found["proved_ms"]["p50"], found["day"]["core_percent"], found["command"]
    rows = [
        (what, (value := stages[name]["median"] / unit), goal, value < most)
        for what, name, unit, goal, most in STAGES
        if name in stages
    ]
    rows += [
        ("a pending creation is sent → its proof is written, p50, ms", proved, "< 150", proved < 150),
        (f"{A_DAY:,} deployments a day, % of a core", day, "< 2", day < 2),
    ]
    if command:
        seconds = command["seconds"]
        goal = f"< 5 for {SCORED:,}"
        reached = seconds * SCORED / command["count"] < 5
        rows.append((f"mempool-ids score of {command['count']:,} contracts, s", seconds, goal, reached))
    return rows


def section(found: dict[str, Any], stages: Mapping[str, Any]) -> list[str]:
    proved, day, command = found["proved_ms"], found["day"], found["command"]
    lines = [
        "",
        "## New contracts",
        "",
        (
            f"{proved['count']} attack contracts, each a pending creation in anvil by an account of its own, proved by "
            "detonation before they were mined; from before the creation is sent to its alert's line in the event log: "
            f"p50 {proved['p50']:.0f} ms, p90 {proved['p90']:.0f}, highest {proved['max']:.0f}. Each alert was a proof."
        ),
        "",
        (
            f"{day['contracts']:,} ordinary contracts beside a monitored vault, in {day['blocks']} blocks, cost each "
            f"{day['found_ms']:.1f} ms of processor time to find, run and score, {day['called_ms']:.1f} to call, and "
            f"{day['again_ms']:.1f} on the {day['heads']} heads after it, while it is young ({day['detonated']:,} "
            f"detonations, {day['detonations_dropped']:,} contracts left out). {A_DAY:,} "
            f"of them a day are {day['core_percent']:.2f} % of a core. None was alerted."
        ),
    ]
    if command:
        lines += [
            "",
            (
                f"`mempool-ids score` of {command['count']:,} labelled contracts, {command['bytes'] / 1e6:.0f} MB, "
                f"with their factors, takes {command['seconds']:.1f} s; of one {command['one_seconds']:.2f} s, which "
                "is what Python, ONNX Runtime and the models take to begin."
            ),
        ]
    explained = stages.get("contract/explain/median")
    if explained:
        lines += [
            "",
            f"What moved a score takes {explained['median'] / 1e3:,.0f} µs more, and is asked for alerts alone.",
        ]
    return lines


STAGES = (
    (
        "score of a contract of median size, features and both models, µs",
        "contract/score/median",
        1e3,
        "< 300",
        300,
    ),
    (
        "score of a contract of 24 kB, features and both models, µs",
        "contract/score/longest",
        1e3,
        "< 1,000",
        1_000,
    ),
    ("detonation of a median contract, 8 entry points, warm state, ms", "detonate/median", 1e6, "< 20", 20),
)

if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m benches.early", description=__doc__)
    options.add_argument("--quick", action="store_true", help="fewer contracts, attacks and heads")
    print(json.dumps(measure(options.parse_args().quick), indent=1))
