"""`mempool-ids check`: can this configuration be relied on?"""

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.terminal import data_console, say
from mempool_ids.config import IDSConfig, without_effect
from mempool_ids.exceptions import ModelError

if TYPE_CHECKING:
    from mempool_ids.diagnostics import Finding

_STYLE = {"ok": "green", "warning": "yellow", "failed": "bold red"}


Suggest = Annotated[
    bool,
    typer.Option(
        "--suggest",
        help="Print, as TOML, what the contracts answer of themselves and is not configured: administrators, assets, "
        "views. Look at each line before you take it over.",
    ),
]


def check(
    config: ConfigFile = None, overrides: Overrides = None, json: Json = False, suggest: Suggest = False
) -> None:
    """Checks configuration, nodes, contracts, model, rules, storage, defense. Exit code 1 if something would not work.

    Where a contract has a `pause`, that is tried by the guardian on the chain's state in memory: whether it succeeds,
    its gas and price, the guardian's funds and other powers, the journal, the builders. Nothing is signed or sent.

    **Examples**

        mempool-ids check -c ids.toml

        mempool-ids check -c ids.toml --suggest
    """
    from mempool_ids.diagnostics import Finding, Status, check_defense, check_nodes, check_parts

    settings = configuration(config, overrides)
    if suggest:
        _suggest(settings)
        return
    findings = [Finding("configuration", "", Status.OK, "valid")]
    findings += [
        Finding("configuration", key, Status.WARNING, f"has no effect: {why}")
        for key, why in without_effect(settings)
    ]
    findings += [_threshold(settings), *check_parts(settings)]
    findings += asyncio.run(check_nodes(settings))
    findings += asyncio.run(check_defense(settings))
    if json:
        typer.echo(orjson.dumps([dataclasses.asdict(finding) for finding in findings]).decode())
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("", "check", "subject", "ms", "detail"):
            table.add_column(column, justify="right" if column == "ms" else "left")
        for finding in findings:
            latency = "" if finding.latency_ms is None else f"{finding.latency_ms:.1f}"
            status = Text(finding.status.value, style=_STYLE[finding.status.value])
            table.add_row(status, finding.check, Text(finding.subject), latency, Text(finding.detail))
        data_console().print(table)
    failed = sum(finding.status is Status.FAILED for finding in findings)
    if failed:
        say(f"{failed} of {len(findings)} checks failed")
        raise typer.Exit(1)


def _suggest(settings: IDSConfig) -> None:
    from mempool_ids.diagnostics import suggestions

    found = asyncio.run(suggestions(settings))
    for suggestion in found:
        typer.echo(suggestion.toml())
    if not found:
        say(f"nothing to suggest for {len(settings.contracts)} contracts: what they answer is configured")


def _threshold(settings: IDSConfig) -> "Finding":
    from mempool_ids.config.core import threshold
    from mempool_ids.diagnostics import Finding, Status

    whose = "the model's own" if settings.detection.classification_threshold is None else "configured"
    try:
        return Finding("threshold", "", Status.OK, f"{threshold(settings):g}, {whose}")
    except ModelError as error:
        return Finding("threshold", "", Status.FAILED, str(error))
