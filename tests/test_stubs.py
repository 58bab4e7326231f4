import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import mempool_ids
from mempool_ids import _core, exceptions


@pytest.mark.timeout(180)  # mypy reads the world first
def test_the_stubs_are_the_module(tmp_path: Path) -> None:
    # Only the stubs are looked at: following the package's imports would check half of PyPI.
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nfollow_imports = skip\n")
    command = [sys.executable, "-m", "mypy.stubtest", "mempool_ids._core", "--ignore-disjoint-bases"]
    result = subprocess.run(
        [*command, "--mypy-config-file", str(config)],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        cwd=Path(mempool_ids.__file__).parent.parent,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_all_errors_have_one_base() -> None:
    for name in exceptions.__all__:
        error = getattr(exceptions, name)
        assert inspect.isclass(error)
        assert issubclass(error, exceptions.MempoolIdsError)
        assert getattr(_core, name) is error
