"""Alerts, responses and what disturbs the sensor, as messages of Python's `logging` (logger `mempool_ids.events`)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mempool_ids.records.events import ALARM, Event

log = logging.getLogger("mempool_ids.events")

_LEVEL = {
    "critical": logging.CRITICAL,
    "high": logging.ERROR,
    "medium": logging.WARNING,
    "low": logging.WARNING,
}


class LogSink:
    """One message for each event that people want to read."""

    def write(self, events: Sequence[Event]) -> None:
        for event, _ in events:
            kind = event["event_type"]
            if kind == "alert":
                log.log(_LEVEL.get(event["severity"], logging.WARNING), "%s", describe(event))
            elif kind == "reorg":
                log.warning(
                    "reorg: %s blocks left the chain, head is now %s", event.get("depth"), event.get("number")
                )
            elif kind == "response":
                log.log(response_level(event), "%s", describe_response(event))
            elif kind == "anomaly":
                log.log(
                    logging.WARNING if event.get("kind") == ALARM else logging.INFO,
                    "anomaly %s from %s: %s",
                    event.get("kind"),
                    event.get("origin"),
                    event.get("reason"),
                )
            elif kind == "breakdown":
                log.critical("breakdown of %s: %s", event.get("thread"), event.get("reason"))
            elif kind == "outcome":
                log.info("outcome of %s: %s", event.get("hash"), event.get("outcome"))

    def close(self) -> None:
        pass


def describe(alert: Mapping[str, Any]) -> str:
    """An alert in one line: how sure, what, where, why."""
    tx = alert["tx"]
    simulation = alert["simulation"]
    why = [match["name"] for match in alert["signatures"]]
    why += [f"breaks {broken['name']} of {broken['contract']}" for broken in simulation.get("invariants", ())]
    if tx.get("authenticity") == "contradicted":
        why.append("its contents are not what its hash says")
    if simulation["status"] == "failed":
        why.append(f"not simulated: {simulation['reason']}")
    parts = [
        f"{alert['grade']}, {alert['threat_level']} {alert['score']:.3f}",
        f"{tx['hash']} {tx['from']} → {tx['to'] or 'creation'}",
        f"[{', '.join(alert['contracts'])}]" if alert["contracts"] else "",
        tx.get("function") or tx.get("selector") or "",
        f"({'; '.join(why)})" if why else "",
    ]
    return " ".join(part for part in parts if part)


_STATE = {
    "intent": "is wanted",
    "verified": "is allowed",
    "sent": "is sent",
    "included": "is in a block",
    "confirmed": "is done",
    "superseded": "was forestalled",
    "cancelled": "is cancelled",
    "failed": "failed",
}
_SHADOW = {
    **_STATE,
    "verified": "would be allowed",
    "sent": "would be sent",
    "included": "would be in a block",
    "confirmed": "would be done",
}


def response_level(response: Mapping[str, Any]) -> int:
    """Of `logging`: what did not go as wanted is a warning."""
    state = response["state"]
    late = response["won"] is False
    short = response["capped"] and state in ("verified", "sent")  # in a block, it was enough
    is_news = state in ("intent", "failed", "superseded")
    return logging.WARNING if is_news or late or short else logging.INFO


def describe_response(response: Mapping[str, Any]) -> str:
    """A change of a response in one line: what, where it stands, at which price, against what, why."""
    state, threats, details = response["state"], response["threats"], _details(response)
    words = _SHADOW if response["shadow"] else _STATE
    parts = [
        f"{response['strategy']} of {response['target']} {words.get(state, state)}",
        f"(attempt {response['attempt']})" if state == "sent" and response["attempt"] > 1 else "",
        f"[{', '.join(details)}]" if details else "",
        f"against {threats[0]}" if threats else "",
        f"and {len(threats) - 1} more" if threats[1:] else "",
    ]
    what = " ".join(part for part in parts if part)
    return ": ".join(part for part in (what, response["reason"]) if part)


def _details(response: Mapping[str, Any]) -> list[str]:
    """Its transaction, what it bids, and its place and price once a block has it."""
    found = [response["tx_hash"]] if response["tx_hash"] else []
    state, tip, cap = (response[name] for name in ("state", "max_priority_fee_per_gas", "max_fee_per_gas"))
    if state in ("verified", "sent"):
        if tip is not None and cap is not None:
            found.append(f"tip {_in(9, tip)} of at most {_in(9, cap)} gwei a gas")
        if response["capped"]:
            found.append("bid cut short by the caps")
    if response["block"] is not None:
        found.append(f"block {response['block']}")
    if response["position"] is not None:
        found.append(f"position {response['position']}")
    if response["won"] is not None:
        found.append("before the attack" if response["won"] else "AFTER the attack")
    if response["cost_wei"] is not None:
        found.append(f"paid {_in(18, response['cost_wei'])} ether")
    return found


def _in(decimals: int, wei: str) -> str:
    """Wei in a unit of so many decimals, exactly."""
    whole, part = divmod(int(wei), 10**decimals)
    return f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".")
