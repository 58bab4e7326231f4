"""`python -m benches.quality.incidents [NAME …] [--json FILE]` measures, and prints a table in Markdown."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benches.quality.incidents import ASIDE, INCIDENTS
from benches.quality.plan import Incident
from benches.quality.replica import CaseError
from benches.quality.report import markdown, record
from benches.quality.run import Outcome, measure
from benches.quality.state import incidents_data


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches.quality.incidents", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of incidents; all unless given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go as well")
    options = parser.parse_args()
    if not incidents_data().is_dir():
        print(f"skipped: no data at {incidents_data()}; set MEMPOOL_IDS_DATA", file=sys.stderr)
        return 0
    known = {incident.name: incident for incident in INCIDENTS}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no incident is known as {', '.join(unknown)}; there are {', '.join(known)}")
    outcomes = asyncio.run(measured([known[name] for name in options.names] or list(INCIDENTS)))
    print(markdown(outcomes, ASIDE))
    if options.json:
        options.json.write_text(json.dumps([record(outcome, ASIDE) for outcome in outcomes], indent=1) + "\n")
    return 1 if any(outcome.failure for outcome in outcomes) else 0


async def measured(incidents: Sequence[Incident]) -> list[Outcome]:
    """One after the other, each case told on stderr when it is judged."""
    outcomes = []
    for incident in incidents:
        try:
            async for outcome in measure(incident):
                outcomes.append(outcome)
                print(_line(outcome), file=sys.stderr, flush=True)
        except CaseError as error:
            print(f"{incident.name}: {error}", file=sys.stderr, flush=True)
    return outcomes


def _line(outcome: Outcome) -> str:
    case, judged = outcome.case, outcome.judged
    begin = f"{outcome.incident.name:14} {case.kind:7} {case.name:45}"
    if judged is None:
        return f"{begin} FAILED {outcome.failure}"
    said = (
        f"{judged.grade} {judged.score} {', '.join(judged.invariants)} {judged.ms} ms"
        if judged.alerted
        else f"- {judged.simulation}"
    )
    return f"{begin} {said}" + (f" ({outcome.unknown} unknown slots)" if outcome.unknown else "")


if __name__ == "__main__":
    sys.exit(main())
