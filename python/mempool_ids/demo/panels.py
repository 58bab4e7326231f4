"""What the demo draws: an alert's evidence, the race as a timeline, and the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mempool_ids.demo.result import Alert, Defended, Entry, Outcome, Result
from mempool_ids.demo.scene import ETHER
from mempool_ids.demo.timeline import ATTACKER, BLOCK, CLOCK, DEFENSE, NODE, SENSOR, Moment, gwei

#: Of whoever does something.
STYLES = {ATTACKER: "bold magenta", SENSOR: "yellow", DEFENSE: "bold green", NODE: "dim", BLOCK: "bold cyan"}
_GLYPHS = {ATTACKER: "▲", SENSOR: "○", DEFENSE: "◆", NODE: "·", BLOCK: "■"}
_STAGES = ("decode", "features", "signatures", "classify", "simulate", "total")
_FACTORS_SHOWN = 6
#: Of a block; the rest are counted.
_ENTRIES_SHOWN = 4


def evidence(alert: Alert) -> Table:
    """What an alert rests on."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(overflow="fold")
    classification = alert["classification"]
    transaction = alert["tx"]
    called = transaction.get("function") or transaction.get("selector") or "a contract creation"
    rows.add_row(
        "transaction", f"{transaction['hash']}\n{called} to {transaction['to']} from {transaction['from']}"
    )
    rows.add_row("touches", ", ".join(alert["contracts"]) or "no monitored contract")
    rows.add_row("score", f"{alert['score']:.3f}, {alert['threat_level']}")
    rows.add_row("grade", f"{alert['grade']}: {_GRADES.get(alert['grade'], '')}")
    rows.add_row("calldata", f"{classification['probability']:.3f} by {classification['model']}")
    rows.add_row("signatures", "\n".join(_signature(entry) for entry in alert["signatures"]) or "none")
    simulation = alert["simulation"]
    if simulation["status"] == "done":
        done = f"{simulation['outcome']} in block {simulation['block']}, {simulation['frames']} calls"
        rows.add_row("simulation", f"{done}: {_share(simulation['probability'])} by what it does")
        broken = [f"{entry['name']}: {entry['explanation']}" for entry in simulation["invariants"]]
        rows.add_row("invariants", "\n".join(broken) or "all hold")
        rows.add_row("factors", _factors(simulation["factors"][:_FACTORS_SHOWN]))
    else:
        rows.add_row("simulation", simulation.get("reason", simulation["status"]))
        rows.add_row("factors", _factors(classification["factors"][:_FACTORS_SHOWN]))
    latency = alert["latency_us"]
    stages = [stage for stage in _STAGES if latency.get(stage) is not None]
    rows.add_row("µs", "   ".join(f"{stage} {latency[stage]:.1f}" for stage in stages))
    if decision := (alert.get("response") or {}).get("decision"):
        rows.add_row("decision", Text(decision, "bold green"))
    return rows


_GRADES = {
    "proved": "executed on the chain's state, it breaks what must never break",
    "likely": "by its simulation, not severely or not for certain",
    "suspected": "by model or rules alone",
}


def _share(probability: float | None) -> str:
    return "–" if probability is None else f"{probability:.3f}"


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['id']}:{entry['rev']} {entry['name']} ({entry['score']:g})"


def _factors(factors: list[dict[str, Any]]) -> Table | str:
    if not factors:
        return "none"
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    for factor in factors:
        table.add_row(factor["feature"], f"{factor['value']:g}", f"{factor['contribution']:+.3f}")
    return table


def race(result: Result) -> Panel:
    """Who did what when, and how they stand in the block."""
    standing = Text(f"block {result.block}: who pays more a gas stands first", STYLES[BLOCK])
    return Panel(
        Group(moments(result.timeline), "", standing, _block(result), "", Text(CLOCK, "dim")),
        title="the race since the attack was sent",
        border_style="cyan",
        title_align="left",
    )


def moments(timeline: Sequence[Moment]) -> Table:
    """Who did what when."""
    rows = Table.grid(padding=(0, 1))
    rows.add_column(justify="right", no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for moment in timeline:
        style = STYLES[moment.who]
        what = Text.assemble((f"{moment.who}: ", style), (moment.what, "dim" if moment.who == NODE else ""))
        rows.add_row(_time(moment.us), Text(_GLYPHS[moment.who], style), what)
    return rows


def _time(us: float) -> str:
    return f"{us:,.0f} µs" if us < 1e6 else f"{us / 1e6:.2f} s"


def _block(result: Result) -> Table:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(justify="right", no_wrap=True)
    rows.add_column(overflow="fold")
    for entry in result.order[:_ENTRIES_SHOWN]:
        rows.add_row(str(entry.position), _entry(entry))
    if (more := len(result.order) - _ENTRIES_SHOWN) > 0:
        rows.add_row("…", Text(f"and {more} more", "dim"))
    return rows


def _entry(entry: Entry) -> Text:
    style = STYLES.get(DEFENSE if entry.who == "guardian" else entry.who, "")
    fate = ("done", "green") if entry.succeeded else ("REVERTED", "bold red")
    return Text.assemble((f"{entry.who} {entry.what}", style), f", tip {gwei(entry.tip)} a gas: ", fate)


def verdict(result: Result) -> Panel:
    """The end of a run: what happened, and whether it passed."""
    done = result.defense
    lines = _watched(result) if done is None else _defended(result, done)
    return ending(result, lines, "seen before it happened" if done is None else "stopped before it happened")


def ending(result: Outcome, lines: list[str], title: str) -> Panel:
    """What happened, and `title` where it passed."""
    lines = [*lines, *(f"Problem: {problem}" for problem in result.problems())]
    style = "bold green" if result.passed else "bold red"
    title = title if result.passed else "FAILED"
    return Panel("\n".join(lines), title=title, border_style=style, title_align="left")


def _watched(result: Result) -> list[str]:
    before, after = eth(result.vault_before), eth(result.vault_after)
    lines = [f"Block {result.block} includes the attack: the vault had {before} and has {after}."]
    if result.drained:
        lines.append(f"Its {result.holders} users have lost {eth(result.lost_wei)}.")
    if result.preceded and result.alert_to_inclusion_ms is not None:
        lines.append(f"The alert came {result.alert_to_inclusion_ms / 1000:.2f} s before that block.")
    count = result.honest_transactions
    lines.append(f"Honest users sent {count} transactions; {len(result.false_alerts)} raised an alert.")
    return lines


def _defended(result: Result, done: Defended) -> list[str]:
    lines = [_standing(result, done), vault(result)]
    if result.at_stake_wei is not None and not result.drained:
        stake = eth(result.at_stake_wei)
        lines.append(
            f"Without the pause its {result.holders} users would have lost {stake}, by the simulation."
        )
    if done.cost_wei is not None:
        costs = f"The pause cost its guardian {eth(done.cost_wei, 5)} of gas"
        lines.append(f"{costs}; the attack cost the attacker {eth(result.attack_cost_wei, 5)}.")
    if done.alert_to_wire_us:
        took = " and ".join(f"{us:,.0f}" for us in done.alert_to_wire_us)
        lines.append(
            f"From an alert to the pause on the wire: {took} µs. It was signed before anybody attacked."
        )
    lines.append(honest(result, done))
    return lines


def _standing(result: Result, done: Defended) -> str:
    fate = "went through" if result.drained else "reverted"
    attack = f"the attack at position {result.position}: it {fate}"
    if not result.pause_first:
        return f"Block {result.block} has {attack}."
    if done.block == result.block:
        return f"Block {result.block} has the pause at position {done.position}, and {attack}."
    return f"Block {done.block} has the pause, and block {result.block} {attack}."


def vault(result: Outcome) -> str:
    """What it has, and had."""
    before, after = eth(result.vault_before), eth(result.vault_after)
    if result.vault_before == result.vault_after:
        return f"The vault has {after}, as before."
    return f"The vault had {before} and has {after}."


def honest(result: Outcome, done: Defended) -> str:
    """How those fared who attacked nobody."""
    count, alarmed, stopped = result.honest_transactions, len(result.false_alerts), len(result.stopped)
    said = f"Honest users sent {count} transactions: {alarmed} alerts, {stopped} stopped before the attack."
    if done.turned_away:
        said += f" {done.turned_away} came to the vault after the pause, and reverted: they lost no more than gas."
    return said


def eth(wei: int, digits: int = 2) -> str:
    """For people, with unit."""
    return f"{wei / ETHER:.{digits}f} ETH"


def comparison() -> Text:
    """How to see what happens without a defense."""
    return Text(
        "The same attacks on vaults that nobody defends: mempool-ids demo --watch-only "
        "(make demo DEMO_ARGS=--watch-only)",
        "dim",
    )
