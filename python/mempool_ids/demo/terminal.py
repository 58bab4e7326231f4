"""Tells the demo's story on a terminal."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mempool_ids.demo.result import Alert, Result
from mempool_ids.demo.scene import ETHER, Action

_STAGES = ("decode", "features", "signatures", "classify", "simulate", "total")
_FACTORS_SHOWN = 6


class TerminalTeller:
    """Writes a line for each thing that happens, with the seconds since the story began."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def _line(self, text: str, style: str = "") -> None:
        line = Text(f"{time.monotonic() - self._began:6.2f} s  ", style="dim")
        self._console.print(line.append(text, style=style), soft_wrap=True)

    def note(self, text: str) -> None:
        self._line(text, "dim")

    def traffic(self, action: Action) -> None:
        self._line(f"{action.user} {action.text}")

    def block(self, number: int, transactions: int) -> None:
        self._line(f"── block {number}: {transactions} transactions", "cyan")

    def attacker(self, text: str) -> None:
        self._line(f"attacker {text}", "bold magenta")

    def alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None:
        severity = alert["severity"].upper()
        state = "still pending" if pending else "already in a block"
        self._console.print(
            Panel(
                _evidence(alert),
                title=f"ALERT {severity}, {sent_to_alert_ms:.1f} ms after the attacker sent it",
                subtitle=f"the node says: {state}",
                border_style="bold red",
                title_align="left",
                subtitle_align="right",
            )
        )

    def other_alert(self, alert: Alert, who: str) -> None:
        signatures = ", ".join(entry["name"] for entry in alert["signatures"]) or "no signature"
        self._line(
            f"alert {alert['severity']} about {who}: score {alert['score']:.3f}, {signatures}", "bold yellow"
        )


def verdict(result: Result) -> Panel:
    """The end of a run: what happened, and whether it passed."""
    before, after = (f"{wei / ETHER:.2f} ETH" for wei in (result.vault_before, result.vault_after))
    lines = [f"Block {result.block} includes the attack: the vault had {before} and has {after}."]
    if result.preceded and result.alert_to_inclusion_ms is not None:
        lines.append(f"The alert came {result.alert_to_inclusion_ms / 1000:.2f} s before that block.")
    count = result.honest_transactions
    lines.append(f"Honest users sent {count} transactions; {len(result.false_alerts)} raised an alert.")
    lines += [f"Problem: {problem}" for problem in result.problems()]
    style = "bold green" if result.passed else "bold red"
    title = "seen before it happened" if result.passed else "FAILED"
    return Panel("\n".join(lines), title=title, border_style=style, title_align="left")


def _evidence(alert: Alert) -> Table:
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
    return rows


def _share(probability: float | None) -> str:
    return "–" if probability is None else f"{probability:.3f}"


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['id']}:{entry['rev']} {entry['name']} ({entry['score']:g})"


def _factors(factors: list[dict[str, Any]]) -> Table | str:
    if not factors:
        return "none"
    table = Table.grid(padding=(0, 2))
    for factor in factors:
        table.add_row(factor["feature"], f"{factor['value']:g}", f"{factor['contribution']:+.3f}")
    return table


class SilentTeller:
    """For machine output: the result says it all."""

    def note(self, text: str) -> None: ...
    def traffic(self, action: Action) -> None: ...
    def block(self, number: int, transactions: int) -> None: ...
    def attacker(self, text: str) -> None: ...
    def alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None: ...
    def other_alert(self, alert: Alert, who: str) -> None: ...
