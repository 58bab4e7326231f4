"""What the second act draws: what is known of a new contract, what happened when, and the end."""

from __future__ import annotations

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mempool_ids.demo.early.result import Foreseen
from mempool_ids.demo.panels import ending, eth, honest, moments, vault
from mempool_ids.demo.result import Alert, Defended
from mempool_ids.sinks.log import proved

_CLOCK = (
    "Times are of this machine's clock since right before the contract's creation was given to the node; those of "
    "sensor and defense are of their own events, a block's is when it was announced."
)


def evidence(alert: Alert) -> Table:
    """What an alert about a new contract rests on."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(overflow="fold")
    contract = alert["early"]["contract"]
    rows.add_row(
        "contract", f"{contract['address']}, {contract['code_size']} bytes, of {contract['deployer']}"
    )
    held = ", ".join(f"{one['contract']} in its {one['place']}" for one in contract["contained"])
    rows.add_row("holds", held or "no monitored contract")
    if (score := contract["score"]) is not None:
        over = "above" if score["high_recall"] else "below"
        limit = score["thresholds"]["high_recall"]
        rows.add_row("score", f"{score['score']:.3f} by its code, {over} {limit:.3f}: suspicious")
    for money in contract["funding"]:
        steps = "straight" if money["hops"] == 1 else f"in {money['hops']} steps"
        rows.add_row("funding", f"{eth(int(money['amount']))} of {money['service']}, {steps}")
    if (tried := contract["detonation"]) is not None:
        rows.add_row(
            "called", f"{tried['calls']} times, as in block {tried['block']}, before anybody else did"
        )
    if found := proved(alert):
        rows.add_row("proof", Text("\n".join(found), "bold"))
        broken = alert["early"]["contract"]["detonation"]["proof"]["simulation"]["invariants"]
        rows.add_row("invariants", "\n".join(f"{one['name']}: {one['explanation']}" for one in broken))
    if decision := (alert.get("response") or {}).get("decision"):
        rows.add_row("decision", Text(decision, "bold green"))
    return rows


def foresight(result: Foreseen) -> Panel:
    """Who did what when."""
    return Panel(
        Group(moments(result.timeline), "", Text(_CLOCK, "dim")),
        title="before the first call",
        border_style="cyan",
        title_align="left",
    )


def verdict(result: Foreseen) -> Panel:
    """The end of the second act: what happened, and whether it passed."""
    done = result.defense
    lines = [*_foreseen(result), *(_watched(result) if done is None else _defended(result, done))]
    return ending(
        result, lines, "told before its first call" if done is None else "stopped before its first call"
    )


def _foreseen(result: Foreseen) -> list[str]:
    if result.proof is None:
        return ["The contract was not proved to attack."]
    when = "before a block had it" if result.pending_when_proved else "once a block had it"
    lines = [
        f"The contract was proved to attack {result.creation_to_alert_ms:.0f} ms after its creation was sent, {when}."
    ]
    if result.foreseen:
        ahead = (result.alert_to_first_call_ms or 0) / 1000
        lines.append(f"That was {ahead:.2f} s before its first call: {result.proof}.")
    if result.is_private:
        lines.append(
            "The attack came by private order flow: the sensor heard nothing of it before its block."
        )
    return lines


def _defended(result: Foreseen, done: Defended) -> list[str]:
    fate = "went through" if result.drained else "reverted"
    attack = f"block {result.block} the attack: it {fate}"
    lines = [f"Block {done.block} has the pause, and {attack}." if result.pause_first else f"In {attack}."]
    lines.append(vault(result))
    if done.cost_wei is not None:
        lines.append(f"The pause cost its guardian {eth(done.cost_wei, 5)} of gas.")
    if done.alert_to_wire_us:
        lines.append(f"From the proof to the pause on the wire: {done.alert_to_wire_us[0]:,.0f} µs.")
    return [*lines, honest(result, done)]


def _watched(result: Foreseen) -> list[str]:
    lines = [f"Block {result.block} has the attack, which nobody stopped.", vault(result)]
    if result.drained:
        lines.append(f"Its {result.holders} users have lost {eth(result.lost_wei)}.")
    count, alarmed = result.honest_transactions, len(result.false_alerts)
    return [*lines, f"Honest users sent {count} transactions; {alarmed} raised an alert."]
