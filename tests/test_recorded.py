"""A capture from before the core's modules were moved: its replay still says the same, byte by byte, but for what the
models say, which are trained anew."""

import re
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parent / "data" / "demo"

# When it was written and how long it took; the keys that were added since; and the models' answers.
_DIFFER = (
    rb'"timestamp":"[^"]*",?',
    rb'"latency_us":\{[^}]*\},',
    rb',"victims":\[.*?\](?=,"watched_ms")',
    rb',"watched_ms":\d+',
    rb'"authenticity":"\w+",',
    rb'"grade":"\w+",',
    rb'"gas":\d+,',
    rb'"max_(?:priority_)?fee_per_gas":"\d+",',
    rb',"decision":null.*?(?=\}\})',
    rb'"factors":\[[^]]*\],',
    rb'"probability":[\d.]+,',
    rb'"score":[\d.]+,',
    rb'"version":"[\d.]+"',
)


def essence(lines: bytes) -> bytes:
    for pattern in _DIFFER:
        lines = re.sub(pattern, b"", lines)
    return lines


def test_a_capture_of_before_gives_the_bytes_of_before() -> None:
    command = [sys.executable, "-m", "mempool_ids", "replay", "capture", "-c", "ids.toml"]
    done = subprocess.run(command, cwd=DEMO, stdout=subprocess.PIPE, check=True, timeout=60)
    recorded = (DEMO / "alerts.jsonl").read_bytes()
    assert essence(recorded).count(b'"alert_id"') == 1
    assert essence(done.stdout) == essence(recorded)
    assert b'"threat_level":"CRITICAL"' in essence(recorded)
