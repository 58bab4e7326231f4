"""Measures everything and writes benches/REPORT.md and benches/report.json: `make bench`.

`python -m benches.report [--quick] [--only PART]`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benches import cargo, defense, early, memory, mixed, peers, simulator_report, simulators

ROOT = cargo.ROOT
CRITERION = ROOT / "target" / "criterion"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.report", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="briefly, for trying the report itself")
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        help="keeps the other parts of benches/report.json as they are",
    )
    given = parser.parse_args()
    path = ROOT / "benches" / "report.json"
    now = datetime.now(UTC).isoformat("T", "seconds")
    report: dict[str, Any] = {"machine": machine(), "measured": now, "measured_again": {}}
    if given.only:
        report = json.loads(path.read_text())
        report.setdefault("measured_again", {}).update(dict.fromkeys(given.only, now))
    for name in given.only or PARTS:
        what, measure = PARTS[name]
        step(what)
        report[name] = measure(given.quick)
    report["targets"] = targets(report)
    path.write_text(json.dumps(report, indent=1) + "\n")
    (ROOT / "benches" / "REPORT.md").write_text(markdown(report))
    print((ROOT / "benches" / "REPORT.md").read_text())


def stages(quick: bool) -> dict[str, Any]:
    started = time.time()
    cargo_bench("stages", *(["--warm-up-time", "0.5", "--measurement-time", "1"] if quick else []))
    cargo_bench("detonate", *(["--quick"] if quick else []))
    return estimates(started)


def beside_peers(_quick: bool) -> dict[str, Any]:
    return {
        "web3_receives": peers.web3_receives(),
        "decoding": peers.decoding(),
        "inference": peers.inference(),
    }


def step(name: str) -> None:
    print(f"[{time.strftime('%X')}] {name}", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "rustc": rustc,
        "load_before": os.getloadavg()[0],
    }


def cargo_bench(bench: str, *arguments: str) -> None:
    command = cargo.command(bench, *arguments)
    subprocess.run(command, cwd=ROOT, env=cargo.environment(), check=True, stdout=sys.stderr)


def estimates(since: float, folder: Path = CRITERION) -> dict[str, dict[str, float]]:
    """Median nanoseconds an element by benchmark, as criterion left them since then, with elements per iteration."""
    found: dict[str, dict[str, float]] = {}
    for path in sorted(folder.glob("**/new/benchmark.json")):
        if path.stat().st_mtime < since:
            continue
        about = json.loads(path.read_text())
        measured = json.loads((path.parent / "estimates.json").read_text())
        elements = (about.get("throughput") or {}).get("Elements", 1)
        median = measured["median"]["point_estimate"]
        interval = measured["median"]["confidence_interval"]
        found[about["full_id"]] = {
            "median": median / elements,
            "low": interval["lower_bound"] / elements,
            "high": interval["upper_bound"] / elements,
            "elements": elements,
        }
    return found


def latency(quick: bool) -> dict[str, Any]:
    path = ROOT / "target" / "latency.json"
    cargo_bench("latency", *(["--quick"] if quick else []), "--json", str(path))
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def stage(report: dict[str, Any], name: str) -> float:
    """Median microseconds of a benchmark, by its whole name."""
    return float(report["stages_ns"][name]["median"]) / 1000


def corpus(report: dict[str, Any]) -> str:
    """What criterion calls the transactions that were measured on."""
    return "real" if "real" in report["latency"]["samples"] else "made_up"


def targets(report: dict[str, Any]) -> list[dict[str, Any]]:
    at_rate = report["latency"]["at_rate_quiet"]["socket_to_classified_us"]
    rate = report["latency"]["saturated"]["tx_per_second_quiet"]
    web3 = report["peers"]["web3_receives"]["tx_per_second"]
    features = stage(report, f"features/{corpus(report)}")
    one_row = report["latency"]["one_row_us"]
    rows = [
        ("socket → classified at 1,000 tx/s, p50", at_rate["p50"], "< 50 µs", at_rate["p50"] < 50),
        ("socket → classified at 1,000 tx/s, p99", at_rate["p99"], "< 250 µs", at_rate["p99"] < 250),
        ("sustained, the sensor on one core, tx/s", rate, "≥ 100,000", rate >= 100_000),
        ("sustained, as a multiple of web3.py receiving", rate / web3, "≥ 20", rate / web3 >= 20),
        ("feature extraction, µs", features, "< 2", features < 2),
        ("inference of one row, median of the rounds, µs", one_row, "< 10", one_row < 10),
        (
            f"replay of {report['replay']['transactions']:,} transactions, s",
            report["replay"]["seconds"],
            "< 30 for 1,200,000",
            report["replay"]["seconds"] * 1_200_000 / report["replay"]["transactions"] < 30,
        ),
        (
            "memory of a sensor at its highest, MB",
            report["memory"]["rss_highest_mb"],
            "< 300",
            report["memory"]["rss_highest_mb"] < 300,
        ),
        *simulator_report.targets(report["simulator"]),
        *mixed.targets(report["mixed"]),
        *defense.targets(report["defense"]),
        *early.targets(report["early"], report["stages_ns"]),
    ]
    return [
        {"what": what, "measured": value, "target": goal, "reached": bool(ok)}
        for what, value, goal, ok in rows
    ]


def markdown(report: dict[str, Any]) -> str:
    about, memory = report["machine"], report["memory"]
    lines = [
        "# Benchmark report",
        "",
        (
            f"Measured {report['measured']} by `make bench` on {about['cores']} cores of {about['cpu']}, "
            f"{about['memory_gib']} GiB, Linux {about['kernel']}, {about['rustc']}, Python {about['python']}; "
            f"load before: {about['load_before']:.2f}. Transactions: {report['latency']['samples']}."
        ),
        *(f"Again: {PARTS[part][0]}, {when}." for part, when in report["measured_again"].items()),
        "",
        "## Targets",
        "",
        "| what | measured | target | reached |",
        "|---|---:|---|---|",
    ]
    lines += [
        f"| {row['what']} | {row['measured']:,.2f} | {row['target']} | {'yes' if row['reached'] else '**no**'} |"
        for row in report["targets"]
    ]
    lines += missed_section(report)
    lines += latency_section(report["latency"])
    lines += saturation_section(report)
    lines += simulator_report.section(report["simulator"])
    lines += mixed.section(report["mixed"])
    lines += defense.section(report["defense"])
    lines += early.section(report["early"], report["stages_ns"])
    lines += [
        "",
        "## Stages",
        "",
        "Median ns with its 95 % interval (criterion): per transaction, or for the one input that is named.",
        "",
        "| stage | median | interval |",
        "|---|---:|---|",
    ]
    for name, figures in report["stages_ns"].items():
        lines.append(
            f"| {name} | {figures['median']:,.0f} | {figures['low']:,.0f} – {figures['high']:,.0f} |"
        )
    lines += [
        "",
        "## Peers, in the same run",
        "",
        "| work | peer | peer | here | ratio |",
        "|---|---|---:|---:|---:|",
    ]
    for work, peer, theirs, ours in comparisons(report):
        lines.append(
            f"| {work} | {peer} | {theirs:,.1f} | {ours:,.2f} | {ratio(work, theirs, ours):,.0f} × |"
        )
    lines += [
        "",
        "The peer's rate is its subscription handing transactions over; ours includes judging them by every stage.",
        "",
        "## Memory",
        "",
        (
            f"`mempool-ids run`: {memory['rss_mb']:.0f} MB resident after {memory['transactions']:,} transactions at "
            f"{memory['rate']:,} a second with {memory['alerts']:,} alerts, {memory['rss_highest_mb']:.0f} MB at its "
            f"highest, {memory['rss_start_mb']:.0f} MB when it was ready; {memory['dropped']:,} dropped and counted."
        ),
        "",
    ]
    return "\n".join(lines)


def missed_section(report: dict[str, Any]) -> list[str]:
    """What the figures say of the targets that were not reached."""
    found = report["latency"]
    quiet, rounds = found["at_rate_quiet"], found["rounds"]
    p50 = {key: quiet[key]["p50"] for key in quiet if key.endswith("_us")}
    rates = [each["tx_per_second"] for each in rounds]
    rows = [each["one_row_us"] for each in rounds]
    why = {
        "p50": (
            f"of {p50['socket_to_classified_us']:.0f} µs from the socket, "
            f"{p50['socket_to_bare_read_us']:.0f} are what a thread that does nothing but read takes here; "
            f"from the read on it is {p50['read_to_classified_us']:.0f} µs"
        ),
        "sustained, the sensor on one core": (
            f"{min(rates):,.0f} to {max(rates):,.0f} by round, on a machine whose speed changed meanwhile (one row "
            f"of the model took {min(rows):.1f} to {max(rows):.1f} µs); the parts are below, no stage above a quarter"
        ),
        "read → classified of what is not simulated": (
            "two cores carry the feed, the node and all threads of the sensor; where a simulation runs, the others "
            "share one"
        ),
    }
    missed = [row["what"] for row in report["targets"] if not row["reached"]]
    if not missed:
        return []
    lines = ["", "Missed:", ""]
    for what in missed:
        reasons = [reason for part, reason in why.items() if part in what]
        lines.append(f"- {what}: {'; '.join(reasons) or 'see the figures below'}.")
    return lines


def latency_section(found: dict[str, Any]) -> list[str]:
    every, quiet = found["at_rate"], found["at_rate_quiet"]
    lines = [
        "",
        "## Latency",
        "",
        (
            "From the feed's write to the end of classification, and from the sensor's read to the same, in µs; sensor "
            "and feed share the machine's cores. Bare: the same feed read by a thread that does nothing else, which is "
            "what this machine's sockets and scheduler take. At this rate the pipeline's thread does not sleep between "
            f"transactions (`limits.spin_us`). All {every['rounds']} rounds, and of these the {quiet['rounds']} during "
            "which the host took the least time away from this machine (steal)."
        ),
        "",
        f"| at {found['rate']:,} tx/s | rounds | p50 | p90 | p99 | p99.9 | max |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, key in [
        ("socket → classified", "socket_to_classified_us"),
        ("read → classified", "read_to_classified_us"),
        ("socket → read, bare", "socket_to_bare_read_us"),
    ]:
        for rounds, figures in [("quiet", quiet[key]), ("all", every[key])]:
            cells = " | ".join(f"{figures[q]:,.1f}" for q in ("p50", "p90", "p99", "p99.9", "max"))
            lines.append(f"| {name} | {rounds} | {cells} |")
    lines += [
        "",
        (
            "Round by round. Steal is the share of the machine's time that the host gave to others, at the rate and "
            "saturated; one row is the model's; Keccak-256 is a fixed piece of work, for the machine's speed."
        ),
        "",
        "| steal | bare p50 / p99 | classified p50 / p99 | steal saturated | tx/s | one row, µs | Keccak MB/s |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in found["rounds"]:
        bare, whole = each["socket_to_bare_read_us"], each["socket_to_classified_us"]
        lines.append(
            f"| {stolen(each['stolen_at_rate_percent'])} | {bare['p50']:,.0f} / {bare['p99']:,.0f} "
            f"| {whole['p50']:,.0f} / {whole['p99']:,.0f} | {stolen(each['stolen_saturated_percent'])} "
            f"| {each['tx_per_second']:,.0f} | {each['one_row_us']:.1f} | {each['keccak_mb_per_second']:,.0f} |"
        )
    return lines


def stolen(percent: float | None) -> str:
    return "not told" if percent is None else f"{percent:.1f} %"


def saturation_section(report: dict[str, Any]) -> list[str]:
    full = report["latency"]["saturated"]
    each = 1e6 / full["tx_per_second"]
    transactions = corpus(report)
    stages = {
        "frame": stage(report, "frame/all notifications"),
        "decode": stage(report, f"decode/{transactions}"),
        "features": stage(report, f"features/{transactions}"),
        "signatures": stage(report, "signatures/unknown function, known code"),
        "inference, in batches of 64": stage(report, f"classify/{transactions}/64"),
    }
    rest = each - sum(stages.values())
    lines = [
        "",
        "## Saturation",
        "",
        (
            f"The sensor's threads together on one core: {full['tx_per_second_quiet']:,.0f} tx/s in the quiet rounds, "
            f"{full['tx_per_second']:,.0f} in all, medians of rounds of {full['count']:,} transactions; "
            f"{full['dropped']:,} dropped and counted. The feed, on the other core, outruns it. Of the "
            f"{each:.1f} µs a transaction takes there, by the medians below:"
        ),
        "",
        "| part | µs | share |",
        "|---|---:|---:|",
    ]
    lines += [f"| {name} | {cost:.2f} | {cost / each:.0%} |" for name, cost in stages.items()]
    lines.append(
        f"| the rest: kernel, WebSocket, queue, dedup, tracking, cold caches | {rest:.2f} | {rest / each:.0%} |"
    )
    return lines


def comparisons(report: dict[str, Any]) -> list[tuple[str, str, float, float]]:
    found = report["peers"]
    rate = report["latency"]["saturated"]["tx_per_second"]
    swap, one_row = stage(report, "decode/swap"), report["latency"]["one_row_us"]
    return [
        ("receiving, tx/s", "web3.py subscription", found["web3_receives"]["tx_per_second"], rate),
        ("decoding a call, µs", "eth-abi", found["decoding"]["eth_abi_us"], swap),
        ("decoding a call, µs", "web3.py", found["decoding"]["web3_us"], swap),
        ("inference of one row, µs", "scikit-learn", found["inference"]["scikit_learn_us"], one_row),
        (
            "inference of one row, µs",
            "onnxruntime from Python",
            found["inference"]["onnxruntime_python_us"],
            one_row,
        ),
    ]


def ratio(work: str, theirs: float, ours: float) -> float:
    return ours / theirs if work.endswith("/s") else theirs / ours


#: The report's parts, by their names in report.json: what to say, and what measures.
PARTS: dict[str, tuple[str, Callable[[bool], Any]]] = {
    "stages_ns": ("stages (criterion)", stages),
    "latency": ("latency and saturation", latency),
    "replay": (
        "a day of Ethereum replayed",
        lambda quick: memory.replay(100_000 if quick else 1_200_000),
    ),
    "memory": ("memory of a running sensor", lambda quick: memory.steady(20_000 if quick else 400_000)),
    "peers": ("peers", beside_peers),
    "simulator": ("simulator, alone and beside nodes and py-evm", simulators.measure),
    "mixed": ("mixed traffic with the simulator", mixed.measure),
    "defense": ("the defense, on a real node", defense.measure),
    "early": ("new contracts, on a real node", early.measure),
}

if __name__ == "__main__":
    main()
