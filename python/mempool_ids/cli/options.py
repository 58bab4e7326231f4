"""Options that all commands share."""

from pathlib import Path
from typing import Annotated

import typer

from mempool_ids.config import IDSConfig, Url, load
from mempool_ids.config.values import lower_address
from mempool_ids.exceptions import ConfigError
from mempool_ids.node.blocks import Blocks

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        help="TOML file. Default: $MEMPOOL_IDS_CONFIG, else ids.toml here.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Sets one value, e.g. chain.id=5. Repeatable.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def configuration(file: Path | None, overrides: list[str] | None) -> IDSConfig:
    """The configuration that the options say. Raises ConfigError."""
    return load(file, overrides or ())


def blocks_of(text: str) -> Blocks:
    """A range of blocks, for typer. Raises `BadParameter`."""
    try:
        return Blocks.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def url_of(text: str) -> Url:
    """A URL, for typer. Raises `BadParameter`."""
    try:
        return Url(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None  # the error has no URL, which may hold a key


TracingNode = Annotated[
    Url | None,
    typer.Option(
        metavar="URL",
        parser=url_of,
        help="HTTP or WebSocket, with the debug namespace.",
        show_default="chain.rpc_urls of the configuration, else chain.websocket_urls",
    ),
]


def first_node(settings: IDSConfig) -> Url:
    """The first node of the configuration. Raises `ConfigError`."""
    urls: tuple[Url, ...] = (*settings.chain.rpc_urls, *settings.chain.websocket_urls)
    if not urls:
        raise ConfigError("there is no node to ask: give --node URL, or set chain.rpc_urls")
    return urls[0]


def address_of(text: str) -> str:
    """An address in lower case, for typer. Raises `BadParameter`."""
    try:
        return lower_address(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
