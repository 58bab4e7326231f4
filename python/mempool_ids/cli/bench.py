"""`mempool-ids bench`: what this machine and these endpoints can do."""

import gzip
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.pull import events, stopping
from mempool_ids.cli.terminal import say, talk
from mempool_ids.config import IDSConfig
from mempool_ids.exceptions import ConfigError

_SAMPLES = Path(__file__).resolve().parent.parent / "samples" / "transactions.jsonl.gz"
_MAX_SAMPLES = 20_000


def bench(
    transactions: Annotated[
        Path | None,
        typer.Option(
            "-i",
            "--input",
            help="Transactions to measure with, as JSON lines (.gz too). Default: a synthetic sample that comes along.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long each part measures.", min=0.2)] = 5.0,
    stages: Annotated[bool, typer.Option(help="Measure this machine's stages.")] = True,
    endpoints: Annotated[
        bool | None,
        typer.Option(help="Compare the endpoints. Default: where some are configured.", show_default=False),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Measures the stages on this machine, and which endpoint sees transactions first.

    Stages run with your rules, ABIs and model: a slow rule shows here before it shows in production. Endpoints are
    watched side by side from when all are subscribed; `first` is the share of transactions that one announced before
    all others.

    **Examples**

        mempool-ids bench

        mempool-ids bench --no-stages --seconds 60 -c ids.toml
    """
    settings = configuration(config, overrides)
    report: dict[str, Any] = {}
    if stages:
        say(f"stages: {seconds:g} s")
        report["stages"] = _stages(settings, transactions or _SAMPLES, seconds)
        report["transactions"] = str(transactions) if transactions else "synthetic sample"
    if endpoints if endpoints is not None else bool(settings.chain.websocket_urls):
        say(f"endpoints: {seconds:g} s")
        report["endpoints"] = _endpoints(settings, seconds)
    if json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_APPEND_NEWLINE).decode())
        return
    if "stages" in report:
        _stage_table(report["stages"])
    if "endpoints" in report:
        _endpoint_table(report["endpoints"])


def _stages(settings: IDSConfig, path: Path, seconds: float) -> list[dict[str, Any]]:
    from mempool_ids import _core
    from mempool_ids.config import sensor_config

    # The source is not started: any will do.
    core = sensor_config(settings, replay=[path])
    costs: list[dict[str, Any]] = orjson.loads(_core.measure_stages(core, _lines(path), seconds))
    return costs


def _lines(path: Path) -> list[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        lines = [line for line, _ in zip(file, range(_MAX_SAMPLES), strict=False)]
    if not lines:
        raise ConfigError(f"{path}: no transactions")
    return lines


def _endpoints(settings: IDSConfig, seconds: float) -> list[dict[str, Any]]:
    from mempool_ids import _core
    from mempool_ids.config import sensor_config

    # A node's pool, fetched after it subscribed, would say who subscribed first, not who is faster.
    chain = settings.chain.model_copy(update={"resync": False})
    sensor = _core.Sensor(sensor_config(settings.model_copy(update={"chain": chain}), judge=False))
    before: list[dict[str, Any]] | None = None
    with stopping(sensor):
        sensor.start()
        for kind, _ in events(sensor, "endpoints", time.monotonic() + seconds):
            if kind == "ready" and before is None:
                before = _counted(sensor)
    after = _counted(sensor)
    found = [_since(old, new) for old, new in zip(before or after, after, strict=True)]
    total = sum(endpoint["first"] for endpoint in found)
    for endpoint in found:
        endpoint["first_share"] = endpoint["first"] / total if total else 0.0
    return sorted(found, key=lambda endpoint: -endpoint["first_share"])


def _counted(sensor: Any) -> list[dict[str, Any]]:
    counted: list[dict[str, Any]] = orjson.loads(sensor.stats())["endpoints"]
    return counted


def _since(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What an endpoint did between two counts: until all had subscribed, those that had were alone."""
    seen, first = now["seen"] - before["seen"], now["first"] - before["first"]
    late_before, late_now = before["seen"] - before["first"], now["seen"] - now["first"]
    lag_us = now["mean_lag_us"] * late_now - before["mean_lag_us"] * late_before
    return {**now, "seen": seen, "first": first, "mean_lag_us": lag_us / max(seen - first, 1)}


def _stage_table(stages: list[dict[str, Any]]) -> None:
    table = Table("stage", "median µs", "p99 µs", "per second on one core", box=None)
    for stage in stages:
        median, p99 = stage["median_ns"] / 1000, stage["p99_ns"] / 1000
        rate = f"{1e6 / median:,.0f}" if median else ""
        table.add_row(stage["stage"], f"{median:,.2f}", f"{p99:,.2f}", rate)
    for column in table.columns[1:]:
        column.justify = "right"
    talk.print(table)


def _endpoint_table(endpoints: list[dict[str, Any]]) -> None:
    table = Table("endpoint", "up", "seen", "first", "mean lag ms", "disconnects", box=None)
    for each in endpoints:
        lag = f"{each['mean_lag_us'] / 1000:,.2f}"
        first = f"{each['first_share']:.1%}"
        up = "yes" if each["messages"] else "no answer"
        table.add_row(each["endpoint"], up, f"{each['seen']:,}", first, lag, f"{each['disconnects']:,}")
    for column in table.columns[2:]:
        column.justify = "right"
    talk.print(table)
