"""`mempool-ids model traces`: what a chain's transactions did, as data to measure a model on."""

import asyncio
import enum
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mempool_ids.cli.options import ConfigFile, Overrides, configuration
from mempool_ids.cli.terminal import say, talk
from mempool_ids.config import Url
from mempool_ids.exceptions import ConfigError, NodeError
from mempool_ids.node.blocks import Blocks

if TYPE_CHECKING:
    from mempool_ids.model.training.trace_file import TraceFile

# Where nobody watches, a line so often; on a terminal the last line tells at every block.
_TOLD_EVERY_S = 30.0
# Of what is left out, so many are named.
_NAMED = 5


class Label(enum.StrEnum):
    benign = "benign"
    exploit = "exploit"


def _blocks(text: str) -> Blocks:
    try:
        return Blocks.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _url(text: str) -> Url:
    try:
        return Url(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None  # the error has no URL, which may hold a key


def traces(
    blocks: Annotated[
        Blocks,
        typer.Option(
            metavar="A..B",
            parser=_blocks,
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
    node: Annotated[
        Url | None,
        typer.Option(
            metavar="URL",
            parser=_url,
            help="HTTP or WebSocket, with the debug namespace.",
            show_default="chain.rpc_urls of the configuration, else chain.websocket_urls",
        ),
    ] = None,
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
    url = node or _configured(config, overrides)
    try:
        asyncio.run(_record(url, blocks, output, label, force))
    except NodeError as error:
        raise NodeError(f"{url}: {error}") from None  # printed redacted
    except KeyboardInterrupt:
        say(f"interrupted: the same command goes on where this ended ({output}.part)")
        raise typer.Exit(1) from None


def _configured(file: Path | None, overrides: list[str] | None) -> Url:
    chain = configuration(file, overrides).chain
    urls: tuple[Url, ...] = (*chain.rpc_urls, *chain.websocket_urls)
    if not urls:
        raise ConfigError("there is no node to ask: give --node URL, or set chain.rpc_urls")
    return urls[0]


async def _record(url: Url, blocks: Blocks, output: Path, label: Label, force: bool) -> None:
    from mempool_ids.model.training.trace_file import Asked, TraceFile, chain_name
    from mempool_ids.node.traces import chain_and_head, traced_blocks

    chain_id, head = await chain_and_head(url)
    asked = Asked(chain_name(chain_id), label.value, blocks.text)
    try:
        numbers = blocks.at(head)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    with TraceFile(output, asked, numbers, force=force) as file, _Telling(file) as telling:
        if file.resumed:
            say(f"{output}.part has {file.traces:,} traces; going on at block {file.missing.start:,}")
        async with aclosing(traced_blocks(url, file.missing, say)) as found:
            async for block in found:
                unreadable = file.append(block.number, block.timestamp, block.traces, len(block.untraced))
                telling.left_out({**block.untraced, **unreadable})
                telling.block(block.number)
        file.finish()
    left_out = f", {file.left_out:,} transactions left out" if file.left_out else ""
    say(f"wrote {output}: {file.traces:,} traces of blocks {file.blocks[0]} to {file.blocks[-1]}{left_out}")


class _Telling:
    """How far it is, on stderr: a line that changes on a terminal, one now and then elsewhere."""

    def __init__(self, file: "TraceFile") -> None:
        self._file = file
        self._begun = self._told = time.monotonic()
        self._begun_at = file.missing.start
        self._status = talk.status("") if talk.is_terminal else None
        self._named = 0

    def __enter__(self) -> "_Telling":
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._status:
            self._status.stop()

    def left_out(self, transactions: dict[str, str]) -> None:
        """Names the first few."""
        for key, why in transactions.items():
            self._named += 1
            if self._named <= _NAMED:
                say(f"{key} left out: {why}")

    def block(self, number: int) -> None:
        """One is done."""
        now, missing = time.monotonic(), self._file.missing
        done = number + 1 - self._begun_at
        left = (now - self._begun) / done * len(missing)
        text = (
            f"block {number:,} of {self._file.blocks[-1]:,}, {self._file.traces:,} traces, "
            f"{done / max(now - self._begun, 1e-9):.3g} blocks/s, {left:,.0f} s left"
        )
        if self._status:
            self._status.update(text)
        elif now - self._told >= _TOLD_EVERY_S and missing:
            self._told = now
            say(text)
