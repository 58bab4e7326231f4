"""`mempool-ids model traces`: what a chain's transactions did, as data to measure a model on."""

import asyncio
import enum
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer

from mempool_ids.cli.options import ConfigFile, Overrides, TracingNode, blocks_of, configuration, first_node
from mempool_ids.cli.progress import Progress
from mempool_ids.cli.terminal import say
from mempool_ids.config import Url
from mempool_ids.exceptions import ConfigError, NodeError
from mempool_ids.node.blocks import Blocks


class Label(enum.StrEnum):
    benign = "benign"
    exploit = "exploit"


def traces(
    blocks: Annotated[
        Blocks,
        typer.Option(
            metavar="A..B",
            parser=blocks_of,
            help="Blocks, both included: numbers, 'latest', 'latest-100'; or one alone.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="JSON lines; gzip if it ends in .gz.", dir_okay=False, show_default=False
        ),
    ],
    node: TracingNode = None,
    label: Annotated[Label, typer.Option(help="What all of these transactions are.")] = Label.benign,
    force: Annotated[bool, typer.Option("--force", help="Replace the file, and begin anew.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Records what the transactions of some blocks did, as a node traces them, for `model eval` and `model train`.

    An interrupted run goes on where it ended when the same command is given again. Leave out blocks with an attack: all
    is labelled alike.

    **Example**

        mempool-ids model traces --blocks latest-1000..latest -o mine.jsonl.gz --node http://127.0.0.1:8545

        mempool-ids model eval --traces mine.jsonl.gz --fpr 0.001
    """
    if not output.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.parent}", param_hint="--output")
    url = node or first_node(configuration(config, overrides))
    try:
        asyncio.run(_record(url, blocks, output, label, force))
    except NodeError as error:
        raise NodeError(f"{url}: {error}") from None  # printed redacted
    except KeyboardInterrupt:
        say(f"interrupted: the same command goes on where this ended ({output}.part)")
        raise typer.Exit(1) from None


async def _record(url: Url, blocks: Blocks, output: Path, label: Label, force: bool) -> None:
    from mempool_ids.model.training.trace_file import Asked, TraceFile, chain_name
    from mempool_ids.node.traces import chain_and_head, traced_blocks

    chain_id, head = await chain_and_head(url)
    asked = Asked(chain_name(chain_id), label.value, blocks.text)
    try:
        numbers = blocks.at(head)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    with TraceFile(output, asked, numbers, force=force) as file, Progress(file.missing) as progress:
        if file.resumed:
            say(f"{output}.part has {file.traces:,} traces; going on at block {file.missing.start:,}")
        async with aclosing(traced_blocks(url, file.missing, say)) as found:
            async for block in found:
                unreadable = file.append(block.number, block.timestamp, block.traces, len(block.untraced))
                progress.left_out({**block.untraced, **unreadable})
                progress.block(block.number, f"{file.traces:,} traces")
        file.finish()
    left_out = f", {file.left_out:,} transactions left out" if file.left_out else ""
    say(f"wrote {output}: {file.traces:,} traces of blocks {file.blocks[0]} to {file.blocks[-1]}{left_out}")
