"""How often a sensor alarms on ordinary traffic: recorded blocks of mainnet, contracts monitored by address alone.

`python -m benches.quality.blocks [--year YEAR] [--blocks N] [--jobs N] [--out FOLDER]` prints the report, and writes
blocks.json and blocks.svg. Every transaction of a block is announced as pending to a live sensor, on the state before
the block. What it alerts on is taken for a false alarm: none of these transactions is a known attack.
"""

import argparse
import asyncio
import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import Progress
from tests.support import labelled_data

from benches.quality import chart, recorded
from benches.quality.calls import Calls, calls
from benches.quality.cause import cause
from benches.quality.classes import CLASSES, class_of, implementations
from benches.quality.fake_node import FakeNode
from benches.quality.popular import popular
from benches.quality.rates import per_thousand
from benches.quality.recorded import HELD_ASIDE, SINCE, Block
from benches.quality.sensor import Event, judge

MOST_CALLED = 30
"""Of each block, beside the popular ones."""
JOBS = 2
"""Blocks at once."""
GRADES = ("proved", "likely", "suspected")

Result = dict[str, Any]
"""Of one block, for JSON."""


def measure(
    data: Path, year: int | None = None, count: int | None = None, jobs: int = JOBS
) -> dict[str, Any]:
    """All results, with the data's hashes.

    Args:
        data: the shared data's folder.
        year: these blocks alone.
        count: so many of them, evenly spread over time.
        jobs: blocks at once.

    Raises:
        FileNotFoundError: the data is not there.
    """
    chosen = sorted(
        (block for block in recorded.blocks(data) if year in (None, block.time.year)),
        key=lambda block: block.number,
    )
    if count is not None and count < len(chosen):
        chosen = [chosen[len(chosen) * at // count] for at in range(count)]
    return {"data": _hashes(data), "blocks": asyncio.run(_measure(chosen, jobs))}


def _hashes(data: Path) -> dict[str, str]:
    files = (recorded.BLOCKS, recorded.CODES)
    return {file.name: hashlib.sha256((data / file).read_bytes()).hexdigest() for file in files}


async def _measure(chosen: Sequence[Block], jobs: int) -> list[Result]:
    room, known = asyncio.Semaphore(jobs), popular()
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("blocks", total=sum(len(block.transactions) for block in chosen))

        async def one(block: Block) -> Result:
            async with room:
                result = await judged(block, known)
            progress.advance(task, len(block.transactions))
            return result

        return list(await asyncio.gather(*map(one, chosen)))


async def judged(block: Block, known: frozenset[str]) -> Result:
    """One block: what is monitored, who calls it, and the alerts."""
    async with FakeNode.running(block) as node:
        told = await calls(node, block)
    classes = watched(block, told, known)
    hashes = [one["hash"] for one in block.transactions if one["hash"] not in told.unjudged]
    async with FakeNode.running(block) as node:
        found = await judge(node, hashes, map(named, classes))
    apart = await alone(block, hashes, found.alerts)
    called = [told.called.get(one, frozenset()) & classes.keys() for one in hashes]
    return {
        "block": block.number,
        "time": block.time.isoformat(),
        "transactions": len(hashes),
        "left_out": len(told.unjudged),
        "contacts": sum(map(bool, called)),
        "monitored": classes,
        "calls": Counter(contract for each in called for contract in each),
        "failures": {name: n for name, n in found.statistics["simulation_failures"].items() if n},
        "exonerated": found.statistics["exonerated"],
        "unrecorded": len(node.unrecorded),
        "alerts": [summary(alert) for alert in found.alerts],
        "alone": [{"contract": contract, **summary(alert)} for contract, alert in apart],
    }


def named(address: str) -> dict[str, str]:
    """A contract by its address alone."""
    return {"name": address, "address": address}


def watched(block: Block, told: Calls, known: frozenset[str]) -> dict[str, str]:
    """What is monitored in this block, with its class: of what is called, the popular and the most called."""
    callers = told.callers()
    most = sorted(
        callers.keys() - implementations(block), key=lambda address: (-len(callers[address]), address)
    )
    chosen = {*most[:MOST_CALLED], *(known & set(most))}
    signers = {one["hash"]: one["from"] for one in block.transactions}
    senders = {address: len({signers[one] for one in callers[address]}) for address in chosen}
    return {
        address: class_of(block, address, senders[address], is_popular=address in known)
        for address in most
        if address in chosen
    }


async def alone(block: Block, hashes: Sequence[str], alerts: Sequence[Event]) -> list[tuple[str, Event]]:
    """The alerts on these transactions if each contract that they concern had been monitored by itself."""
    concerned = {alert["tx"]["hash"] for alert in alerts}
    found = []
    for contract in sorted({name for alert in alerts for name in alert["contracts"]}):
        async with FakeNode.running(block) as node:
            by_itself = (await judge(node, hashes, [named(contract)])).alerts
        found += [(contract, alert) for alert in by_itself if alert["tx"]["hash"] in concerned]
    return found


def summary(alert: Event) -> Result:
    """What is kept of an alert."""
    transaction, simulation = alert["tx"], alert["simulation"]
    return {
        "hash": transaction["hash"],
        "to": transaction["to"],
        "function": transaction.get("function") or transaction["selector"],
        "grade": alert["grade"],
        "level": alert["threat_level"],
        "score": alert["score"],
        "cause": cause(alert),
        "contracts": alert["contracts"],
        "victims": alert["victims"],
        "invariants": simulation.get("invariants", []),
        "harm": simulation.get("harm"),
        "probability": simulation.get("probability"),
        "calldata": alert["classification"]["probability"],
        "rules": [match["name"] for match in alert["signatures"]],
        "outcome": simulation.get("outcome") or simulation.get("failure"),
    }


def parts(results: Iterable[Result]) -> dict[str, list[Result]]:
    """All of them, those to tune with, and those kept aside."""
    every = list(results)
    aside = [one for one in every if int(one["time"][:4]) >= HELD_ASIDE]
    rest = [one for one in every if one not in aside]
    return {"all": every, f"{SINCE}–{HELD_ASIDE - 1}": rest, f"{HELD_ASIDE}, kept aside": aside}


def section(found: Mapping[str, Any]) -> list[str]:
    """The report, in Markdown."""
    results = found["blocks"]
    total = {
        name: sum(one[name] for one in results)
        for name in ("transactions", "left_out", "contacts", "unrecorded", "exonerated")
    }
    monitored = {address for one in results for address in one["monitored"]}
    failures = sum((Counter(one["failures"]) for one in results), Counter[str]())
    failed = ", ".join(f"{reason} {count:,}" for reason, count in failures.items()) or "none"
    return [
        "## Ordinary traffic: recorded blocks",
        "",
        (
            f"{len(results)} blocks, {total['transactions']:,} transactions, each judged by a live sensor on the state "
            f"before its block; {total['left_out']:,} more run code that was not recorded and are left out. "
            f"{len(monitored):,} contracts are monitored by address alone: of {len(popular())} popular ones those that "
            f"are called, and the {MOST_CALLED} most called of each block. {total['contacts']:,} transactions call any "
            f"of them. {total['exonerated']:,} were exonerated; simulations that failed: {failed}; "
            f"{total['unrecorded']:,} accounts and slots were asked for that the record does not have."
        ),
        "",
        *_alerts_table(results),
        "",
        *_causes_table(results),
        "",
        *_alone_table(results, "contract"),
        "",
        *_alone_table(results, "popular contract", popular()),
        "",
        *_list(results),
    ]


def _alerts_table(results: Sequence[Result]) -> list[str]:
    lines = [
        "Alerts, per 1,000 transactions that call a monitored contract, with Wilson's 95 % interval:",
        "",
        "| blocks | contacts | alerts | proved | likely | suspected | any, per 1,000 |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, some in parts(results).items():
        alerts = [alert for one in some for alert in one["alerts"]]
        contacts = sum(one["contacts"] for one in some)
        by_grade = Counter(alert["grade"] for alert in alerts)
        cells = " | ".join(str(by_grade[grade]) for grade in GRADES)
        lines.append(
            f"| {name} | {contacts:,} | {len(alerts)} | {cells} | {per_thousand(len(alerts), contacts)} |"
        )
    return lines


def _causes_table(results: Sequence[Result]) -> list[str]:
    causes = {
        name: Counter((alert["cause"], alert["grade"]) for one in some for alert in one["alerts"])
        for name, some in parts(results).items()
    }
    lines = [
        f"| cause | grade | {' | '.join(causes)} |",
        f"|---|---|{'---:|' * len(causes)}",
    ]
    for why, _ in causes["all"].most_common():
        cells = " | ".join(str(counts[why]) for counts in causes.values())
        lines.append(f"| {why[0]} | {why[1]} | {cells} |")
    return lines


def alarms(results: Iterable[Result], among: frozenset[str] | None = None) -> dict[str, Counter[str]]:
    """As if each contract had been monitored alone: by class, `calls` and its alarms by grade.

    Args:
        among: these contracts only.
    """
    found = {name: Counter[str]() for name in CLASSES}
    for one in results:
        classes = one["monitored"]
        for contract, count in one["calls"].items():
            if among is None or contract in among:
                found[classes[contract]]["calls"] += count
        for alarm in one["alone"]:
            if among is None or alarm["contract"] in among:
                found[classes[alarm["contract"]]][alarm["grade"]] += 1
    return {name: counts for name, counts in found.items() if counts}


def _alone_table(results: Sequence[Result], what: str, among: frozenset[str] | None = None) -> list[str]:
    names = list(parts(results))
    lines = [
        f"As if each {what} had been monitored alone: alarms per 1,000 calls, those that triage does not see included.",
        "",
        f"| class | calls | proved | likely | suspected | {' | '.join(names)} |",
        f"|---|---:|---:|---:|---:|{'---:|' * len(names)}",
    ]
    tables = [alarms(some, among) for some in parts(results).values()]
    rows = [*tables[0], "total"]
    for table in tables:
        table["total"] = sum(table.values(), Counter[str]())
    for name in rows:
        every = tables[0][name]
        rates = [
            per_thousand(sum(table[name][grade] for grade in GRADES), table[name]["calls"])
            if name in table
            else "–"
            for table in tables
        ]
        counts = " | ".join(str(every[grade]) for grade in GRADES)
        lines.append(f"| {name} | {every['calls']:,} | {counts} | {' | '.join(rates)} |")
    return lines


def _list(results: Sequence[Result]) -> list[str]:
    lines = [
        "Every alert; the invariants that break, with `!` where severely, of which contract:",
        "",
        "| block | transaction | calls | grade | score | cause | breaks |",
        "|---:|---|---|---|---:|---|---|",
    ]
    for one in results:
        for alert in one["alerts"]:
            broken = "; ".join(
                f"{each['name']}{'!' if each['severe'] else ''} of {each['contract']}"
                for each in alert["invariants"]
            )
            lines.append(
                f"| {one['block']} | {alert['hash']} | {alert['to']} {alert['function'] or ''} | {alert['grade']} "
                f"| {alert['score']:.2f} | {alert['cause']} | {broken or '–'} |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--year", type=int, help="blocks of this year alone")
    parser.add_argument("--blocks", type=int, help="so many of them, evenly spread over time")
    parser.add_argument("--jobs", type=int, default=JOBS, help="blocks at once")
    parser.add_argument("--out", type=Path, default=Path("target", "quality"), help="where JSON and chart go")
    options = parser.parse_args()
    data = labelled_data()
    if not (data / recorded.BLOCKS).exists():
        raise SystemExit(f"skipped: {data / recorded.BLOCKS} is not there (MEMPOOL_IDS_DATA)")
    found = measure(data, options.year, options.blocks, options.jobs)
    options.out.mkdir(parents=True, exist_ok=True)
    Path(options.out, "blocks.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    Path(options.out, "blocks.svg").write_text(chart.rates(alarms(found["blocks"]), GRADES))
    print("\n".join(section(found)))


if __name__ == "__main__":
    main()
