"""`mempool-ids drill`: would a contract be paused, and at what price? A fire drill that spends nothing."""

from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.run import run_async
from mempool_ids.cli.simulate import transaction_text
from mempool_ids.cli.terminal import data_console
from mempool_ids.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mempool_ids.defense.drill import Drill, Drilled, Moment


def drill(
    contract: Annotated[
        str | None,
        typer.Argument(
            metavar="CONTRACT",
            help="Name or address. Default: all that have a `pause`; with --attack, those that it concerns.",
            show_default=False,
        ),
    ] = None,
    attack: Annotated[
        str | None,
        typer.Option(
            metavar="HASH|RAW|FILE",
            help="The transaction to answer: its hash, its signed bytes in hex, or a file ('-' is stdin) with either "
            "or with its JSON. Default: an attack is supposed that takes everything.",
            show_default=False,
        ),
    ] = None,
    gas_price: Annotated[
        float, typer.Option(help="What the supposed attack pays, gwei a gas. 0: nobody bids yet.", min=0)
    ] = 0.0,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Goes through a pause on the chain's state in memory, from the attack to the bytes that would be chosen.

    Nothing is signed, written or sent. A signer is opened only for its address, and not at all where
    `defense.guardian` is set. Exit code 1 where the contract would not be paused, with the reason.

    What it prints, with the time that each step takes:

    - the state: block, base fee, the guardian's nonce and balance;
    - the attack alone: what it takes, and how sure that is;
    - the pause by the guardian, and the attack directly after it: what is left of the harm;
    - what the policy decides on such an alert, what is bid, which rung of the ladder would be sent, and its cost.

    Every contract, and an attack that nobody bids for yet:

        mempool-ids drill -c ids.toml

    One that pays 80 gwei a gas; a real one, pending or of the past:

        mempool-ids drill Vault --gas-price 80

        mempool-ids drill --attack 0x5c50…e060

    For a script:

        mempool-ids drill Vault --attack tx.json --json | jq .verdict

    Without a key: `--set defense.guardian=0x…`. Before active defense is turned on, to see what it would do:
    `--set operational_mode=active_defense --set defense.shadow=true`.
    """
    try:
        from mempool_ids.defense.amounts import GWEI, wei
        from mempool_ids.defense.drill import drill as rehearse
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'mempool-ids[defense]'") from None

    if attack is not None and gas_price:
        raise ConfigError("--gas-price is for an attack that is only supposed: --attack has its own")
    settings = configuration(config, overrides)
    text = None if attack is None else transaction_text(attack)
    done = run_async(rehearse(settings, contract, text, wei(gas_price, GWEI)))
    if json:
        typer.echo(orjson.dumps(done.as_dict()).decode())
    else:
        _show(done)
    raise typer.Exit(0 if done.would_be_paused else 1)


def _show(done: "Drill") -> None:
    console = data_console()
    if not done.contracts:
        console.print(_timeline(done.timeline))
        console.print(_verdict(done.verdict, done.would_be_paused))
    for one in done.contracts:
        console.print(_header(done, one))
        console.print(_timeline([*done.timeline, *one.timeline]))
        for note in one.notes:
            console.print(Text.assemble(("! ", "yellow"), note))
        console.print(_verdict(one.verdict, one.would_be_paused))
        console.print()
    if done.attack is not None and done.attack["without_earlier"]:
        text = (
            "executed on the state before its block: no node tells what the block's earlier transactions left"
        )
        console.print(Text.assemble(("! ", "yellow"), text))
    for note in done.notes:
        console.print(Text.assemble(("! ", "yellow"), note))
    console.print(Text("nothing was signed, written or sent", style="dim"))


def _header(done: "Drill", one: "Drilled") -> Text:
    guardian = one.choice.guardian if one.choice is not None else done.guardians[0]["address"]
    return Text.assemble((one.contract, "bold"), f" {one.address}", (f" by guardian {guardian}", "dim"))


def _timeline(moments: "Sequence[Moment]") -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_column()
    for moment in moments:
        style = "" if moment.is_fine else "red"
        took = Text(f"{moment.took_us:,.0f} µs", style="dim")
        table.add_row(took, Text(moment.step, style=style or "cyan"), Text(moment.detail, style=style))
    return table


def _verdict(verdict: str, is_paused: bool) -> Text:
    return Text(verdict, style="bold green" if is_paused else "bold red")
