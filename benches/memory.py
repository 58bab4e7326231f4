"""Figures of the installed command as a process: memory of `run` under load, time of `replay` for a day."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benches import cargo

MEMPOOL_IDS = Path(os.environ.get("MEMPOOL_IDS") or Path(sys.executable).parent / "mempool-ids")
"""The command that is measured: `make bench` names the built wheel's."""

MONITORED = {
    "USDC": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
    "WETH": "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    "Uniswap V2 Router": "0x7a250d5630b4cf539739df2c5dacb4c659f2488d",
}
"""As in rust/core/benches/latency.rs."""


def resident_mb(pid: int, field: str = "VmRSS") -> float:
    """Resident memory of a process: now (`VmRSS`) or at its highest (`VmHWM`)."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    if not found:
        raise RuntimeError(f"process {pid} has no {field}")
    return int(found.group(1)) / 1024


def steady(count: int, rate: int = 10_000) -> dict[str, Any]:
    """Resident memory of `mempool-ids run` once `count` transactions went through it, every stage on."""
    with tempfile.TemporaryDirectory() as folder, cargo.feed(count, rate) as url:
        settings = {
            "chain.websocket_urls": url,
            "chain.resync": "false",
            "alerts.jsonl": f"{folder}/alerts.jsonl",
            "alerts.stats_interval_s": "1",
            "storage.url": f"sqlite:///{folder}/ids.db",
            "detection.monitored_only": "false",
        }
        config = Path(folder, "ids.toml")
        config.write_text(
            "".join(f'[[contracts]]\nname = "{n}"\naddress = "{a}"\n' for n, a in MONITORED.items())
        )
        overrides = [a for k, v in settings.items() for a in ("--set", f"{k}={v}")]
        command = [str(MEMPOOL_IDS), "run", "-c", str(config), *overrides]
        said = Path(folder, "stderr")
        with said.open("w") as stderr, subprocess.Popen(command, cwd=folder, stderr=stderr) as sensor:
            try:
                deadline = time.monotonic() + 30
                while "sensor ready" not in said.read_text():
                    if time.monotonic() > deadline or sensor.poll() is not None:
                        raise RuntimeError(f"the sensor did not become ready: {said.read_text()}")
                    time.sleep(0.05)
                start = resident_mb(sensor.pid)
                time.sleep(count / rate + 10)
                end, highest = resident_mb(sensor.pid), resident_mb(sensor.pid, "VmHWM")
            finally:
                sensor.send_signal(signal.SIGTERM)
                sensor.wait(30)
        events = [json.loads(line) for line in Path(folder, "alerts.jsonl").read_text().splitlines()]
    stats = [event["stats"] for event in events if event["event_type"] == "stats"][-1]
    if stats["classified"] + stats["dropped"] != count:
        raise RuntimeError(f"{stats['classified']} of {count} transactions were classified: {stats}")
    return {
        "rss_start_mb": start,
        "rss_mb": end,
        "rss_highest_mb": highest,
        "transactions": stats["classified"],
        "dropped": stats["dropped"],
        "alerts": stats["detections"],
        "rate": rate,
    }


def replay(count: int) -> dict[str, Any]:
    """Seconds that `mempool-ids replay` takes for a capture of `count` transactions, start of the process included."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder, "capture")
        cargo.capture(capture, count)
        start = time.perf_counter()
        result = subprocess.run(
            [str(MEMPOOL_IDS), "replay", str(capture), "--json"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - start
        summary = json.loads(result.stderr.splitlines()[-1])
        if summary["classified"] != count:
            raise RuntimeError(f"{summary['classified']} of {count} transactions were classified: {summary}")
        megabytes = sum(f.stat().st_size for f in capture.rglob("*") if f.is_file()) / 1e6
    return {
        "transactions": count,
        "seconds": seconds,
        "tx_per_second": count / seconds,
        "capture_mb": megabytes,
    }
