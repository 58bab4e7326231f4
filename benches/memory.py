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

MEMPOOL_IDS = Path(sys.executable).parent / "mempool-ids"


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found.group(1)) / 1024 if found else 0.0


def steady(count: int, rate: int = 10_000) -> dict[str, Any]:
    """Resident memory of `mempool-ids run` once `count` transactions went through it, every stage on."""
    with tempfile.TemporaryDirectory() as folder, cargo.feed(count, rate) as url:
        settings = {
            "chain.websocket_urls": url,
            "chain.resync": "false",
            "alerts.jsonl": f"{folder}/alerts.jsonl",
            "storage.url": f"sqlite:///{folder}/ids.db",
            "detection.classification_threshold": "0.999",
        }
        command = [str(MEMPOOL_IDS), "run", *(a for k, v in settings.items() for a in ("--set", f"{k}={v}"))]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as sensor:
            assert sensor.stderr is not None
            try:
                for line in sensor.stderr:
                    if "sensor ready" in line:
                        break
                else:
                    raise RuntimeError("the sensor did not become ready")
                start = resident_mb(sensor.pid)
                os.set_blocking(sensor.stderr.fileno(), False)
                time.sleep(count / rate + 5)
                end = resident_mb(sensor.pid)
            finally:
                sensor.send_signal(signal.SIGTERM)
                sensor.wait(30)
    return {"rss_start_mb": start, "rss_mb": end, "transactions": count, "rate": rate}


def replay(count: int) -> dict[str, Any]:
    """Seconds that `mempool-ids replay` takes for a capture of `count` transactions, start of the process included."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder, "capture")
        environment = {
            **os.environ,
            "MEMPOOL_IDS_REPLAY_WRITE": str(capture),
            "MEMPOOL_IDS_REPLAY_ROWS": str(count),
        }
        subprocess.run(
            cargo.command("replay"), cwd=cargo.ROOT, env=environment, check=True, stdout=sys.stderr
        )
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
