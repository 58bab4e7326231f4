"""`mempool-ids defend`: pausing by hand, answering what the defense asks, and what it did."""

import asyncio
import enum
import getpass
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.run import run_async
from mempool_ids.cli.terminal import data_console, log_to_stderr, say
from mempool_ids.config import IDSConfig
from mempool_ids.exceptions import ConfigError, MempoolIdsError

if TYPE_CHECKING:
    from mempool_ids.defense.action import DefenseAction
    from mempool_ids.defense.report import Report

app = typer.Typer(
    no_args_is_help=True,
    help="Pause by hand, answer what the defense asks, and see what it did. Needs `pip install mempool-ids[defense]`.",
)

_WAIT_S = 120.0
_LOOK_S = 0.2


class Urgency(enum.StrEnum):
    low = "low"
    normal = "normal"
    high = "high"
    critical = "critical"


class Verdict(enum.StrEnum):
    attack = "attack"
    honest = "honest"


class YesNo(enum.StrEnum):
    yes = "yes"
    no = "no"


Action = Annotated[str, typer.Argument(metavar="ACTION", help="Its id, as in alerts, log and `report`.")]


@app.command()
def pause(
    name: Annotated[
        str, typer.Argument(metavar="CONTRACT", help="Name or address of a contract with a `pause`.")
    ],
    threat: Annotated[
        str | None, typer.Option(help="Hash of the transaction that it answers.", show_default=False)
    ] = None,
    gas_price: Annotated[float, typer.Option(help="What the threat pays, gwei a gas.", min=0)] = 0.0,
    urgency: Annotated[Urgency, typer.Option(help="How far above the threat it bids.")] = Urgency.critical,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Pauses a contract now, through the journal, the caps and the watch of the defense, and follows it to its end.

    Where a sensor runs on the same journal, that one does it. Exit code 0 once the contract is paused.

    **Examples**

        mempool-ids defend pause Vault -c ids.toml

        mempool-ids defend pause Vault --threat 0x5c50…e060 --gas-price 40 --yes
    """
    settings = configuration(config, overrides)
    log_to_stderr()
    if not settings.defense.armed:
        raise ConfigError("defense.armed is false: nothing may be sent. Set it, or --set defense.armed=true")
    if not yes:
        typer.confirm(f"Pause {name} on chain {settings.chain.id}?", abort=True, err=True)
    action = run_async(_pause(settings, name, threat, int(gas_price * 10**9), urgency.value))
    if json:
        from mempool_ids.defense.action import as_dict

        typer.echo(orjson.dumps(as_dict(action)).decode())
    raise typer.Exit(0 if action.state.value in ("confirmed", "superseded") else 1)


async def _pause(
    settings: IDSConfig, name: str, threat: str | None, gas_price: int, urgency: str
) -> "DefenseAction":
    try:
        from mempool_ids.defense.executor import DefenseExecutor
    except ImportError as error:
        raise ConfigError(f"pausing needs {error.name}: pip install 'mempool-ids[defense]'") from None
    from mempool_ids.defense.action import DefenseAction, Transition
    from mempool_ids.defense.journal import Journal, JournalError, Locked
    from mempool_ids.defense.protected import protected

    known = protected(settings.contracts)
    if name.lower() not in {text for one in known.values() for text in (one.name.lower(), one.address)}:
        raise ConfigError(f"no contract {name!r} has a pause; known: {', '.join(known) or 'none'}")
    begun_at = time.time()

    def show(action: DefenseAction, transition: Transition) -> None:
        # What the journal has of before is no news here.
        if transition.at >= begun_at:
            say(_line(action, transition))

    try:
        async with DefenseExecutor(
            settings, on_change=show, on_alarm=lambda kind, why: say(f"{kind}: {why}")
        ) as executor:
            begun = await executor.execute_defense(executor.strategy(name), name, threat, gas_price, urgency)
            return await executor.wait_for(begun.action_id, _WAIT_S)
    except Locked:
        say("a sensor runs on this journal: it is asked")
    records = Journal.look(settings.defense.journal)
    try:
        # What is over by now is no answer to it.
        shown = {action.action_id: len(action.history) for action in records.actions() if action.is_over}
        over = set(shown)
        shown |= {action.action_id: len(action.history) for action in records.open_actions()}
        records.order(name, threat, gas_price, urgency, getpass.getuser())
        until = time.monotonic() + _WAIT_S
        while time.monotonic() < until:
            for action in records.actions():
                if action.action_id in over or name.lower() not in (
                    action.target.lower(),
                    action.target_address,
                ):
                    continue
                for transition in action.history[shown.get(action.action_id, 0) :]:
                    show(action, transition)
                shown[action.action_id] = len(action.history)
                if action.is_over:
                    return action
            await asyncio.sleep(_LOOK_S)
    finally:
        records.close()
    raise JournalError(f"the sensor has not paused {name} within {_WAIT_S:.0f} s: see its log")


def _line(action: "DefenseAction", transition: object) -> str:
    from mempool_ids.defense.action import Transition

    assert isinstance(transition, Transition)  # noqa: S101
    at = datetime.fromtimestamp(transition.at, UTC).strftime("%H:%M:%S.%f")
    return f"{at} {action.target}: {transition.state.value}: {transition.reason}"


@app.command()
def answer(
    action: Action,
    what: Annotated[YesNo, typer.Argument(help="Whether to act.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Answers what the defense asks (`defense.confirm`): whether it may act. The first answer counts.

    **Example**

        mempool-ids defend answer 19a8c2f0e1b-1 yes -c ids.toml
    """
    from mempool_ids.defense.journal import Journal

    settings = configuration(config, overrides)
    records = Journal.look(settings.defense.journal)
    try:
        records.answer(action, what is YesNo.yes, getpass.getuser())
    finally:
        records.close()
    say(f"answered {what.value}")


@app.command()
def judge(
    action: Action,
    verdict: Annotated[Verdict, typer.Argument(help="What it answered, as you found out since.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Notes whether a response answered an attack, or honest use: `report` counts false alarms by that.

    **Example**

        mempool-ids defend judge 19a8c2f0e1b-1 honest
    """
    from mempool_ids.defense.journal import Journal

    settings = configuration(config, overrides)
    records = Journal.look(settings.defense.journal)
    try:
        records.judge(action, verdict is Verdict.attack, getpass.getuser())
    finally:
        records.close()
    say(f"noted: {verdict.value}")


@app.command()
def report(
    days: Annotated[float, typer.Option(help="So far back.", min=0)] = 30.0,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Sums up what the defense did, or in shadow mode would have done: won, lost, cost, false alarms.

    Whether a shadow response would have won is an estimate, by the public order of tips in the block of the threat.

    **Example**

        mempool-ids defend report --days 7 -c ids.toml
    """
    from mempool_ids.defense.journal import Journal
    from mempool_ids.defense.report import report as summed

    settings = configuration(config, overrides)
    records = Journal.look(settings.defense.journal)
    try:
        actions = records.actions(time.time() - days * 86_400)
        result = summed(actions, records.judgements())
    finally:
        records.close()
    if json:
        from mempool_ids.defense.action import as_dict

        body = {**result.as_dict(), "list": [as_dict(action) for action in actions]}
        typer.echo(orjson.dumps(body).decode())
        return
    data_console().print(_table(actions))
    for line in _summary(result, days):
        data_console().print(line, soft_wrap=True)


def _table(actions: "list[DefenseAction]") -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("when", "action", "contract", "state", "won", "tip", "cost", "why"):
        table.add_column(column, justify="right" if column in ("tip", "cost") else "left")
    for action in actions[-50:]:
        when = datetime.fromtimestamp(action.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
        won = {True: "yes", False: "no", None: ""}[action.won]
        tip = (
            ""
            if action.max_priority_fee_per_gas is None
            else f"{action.max_priority_fee_per_gas / 1e9:.4g} gwei"
        )
        cost = "" if action.cost_wei is None else f"{action.cost_wei / 1e18:.6f}"
        state = Text(f"{action.state.value}{' (shadow)' if action.shadow else ''}")
        why = Text((action.history[0].reason if action.history else "")[:80])
        table.add_row(when, action.action_id, Text(action.target), state, won, tip, cost, why)
    return table


def _summary(result: "Report", days: float) -> list[str]:
    lines = [
        f"{result.actions} responses in {days:g} days, {result.shadow} of them in shadow mode, {result.open} open",
        f"{result.won} came before what they answered, {result.lost} did not; {result.capped} bids were cut by a cap",
        f"spent {result.spent_wei / 1e18:.6f} ETH, saved {result.saved_wei / 1e18:.6f} ETH as far as that is known",
    ]
    if result.false_alarms is None:
        lines.append(
            "none was judged yet: `mempool-ids defend judge ACTION attack|honest` tells false alarms apart"
        )
    else:
        share = result.false_alarms
        lines.append(
            f"{share.count} of {share.of} judged were false alarms: {share.share:.0%} "
            f"(95 % interval {share.low:.0%} to {share.high:.0%})"
        )
    return lines


__all__ = ["MempoolIdsError", "app"]
