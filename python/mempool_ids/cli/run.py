"""`mempool-ids run`: the sensor, live."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import orjson
import typer

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.terminal import StatusLine, log_to_stderr, reader_left, say
from mempool_ids.config import IDSConfig, IDSMode
from mempool_ids.exceptions import RulesError

log = logging.getLogger("mempool_ids")

T = TypeVar("T")

# After so many seconds without a subscription it is said that there is none.
READY_S = 30.0


def run(
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log debug messages too.")] = False,
) -> None:
    """Watches nodes and raises alerts, until SIGINT or SIGTERM.

    Says "sensor ready" on stderr once it is subscribed. What touches a monitored contract or looks suspicious is
    simulated first; `simulation.deadline_ms` later at the most it is judged. SIGHUP reloads the rules without losing a
    transaction. With `--json` every alert is a JSON line on stdout.

    **Examples**

        mempool-ids run -c ids.toml

        mempool-ids run --set chain.websocket_urls=ws://127.0.0.1:8546,ws://10.0.0.2:8546 --json | jq .tx.hash
    """
    settings = configuration(config, overrides)
    log_to_stderr(logging.DEBUG if verbose else logging.INFO)
    if settings.alerts.webhooks and settings.operational_mode is IDSMode.MONITOR_ONLY:
        log.warning('webhooks are silent in operational_mode "monitor_only"; "alert_only" uses them')
    run_async(_run(settings, json))


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` on uvloop where there is one."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    return uvloop.run(main)


async def _run(settings: IDSConfig, json: bool) -> None:
    # Here, so that `mempool-ids --help` does not pay for numpy and SQLAlchemy.
    from mempool_ids.engine import IDSEngine
    from mempool_ids.records.detection import ThreatDetection

    engine = IDSEngine(settings)
    stopped = asyncio.Event()
    if json:

        def print_alert(detection: ThreatDetection) -> None:
            # Not through sys.stdout: a reader who stopped reading would hold its lock for ever, at the exit too.
            line = memoryview(orjson.dumps(detection.event, option=orjson.OPT_APPEND_NEWLINE))
            try:
                while line:
                    line = line[os.write(sys.stdout.fileno(), line) :]
            except BrokenPipeError:
                reader_left()
                loop.call_soon_threadsafe(stopped.set)

        engine.on_detection(print_alert)
    loop = asyncio.get_running_loop()
    _handle_signals(loop, engine, stopped)
    # The engine ends before anything else is said: who does not read stderr must not keep it from that.
    with StatusLine() as line:
        async with engine:
            tasks = [
                asyncio.create_task(_announce(engine)),
                asyncio.create_task(_show(engine, line)),
            ]
            ended = asyncio.create_task(engine.wait())
            stop = asyncio.create_task(stopped.wait())
            try:
                await asyncio.wait((ended, stop), return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    ended.result()
            finally:
                for task in (*tasks, stop, ended):
                    task.cancel()
    final = engine.get_statistics()
    say(
        f"stopped: {final.received - final.duplicates:,} transactions, {final.stored:,} alerts, {final.dropped:,} drops"
    )


def _handle_signals(loop: asyncio.AbstractEventLoop, engine: Any, stopped: asyncio.Event) -> None:
    background: set[asyncio.Task[None]] = set()

    def stop() -> None:
        stopped.set()
        # A second signal ends at once.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    def reload() -> None:
        task = loop.create_task(_reload(engine))
        background.add(task)
        task.add_done_callback(background.discard)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)


async def _reload(engine: Any) -> None:
    try:
        await engine.reload()
    except RulesError as error:
        log.error("rules not reloaded, the old ones stay: %s", error)
    else:
        log.info("rules reloaded")


async def _announce(engine: Any) -> None:
    if await engine.wait_ready(READY_S):
        say("sensor ready")
        return
    log.warning("no node is subscribed yet; still trying (see `mempool-ids check`)")
    if await engine.wait_ready():
        say("sensor ready")


async def _show(engine: Any, line: StatusLine) -> None:
    while line.visible:
        line.show(time.monotonic(), engine.core_statistics())
        await asyncio.sleep(0.5)
