"""What `mempool-ids defend report` prints for people: each response, then what all amount to."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from mempool_ids.cli.terminal import data_console
from mempool_ids.defense.amounts import in_ether, in_gwei

if TYPE_CHECKING:
    from mempool_ids.defense.action import DefenseAction
    from mempool_ids.defense.report import Interval, Report

_SHOWN = 50
_JUDGED = {True: "an attack", False: "honest: a false alarm", None: ""}


def show(
    actions: "Sequence[DefenseAction]", judgements: Mapping[str, bool], result: "Report", days: float
) -> None:
    """On stdout."""
    console = data_console()
    if len(actions) > _SHOWN:
        console.print(f"the last {_SHOWN} of {len(actions)}; --json has all\n")
    for action in actions[-_SHOWN:]:
        console.print(_headline(action), soft_wrap=True)
        for name, said in _told(action, judgements.get(action.action_id)):
            if said:
                console.print(Text.assemble((f"  {name:<9}", "cyan"), said), soft_wrap=True)
        console.print()
    for line in _sums(result, days):
        console.print(Text(line), soft_wrap=True)


def _headline(action: "DefenseAction") -> Text:
    when = datetime.fromtimestamp(action.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
    became = action.state.value
    if action.shadow:
        imagined = {True: "would have come first", False: "would have come too late", None: became}
        became = f"{imagined[action.won]} (shadow)"
    style = {True: "bold green", False: "bold red", None: "bold"}[action.won]
    what = (f"{action.strategy} of {action.target}: {became}", style)
    return Text.assemble(f"{when}  {action.action_id}  ", what)


def _told(action: "DefenseAction", judged: bool | None) -> Iterator[tuple[str, str]]:
    yield "answers", _answers(action)
    yield "why", action.history[0].reason if action.history else ""
    yield "bid", _bid(action)
    yield "race", _race(action)
    yield "cost", _cost(action)
    loss = "" if action.loss_wei is None else in_ether(action.loss_wei)
    yield "at stake", loss
    yield "judged", _JUDGED[judged]


def _answers(action: "DefenseAction") -> str:
    said = []
    if action.threats:
        more = f" and {len(action.threats) - 1} more" if len(action.threats) > 1 else ""
        said.append(f"{action.threats[0]}{more}")
    if action.contract is not None:
        said.append(f"a new contract, {action.contract}, which nobody had called")
    return f"{'; '.join(said)} ({action.grade})" if said else "a person's order"


def _bid(action: "DefenseAction") -> str:
    if action.max_priority_fee_per_gas is None or action.max_fee_per_gas is None:
        return ""
    fees = f"tip {in_gwei(action.max_priority_fee_per_gas)}, fee cap {in_gwei(action.max_fee_per_gas)}"
    times = "" if action.attempt < 2 else f", attempt {action.attempt}"
    return f"{fees}{times}{'; CUT SHORT by a cap' if action.capped else ''}"


def _race(action: "DefenseAction") -> str:
    from mempool_ids.defense.action import ENDS, ActionState

    said = [one.reason for one in action.history if one.state in (*ENDS, ActionState.INCLUDED)]
    if not action.shadow and action.won is not None:
        said.append("BEFORE what it answers" if action.won else "AFTER what it answers, or not at all")
    return "; ".join(dict.fromkeys(said))


def _cost(action: "DefenseAction") -> str:
    from mempool_ids.defense.report import most

    if action.cost_wei is not None:
        return in_ether(action.cost_wei)
    if not most(action):
        return ""
    return f"{'would be ' if action.shadow else ''}{in_ether(most(action))} at the most"


def _sums(result: "Report", days: float) -> Iterator[str]:
    sent = result.actions - result.shadow
    yield (
        f"{result.actions} responses in {days:g} days: {sent} sent, {result.shadow} in shadow mode (nothing was sent); "
        f"{result.open} open"
    )
    if result.first is not None:
        share = result.first
        yield (
            f"{share.count} of {share.of} came first, or would have: {_percent(share)}; the others came too late, "
            "or failed"
        )
    yield f"cut short by a cap: {result.capped}"
    if sent:
        yield f"spent {in_ether(result.spent_wei)}, saved {in_ether(result.saved_wei)}"
    if result.shadow:
        yield (
            f"would have spent {in_ether(result.would_spend_wei)} at the most, "
            f"would have saved {in_ether(result.would_save_wei)}"
        )
    yield "(saved: as far as a loss is known in ether)"
    if result.false_alarms is None:
        yield "false alarms: none was judged yet: `mempool-ids defend judge ACTION attack|honest` tells them apart"
    else:
        share = result.false_alarms
        yield f"{share.count} of {share.of} judged were false alarms: {_percent(share)}"


def _percent(share: "Interval") -> str:
    return f"{share.share:.0%} (95 % interval {share.low:.0%} to {share.high:.0%})"
