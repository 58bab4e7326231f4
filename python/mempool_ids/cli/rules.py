"""`mempool-ids rules`: list, lint and test signatures."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table
from rich.text import Text

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.terminal import data_console, fail, say
from mempool_ids.config import IDSConfig

app = typer.Typer(no_args_is_help=True, help="List, lint and test signatures.")

Rules = Annotated[
    list[str] | None,
    typer.Argument(
        help="Rule files, globs, or 'builtin'.", show_default="detection.rules of the configuration"
    ),
]

_SEVERITY = {1: "critical", 2: "high", 3: "medium", 4: "low"}


def _chosen(rules: list[str] | None, settings: IDSConfig) -> list[str]:
    return list(rules or settings.detection.rules)


@app.command("list")
def list_(
    rules: Rules = None, config: ConfigFile = None, overrides: Overrides = None, json: Json = False
) -> None:
    """Lists signatures and invariants.

    **Examples**

        mempool-ids rules list

        mempool-ids rules list 'rules/*.yaml' --json | jq '.[].sid'
    """
    from mempool_ids import _core

    raw = _core.list_rules(_chosen(rules, configuration(config, overrides)))
    if json:
        typer.echo(raw)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("sid", "rev", "severity", "weight", "classtype", "msg", "file"):
        table.add_column(column, justify="right" if column in ("sid", "rev", "weight") else "left")
    for rule in orjson.loads(raw):
        cells = (
            rule["sid"],
            rule["rev"],
            _SEVERITY.get(rule["severity"], rule["severity"]),
            f"{rule['weight']:g}",
        )
        message = f"{rule['msg']}: never {rule['never']}" if "never" in rule else rule["msg"]
        texts = (*cells, rule["classtype"], message, rule["file"])
        table.add_row(*(Text(str(text)) for text in texts), style=None if rule["enabled"] else "dim strike")
    data_console().print(table)


@app.command()
def lint(
    rules: Rules = None, config: ConfigFile = None, overrides: Overrides = None, json: Json = False
) -> None:
    """Checks signatures: every error and warning with file and line. Exit code 1 if there is an error.

    **Example**

        mempool-ids rules lint 'rules/*.yaml'
    """
    from mempool_ids import _core

    raw = _core.lint_rules(_chosen(rules, configuration(config, overrides)))
    found = orjson.loads(raw)
    if json:
        typer.echo(raw)
    for item in () if json else found:
        place = item["file"] + (f":{item['line']}" if item["line"] else "")
        sid = f"sid {item['sid']}: " if item["sid"] else ""
        typer.echo(f"{place}: {item['level']}: {sid}{item['message']}")
    errors = sum(item["level"] == "error" for item in found)
    say(f"{errors} errors, {len(found) - errors} warnings")
    if errors:
        raise typer.Exit(1)


@app.command()
def test(
    transactions: Annotated[
        Path,
        typer.Option(
            "--tx",
            help="Transaction objects as JSON lines, as eth_getTransactionByHash returns them.",
            exists=True,
        ),
    ],
    rules: Rules = None,
    code: Annotated[
        Path | None, typer.Option(help="The callee's runtime code: a file with hexadecimal.", exists=True)
    ] = None,
    expect: Annotated[
        list[int] | None, typer.Option(help="Fail unless every transaction matches this sid. Repeatable.")
    ] = None,
    reject: Annotated[
        list[int] | None, typer.Option(help="Fail if a transaction matches this sid. Repeatable.")
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Says which signatures match given transactions.

    Monitored contracts (and their ABIs) come from the configuration. Exit code 1 if an expectation is not met.

    **Example**

        mempool-ids rules test rules/mine.yaml --tx attack.jsonl --expect 1000001
    """
    from mempool_ids import _core
    from mempool_ids.config.core import contracts_json

    settings = configuration(config, overrides)
    contracts = orjson.dumps(contracts_json(settings.contracts)).decode()
    chosen = _chosen(rules, settings)
    runtime = _hex(code) if code else None
    failures = 0
    for line in _lines(transactions):
        tx = orjson.loads(line)
        matches = orjson.loads(_core.match_rules(chosen, contracts, line, runtime))
        _print_matches(str(tx.get("hash")), matches, json)
        sids = {match["id"] for match in matches}
        problems = [f"sid {sid} does not match" for sid in expect or () if sid not in sids]
        problems += [f"sid {sid} matches" for sid in reject or () if sid in sids]
        failures += len(problems)
        for problem in problems:
            fail(f"{tx.get('hash')}: {problem}", 1)
    if failures:
        raise typer.Exit(1)


def _lines(path: Path) -> Iterator[bytes]:
    """One JSON object a line, or a file that is one object."""
    data = path.read_bytes()
    lines = [line for line in data.splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            found: Any = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if number == 1 and data.lstrip().startswith(b"{"):
                whole = _whole(data)
                if whole is not None:
                    yield whole
                    return
            raise typer.BadParameter(f"{path}:{number}: {error}") from None
        if not isinstance(found, dict):
            raise typer.BadParameter(f"{path}:{number}: not a JSON object")
        yield line


def _whole(data: bytes) -> bytes | None:
    try:
        return orjson.dumps(orjson.loads(data))
    except orjson.JSONDecodeError:
        return None


def _hex(path: Path) -> bytes:
    try:
        return bytes.fromhex(path.read_text(encoding="ascii").strip().removeprefix("0x"))
    except ValueError:
        raise typer.BadParameter(f"{path}: not hexadecimal") from None


def _print_matches(tx_hash: str, matches: list[dict[str, Any]], json: bool) -> None:
    if json:
        sys.stdout.write(orjson.dumps({"hash": tx_hash, "signatures": matches}).decode() + "\n")
        return
    if not matches:
        typer.echo(f"{tx_hash} -")
    for match in matches:
        typer.echo(f"{tx_hash} {match['id']} {match['score']:.2f} {match['name']}")
