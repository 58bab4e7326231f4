"""Mixed traffic with the simulator beside it: what simulations cost the transactions that are not simulated.

`python -m benches.mixed [--quick]` prints the figures.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benches import cargo

TENTH = 1.1
"""What the 99th percentile may be with simulations, as a multiple of what it is without."""
PARTS = (
    ("socket → classified", "socket_to_classified_us"),
    ("read → classified", "read_to_classified_us"),
)


def measure(quick: bool = False) -> dict[str, Any] | None:
    """Figures of both; None where the recorded blocks are not there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mixed.json")
        command = cargo.command("mixed", *(["--quick"] if quick else []), "--json", str(path))
        subprocess.run(command, cwd=cargo.ROOT, env=cargo.environment(), check=True, stdout=sys.stderr)
        figures: dict[str, Any] | None = json.loads(path.read_text())
    return figures


def targets(found: dict[str, Any] | None) -> list[tuple[str, float, str, bool]]:
    """Rows of the report's targets: what, measured, goal, reached."""
    if not found:
        return []
    rows = []
    for name, part in PARTS:
        ratio = moved(found["quiet"], part)
        what = f"{name} of what is not simulated, p99 as a multiple of that without a simulator"
        rows.append((what, ratio, "≤ 1.10", ratio <= TENTH))
    return rows


def moved(figures: dict[str, Any], part: str) -> float:
    """p99 with simulations as a multiple of p99 without."""
    ratio: float = figures["with"][part]["p99"] / figures["without"][part]["p99"]
    return ratio


def section(found: dict[str, Any] | None) -> list[str]:
    lines = ["", "## Mixed traffic with the simulator", ""]
    if not found:
        return [*lines, "Not measured: the recorded blocks were not there."]
    every, quiet = found["all"], found["quiet"]
    lines += [
        (
            f"{found['rate']:,} transactions a second, of which {found['simulated_percent']:.0f} % call one of "
            f"{found['monitored']} monitored contracts and are simulated: {found['suspects']} transactions of block "
            f"{found['block']:,} of mainnet, each on the state before that block, which the node is asked for; the "
            "others are the corpus's that touch none. A new head comes in the middle, and tells of changes of that "
            f"block's size ({found['head_transactions']} transactions, {found['head_bytes'] / 1e6:.1f} MB of JSON), "
            "over which the state is carried, and what was harmless is simulated again. Sensor, simulator and node "
            "share the machine's cores. "
            f"{every['rounds']} rounds, each without and with the simulator, in turns, {found['count']:,} transactions "
            "each; every transaction was classified. "
            f"{every['simulated']:,} simulations, of which {every['simulated_again']:,} on a new head; "
            f"{every['state_fetches']:,} times state was asked for; {every['failed']:,} missed the deadline, "
            f"{quiet['failed']:,} in the {quiet['rounds']} rounds in which the host took least time away (steal)."
        ),
        "",
        "| µs, of what is not simulated | rounds | simulator | p50 | p90 | p99 | p99.9 | max |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for what, part in PARTS:
        for rounds, figures in [("quiet", quiet), ("all", every)]:
            for simulator in ("without", "with"):
                row = figures[simulator][part]
                cells = " | ".join(f"{row[q]:,.1f}" for q in ("p50", "p90", "p99", "p99.9", "max"))
                lines.append(f"| {what} | {rounds} | {simulator} | {cells} |")
    ratios = ", ".join(
        f"{each['p99_ratio']:.2f} ({each['stolen_percent'] or 0:.0f} %)"
        for each in sorted(found["rounds"], key=lambda each: each["stolen_percent"] or 0)
    )
    lines += [
        "",
        (
            "Read → classified, p99 with as a multiple of p99 without, round by round (steal in the worse turn): "
            f"{ratios}."
        ),
    ]
    return lines


if __name__ == "__main__":
    print(json.dumps(measure("--quick" in sys.argv), indent=1))
