"""`tools/check_layers.py`: what it refuses. That the core passes is `make lint`'s to say."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parent.parent / "tools" / "check_layers.py"


def check(src: Path, files: dict[str, str]) -> list[str]:
    """Its complaints about a core of these files."""
    for name, text in files.items():
        (src / name).parent.mkdir(parents=True, exist_ok=True)
        (src / name).write_text(text)
    done = subprocess.run([sys.executable, CHECK, src], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    "use",
    [
        "use crate::pipeline::Sensor;",
        "use crate::{error, pipeline::{Sensor, worker}};",
        "fn f() { crate::pipeline::run() }",
        "use super::pipeline;",
    ],
)
def test_an_import_of_a_later_module_is_named(tmp_path: Path, use: str) -> None:
    files = {"decode.rs": f"{use}\n", "error.rs": "", "pipeline.rs": "use crate::decode;\n"}
    assert check(tmp_path, files) == ["decode.rs imports pipeline, which is a later module"]


def test_a_circle_within_a_folder_is_drawn(tmp_path: Path) -> None:
    files = {
        "node.rs": "mod a;\nmod b;\nmod c;\n",
        "node/a.rs": "use super::b::B;\n",
        "node/b.rs": "use crate::node::c;\n",
        "node/c.rs": "fn f() { super::a::f() }\n",
    }
    (complaint,) = check(tmp_path, files)
    assert complaint.startswith("node: a circle: ")
    assert set(complaint.removeprefix("node: a circle: ").split(" → ")) == {"a", "b", "c"}


def test_a_module_without_a_place_is_named(tmp_path: Path) -> None:
    (complaint,) = check(tmp_path, {"utils.rs": ""})
    assert complaint.startswith("utils: has no place")


def test_comments_and_tests_may_speak_of_anything(tmp_path: Path) -> None:
    files = {
        "decode.rs": "// use crate::pipeline;\n#[cfg(test)]\nmod tests {\n    use crate::pipeline;\n}\n",
        "decode/tests.rs": "use crate::pipeline;\n",
        "pipeline.rs": "use crate::decode;\n",
    }
    assert check(tmp_path, files) == []
