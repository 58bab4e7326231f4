"""Calls as a tree, for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

_ETHER = 10**18
_NESTED = 64  # calls inside each other that are drawn
_DRAWN = 400  # calls
_ARGUMENTS = 4


class Names:
    """Addresses as people know them: monitored contracts by name, the sender as such."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def __call__(self, address: str | None) -> str:
        if address is None:
            return "nothing"
        return str(self._known.get(address, address))


def call_tree(calls: Sequence[Mapping[str, Any]], names: Names) -> Tree:
    """The calls as a tree; the core gives them in order, each with its depth."""
    root = Tree(Text(f"sender {calls[0]['from']}" if calls else "nothing was executed"), guide_style="dim")
    branches = [root]
    for call in calls[:_DRAWN]:
        depth = min(call["depth"], _NESTED)
        del branches[depth + 1 :]
        # A depth that skips a level is drawn below the last there is.
        branches.append(branches[-1].add(_call(call, names)))
    if len(calls) > _DRAWN:
        root.add(Text(f"… and {len(calls) - _DRAWN:,} more calls (the JSON has all)", style="dim"))
    return root


def _call(call: Mapping[str, Any], names: Names) -> Text:
    kind = call["type"].lower().removesuffix("call").strip() or "call"
    function = call["function"] or call["selector"] or ""
    line = Text.assemble((f"{kind} " if kind != "call" else "", "dim"), (names(call["to"]), "cyan"))
    line.append(f".{function.split('(')[0]}" if function else "")
    arguments = call["arguments"] if call["function"] else []
    if call["function"]:
        shown = [
            f"{argument['name']}={_value(argument['value'], names)}" for argument in arguments[:_ARGUMENTS]
        ]
        line.append(f"({', '.join(shown)}{', …' if len(arguments) > _ARGUMENTS else ''})")
    if call["value"] not in (None, "0"):
        line.append(f" {ether(call['value'])}", style="green")
    line.append(f" {call['gas_used']:,} gas", style="dim")
    if call["error"]:
        line.append(f" {call['error']}", style="red")
    return line


def _value(value: str, names: Names) -> str:
    name = names(value.lower())
    if name != value.lower():
        return name
    return value if len(value) <= 42 else f"{value[:20]}…"


def ether(wei: str) -> str:
    """An amount of wei."""
    return f"{int(wei) / _ETHER:,.6g} ETH"
