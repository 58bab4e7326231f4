"""Checks that requirements-dev.txt locks what pyproject.toml asks for; with --write, resolves it anew.

The check needs no network: every requirement must be pinned to a version that satisfies it, and every pin
have a hash, for each Python and platform that the markers tell apart.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-dev.txt"
HEADER = (
    "# Written by `make lock` from pyproject.toml: what development, tests and benches need, with hashes.\n"
)
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = (("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64"), ("darwin", "Darwin", "arm64"))


def wanted(project: dict[str, Any]) -> list[Requirement]:
    """Everything pyproject.toml asks for, all extras and the development group included."""
    table = project["project"]
    lines = [
        *project["build-system"]["requires"],
        *table["dependencies"],
        *project["dependency-groups"]["dev"],
    ]
    for extra in table.get("optional-dependencies", {}).values():
        lines += extra
    return [Requirement(line) for line in lines]


def pinned(text: str) -> tuple[list[Requirement], list[str]]:
    """The pins, and the names of those without a hash."""
    entries = re.findall(
        r"^(?P<pin>[A-Za-z0-9][^\n]*?)(?: \\)?\n(?P<rest>(?:[ #][^\n]*\n)*)", text, re.MULTILINE
    )
    bare = [pin for pin, rest in entries if "--hash=sha256:" not in rest]
    return [Requirement(pin) for pin, _ in entries], bare


def environments() -> list[dict[str, str]]:
    """The environments that users of this project have."""
    base = {key: str(value) for key, value in default_environment().items()}
    return [
        base
        | {"python_version": python, "python_full_version": f"{python}.9", "implementation_name": "cpython"}
        | {"platform_python_implementation": "CPython", "os_name": "posix", "extra": ""}
        | {"sys_platform": system, "platform_system": name, "platform_machine": machine}
        for python in PYTHONS
        for system, name, machine in PLATFORMS
    ]


def problems() -> list[str]:
    """What is wrong with the lock file, for people; empty if it fits."""
    pins, bare = pinned(LOCK.read_text("utf-8"))
    found = [f"{name} has no hash" for name in bare]
    for requirement in wanted(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))):
        name = canonicalize_name(requirement.name)
        for environment in environments():
            if requirement.marker is not None and not requirement.marker.evaluate(environment):
                continue
            versions = [
                next(iter(pin.specifier)).version
                for pin in pins
                if canonicalize_name(pin.name) == name
                and (pin.marker is None or pin.marker.evaluate(environment))
            ]
            if len(versions) != 1 or not requirement.specifier.contains(versions[0], prereleases=True):
                python, system = environment["python_version"], environment["sys_platform"]
                found.append(f"{requirement} on Python {python}, {system}: locked {versions or 'not at all'}")
    return found


def write() -> None:
    """Resolves anew; pins that still fit stay."""
    uv = Path(sys.executable).with_name("uv")
    options = "--all-extras --group dev --generate-hashes --no-header --no-annotate --quiet"
    command = f"pip compile pyproject.toml --universal --python-version {PYTHONS[0]} {options}"
    subprocess.run([uv, *command.split(), "-o", LOCK], cwd=ROOT, check=True)
    LOCK.write_text(HEADER + LOCK.read_text("utf-8").removeprefix(HEADER), "utf-8")


def main() -> int:
    if "--write" in sys.argv[1:]:
        write()
    found = problems()
    for problem in found:
        print(f"requirements-dev.txt: {problem}", file=sys.stderr)
    if found:
        print("run `make lock`", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
