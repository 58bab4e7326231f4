"""anvil and geth on the state before a recorded block, and calls to them over HTTP on loopback."""

import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY_SECONDS = 60.0
BLOCK_SECONDS = 12


class Rpc:
    """One kept connection: what is timed is a request and its answer, not JSON made or read."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, body: bytes) -> tuple[float, bytes]:
        """Seconds until the answer was here, and the answer."""
        start = time.perf_counter()
        self.connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse().read()
        return time.perf_counter() - start, answer


def request(method: str, *parameters: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()


def genesis(block: dict[str, Any]) -> dict[str, Any]:
    """A chain that begins one block before the recorded one, with its state and its rules."""
    config: dict[str, Any] = {
        name + "Block": 0
        for name in (
            *("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg"),
            *("istanbul", "muirGlacier", "berlin", "london", "arrowGlacier", "grayGlacier", "mergeNetsplit"),
        )
    }
    config |= {"chainId": 1, "terminalTotalDifficulty": 0, "shanghaiTime": 0}
    header = {key: block[key] for key in ("gasLimit", "coinbase", "mixHash", "baseFeePerGas")}
    if block["fork"] == "Cancun":
        blobs = {"target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477}
        config |= {"cancunTime": 0, "blobSchedule": {"cancun": blobs}}
        header |= {"excessBlobGas": block["excessBlobGas"], "blobGasUsed": "0x0"}
    alloc = {
        address: {key: value for key, value in account.items() if value}
        for address, account in block["alloc"].items()
    }
    return {
        "config": config,
        "alloc": alloc,
        "difficulty": "0x0",
        "timestamp": hex(int(block["timestamp"], 16) - BLOCK_SECONDS),
        **header,
    }


@contextmanager
def running(client: str, binary: str, block: dict[str, Any]) -> Iterator[Rpc]:
    """The node, listening; it and all that it wrote is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"{client}-") as folder:
        path = Path(folder, "genesis.json")
        path.write_text(json.dumps(genesis(block)))
        port = _free_port()
        log = Path(folder, "log")
        with log.open("wb") as output:
            if client == "geth":
                init = [binary, "init", "--datadir", f"{folder}/data", str(path)]
                subprocess.run(init, check=True, stdout=output, stderr=subprocess.STDOUT)
                command = _geth(binary, f"{folder}/data", port)
            else:
                command = _anvil(binary, path, block, port)
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        try:
            yield _ready(port, process, log)
        finally:
            process.kill()
            process.wait()


def _geth(binary: str, data: str, port: int) -> list[str]:
    apart = [
        "--nodiscover",
        "--maxpeers",
        "0",
        "--port",
        "0",
        "--ipcdisable",
        "--authrpc.port",
        str(_free_port()),
    ]
    http_api = ["--http", "--http.addr", "127.0.0.1", "--http.port", str(port), "--http.api", "eth,debug"]
    return [binary, "--datadir", data, "--networkid", "1337", *apart, *http_api]


def _anvil(binary: str, path: Path, block: dict[str, Any], port: int) -> list[str]:
    chain = ["--chain-id", "1", "--hardfork", block["fork"].lower(), "--init", str(path), "--no-mining"]
    return [binary, "--host", "127.0.0.1", "--port", str(port), "--accounts", "0", "--silent", *chain]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(port: int, process: subprocess.Popen[bytes], log: Path) -> Rpc:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            rpc = Rpc(port)
            rpc.send(request("eth_chainId"))
            return rpc
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} did not listen: {log.read_text(errors='replace')[-2000:]}")
