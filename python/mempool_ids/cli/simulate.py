"""`mempool-ids simulate`: what one transaction would do."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mempool_ids.cli.calls import Names, call_tree, ether
from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.terminal import data_console
from mempool_ids.exceptions import ConfigError

_ETHER = 10**18
_HEX = re.compile(r"0x[0-9a-fA-F]*")
_LEVELS = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "cyan", "BENIGN": "green"}
# Of the others nobody asks how sure it is.
_GRADED = ("CRITICAL", "HIGH", "MEDIUM")


def simulate(
    transaction: Annotated[
        str,
        typer.Argument(
            metavar="HASH|RAW|FILE",
            help="A transaction's hash; its signed bytes in hex; or a file ('-' is stdin) with either, with a "
            "transaction's JSON, or with a recorded callTracer tree.",
            show_default=False,
        ),
    ],
    block: Annotated[
        str | None,
        typer.Option(
            help="State to execute it on: a number, a hash, 'latest'. Default: of a mined transaction the state "
            "before it, else the latest.",
            show_default=False,
        ),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Executes one transaction on the chain's state and prints what it would do: calls, flows, invariants, verdict.

    Nothing is sent. The state comes from `chain.rpc_urls`, or from `chain.websocket_urls`. The contracts, rules and
    model of the configuration judge it as `run` would, without what `run` remembers of senders, fees and ages.

    **Examples**

        mempool-ids simulate 0x5c50…e060 -c ids.toml

        mempool-ids simulate tx.json --block 18000000 --set chain.rpc_urls=http://127.0.0.1:8545

        mempool-ids simulate trace.json --json | jq .verdict
    """
    from mempool_ids import _core
    from mempool_ids.config import sensor_config

    settings = configuration(config, overrides)
    text = transaction_text(transaction)
    raw = _core.inspect_transaction(sensor_config(settings, listen=False), text, block)
    if json:
        sys.stdout.buffer.write(raw + b"\n")
        return
    data_console().print(render(orjson.loads(raw)))


def transaction_text(transaction: str) -> str:
    """What an argument stands for: itself, standard input, or a file's text. Raises ConfigError."""
    if transaction == "-":
        return sys.stdin.read()
    if _HEX.fullmatch(transaction):
        return transaction
    try:
        return Path(transaction).read_text(encoding="utf-8")
    except FileNotFoundError:
        said = f"{transaction}: no such file, and no hash or signed bytes (0x and hexadecimal digits)"
        raise ConfigError(said) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{transaction}: not text") from None


def render(report: dict[str, Any]) -> Group:
    """The report for a terminal."""
    simulation, verdict = report["simulation"], report["verdict"]
    names = Names({report["tx"]["from"]: "sender", **report["names"]})
    parts: list[Any] = [call_tree(report["calls"], names), Text()]
    if simulation["flows"]:
        parts += [_flows(simulation["flows"], names), Text()]
    for broken in simulation["invariants"]:
        parts.append(
            Text.assemble(
                (f"✗ {broken['name']}", "bold red"), f" of {broken['contract']}: {broken['explanation']}"
            )
        )
    for varied in simulation["variations"]:
        parts.append(Text.assemble(("! ", "yellow"), _varied(varied)))
    if simulation["cut"]:
        parts.append(Text("! parts of its trace are beyond the limits and were not judged", style="yellow"))
    if report["without_earlier"]:
        parts.append(
            Text(
                "! executed on the state before its block: no node tells what the block's earlier transactions left "
                "(debug_traceTransaction)",
                style="yellow",
            )
        )
    for factor in simulation["factors"][:5]:
        parts.append(
            Text(
                f"  {factor['contribution']:+.3f}  {factor['feature']} = {factor['value']:g}",
                style="dim",
            )
        )
    parts.append(Text(_outcome(simulation)))
    if not simulation["decides"]:
        parts.append(Text("this does not show that it is harmless: calldata and rules count in full"))
    first = report["stage_one"]
    evidence = [
        f"invariants {simulation['harm']:.3f}",
        f"what it does {_share(simulation['probability'])}",
        f"calldata {first['probability']:.3f}",
        f"rules {first['signature_score']:.3f}",
    ]
    level = verdict["threat_level"]
    grade = f"{report['grade']}, " if level in _GRADED else ""
    parts.append(
        Text.assemble(
            (grade + level, _LEVELS[level]),
            f" {verdict['probability']:.3f}   ",
            (" · ".join(evidence), "dim"),
        )
    )
    return Group(*parts)


def _outcome(simulation: dict[str, Any]) -> str:
    size = f"{simulation['gas_used']:,} gas, calls: {simulation['frames']:,}"
    if not simulation["block"]:  # a recorded trace: nobody knows where it ran, or what the builder got
        return f"{simulation['outcome']}, {size}"
    paid = ether(simulation["coinbase_payment"])
    return f"{simulation['outcome']} in block {simulation['block']:,}, {size}, {paid} to the block's builder"


def _flows(flows: list[dict[str, Any]], names: Names) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("account")
    table.add_column("amount", justify="right")
    table.add_column("asset")
    for flow in flows:
        native = flow["asset"] == "native"
        amount = int(flow["amount"])
        shown = f"{amount / _ETHER:+,.6f}" if native else f"{amount:+,}"
        asset = "ETH" if native else names(flow["asset"])
        table.add_row(names(flow["account"]), Text(shown, style="green" if amount > 0 else "red"), asset)
    return table


def _share(probability: float | None) -> str:
    return "–" if probability is None else f"{probability:.3f}"


def _varied(varied: dict[str, Any]) -> str:
    surroundings = "all of that changed" if varied["of"] == "all" else f"another {varied['of']}"
    if not varied["finished"]:
        return f"comes to no end with {surroundings}"
    harm = f"invariants {varied['harm']:.3f}, what it does {_share(varied['probability'])}"
    return f"does more harm with {surroundings}: {harm}"
