"""The command line. stdout is data, stderr is talk; exit codes: 0 fine, 1 failed, 2 wrong usage or configuration."""

import sys
from typing import Annotated

import typer

from mempool_ids.cli import (
    bench,
    capture,
    check,
    defend,
    demo,
    docs,
    drill,
    funding,
    labels,
    model,
    replay,
    rules,
    run,
    score,
    simulate,
)
from mempool_ids.cli.terminal import fail
from mempool_ids.exceptions import ConfigError, MempoolIdsError

app = typer.Typer(
    name="mempool-ids",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from mempool_ids._core import VERSION

        typer.echo(f"mempool-ids {VERSION}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Sees attacks on EVM protocols while their transactions are pending, and can pause contracts before they land.

    Try it: `mempool-ids demo`. Read: `mempool-ids docs`. Watch a node: `mempool-ids run --set chain.websocket_urls=ws://127.0.0.1:8546`.

    Settings come from flags (`--set key=value`), the environment (`MEMPOOL_IDS_…`) and a TOML file (`-c ids.toml`), in
    this order of precedence.
    """


app.command("run")(run.run)
app.command("replay")(replay.replay)
app.command("capture")(capture.capture)
app.command("score")(score.score)
app.command("simulate")(simulate.simulate)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("drill")(drill.drill)
app.command("bench")(bench.bench)
app.command("docs")(docs.docs)
app.add_typer(defend.app, name="defend")
app.add_typer(rules.app, name="rules")
app.add_typer(model.app, name="model")
app.add_typer(funding.app, name="funding")
app.add_typer(labels.app, name="labels")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    try:
        app(arguments)
    except ConfigError as error:
        sys.exit(fail(str(error), 2))
    except MempoolIdsError as error:
        sys.exit(fail(str(error), 1))
    except OSError as error:
        sys.exit(fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1))
