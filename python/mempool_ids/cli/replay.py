"""`mempool-ids replay`: judges a capture as if it were live."""

import enum
import logging
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.pull import events, finish, stopping, summary
from mempool_ids.cli.terminal import log_to_stderr, reader_left, say

log = logging.getLogger("mempool_ids")


class Emit(enum.StrEnum):
    alerts = "alerts"
    all = "all"


def replay(
    captures: Annotated[
        list[Path],
        typer.Argument(
            help="Capture folder, Parquet file, or JSON lines (.jsonl, .json; each also .gz).", exists=True
        ),
    ],
    speed: Annotated[
        float, typer.Option(help="0: as fast as possible; 1: as recorded; 2: twice that.", min=0.0)
    ] = 0.0,
    emit: Annotated[
        Emit, typer.Option(help="What to write: alerts, or every transaction and new contract too.")
    ] = Emit.alerts,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Judges recorded transactions; writes alerts as JSON lines to stdout and a summary to stderr.

    A capture of a live run gives the alerts that the live run gave: what its simulations read of the chain is in it,
    and they are executed again, and so are the calls that proved what new contracts do. What was recorded without
    simulations is judged by the first stage alone. `--emit all` writes a `tx` event for every transaction, with its 22
    features and its probability, and a `deploy` event for every new contract. With `--json` the summary is JSON, too.
    Nothing is stored, nobody is notified.

    **Examples**

        mempool-ids replay capture/ > alerts.jsonl

        mempool-ids replay day.parquet --emit all --set detection.rules=mine.yaml | jq 'select(.probability > 0.9)'
    """
    from mempool_ids import _core
    from mempool_ids.config import sensor_config

    settings = configuration(config, overrides)
    log_to_stderr()
    sensor = _core.Sensor(sensor_config(settings, replay=captures, speed=speed, emit=emit.value))
    out = sys.stdout.buffer
    prompt = speed > 0 or sys.stdout.isatty()
    started = time.monotonic()
    with stopping(sensor) as caught:
        sensor.start()
        try:
            for kind, raw in events(sensor, "replay"):
                if kind == "alert" or (kind == "deploy" and emit is Emit.all):
                    out.write(raw + b"\n")
                elif kind == "lines":
                    out.write(raw)
                elif kind == "anomaly":
                    _warn(orjson.loads(raw))
                if prompt:
                    out.flush()
            out.flush()
        except BrokenPipeError:
            finish(sensor)
            reader_left()
            return
    _report(summary(orjson.loads(sensor.stats()), time.monotonic() - started), json)
    if caught:
        say("interrupted: what was read up to then was judged")
        raise typer.Exit(1)


def _warn(anomaly: dict[str, Any]) -> None:
    log.warning("%s in %s: %s", anomaly["kind"], anomaly["origin"], anomaly["reason"])


def _report(result: dict[str, Any], json: bool) -> None:
    if json:
        say(orjson.dumps(result).decode())
        return
    parts = [
        f"{result['transactions']:,} transactions in {result['seconds']:.2f} s",
        f"{result['transactions_per_second']:,} tx/s",
        *([f"{result['simulated']:,} simulated"] if result["simulated"] else []),
        f"{result['alerts']:,} alerts",
        f"{result['duplicates']:,} duplicates",
        *(f"{count:,} {kind}" for kind, count in result["anomalies"].items()),
    ]
    say(", ".join(parts))
