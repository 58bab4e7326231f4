"""`mempool-ids defend`: pausing by hand, answering what the defense asks, and what it did."""

import asyncio
import enum
import getpass
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.run import run_async
from mempool_ids.cli.terminal import log_to_stderr, say
from mempool_ids.config import IDSConfig
from mempool_ids.config.values import lower_hash
from mempool_ids.exceptions import ConfigError, MempoolIdsError

if TYPE_CHECKING:
    from mempool_ids.defense.action import DefenseAction

app = typer.Typer(
    no_args_is_help=True,
    help="Pause by hand, answer what the defense asks, and see what it did. Needs "
    "`pip install 'mempool-ids[defense]'`; `mempool-ids docs defense` is the manual.",
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


Action = Annotated[
    str,
    typer.Argument(metavar="ACTION", help="The response's id (`action_id`), as in alerts, log and `report`."),
]


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
    if threat is not None:
        try:
            threat = lower_hash(threat)
        except ValueError as error:
            raise typer.BadParameter(f"{threat}: {error}", param_hint="--threat") from None
    settings = configuration(config, overrides)
    log_to_stderr()
    if not settings.defense.armed:
        raise ConfigError(
            "defense.armed is false: nothing may be sent. In the configuration, set defense.armed = true in the place "
            "of defense.shadow, and a defense.signer"
        )
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
    from mempool_ids.defense.protected import find, protected

    target = find(protected(settings.contracts), name)
    begun_at = time.time()

    def show(action: DefenseAction, transition: Transition) -> None:
        # What the journal has of before is no news here.
        if transition.at >= begun_at:
            say(_line(action, transition))

    try:
        # The others are armed by a sensor; who is in a hurry does not wait for them.
        async with DefenseExecutor(
            settings, on_change=show, on_alarm=lambda kind, why: say(f"{kind}: {why}"), only=target.name
        ) as executor:
            begun = await executor.execute_defense(target.strategy, target.name, threat, gas_price, urgency)
            return await executor.wait_for(begun.action_id, _WAIT_S)
    except Locked:
        say("a sensor runs on this journal: it is asked")
    records = Journal.look(settings.defense.journal)
    try:
        # What is over by now is no answer to it.
        shown = {action.action_id: len(action.history) for action in records.actions() if action.is_over}
        over = set(shown)
        shown |= {action.action_id: len(action.history) for action in records.open_actions()}
        records.order(target.name, threat, gas_price, urgency, getpass.getuser())
        until = time.monotonic() + _WAIT_S
        while time.monotonic() < until:
            for action in records.actions():
                if action.action_id in over or action.target != target.name:
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
    what: Annotated[YesNo, typer.Argument(metavar="yes|no", help="Whether to act.")],
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
    verdict: Annotated[
        Verdict, typer.Argument(metavar="attack|honest", help="What it answered, as you found out since.")
    ],
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
    """Says of each response what it answered, why, what it bid and how the race ended; then the sums.

    In shadow mode that is what would have been: where in its block the pause would have stood, what it would have cost
    at the most, and what it would have saved. Whether it would have come first is an estimate, by the public order of
    tips in the block of the threat.

    **Examples**

        mempool-ids defend report --days 7 -c ids.toml

        mempool-ids defend report --json | jq .false_alarms
    """
    from mempool_ids.defense.action import as_dict
    from mempool_ids.defense.journal import Journal
    from mempool_ids.defense.report import report as summed

    settings = configuration(config, overrides)
    records = Journal.look(settings.defense.journal)
    try:
        actions = records.actions(time.time() - days * 86_400)
        judgements = records.judgements()
    finally:
        records.close()
    result = summed(actions, judgements)
    if json:
        told = [{**as_dict(action), "judged_attack": judgements.get(action.action_id)} for action in actions]
        typer.echo(orjson.dumps({**result.as_dict(), "list": told}).decode())
        return
    from mempool_ids.cli.report import show

    show(actions, judgements, result, days)


__all__ = ["MempoolIdsError", "app"]
