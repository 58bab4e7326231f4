"""`mempool-ids funding`: who had money of mixers, swaps and exchanges."""

import asyncio
import sys
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from mempool_ids.cli.options import (
    ConfigFile,
    Json,
    Overrides,
    TracingNode,
    address_of,
    blocks_of,
    configuration,
    first_node,
)
from mempool_ids.cli.progress import Progress
from mempool_ids.cli.terminal import data_console, say
from mempool_ids.config import IDSConfig, Url
from mempool_ids.exceptions import NodeError
from mempool_ids.node.blocks import Blocks

if TYPE_CHECKING:
    from mempool_ids.early.funding import FundingState
    from mempool_ids.early.labels import Label
    from mempool_ids.records.deployment import Funding

app = typer.Typer(no_args_is_help=True, help="Who had money of mixers, swaps and exchanges.")

_ETHER = 10**18


@app.command()
def backfill(
    blocks: Annotated[
        Blocks | None,
        typer.Option(
            metavar="A..B",
            parser=blocks_of,
            help="Blocks, both included: numbers, 'latest', 'latest-100'; or one alone.",
            show_default="as far back as the longest window of a service",
        ),
    ] = None,
    node: TracingNode = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Forget what is there where earlier blocks are wanted.")
    ] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Reads blocks that are over into the index of who had money of services, `early.funding`.

    An interrupted run goes on where it ended when the same command is given again. Only one process writes the index:
    stop the sensor first. Blocks that the node has no traces of are read without what contracts pay, and it is said.

    **Examples**

        mempool-ids funding backfill -c ids.toml

        mempool-ids funding backfill --blocks latest-7200..latest --node http://127.0.0.1:8545
    """
    settings = configuration(config, overrides)
    url = node or first_node(settings)
    try:
        asyncio.run(_backfill(settings, url, blocks, anew))
    except NodeError as error:
        raise NodeError(f"{url}: {error}") from None  # printed redacted
    except KeyboardInterrupt:
        say("interrupted: the same command goes on where this ended")
        raise typer.Exit(1) from None


async def _backfill(settings: IDSConfig, url: Url, blocks: Blocks | None, anew: bool) -> None:
    from mempool_ids.early.backfill import Backfill

    with Backfill(settings, url, say) as backfill:
        numbers = await backfill.missing(blocks, anew=anew)
        if not numbers:
            say(f"{settings.early.funding} has these blocks")
            return
        filled = backfill.filled
        say(f"reading {len(numbers):,} blocks, {numbers[0]:,} to {numbers[-1]:,}")
        with Progress(numbers) as progress:
            async with aclosing(backfill.fill(numbers)) as done:
                async for number in done:
                    progress.block(number, f"{filled.records:,} payments")
        plain = f", {filled.plain:,} of them without traces" if filled.plain else ""
        left_out = f", {filled.left_out:,} transactions left out" if filled.left_out else ""
        say(f"read {filled.blocks:,} blocks{plain}: {filled.records:,} payments of services{left_out}")


@app.command()
def show(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", parser=address_of, show_default=False)],
    at: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="As of then, Unix time.", min=0, show_default="the last block"),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """What is known of an account: the money that it had of services, and whether it is on a list of attackers.

    Works beside a sensor that runs.

    **Example**

        mempool-ids funding show 0xb2698c2d99ad2c302a95a8db26b08d17a77cedd4 -c ids.toml
    """
    from mempool_ids.config.values import checksummed
    from mempool_ids.early.funding import FundingTracker
    from mempool_ids.early.labels import Book

    settings = configuration(config, overrides)
    own = checksummed(address)
    labels = list(Book(settings.early.labels).of(own))
    with FundingTracker(settings) as tracker:
        funding, state = tracker.funding_of(address, at), tracker.state()
    if json:
        told = {
            "address": own,
            "funding": [{**asdict(one), "amount": str(one.amount)} for one in funding],
            "labels": [{"origin": origin, **label.model_dump()} for origin, label in labels],
            "index": asdict(state),
        }
        sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
        return
    _print(funding, labels)
    say(_known(state))


def _print(funding: "tuple[Funding, ...]", labels: "list[tuple[str, Label]]") -> None:
    console = data_console()
    for origin, label in labels:
        told = ", ".join(f"{key} {value}" for key, value in label.metadata.items())
        console.print(Text(f"{label.label}, by {origin} (confidence {label.confidence:g}): {told or '-'}"))
    if not funding:
        console.print(Text("no money of a service that is known"))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("service", "grade", "hops", "amount", "time", "block", "via", "transaction"):
        table.add_column(column, justify="right" if column in ("hops", "amount", "block") else "left")
    for one in funding:
        amount = f"{one.amount / _ETHER:.6g}{' wrapped' if one.token else ''}"
        cells = (one.service, one.grade, one.hops, amount, f"{one.timestamp:%Y-%m-%d %H:%M:%S}Z", one.block)
        table.add_row(*(Text(str(cell)) for cell in (*cells, one.via or "-", one.tx)))
    console.print(table)


def _known(state: "FundingState") -> str:
    if not state.blocks or state.until is None:
        return "the index has no blocks yet: `mempool-ids funding backfill`"
    ranges = ", ".join(f"{first:,} to {last:,}" for first, last in state.blocks[-3:])
    more = f" and {len(state.blocks) - 3} ranges before" if len(state.blocks) > 3 else ""
    return f"known: blocks {ranges}{more}; the last of {state.until:%Y-%m-%d %H:%M:%S}Z"
