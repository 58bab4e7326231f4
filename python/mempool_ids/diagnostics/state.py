"""Checks of what the simulation asks of a node (docs/simulation.md): state at the head, in how many round trips."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from mempool_ids.diagnostics.findings import Finding, Status

Call = Callable[[str, list[Any]], Awaitable[Any]]

_NOBODY = "0x" + "00" * 20
_PRESTATE = {"tracer": "prestateTracer"}
_DIFF = {**_PRESTATE, "tracerConfig": {"diffMode": True}}


async def check_state(call: Call, subject: str, refused: type[Exception]) -> list[Finding]:
    """`call` raises `refused` where the node answers with an error."""
    head = await call("eth_getBlockByNumber", ["latest", False])
    if not isinstance(head, dict):
        return []
    at = {"blockHash": head["hash"]}
    questions: tuple[tuple[str, list[Any], str, str], ...] = (
        (
            "eth_getBalance",
            [_NOBODY, at],
            "the state is served by a block's hash",
            "nothing can be simulated",
        ),
        (
            "debug_traceCall",
            [{"from": _NOBODY, "to": _NOBODY}, at, _PRESTATE],
            "what a suspect reads comes in one round trip",
            "what a suspect reads is asked for piece by piece",
        ),
        (
            "debug_traceBlockByHash",
            [head["hash"], _DIFF],
            "what is known of the state is carried from block to block",
            "what is known of the state is thrown away with each block",
        ),
    )
    findings = []
    for method, params, good, bad in questions:
        started = time.monotonic()
        try:
            await call(method, params)
            took = (time.monotonic() - started) * 1000
            findings.append(Finding("simulation", subject, Status.OK, f"{method}: {good}", took))
        except (refused, TimeoutError, httpx2.TimeoutException) as error:
            why = str(error) or "no answer in time"
            findings.append(Finding("simulation", subject, Status.WARNING, f"{method}: {bad} ({why})"))
    return findings
