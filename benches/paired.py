"""Two checkouts measured in turn, A B A B …, so that a machine that changes its speed meanwhile changes both:
`python -m benches.paired OTHER_CHECKOUT [--rounds 3] [--only simulation]` writes benches/PAIRED.md
(`make bench-paired BASE=…`), and benches/paired.json, which QUALITY.md tells the simulation's cost from.

The other checkout's benches are built in its own target folder. A ratio is this checkout's median by the other's; what
the other's rounds differ among themselves is the noise that it must be read with.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benches import cargo
from benches.report import estimates, machine, step

Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the commit to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="of some four minutes each (3)")
    parser.add_argument(
        "--only", choices=[work.__name__ for work in WORKS], help="of the benches; all unless given"
    )
    given = parser.parse_args()
    works = [work for work in WORKS if given.only in (None, work.__name__)]
    checkouts = {"before": given.other.resolve(), "now": cargo.ROOT}
    benches = {name: built(name, root, [BENCHES[work] for work in works]) for name, root in checkouts.items()}
    measured: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(given.rounds):
        for work in works:
            for name, root in checkouts.items():
                step(f"round {number + 1} of {given.rounds}: {work.__name__}, {name}")
                for figure, value in work(root, benches[name]).items():
                    measured[figure][name].append(value)
        # After each round: whoever has no time for the next ones has these.
        commits = {name: commit(root) for name, root in checkouts.items()}
        text = markdown(measured, commits, number + 1)
        (cargo.ROOT / "benches" / "PAIRED.md").write_text(text)
        document = {"commits": commits, "rounds": number + 1, "figures": measured}
        (cargo.ROOT / "benches" / "paired.json").write_text(json.dumps(document, indent=1) + "\n")
    print(text)


def commit(root: Path) -> str:
    shown = ["git", "-C", str(root), "log", "-1", "--format=%h"]
    return subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()


def built(name: str, root: Path, benches: Iterable[str]) -> dict[str, str]:
    """Paths of the benches' programs, as cargo built them last."""
    step(f"building {name}")
    programs = {}
    for bench in benches:
        command = ["cargo", "bench", "--locked", "--profile", "release", "-p", "mempool-ids-core"]
        command += ["--bench", bench, "--no-run", "--message-format", "json"]
        done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True, text=True)
        messages = (json.loads(line) for line in done.stdout.splitlines())
        programs[bench] = next(
            message["executable"]
            for message in messages
            if message.get("executable") and message["target"]["name"] == bench
        )
    return programs


def run(root: Path, program: str, *arguments: str, folder: str) -> None:
    subprocess.run(
        [program, *arguments],
        cwd=root / "rust" / "core",
        env={**cargo.environment(), "CARGO_TARGET_DIR": folder, "CRITERION_HOME": folder},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def latency(root: Path, programs: dict[str, str]) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latency.json"
        run(root, programs["latency"], "--quick", "--json", str(path), folder=folder)
        figures: dict[str, Any] = json.loads(path.read_text())
    at_rate = figures["at_rate"]
    return {
        "socket → classified at 1,000 tx/s, p50, µs": at_rate["socket_to_classified_us"]["p50"],
        "read → classified at 1,000 tx/s, p50, µs": at_rate["read_to_classified_us"]["p50"],
        "µs a transaction at saturation, the sensor on one core": 1e6 / figures["saturated"]["tx_per_second"],
        "inference of one row, µs": figures["one_row_us"],
    }


def stages(root: Path, programs: dict[str, str]) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        brief = ("--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "20")
        run(root, programs["stages"], "--bench", *brief, folder=folder)
        return {f"{name}, ns": one["median"] for name, one in estimates(0.0, Path(folder)).items()}


def simulation(root: Path, programs: dict[str, str]) -> Figures:
    """On recorded blocks; none without the data."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulate.json"
        run(root, programs["simulate"], "--quick", "--json", str(path), folder=folder)
        figures: dict[str, Any] = json.loads(path.read_text())
    every = figures["us"]["total"]["all"]
    return {f"simulation with warm state, {quantile}, µs": every[quantile] for quantile in ("p50", "p99")}


BENCHES = {latency: "latency", stages: "stages", simulation: "simulate"}
WORKS = tuple(BENCHES)


def markdown(measured: dict[str, dict[str, list[float]]], commits: dict[str, str], rounds: int) -> str:
    about = machine()
    said = (
        f"Measured {datetime.now(UTC).isoformat('T', 'seconds')} by `make bench-paired`, rounds in turn: {rounds}, of "
        f"commit {commits['now']} and of {commits['before']}, on {about['cores']} cores of {about['cpu']}; profile "
        "`release`. Medians of the rounds; the ratio is now by before; the spread is before's slowest round by its "
        "fastest (1.00 where there was one): a ratio within it is noise."
    )
    head = [
        "# Now beside before",
        "",
        said,
        "",
        "| what | before | now | ratio | spread of before |",
        "|---|---:|---:|---:|---:|",
    ]
    return "\n".join([*head, *rows(measured)]) + "\n"


def rows(measured: dict[str, dict[str, list[float]]]) -> Iterable[str]:
    middle = statistics.median
    for figure, by_name in measured.items():
        before, now = by_name["before"], by_name["now"]
        if not before:
            yield f"| {figure} | – | {middle(now):,.1f} | – | – |"
        elif now:
            ratio, spread = middle(now) / middle(before), max(before) / min(before)
            yield f"| {figure} | {middle(before):,.1f} | {middle(now):,.1f} | {ratio:.2f} | {spread:.2f} |"


if __name__ == "__main__":
    main()
