import inspect
import subprocess
import sys
from pathlib import Path

from mempool_ids import _core, exceptions


def test_the_stubs_are_the_module() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "mempool_ids._core"]
    result = subprocess.run(
        [*command, "--mypy-config-file", "pyproject.toml", "--ignore-disjoint-bases"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_all_errors_have_one_base() -> None:
    for name in exceptions.__all__:
        error = getattr(exceptions, name)
        assert inspect.isclass(error)
        assert issubclass(error, exceptions.MempoolIdsError)
        assert getattr(_core, name) is error
