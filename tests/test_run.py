"""How `mempool-ids run` ends, whatever becomes of those who read what it says."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Node, eventually, running, transaction

RUN = [sys.executable, "-m", "mempool_ids", "run", "--json", "--set", "detection.classification_threshold=0"]


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe that is full and that nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(1024))
    except BlockingIOError:
        os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_who_stopped_reading_keeps_it_neither_from_its_work_nor_from_its_end(
    tmp_path: Path, unread: int, stream: str
) -> None:
    log = tmp_path / "e.jsonl"
    out, err = (unread if stream == each else asyncio.subprocess.DEVNULL for each in ("stdout", "stderr"))
    async with running(Node()) as node:
        chain = ("--set", f"chain.websocket_urls={node.url}", "--set", f"alerts.jsonl={log}")
        process = await asyncio.create_subprocess_exec(*RUN, *chain, cwd=tmp_path, stdout=out, stderr=err)
        try:
            await asyncio.wait_for(node.subscribed.wait(), 20)
            for number in range(1, 4):
                await node.announce(transaction(number))
            await eventually(lambda: log.read_bytes().count(b'"event_type":"alert"') == 3)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 15) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    last = json.loads(log.read_bytes().splitlines()[-1])
    assert (last["event_type"], last["stats"]["stored"]) == ("stats", 3)
