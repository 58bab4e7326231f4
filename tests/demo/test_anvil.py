"""Finding, fetching, running and ending a node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mempool_ids.demo import anvil
from mempool_ids.demo import node as node_process
from mempool_ids.demo.anvil import Anvil, AnvilError, AnvilOptions, find_anvil
from mempool_ids.demo.node import cache_dir


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No anvil on PATH, an empty cache; returns the only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.delenv("ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(anvil.sys, "platform", "linux")
    monkeypatch.setattr(anvil.platform, "machine", lambda: "x86_64")
    return folder


def npm(folder: Path, integrity: str, *, code: int = 0) -> None:
    """A stand-in for npm that installs a file that is no node."""
    package = "@foundry-rs/anvil-linux-amd64"
    lock = json.dumps({"packages": {f"node_modules/{package}": {"integrity": integrity}}})
    executable(
        folder / "npm",
        f"""#!{sys.executable}
import pathlib, sys
if {code}:
    print("npm error code E404", file=sys.stderr)
    sys.exit({code})
assert sys.argv[-1] == "{package}@1.7.1" and "--ignore-scripts" in sys.argv, sys.argv
binary = pathlib.Path("node_modules/{package}/bin/anvil")
binary.parent.mkdir(parents=True)
binary.write_text("fetched")
pathlib.Path("package-lock.json").write_text({lock!r})
""",
    )


def test_the_path_given_comes_first(alone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    executable(alone / "anvil", "")
    given = executable(tmp_path / "mine", "")
    monkeypatch.setenv("ANVIL", str(given))
    assert find_anvil() == given


def test_a_given_path_that_is_no_program_is_an_error_and_not_passed_over(
    alone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    executable(alone / "anvil", "")
    monkeypatch.setenv("ANVIL", str(tmp_path))
    with pytest.raises(AnvilError, match="ANVIL"):
        find_anvil()


def test_then_the_one_on_path(alone: Path) -> None:
    there = executable(alone / "anvil", "")
    assert find_anvil() == there


def test_then_npm_fetches_it_into_the_cache_once(alone: Path) -> None:
    npm(alone, anvil._INTEGRITY["linux-amd64"])
    said: list[str] = []
    found = find_anvil(said.append)
    assert found.read_text() == "fetched"
    assert found.is_relative_to(cache_dir())
    assert len(said) == 1
    (alone / "npm").unlink()
    assert find_anvil(said.append) == found
    assert len(said) == 1
    assert sorted(path.name for path in cache_dir().iterdir()) == ["anvil-1.7.1-linux-amd64"]


def test_the_module_prints_where_it_is_and_says_what_it_fetches(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    npm(alone, anvil._INTEGRITY["linux-amd64"])
    assert anvil.main() == 0
    said = capsys.readouterr()
    assert Path(said.out.removesuffix("\n")).read_text() == "fetched"
    assert "fetching anvil" in said.err


def test_the_module_says_why_there_is_none(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert anvil.main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "install npm" in said.err


def test_the_module_prints_a_path_that_is_good_in_any_folder(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = executable(alone / "mine", "")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "mempool_ids.demo.anvil"],
        cwd=alone,
        env={**os.environ, "ANVIL": "./mine", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == mine


def test_a_package_with_other_content_is_not_used(alone: Path) -> None:
    npm(alone, "sha512-" + "A" * 86 + "==")
    with pytest.raises(AnvilError, match="integrity"):
        find_anvil()
    assert list(cache_dir().iterdir()) == []


def test_without_npm_the_error_says_how_to_get_it(alone: Path) -> None:
    with pytest.raises(AnvilError, match=r"install npm, or .*ANVIL"):
        find_anvil()


def test_where_npm_fails_the_error_says_why_and_what_else_to_do(alone: Path) -> None:
    npm(alone, "", code=1)
    with pytest.raises(AnvilError, match=r"E404.*ANVIL"):
        find_anvil()


def test_on_an_unknown_machine_the_error_says_so(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anvil.platform, "machine", lambda: "riscv64")
    with pytest.raises(AnvilError, match="riscv64"):
        find_anvil()


def test_a_cache_that_cannot_be_written_is_an_error(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    executable(alone / "npm", "")
    with pytest.raises(AnvilError, match="cannot keep anvil"):
        find_anvil()


def test_a_relative_cache_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "mempool-ids"


def test_a_node_that_ends_at_once_is_an_error_with_its_words(tmp_path: Path) -> None:
    broken = executable(tmp_path / "anvil", "#!/bin/sh\necho no such chain\nexit 3\n")
    with pytest.raises(AnvilError, match=r"code 3: no such chain"):
        Anvil(broken).start()


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


STARTS_A_NODE = """
import sys, time
from pathlib import Path
from mempool_ids.demo.anvil import Anvil

node = Anvil(Path(sys.argv[1]))
node.start()
print(node._process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the node with its parent on Linux only")
def test_the_node_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    fake = executable(tmp_path / "anvil", "#!/bin/sh\necho 'Listening on 127.0.0.1:1'\nexec sleep 60\n")
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            STARTS_A_NODE,
            str(fake),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent:
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    deadline = time.monotonic() + 5
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    ended = not alive(child)
    if not ended:
        os.kill(child, signal.SIGKILL)
    assert ended


def test_leaving_the_context_ends_a_node_that_does_not_want_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = executable(
        tmp_path / "anvil", "#!/bin/sh\ntrap '' TERM\necho 'Listening on 127.0.0.1:4242'\nexec sleep 60\n"
    )
    node = Anvil(stubborn, AnvilOptions(block_time=1))
    monkeypatch.setattr(node_process, "_STOP_SECONDS", 0.2)
    with node:
        assert node.port == 4242
        assert node._process is not None
        assert node._log is not None
        pid, log = node._process.pid, node._log
    assert not alive(pid)
    assert log.closed
    node.stop()
