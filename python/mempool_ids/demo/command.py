"""Runs the demo's two acts once or many times, with the real engine, and says whether it held."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mempool_ids.demo.anvil import find_anvil
from mempool_ids.demo.early.result import Foreseen
from mempool_ids.demo.guardian import check_installed
from mempool_ids.demo.hearing import Teller
from mempool_ids.demo.panels import comparison
from mempool_ids.demo.play import EARLY_FOLDER, Played, Setting, play
from mempool_ids.demo.result import Outcome, Result
from mempool_ids.demo.scene import ETHER
from mempool_ids.demo.terminal import SilentTeller, TerminalTeller
from mempool_ids.exceptions import ConfigError


def run(
    *,
    runs: int = 1,
    block_time: int = 6,
    seed: int | None = None,
    keep: Path | None = None,
    as_json: bool = False,
    watch_only: bool = False,
) -> int:
    """Plays both acts `runs` times on a chain with a block every `block_time` seconds.

    The sensor answers each attack by a pause of its vault; with `watch_only` it only alerts, and both vaults are
    emptied.

    Talk goes to stderr; with `as_json` the results go to stdout, else the story of a single run does. What the sensor
    of a single run wrote, its configuration and the capture stay in `keep`, which must be new or empty.

    Returns:
        0 if in every run the alert preceded the block with the attack, the second act's contract was proved before
        its first call, no honest user raised an alert or was stopped before, and, unless `watch_only`, the pauses came
        before the attacks and nothing was lost. Else 1.

    Raises:
        AnvilError: no node could be had.
        ConfigError: `keep` cannot be used, or what active defense needs is not installed.
        MempoolIdsError: the sensor did not start.
    """
    if keep is not None and (runs > 1 or (keep.exists() and any(keep.iterdir()))):
        raise ConfigError("what is kept is one run's, in a folder that is new or empty")
    if not watch_only:
        check_installed()
    talk = Console(stderr=True)
    setting = Setting(
        find_anvil(lambda text: talk.print(text, style="dim")), block_time, not watch_only, keep
    )
    out = Console()
    results = []
    for number in range(1, runs + 1):
        dice = seed if seed is not None else time.time_ns()
        teller: Teller = TerminalTeller(out) if runs == 1 and not as_json else SilentTeller()
        result = play(setting, dice + number, teller)
        results.append(result)
        if runs > 1:
            talk.print(f"run {number} of {runs}: {_in_short(result)}", soft_wrap=True)
        elif not as_json and not watch_only:
            out.print(comparison(), soft_wrap=True)
    if keep is not None:
        talk.print(_what_is_kept(keep, setting.is_defended), soft_wrap=True)
    if as_json:
        print(json.dumps(_summary(results)))  # noqa: T201
    elif runs > 1:
        out.print(f"{sum(result.passed for result in results)} of {runs} runs passed")
    return 0 if all(result.passed for result in results) else 1


def _what_is_kept(keep: Path, is_defended: bool) -> str:
    config = keep / "ids.toml"
    lines = [f"judge it again: mempool-ids replay {keep / 'capture'} -c {config}"]
    if is_defended:
        lines.append(f"what was done: mempool-ids defend report -c {config}")
    return "\n".join([*lines, f"the second act's is in {keep / EARLY_FOLDER}"])


def _in_short(played: Played) -> str:
    if not played.passed:
        return "FAILED: " + "; ".join(played.problems())
    return f"{_race_in_short(played.race)}. {_early_in_short(played.early)}"


def _race_in_short(result: Result) -> str:
    lead = (result.alert_to_inclusion_ms or 0.0) / 1000
    words = [
        f"alert {result.sent_to_alert_ms:.1f} ms after the attack was sent, {lead:.2f} s before its block"
    ]
    if (done := result.defense) is not None:
        took = " and ".join(f"{us:,.0f}" for us in done.alert_to_wire_us)
        words.append(f"the pause on the wire {took} µs after an alert")
        words.append(f"pause at position {done.position}, attack at {result.position}: nothing lost")
        words.append(f"it cost {(done.cost_wei or 0) / ETHER:.6f} ETH")
    words.append(f"{result.honest_transactions} honest transactions, no alert")
    return "; ".join(words)


def _early_in_short(result: Foreseen) -> str:
    lead = (result.alert_to_first_call_ms or 0.0) / 1000
    words = [
        f"A contract proved {result.creation_to_alert_ms:.1f} ms after it was sent, {lead:.2f} s before its first call"
    ]
    if (done := result.defense) is not None:
        words.append(f"pause in block {done.block}, the private attack in {result.block}: nothing lost")
    words.append(f"{result.honest_transactions} honest transactions, no alert")
    return "; ".join(words)


def _summary(played: Sequence[Played]) -> dict[str, object]:
    results = [one.race for one in played]
    early = [one.early for one in played]
    return {
        "runs": len(played),
        "passed": sum(one.passed for one in played),
        "preceded": sum(result.preceded for result in results),
        "alert_to_inclusion_ms": _least_and_median([result.alert_to_inclusion_ms for result in results]),
        "defense": _summary_of_defense(results),
        "early": {
            "foreseen": sum(result.foreseen for result in early),
            "creation_to_alert_ms": _least_and_median([result.creation_to_alert_ms for result in early]),
            "alert_to_first_call_ms": _least_and_median([result.alert_to_first_call_ms for result in early]),
            "defense": _summary_of_defense(early),
        },
        "results": [one.to_dict() for one in played],
    }


def _least_and_median(figures: Sequence[float | None]) -> dict[str, float] | None:
    known = [figure for figure in figures if figure is not None]
    return {"min": min(known), "median": statistics.median(known)} if known else None


def _summary_of_defense(results: Sequence[Outcome]) -> dict[str, object] | None:
    """None where nobody defended."""
    done = [result.defense for result in results if result.defense is not None]
    if not done:
        return None
    took = [us for one in done for us in one.alert_to_wire_us]
    costs = [one.cost_wei for one in done if one.cost_wei is not None]
    return {
        "won": sum(one.won is True for one in done),
        "pause_first": sum(result.pause_first for result in results),
        "alert_to_wire_us": {"median": statistics.median(took), "max": max(took)} if took else None,
        "cost_wei": {"median": str(statistics.median_low(costs)), "max": str(max(costs))} if costs else None,
        "lost_wei": str(sum(result.lost_wei for result in results)),
    }
