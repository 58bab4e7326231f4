"""`python -m benches.quality [--blocks N]` measures, and writes QUALITY.md, quality.json and quality.svg in benches."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tests.support import labelled_data

from benches.quality import blocks, chart, explained, grades, incidents, recorded
from benches.quality.incidents.__main__ import measured
from benches.quality.rates import per_thousand
from benches.quality.report import Tally, markdown, record
from benches.quality.run import Outcome
from benches.quality.state import hashes, incidents_data
from mempool_ids.model import manifest
from mempool_ids.model.training.drift import STATED_FPR

BENCHES = Path(__file__).parent.parent
WALLETS = "wallet"
"""The class of which alarms are counted apart."""
ASIDE_WAS_READ = (
    "No rule was made for what is kept aside, but its alarms were read (30 November 2026): each rule that changed "
    "since has a case in the other part, so that both parts' figures are mildly optimistic."
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches.quality", description=__doc__)
    parser.add_argument("--blocks", type=int, metavar="N", help="so many blocks, evenly spread over time")
    options = parser.parse_args()
    data = labelled_data()
    for needed in (data / recorded.BLOCKS, incidents_data()):
        if not needed.exists():
            print(f"skipped: {needed} is not there (MEMPOOL_IDS_DATA)", file=sys.stderr)
            return 0
    attacks = asyncio.run(measured(incidents.INCIDENTS))
    found = blocks.measure(data, count=options.blocks)
    digests = {**found["data"], **hashes()}
    attacked = ["## Real attacks", "", markdown(attacks, incidents.ASIDE), ""]
    why = [*explained.section(attacks, found["blocks"]), ""]
    worth = [*grades.section(attacks, found["blocks"]), ""]
    text = "\n".join([*_head(digests, attacks, found), *why, *worth, *attacked, *blocks.section(found), ""])
    (BENCHES / "QUALITY.md").write_text(text)
    (BENCHES / "quality.svg").write_text(chart.rates(blocks.alarms(found["blocks"]), blocks.GRADES))
    figures = {
        "data": digests,
        "incidents": [record(outcome, incidents.ASIDE) for outcome in attacks],
        "blocks": found["blocks"],
    }
    (BENCHES / "quality.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(text)
    return 1 if any(outcome.failure for outcome in attacks) else 0


def _head(digests: dict[str, str], attacks: Sequence[Outcome], found: dict[str, Any]) -> list[str]:
    return [
        "# How far an alert can be trusted",
        "",
        (
            f"Measured {datetime.now(UTC).date()} by `make quality`: a live sensor judges real attacks and honest uses "
            "of the same contracts on the state that the attacks met, and the transactions of recorded blocks on the "
            "state before each. Contracts are monitored by their address alone. Data, by the SHA-256 of its files:"
        ),
        "",
        *(f"- {name}: `{digest}`" for name, digest in digests.items()),
        "",
        ASIDE_WAS_READ,
        "",
        "![Alarms per 1,000 calls, by class of contract](quality.svg)",
        "",
        "## Targets",
        "",
        "| what | measured | goal | reached |",
        "|---|---:|---|---|",
        *(
            f"| {what} | {measured} | {goal} | {'yes' if reached else '**no**'} |"
            for what, measured, goal, reached in [
                *_attack_targets(attacks),
                *_block_targets(found["blocks"]),
                *_model_targets(),
                *_cost_targets(),
            ]
        ),
        "",
        (
            "Which attacks the verdict model misses by itself, and why, stands in models/MODEL_CARD.md: calls of one "
            "function that should have been protected, and what an earlier transaction prepared. Cost is measured by "
            "`make bench-paired` beside a checkout of before."
        ),
        "",
    ]


Row = tuple[str, str, str, bool]


def _attack_targets(outcomes: Sequence[Outcome]) -> list[Row]:
    rows: list[Row] = []
    aside = [one for one in outcomes if one.incident.name in incidents.ASIDE]
    for part, some in (("", outcomes), (", kept aside", aside)):
        found = Tally.of(some)
        for what, count, goal in (("proved or likely", found.sure, 0.80), ("alerted", found.caught, 0.92)):
            measured, reached = f"{count} of {found.attacks}", count >= goal * found.attacks
            rows.append((f"attacks {what}{part}", measured, f"≥ {goal:.2f}", reached))
    found = Tally.of(outcomes)
    proved, alarms = (f"{count} of {found.honest}" for count in (found.proved, found.alarms))
    enough = found.honest >= 40
    return [
        *rows,
        ("honest uses of the same contracts, proved", proved, "0 of ≥ 40", enough and not found.proved),
        ("the same, any alarm", alarms, "≤ 1 of 40", 40 * found.alarms <= found.honest),
    ]


def _block_targets(results: Sequence[blocks.Result]) -> list[Row]:
    by_class = blocks.alarms(results)
    wallets = by_class.pop(WALLETS, Counter())
    others = sum(by_class.values(), Counter[str]())
    popular = sum(blocks.alarms(results, blocks.popular()).values(), Counter[str]())

    def rate(counts: Counter[str], goal: float) -> tuple[str, str, bool]:
        count, calls = sum(counts[grade] for grade in blocks.GRADES), counts["calls"]
        return per_thousand(count, calls), f"≤ {goal:g} per 1,000", 1000 * count <= goal * calls

    proved = (
        f"{popular['proved']} of {popular['calls']:,}: {per_thousand(popular['proved'], popular['calls'])}"
    )
    enough = popular["calls"] >= 6_000
    return [
        ("calls of popular contracts, proved", proved, "0 of ≥ 6,000", enough and not popular["proved"]),
        ("calls of all but wallets, any alert, per 1,000", *rate(others, 0.5)),
        ("calls of wallets and sweepers, any alert, per 1,000", *rate(wallets, 2)),
    ]


def _model_targets() -> list[Row]:
    """Of the verdict model alone; its card has these figures, and `mempool-ids model eval` measures them again."""
    *_, newest_attacks, newest = manifest.read(manifest.BUILTIN)[manifest.TRACE]["evaluation"]["drift"]
    recall, rate = newest_attacks["at_its_own"], newest["at_alert_threshold"]["false_positive_rate"]
    low, high = recall["recall_interval"]
    return [
        (
            f"verdict model from {newest_attacks['from']}, recall at a false positive rate of {STATED_FPR:.1%}",
            f"{recall['hits']} of {newest_attacks['exploits']}: {recall['recall']:.2f} [{low:.2f}, {high:.2f}]",
            "≥ 0.85",
            recall["recall"] >= 0.85,
        ),
        (
            f"the same from {newest['from']}, rate at its threshold, which is stated for {STATED_FPR:.1%}",
            f"{rate:.3%} of {newest['benign']:,}",
            "within a factor of 1.5",
            STATED_FPR / 1.5 <= rate <= 1.5 * STATED_FPR,
        ),
    ]


def _cost_targets() -> list[Row]:
    """What simulations cost beside an earlier commit, as `make bench-paired` measured it; none where it did not."""
    path = BENCHES / "paired.json"
    if not path.exists():
        return []
    told = json.loads(path.read_text())
    rows: list[Row] = []
    for what, figures in told["figures"].items():
        if what.startswith("simulation"):
            before, now = median(figures["before"]), median(figures["now"])
            beside = f"{now:.1f} at {told['commits']['now']}, {before:.1f} at {told['commits']['before']}"
            rows.append((what, f"{beside}: × {now / before:.2f}", "≤ 1.1 ×", now <= 1.1 * before))
    return rows


if __name__ == "__main__":
    sys.exit(main())
