"""The documentation holds: its keys are the configuration's, its links lead somewhere, its example is armed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from mempool_ids.cli import docs
from mempool_ids.config import contracts, defense, load
from mempool_ids.config.section import Section

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SECTIONS: dict[str, type[Section]] = {
    "[contracts.pause]": contracts.Pause,
    "[contracts.rescue]": contracts.Rescue,
    "[defense]": defense.Defense,
    "[defense.gas]": defense.Gas,
    "[defense.rails]": defense.Rails,
    "[defense.broadcast]": defense.Broadcast,
    "[defense.confirm]": defense.Confirm,
    "keystore": defense.KeystoreSigner,
    "environment": defense.EnvironmentSigner,
    "jsonrpc": defense.JsonRpcSigner,
    "kms": defense.KmsSigner,
    "vault": defense.VaultSigner,
}


def tables() -> dict[str, dict[str, str]]:
    """By heading, by key: the default that docs/defense-keys.md tells."""
    found: dict[str, dict[str, str]] = {}
    heading = ""
    for line in (ROOT / "docs" / "defense-keys.md").read_text().splitlines():
        if match := re.match(r"#+ `([^`]+)`", line):
            heading = match[1]
        elif match := re.match(r"\| `(\w+)` \|[^|]+\|([^|]*)\|", line):
            found.setdefault(heading, {})[match[1]] = match[2].strip()
    return found


def written(default: Any) -> str:
    if default is PydanticUndefined:
        return "(required)"
    if default is None:
        return "–"
    if isinstance(default, Section):
        return ""
    return f"`{json.dumps(list(default) if isinstance(default, tuple) else default, default=str)}`"


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_is_in_the_table_with_its_default(heading: str) -> None:
    fields = SECTIONS[heading].model_fields.items()
    assert tables()[heading] == {name: written(field.default) for name, field in fields if name != "type"}


def test_the_tables_have_nothing_else() -> None:
    assert set(tables()) == set(SECTIONS)


def anchors(page: Path) -> set[str]:
    """Of its headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_package_has_every_page() -> None:
    assert {file.name for file in docs.FOLDER.iterdir()} == {file.name for file in (ROOT / "docs").iterdir()}


def test_the_example_is_a_configuration_that_is_armed() -> None:
    config = load(docs.FOLDER / "armed.toml", environ={})
    assert config.operational_mode.value == "active_defense"
    assert config.defense.armed
    assert config.contracts[0].pause is not None


def test_toml_in_the_pages_is_of_this_version(tmp_path: Path) -> None:
    """Each section [defense…] alone: its keys are valid."""
    for page in PAGES:
        for block in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL):
            if not block.startswith("[defense"):
                continue
            file = tmp_path / "ids.toml"
            file.write_text(
                block.replace('"0x…"', f'"0x{"0" * 40}"').replace('{ type = "keystore", … }', "{}")
            )
            load(file, environ={})
