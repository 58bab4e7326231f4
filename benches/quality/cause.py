"""What made an alert."""

from collections.abc import Mapping
from typing import Any


def cause(alert: Mapping[str, Any]) -> str:
    """In a few words. Invariants go by their names, with `!` where they break severely."""
    threshold = alert["classification"]["threshold"]
    model, rules = alert["classification"]["probability"], alert["signature_score"]
    first = "rules" if rules >= model else "calldata model"
    simulation = alert["simulation"]
    if simulation["status"] == "not_run":
        return f"{first}, not simulated"
    if simulation["status"] == "failed":
        failure = simulation["failure"]
        return "budget" if failure == "budget" else f"{first}, simulation failed: {failure}"
    if rules >= 1:
        return "rule of full weight"
    if simulation["cut"] and simulation["touched"]:
        return "cut"
    others = simulation["variations"]
    broken = {one["name"] + ("!" if one["severe"] else "") for one in simulation["invariants"]}
    names = " + ".join(sorted(broken))
    if simulation["harm"] >= threshold:
        return names
    if any(one["harm"] >= threshold for one in others):
        return "invariants in other surroundings"
    if max(one["probability"] or 0.0 for one in (simulation, *others)) >= threshold:
        return "verdict model" + (f" with {names}" if names else "")
    if not simulation["decides"] and max(model, rules) >= threshold:
        return f"{first}, undecided: {simulation['outcome'].split(':')[0]}"
    return " + ".join(filter(None, ("verdict model", first, names)))
