"""How `mempool-ids run` and `capture` end."""

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Node, eventually, running, transaction

MODULE = [sys.executable, "-m", "mempool_ids"]
RUN = [*MODULE, "run", "--json", "--set", "detection.classification_threshold=0"]


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


@pytest.mark.parametrize("command", ["run", "capture -o cap"])
async def test_nodes_of_another_chain_only_are_a_failure_with_its_reason(
    tmp_path: Path, command: str
) -> None:
    async with running(Node(chain_id=5)) as node:
        process = await asyncio.create_subprocess_exec(
            *MODULE,
            *command.split(),
            "--set",
            f"chain.websocket_urls={node.url}",
            cwd=tmp_path,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"error: no endpoint serves chain 1" in said


async def test_capture_counts_what_a_full_disk_lost_says_so_and_fails(tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    async with running(Node()) as node:
        process = await asyncio.create_subprocess_exec(
            *MODULE,
            *("capture", "-o", "cap", "--json", "--set", f"chain.websocket_urls={node.url}"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=small_files,
        )
        assert process.stderr is not None
        said = b""
        for text in (b"sensor ready", b"could not be recorded"):
            while text not in said:
                said += (line := await asyncio.wait_for(process.stderr.readline(), 20))
                assert line, said
            if text == b"sensor ready":
                for number in range(1, 201):
                    await node.announce(transaction(number))
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1, said
    assert b"ERROR" in said
    result = json.loads(out)
    # What else is recorded (heads, codes) can be among the lost.
    assert result["transactions"] < 200 <= result["transactions"] + result["dropped"]
