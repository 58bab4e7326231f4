"""The Rust side's benches as processes."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def command(bench: str, *arguments: str) -> list[str]:
    """`cargo bench` of one target, by the profile the wheel is built with: what is measured is what runs."""
    package = ["-p", "mempool-ids-core", "--bench", bench]
    return [
        "cargo",
        "bench",
        "--locked",
        "--profile",
        "dist",
        *package,
        *(["--", *arguments] if arguments else []),
    ]


@contextmanager
def feed(count: int, rate: int | None = None) -> Iterator[str]:
    """The URL of a node that only talks: `count` transactions to its first subscriber, at `rate` a second."""
    arguments = ["0", str(count), *([str(rate)] if rate else [])]
    with subprocess.Popen(
        command("feed", *arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"ws://\S+", process.stdout.readline())
            if not found:
                raise RuntimeError("the feed did not start")
            yield found.group()
        finally:
            process.kill()
