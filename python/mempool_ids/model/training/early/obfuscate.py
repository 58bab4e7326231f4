"""What an attacker can do to code for nothing, to see what it does to the score."""

import re

import numpy as np

# DUP1, PUSH4 selector, EQ, PUSH2 place, JUMPI: one function of a dispatcher.
_ENTRY = re.compile(rb"\x80\x63(.{4})\x14\x61(.{2})\x57", re.DOTALL)


def junk(code: bytes, rng: np.random.Generator) -> bytes:
    """A third more bytes behind the code, which nothing reaches."""
    return code + rng.bytes(len(code) // 3)


def renamed(code: bytes, rng: np.random.Generator) -> bytes:
    """Other names for the functions that it offers."""
    return _ENTRY.sub(lambda entry: b"\x80\x63" + rng.bytes(4) + b"\x14\x61" + entry[2] + b"\x57", code)


def reordered(code: bytes, rng: np.random.Generator) -> bytes:
    """The dispatcher in another order."""
    entries = [entry[0] for entry in _ENTRY.finditer(code)]
    order = iter(rng.permutation(len(entries)))
    return _ENTRY.sub(lambda _: entries[next(order)], code)


def stripped(code: bytes, rng: np.random.Generator) -> bytes:
    """Metadata of somebody else in place of its own."""
    length = int.from_bytes(code[-2:], "big") + 2
    return code[:-length] + rng.bytes(length) if length < 128 and length < len(code) else code


WAYS = {
    "junk behind the code": junk,
    "functions renamed": renamed,
    "dispatcher in another order": reordered,
    "metadata overwritten": stripped,
}
