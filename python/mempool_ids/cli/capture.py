"""`mempool-ids capture`: records a mempool."""

import logging
import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer

from mempool_ids import _core
from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.pull import events, stopping, summary
from mempool_ids.cli.terminal import log_to_stderr, say

log = logging.getLogger("mempool_ids")

LOOK_EVERY_S = 2.0


def capture(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the Parquet files.", file_okay=False)
    ],
    duration: Annotated[
        float | None, typer.Option(help="Stop after so many seconds.", min=0.1, show_default="until SIGINT")
    ] = None,
    rotate_minutes: Annotated[
        float | None, typer.Option(help="A new file after so many minutes.", min=0.1)
    ] = None,
    rotate_rows: Annotated[int | None, typer.Option(help="A new file after so many rows.", min=1)] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Records pending transactions as Parquet, in the schema of flashbots/mempool-dumpster, until SIGINT or SIGTERM.

    Exit code 1 if anything was lost. Nothing is judged; `mempool-ids replay DIR` does that later, as often as wanted.
    Nothing is simulated either, so such a replay is judged by the first stage alone. To record while alerting, and
    with what simulations read, give `run` a `[capture]` section.

    **Example**

        mempool-ids capture -o capture/ --set chain.websocket_urls=ws://127.0.0.1:8546
    """
    from mempool_ids.config import sensor_config
    from mempool_ids.config.models import Capture
    from mempool_ids.runtime.receiver import unasked_end

    settings = configuration(config, overrides)
    log_to_stderr()
    recorder = Capture(
        dir=output.absolute(),
        rotate_ms=round(rotate_minutes * 60_000) if rotate_minutes else None,
        rotate_rows=rotate_rows,
    )
    sensor = _core.Sensor(sensor_config(settings, judge=False, capture=recorder))
    started = time.monotonic()
    end = started + duration if duration else math.inf
    last_anomaly: bytes | None = None
    with stopping(sensor) as stopped, _losses_logged(sensor):
        sensor.start()
        for kind, raw in events(sensor, "capture", end):
            if kind == "ready":
                say("sensor ready")
            elif kind == "anomaly":
                last_anomaly = raw
                anomaly = orjson.loads(raw)
                level = logging.ERROR if anomaly["kind"] == "capture_failed" else logging.WARNING
                log.log(level, "%s from %s: %s", anomaly["kind"], anomaly["origin"], anomaly["reason"])
    asked = bool(stopped) or time.monotonic() >= end
    core = orjson.loads(sensor.stats())
    result = summary(core, time.monotonic() - started)
    # Heads and codes can be among the lost: at least so many.
    result["transactions"] = max(0, result["transactions"] - core["dropped_capture"])
    if json:
        sys.stdout.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE).decode())
    else:
        say(f"{result['transactions']:,} transactions recorded in {output}, {result['dropped']:,} dropped")
    if not asked:
        raise unasked_end(last_anomaly)
    if result["dropped"]:
        raise typer.Exit(1)


@contextmanager
def _losses_logged(sensor: _core.Sensor) -> Iterator[None]:
    """Says at once, and then every few seconds, that what is received cannot be recorded."""
    said = 0

    def look() -> None:
        nonlocal said
        lost = orjson.loads(sensor.stats())["dropped_capture"]
        if lost > said:
            log.error("%s entries could not be recorded so far", f"{lost:,}")
            said = lost

    def watch() -> None:
        while not over.wait(LOOK_EVERY_S):
            look()

    over = threading.Event()
    watcher = threading.Thread(target=watch, name="ids-capture-losses", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        look()
