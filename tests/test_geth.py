"""Finding and building geth, the second node of the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests import geth
from tests.geth import GethError, build_geth, find_geth


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No GETH, an empty cache; returns the only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.delenv("GETH", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def go(folder: Path, text: str) -> None:
    """A stand-in for Go."""
    path = folder / "go"
    path.write_text(f"#!{sys.executable}\nimport pathlib, sys\n{text}\n")
    path.chmod(0o755)


def test_without_go_the_error_says_how_to_get_it(alone: Path) -> None:
    with pytest.raises(GethError, match=r"install Go .*GETH"):
        build_geth()


def test_tests_do_not_build_it(alone: Path) -> None:
    go(alone, "raise SystemExit('built')")
    with pytest.raises(GethError, match="run make geth"):
        find_geth()


def test_it_is_built_into_the_cache_once(alone: Path) -> None:
    go(alone, "pathlib.Path(sys.argv[sys.argv.index('-o') + 1]).write_text('built')")
    said: list[str] = []
    built = build_geth(said.append)
    assert built.read_text() == "built"
    (alone / "go").unlink()
    assert build_geth(said.append) == find_geth() == built
    assert len(said) == 1
    assert list(built.parent.iterdir()) == [built]


def test_where_go_fails_the_error_says_why_and_nothing_stays(alone: Path, tmp_path: Path) -> None:
    go(alone, "sys.exit('403 Forbidden')")
    with pytest.raises(GethError, match=r"403 Forbidden.*GETH"):
        build_geth()
    assert list((tmp_path / "cache" / "mempool-ids").iterdir()) == []


def test_a_given_path_that_is_no_program_is_an_error_and_not_passed_over(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GETH", str(alone))
    with pytest.raises(GethError, match="not an executable file"):
        find_geth()
    assert geth.main() == 1
    assert "GETH" in capsys.readouterr().err
