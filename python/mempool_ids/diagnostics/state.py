"""Checks of what the simulation asks of a node (docs/simulation.md): state at the head, in how many round trips."""

import time
from typing import Any

from mempool_ids.diagnostics.findings import Finding, Status
from mempool_ids.node import Client, Refused, Unanswered

_NOBODY = "0x" + "00" * 20
_PRESTATE = {"tracer": "prestateTracer"}
_DIFF = {**_PRESTATE, "tracerConfig": {"diffMode": True}}


async def check_state(node: Client) -> list[Finding]:
    """One finding for each question. Raises RpcError where the connection is lost."""
    subject = str(node.url)
    head = await node.call("eth_getBlockByNumber", "latest", False)
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
            await node.call(method, *params)
            took = (time.monotonic() - started) * 1000
            findings.append(Finding("simulation", subject, Status.OK, f"{method}: {good}", took))
        except (Refused, Unanswered) as error:
            detail = f"{method}: {bad} ({error.reason})"
            findings.append(Finding("simulation", subject, Status.WARNING, detail))
    return findings
