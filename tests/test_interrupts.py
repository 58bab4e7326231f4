"""Long calls of the core: Ctrl-C ends them, and others have the GIL meanwhile."""

import gc
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import orjson
import pytest

from mempool_ids import _core
from mempool_ids.config import IDSConfig, sensor_config
from tests.support import eventually, transaction, write_capture

# Says when it begins; whoever reads that interrupts it. It would take longer than a test may.
_CALL = """
import signal, socket, sys
from mempool_ids import _core
from mempool_ids.config import IDSConfig, sensor_config
silent = socket.create_server(("127.0.0.1", 0))
chain = {{"websocket_urls": ["ws://127.0.0.1:1"], "rpc_urls": [f"http://127.0.0.1:{{silent.getsockname()[1]}}"]}}
config = sensor_config(IDSConfig(chain=chain))
sensor = _core.Sensor(config)
def once(*_):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
signal.signal(signal.SIGINT, once)
try:
    print("begins", flush=True)
    {call}
except KeyboardInterrupt:
    sys.exit(7)
"""


@pytest.mark.parametrize(
    "call",
    [
        "sensor.recv(600.0)",
        f"_core.measure_stages(config, [{orjson.dumps(transaction(1))!r}], 600.0)",
        f"_core.inspect_transaction(config, '0x{'11' * 32}')",
    ],
)
def test_ctrl_c_ends_a_long_call(call: str) -> None:
    script = _CALL.format(call=call)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"begins\n"
        # One that comes before the call has begun is lost.
        while child.poll() is None:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert child.returncode == 7


async def _received(sensor: _core.Sensor, count: int) -> None:
    await eventually(lambda: orjson.loads(sensor.stats())["received"] >= count, 30)


async def test_others_run_while_a_sensor_that_is_dropped_waits_for_its_threads(tmp_path: Path) -> None:
    capture = tmp_path / "many.jsonl"
    write_capture(capture, 12_000)
    config = orjson.loads(sensor_config(IDSConfig(), replay=[capture], emit="all"))
    config["limits"] = {"events": 1, "batch": 1}
    sensor = _core.Sensor(orjson.dumps(config).decode())
    sensor.start()
    # Nobody takes events: its queue fills, and all of it is judged when it is dropped.
    await _received(sensor, 10_000)
    moments: list[float] = []
    over = threading.Event()

    def note_moments() -> None:
        while not over.is_set():
            moments.append(time.monotonic())

    other = threading.Thread(target=note_moments)
    other.start()
    begun = time.monotonic()
    del sensor
    gc.collect()
    ended = time.monotonic()
    over.set()
    other.join()
    quarter = (ended - begun) / 4
    assert any(begun + quarter < moment < ended - quarter for moment in moments)
