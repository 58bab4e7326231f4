"""Tells the demo's story on a terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from mempool_ids.demo.early import panels as early
from mempool_ids.demo.early.result import Foreseen
from mempool_ids.demo.panels import STYLES, evidence, race, verdict
from mempool_ids.demo.result import Alert, Result
from mempool_ids.demo.scene import Action
from mempool_ids.demo.timeline import ATTACKER, DEFENSE, gwei


class TerminalTeller:
    """Writes a line for each thing that happens, with the seconds since the story began."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def _line(self, text: str, style: str = "") -> None:
        line = Text(f"{time.monotonic() - self._began:6.2f} s  ", style="dim")
        self._console.print(line.append(text, style=style), soft_wrap=True)

    def act(self, title: str) -> None:
        self._console.print(Rule(Text(title, "bold"), align="left"))

    def note(self, text: str) -> None:
        self._line(text, "dim")

    def traffic(self, action: Action) -> None:
        self._line(f"{action.user} {action.text}")

    def block(self, number: int, transactions: int) -> None:
        self._line(f"── block {number}: {transactions} transactions", "cyan")

    def attacker(self, text: str) -> None:
        self._line(f"attacker {text}", STYLES[ATTACKER])

    def alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None:
        severity = alert["severity"].upper()
        state = "still pending" if pending else "already in a block"
        self._console.print(
            Panel(
                evidence(alert),
                title=f"ALERT {severity}, {sent_to_alert_ms:.1f} ms after the attack",
                subtitle=f"the node says: {state}",
                border_style="bold red",
                title_align="left",
                subtitle_align="right",
            )
        )

    def alert_again(self, alert: Alert) -> None:
        tip = gwei(alert["tx"]["max_priority_fee_per_gas"])
        self._line(f"alert {alert['severity']} about the attack at its new bid, {tip} a gas", "bold red")

    def other_alert(self, alert: Alert, who: str) -> None:
        signatures = ", ".join(entry["name"] for entry in alert["signatures"]) or "no signature"
        self._line(
            f"alert {alert['severity']} about {who}: score {alert['score']:.3f}, {signatures}", "bold yellow"
        )

    def early_alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None:
        state = "no block has the contract yet" if pending else "a block has the contract"
        self._console.print(
            Panel(
                early.evidence(alert),
                title=f"ALERT {alert['severity'].upper()}, {alert['grade']}, "
                f"{sent_to_alert_ms:.1f} ms after the contract's creation was sent",
                subtitle=f"the node says: {state}",
                border_style="bold red" if alert["grade"] == "proved" else "yellow",
                title_align="left",
                subtitle_align="right",
            )
        )

    def end(self, result: Result) -> None:
        if result.defense is not None:
            self._console.print(race(result))
        self._console.print(verdict(result))

    def early_end(self, result: Foreseen) -> None:
        self._console.print(early.foresight(result))
        self._console.print(early.verdict(result))

    def response(self, response: Alert) -> None:
        if (said := _said(response)) is not None:
            self._line(f"defense {said}", STYLES[DEFENSE])


def _said(response: Alert) -> str | None:
    """A change of a response, in words; None where another one says it too."""
    state, reason = response["state"], response["reason"]
    if state == "intent":
        return f"wants to pause {response['target']}: {reason}"
    if state == "verified":
        return f"verified, within all caps: {reason}"
    if state == "sent":
        tip = gwei(response["max_priority_fee_per_gas"])
        if response["attempt"] == 1:
            return f"sends pause(), the next higher of those signed in advance, with a tip of {tip} a gas"
        return f"answers by a pause() with a tip of {tip} a gas"
    return f"{state}: {reason}"


class SilentTeller:
    """For machine output: the result says it all."""

    def act(self, title: str) -> None: ...
    def note(self, text: str) -> None: ...
    def traffic(self, action: Action) -> None: ...
    def block(self, number: int, transactions: int) -> None: ...
    def attacker(self, text: str) -> None: ...
    def alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None: ...
    def alert_again(self, alert: Alert) -> None: ...
    def other_alert(self, alert: Alert, who: str) -> None: ...
    def response(self, response: Alert) -> None: ...
    def early_alert(self, alert: Alert, sent_to_alert_ms: float, pending: bool) -> None: ...
    def end(self, result: Result) -> None: ...
    def early_end(self, result: Foreseen) -> None: ...
