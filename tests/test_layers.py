import ast
from pathlib import Path

import mempool_ids

# What a part of the package may import is left of it, but for its own.
ORDER = (
    "_core",
    "exceptions",
    "records",
    "model",
    "config",
    "files",
    "http",
    "node",
    "defense",
    "early",
    "storage",
    "sinks",
    "runtime",
    "analyzer",
    "classifier",
    "monitor",
    "engine",
    "diagnostics",
    "demo",
    "cli",
    "__main__",
)
ROOT = Path(mempool_ids.__file__).parent


def imported(source: Path) -> set[str]:
    """The parts of this package that a file imports, within functions too."""
    parts: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "mempool_ids":
            parts.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mempool_ids."):
            parts.add((node.module or "").split(".")[1])
    return parts


def test_imports_go_one_way() -> None:
    upwards = []
    for source in ROOT.rglob("*.py"):
        inside = source.relative_to(ROOT)
        part = inside.parts[0].removesuffix(".py")
        if part != "__init__":
            below = ORDER[: ORDER.index(part)]
            upwards += [f"{inside}: {name}" for name in sorted(imported(source) - {part, *below})]
    assert upwards == []
