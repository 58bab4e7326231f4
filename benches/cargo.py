"""The Rust side's benches as processes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def command(bench: str, *arguments: str, profile: str = "dist") -> list[str]:
    """`cargo bench` of one target, by default with the wheel's profile: what is measured is what runs."""
    target = ["--profile", profile, "-p", "mempool-ids-core", "--bench", bench]
    return ["cargo", "bench", "--locked", *target, "--", *arguments]


def environment() -> dict[str, str]:
    """This one, and where ONNX Runtime is."""
    from mempool_ids.model.library import onnxruntime_library

    return {**os.environ, "MEMPOOL_IDS_ONNXRUNTIME": str(onnxruntime_library())}


def capture(folder: Path, count: int) -> None:
    """Records `count` transactions into `folder`, for the installed command to replay."""
    supply = command("supply", "capture", str(folder), str(count), profile="release")
    subprocess.run(supply, cwd=ROOT, check=True, stdout=sys.stderr)


@contextmanager
def feed(count: int, rate: int | None = None) -> Iterator[str]:
    """The URL of a node that only talks: `count` transactions to its first subscriber, at `rate` a second."""
    supply = command("supply", "feed", str(count), *([str(rate)] if rate else []), profile="release")
    with subprocess.Popen(
        supply, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"ws://\S+", process.stdout.readline())
            if not found:
                raise RuntimeError("the feed did not start")
            yield found.group()
        finally:
            process.kill()
