"""Checks that the core's data flows one way: a module imports those before it in `ORDER`, never one after, and within a
folder no modules import each other in a circle. Tests are free to look anywhere.

usage: check_layers.py [rust/core/src]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# From what everybody speaks of, over sources and stages, to who knows all; `pipeline` alone knows every stage.
ORDER = (
    *("error", "tx", "chain", "config", "evidence", "thread", "stats", "event"),
    *("wire", "inbox", "node", "feed", "capture"),
    *(
        "decode",
        "bytecode",
        "features",
        "signatures",
        "classify",
        "simulate",
        "survey",
        "detonate",
        "funding",
    ),
    *("pipeline", "tools"),
)

Module = tuple[str, ...]
"""A path below the crate: ("simulate", "state")."""


def modules(src: Path) -> dict[Module, str]:
    """The text of each file that is no test, without comments and inline tests."""
    found = {}
    for file in src.rglob("*.rs"):
        module = file.relative_to(src).with_suffix("").parts
        if "tests" not in module and module != ("lib",):
            text = re.sub(r"//.*", "", file.read_text())
            found[module] = re.split(r"#\[cfg\(test\)\]\s*(?:pub(?:\(\w+\))? )?mod tests \{", text)[0]
    return found


def leaves(tree: str) -> Iterator[list[str]]:
    """`a::{b, c::d}` as [a, b] and [a, c, d]."""
    head, brace, rest = tree.partition("{")
    prefix = [part.strip() for part in head.split(" as ")[0].split("::") if part.strip()]
    if not brace:
        yield prefix
        return
    depth, leaf = 0, ""
    for char in rest.rpartition("}")[0] + ",":
        depth += (char == "{") - (char == "}")
        if char != "," or depth:
            leaf += char
        elif leaf.strip():
            yield from (prefix + below for below in leaves(leaf))
            leaf = ""


def imports(text: str, me: Module) -> Iterator[Module]:
    """What a file names of its crate, as paths below it."""
    uses = re.findall(r"\buse\s+([^;]+);", text)
    named = [leaf for use in uses for leaf in leaves(use)]
    rest = re.sub(r"\buse\s+[^;]+;", "", text)
    named += [path.split("::") for path in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", rest)]
    children = set(re.findall(r"\bmod (\w+);", text))
    for path in named:
        match path[0]:
            case "crate":
                yield tuple(path[1:])
            case "self" | "super":
                up = [*me]
                while path and path[0] in ("self", "super"):
                    if path.pop(0) == "super":
                        up.pop()
                yield (*up, *path)
            case child if child in children:
                yield (*me, *path)


def edges(texts: dict[Module, str]) -> Iterator[tuple[Module, Module]]:
    for me, text in texts.items():
        for path in imports(text, me):
            target = path
            while target and target not in texts:
                target = target[:-1]
            if target:
                yield me, target


def faults(src: Path) -> Iterator[str]:
    texts = modules(src)
    unknown = {module[0] for module in texts} - set(ORDER)
    yield from (f"{name}: has no place in ORDER of tools/check_layers.py" for name in sorted(unknown))
    folders: dict[Module, dict[str, set[str]]] = {}
    for me, target in dict.fromkeys(edges(texts)):
        if unknown & {me[0], target[0]}:
            continue
        if ORDER.index(target[0]) > ORDER.index(me[0]):
            yield f"{'/'.join(me)}.rs imports {'::'.join(target)}, which is a later module"
        shared = next((n for n, (a, b) in enumerate(zip(me, target, strict=False)) if a != b), None)
        if shared:
            siblings = folders.setdefault(me[:shared], {})
            siblings.setdefault(me[shared], set()).add(target[shared])
    for folder, graph in sorted(folders.items()):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            yield f"{'/'.join(folder)}: a circle: {circle}"


def main(arguments: list[str]) -> int:
    src = Path(arguments[0]) if arguments else ROOT / "rust/core/src"
    found = list(faults(src))
    for fault in found:
        print(fault, file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
