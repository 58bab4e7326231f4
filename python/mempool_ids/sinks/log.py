"""Alerts, responses and what disturbs the sensor, as messages of Python's `logging` (logger `mempool_ids.events`)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mempool_ids.records.events import ALARM, Event
from mempool_ids.sinks.proof import harms, in_units

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
            elif kind == "deploy":
                contract = event["contract"]
                # Thousands a day say nothing to anybody.
                suspicious = contract["contained"] or (contract["score"] or {}).get("high_recall")
                is_news = suspicious or event["labels"]
                log.log(logging.INFO if is_news else logging.DEBUG, "%s", describe_deployment(contract))
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


_WHERE = {
    "mined": "block {block}",
    "gone": "gone: its transaction failed, or another one took its place",
}


def describe_deployment(contract: Mapping[str, Any]) -> str:
    """A new contract in one line: what it is, how suspicious, and what it has to do with whom."""
    score, detonation = contract["score"], contract["detonation"]
    where = _WHERE.get(contract["seen"], contract["seen"]).format(**contract)
    parts = [
        f"new contract {contract['address']} of {contract['deployer']} ({where})",
        f"score {score['score']:.3f}" if score else "not scored",
        f"holds {', '.join(held['contract'] for held in contract['contained'])}"
        if contract["contained"]
        else "",
        f"funded by {contract['funding'][0]['service']}" if contract["funding"] else "",
        f"{len(contract['twins']) + contract['twins_more']} more like it" if contract["twins"] else "",
        f"called {detonation['calls']} times, {detonation['entered']} did something" if detonation else "",
    ]
    return ", ".join(part for part in parts if part)


_EARLY = {
    "proof": "proved by calling it",
    "likely_harm": "likely by calling it",
    "hides": "calling it does more than can be recorded, a monitored contract among it",
    "high_precision": "its code looks like an attacker's",
    "past_attacker": "its deployer has attacked before",
    "funded": "its code is suspicious, and its deployer's money comes from {service}",
    "info": "its code is somewhat suspicious",
}


def _describe_early(alert: Mapping[str, Any]) -> str:
    """An alert about a new contract in one line: how sure, what is proved, whose it is, why."""
    early = alert["early"]
    contract = early["contract"]
    service = contract["funding"][0]["service"] if contract["funding"] else ""
    why = _EARLY.get(early["reason"], early["reason"]).format(service=service)
    parts = [
        f"{early['name']}, {alert['grade']}, {alert['threat_level']} {alert['score']:.3f}",
        f"new contract {contract['address']} of {contract['deployer']}",
        f"[{', '.join(alert['contracts'])}]" if alert["contracts"] else "",
        f"({'; '.join([why, *proved(alert)])})",
    ]
    return " ".join(part for part in parts if part)


def proved(alert: Mapping[str, Any]) -> list[str]:
    """`calling 0x9e5faafc() as its deployer takes 90 ether out of Vault`, by an alert about a new contract."""
    contract = alert["early"]["contract"]
    proof = (contract["detonation"] or {}).get("proof")
    return [] if proof is None else harms(proof, contract["deployer"], alert["victims"])


def describe(alert: Mapping[str, Any]) -> str:
    """An alert in one line: how sure, what, where, why."""
    if alert.get("early"):
        return _describe_early(alert)
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
            found.append(f"tip {in_units(9, tip)} of at most {in_units(9, cap)} gwei a gas")
        if response["capped"]:
            found.append("bid cut short by the caps")
    if response["block"] is not None:
        found.append(f"block {response['block']}")
    if response["position"] is not None:
        found.append(f"position {response['position']}")
    if response["won"] is not None:
        found.append("before the attack" if response["won"] else "AFTER the attack")
    if response["cost_wei"] is not None:
        found.append(f"paid {in_units(18, response['cost_wei'])} ether")
    return found
