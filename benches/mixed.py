"""Mixed traffic with the simulator beside it: what simulations cost the transactions that are not simulated.

`MEMPOOL_IDS_ONNXRUNTIME=… python -m benches.mixed [--quick]` prints the figures.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benches import cargo

TENTH = 1.1
"""What the 99th percentile may be with simulations, as a multiple of what it is without."""


def measure(quick: bool = False) -> dict[str, Any] | None:
    """Figures of both; None where the recorded blocks are not there."""
    from mempool_ids.config.core import onnxruntime_library

    environment = {**os.environ, "MEMPOOL_IDS_ONNXRUNTIME": str(onnxruntime_library())}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mixed.json")
        command = cargo.command("mixed", *(["--quick"] if quick else []), "--json", str(path))
        subprocess.run(command, cwd=cargo.ROOT, env=environment, check=True, stdout=sys.stderr)
        figures: dict[str, Any] | None = json.loads(path.read_text())
    return figures


def targets(found: dict[str, Any] | None) -> list[tuple[str, float, str, bool]]:
    """Rows of the report's targets: what, measured, goal, reached."""
    if not found:
        return []
    ratio = found["p99_ratio"]
    what = "p99 of what is not simulated, as a multiple of that without a simulator, median of the rounds"
    return [(what, ratio, "≤ 1.10", ratio <= TENTH)]


def section(found: dict[str, Any] | None) -> list[str]:
    lines = ["", "## Mixed traffic with the simulator", ""]
    if not found:
        return [*lines, "Not measured: the recorded blocks were not there."]
    share = found["simulated_percent"]
    stats = found["stats"]
    rounds = found["rounds"]
    lines += [
        (
            f"{found['rate']:,} transactions a second, of which {share:.0f} % call one of {found['monitored']} "
            f"monitored contracts and are simulated: {found['suspects']} transactions of block {found['block']:,} of "
            "mainnet, each on the state before that block, which the node is asked for; the others are the corpus's "
            f"that touch none. {len(rounds)} rounds, each without and with the simulator, in turns, "
            f"{found['count']:,} transactions each. With each new head, over which the state is carried, what was "
            "harmless is simulated again. Sensor, simulator and node share the machine's cores. Every transaction was "
            "classified, every suspect has its verdict: in the last round "
            f"{stats['simulated']:,} simulations, of which {stats['simulated_again']:,} on a new head, and "
            f"{stats['state_fetches']:,} times state was asked for."
        ),
        "",
        "| µs, of the transactions that are not simulated | p50 | p90 | p99 | p99.9 | max |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, key in [("without", "without"), ("with", "with")]:
        for what, part in [
            ("socket → classified", "socket_to_classified_us"),
            ("read → classified", "read_to_classified_us"),
        ]:
            cells = " | ".join(f"{found[key][part][q]:,.1f}" for q in ("p50", "p90", "p99", "p99.9", "max"))
            lines.append(f"| {what}, {name} | {cells} |")
    ratios = sorted(each["p99_ratio"] for each in rounds)
    lines += [
        "",
        (
            f"Read → classified, p99 with as a multiple of p99 without, round by round: {ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}, median {found['p99_ratio']:.2f}."
        ),
    ]
    return lines


if __name__ == "__main__":
    print(json.dumps(measure("--quick" in sys.argv), indent=1))
