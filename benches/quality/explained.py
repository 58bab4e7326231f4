"""Why a sensor misses what it misses, and takes for an attack what is none: what was found out, by a case's name or by
a transaction's hash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benches.quality.blocks import Result
from benches.quality.run import Outcome

WHY = {
    "Ronin: attack": (
        "the validators' keys were stolen, so that their signatures are good and the bridge's books are kept; nothing "
        "in the transaction tells it from an honest withdrawal. An owner's own limit (`amounts` of `outflow`) does"
    ),
    "TeamFinance: attack": (
        "`migrate` at a price that the attacker chose is booked by a worthless lock of the right amount: the victim's "
        "books agree with what leaves it, and only the model over what the transaction does finds it unusual"
    ),
    "OneRing: withdrawal of 8,000 shares": (
        "the model over what the transaction does takes it for one, alone; no invariant breaks"
    ),
    "0x2769197da2bede7e7fc6444545c1745fb5ab7e5efdca1c4f4e893ef125b4ceba": (
        "a router runs as itself whatever code its caller names, and nothing that it keeps or its code says vouches "
        "for it: it is built so. In a contract that keeps something this is a hole"
    ),
}


def section(attacks: Sequence[Outcome], results: Iterable[Result]) -> list[str]:
    """Each miss and each false alarm with what is known of it, in Markdown."""
    named = [*_incidents(attacks), *_blocks(results)]
    rows = [f"| {what} | {name} | {WHY.get(name, '**not explained yet**')} |" for what, name in named]
    return [
        "## What it misses, and what it takes for an attack",
        "",
        "| | which | why |",
        "|---|---|---|",
        *rows,
    ]


def _incidents(attacks: Sequence[Outcome]) -> Iterator[tuple[str, str]]:
    for outcome in attacks:
        said, name = outcome.judged, f"{outcome.incident.name}: {outcome.case.name}"
        if said is None:
            continue
        if outcome.case.kind == "attack" and not said.alerted:
            yield "missed", name
        elif outcome.case.kind == "attack" and said.grade == "suspected":
            yield "suspected only", name
        elif outcome.case.kind == "honest" and said.alerted:
            yield "false alarm", name


def _blocks(results: Iterable[Result]) -> Iterator[tuple[str, str]]:
    for block in results:
        for alert in block["alerts"]:
            yield "false alarm", alert["hash"]
