"""What the benches' live sensors have in common: how they are configured, and when they are done."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

DEADLINE_MS = 5_000
"""Of a simulation: node and sensor share a machine, and what it takes is not what is measured. Where it is of interest,
how long a verdict took is told beside it."""

Contract = Mapping[str, Any]


def toml(settings: Mapping[str, Any], contracts: Iterable[Contract]) -> str:
    """A configuration. Keys are dotted; texts, numbers and lists of them are written alike in JSON and in TOML."""
    tables = [settings, *contracts]
    texts = ["".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items()) for table in tables]
    return "\n[[contracts]]\n".join(texts)


def under_way(figures: Mapping[str, Any]) -> int:
    """Suspects without a result, by a sensor's statistics."""
    passed_on = ("triaged_contact", "triaged_score", "triaged_young", "simulated_again")
    ended = figures["simulated"] + sum(figures["simulation_failures"].values())
    return int(sum(figures[name] for name in passed_on) - ended)
