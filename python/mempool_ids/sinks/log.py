"""Alerts and what disturbs the sensor, as messages of Python's `logging` (logger `mempool_ids.events`)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mempool_ids.records.events import Event

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
            elif kind == "anomaly":
                log.info(
                    "anomaly %s from %s: %s", event.get("kind"), event.get("origin"), event.get("reason")
                )
            elif kind == "breakdown":
                log.critical("breakdown of %s: %s", event.get("thread"), event.get("reason"))
            elif kind == "outcome":
                log.info("outcome of %s: %s", event.get("hash"), event.get("outcome"))

    def close(self) -> None:
        pass


def describe(alert: Mapping[str, Any]) -> str:
    """An alert in one line: what, how sure, where, why."""
    tx = alert["tx"]
    simulation = alert["simulation"]
    why = [match["name"] for match in alert["signatures"]]
    why += [f"breaks {broken['name']} of {broken['contract']}" for broken in simulation.get("invariants", ())]
    if tx.get("authenticity") == "contradicted":
        why.append("its contents are not what its hash says")
    if simulation["status"] == "failed":
        why.append(f"not simulated: {simulation['reason']}")
    parts = [
        f"{alert['threat_level']} {alert['score']:.3f} {tx['hash']} {tx['from']} → {tx['to'] or 'creation'}",
        f"[{', '.join(alert['contracts'])}]" if alert["contracts"] else "",
        tx.get("function") or tx.get("selector") or "",
        f"({'; '.join(why)})" if why else "",
    ]
    return " ".join(part for part in parts if part)
