"""Programs of go-ethereum that the tests run: found, or built once with Go, in the versions that tools/ pins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mempool_ids.demo.node import cache_dir
from mempool_ids.exceptions import NodeError

_PACKAGE = "github.com/ethereum/go-ethereum"
_TOOLS = Path(__file__).resolve().parent.parent / "tools"
#: On two cores that others use too it takes some minutes.
_BUILD_SECONDS = 1_800
#: Two at a time, for memory; nothing of this machine in the binary, and no symbols.
_FLAGS = ("-p", "2", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w")
#: No C compiler, no other Go, and no other module than go.sum has the hash of.
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}


@dataclass(frozen=True)
class GoProgram:
    """A command of go-ethereum, pinned in tools/NAME; `$NAME` in capitals is one that is there already."""

    name: str
    error: type[NodeError]
    """What is raised where there is none; the message says what to do."""

    def find(self) -> Path:
        """`$NAME`, else the one built before. One on PATH is not looked at: it may be another version.

        Raises:
            NodeError: neither is there.
        """
        given = os.environ.get(self._variable)
        if given:
            path = Path(given)
            if not os.access(path, os.X_OK) or path.is_dir():
                raise self.error(f"{self._variable}={given} is not an executable file")
            return path
        built = self._built()
        if not built.exists():
            raise self.error(
                f"{self.name} is not built: run make {self.name}, or set {self._variable} to one"
            )
        return built

    def build(self, say: Callable[[str], None] = lambda _text: None) -> Path:
        """As `find`, but builds it once with Go if it is not there; modules come from the Go module proxy.

        `say` is told before something slow begins.

        Raises:
            NodeError: none is there and none can be built.
        """
        binary = self._built()
        if os.environ.get(self._variable) or binary.exists():
            return self.find()
        advice = f"install Go 1.24 or later, or set {self._variable} to a {self.name}"
        go = shutil.which("go")
        if go is None:
            raise self.error(f"there is no Go to build {self.name} with: {advice}")
        say(f"building {self.name} into {binary.parent} (once, some minutes)")
        try:
            binary.parent.mkdir(parents=True, exist_ok=True)
            # Built aside, then moved: a reader sees all of it or nothing, and two builders do no harm.
            with tempfile.TemporaryDirectory(dir=binary.parent, prefix="build-") as scratch:
                made = Path(scratch, self.name)
                done = subprocess.run(
                    [go, "build", *_FLAGS, "-o", made, f"{_PACKAGE}/cmd/{self.name}"],
                    cwd=self._module,
                    env={**os.environ, **_ENVIRONMENT},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=_BUILD_SECONDS,
                    preexec_fn=lambda: os.nice(10),
                    check=False,
                )
                if done.returncode != 0:
                    raise self.error(
                        f"Go could not build {self.name}: {done.stderr.strip()[-500:]}; {advice}"
                    )
                made.rename(binary)
        except subprocess.TimeoutExpired as error:
            raise self.error(
                f"Go took more than {_BUILD_SECONDS} s to build {self.name}; {advice}"
            ) from error
        except OSError as error:
            raise self.error(f"cannot keep {self.name} in {binary.parent}: {error}; {advice}") from error
        return binary

    def main(self) -> int:
        """Prints the absolute path of the program to run, built if need be; returns the exit code."""
        try:
            binary = self.build(lambda text: print(text, file=sys.stderr))
        except NodeError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(binary.absolute())
        return 0

    @property
    def _variable(self) -> str:
        return self.name.upper()

    @property
    def _module(self) -> Path:
        return _TOOLS / self.name

    def _built(self) -> Path:
        version = re.search(rf"{re.escape(_PACKAGE)} v(\S+)", (self._module / "go.mod").read_text("utf-8"))
        assert version, f"{self._module}/go.mod pins {self.name}"
        return cache_dir() / f"{self.name}-{version[1]}"
