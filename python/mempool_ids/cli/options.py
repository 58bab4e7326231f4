"""Options that all commands share."""

from pathlib import Path
from typing import Annotated

import typer

from mempool_ids.config import IDSConfig, load

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
