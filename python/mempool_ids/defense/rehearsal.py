"""Pauses tried on the chain's state in memory, by the next block's rules: the core executes them, and sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from mempool_ids import _core
from mempool_ids.config import IDSConfig, sensor_config
from mempool_ids.defense.armed import Call
from mempool_ids.defense.calls import is_paused
from mempool_ids.defense.guardian import Protected
from mempool_ids.defense.unpausing import MODULE

Step = Mapping[str, Any]
_ERROR, _PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")
_WORDS = 200


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken."""

    outcome: str
    """succeeded, reverted, halted: …, invalid: …"""
    succeeded: bool
    gas: int
    """Spent, before refunds; 0 of a view."""
    output: bytes
    took_us: float


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """Steps on one state, each on what the former left."""

    block: int
    """That all of it happens in."""
    fork: str
    steps: tuple[Taken, ...]
    report: Mapping[str, Any] | None
    """Of the last transaction, as `mempool-ids simulate` has it; None where there was none."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a pause went."""

    succeeds: bool
    """It is paused afterwards, as far as that can be told."""
    why_not: str | None
    gas: int
    """Spent, before refunds."""
    paused_before: bool | None
    """As `check` answers; None without one."""
    paused_after: bool | None
    took_us: float
    block: int
    fork: str
    then: tuple[Taken, ...]
    """The steps after it."""
    report: Mapping[str, Any] | None


def transaction(text: str) -> Step:
    """A hash, signed bytes in hex, or JSON as `eth_getTransactionByHash` answers."""
    return {"tx": text}


def call(call: Call, sender: str, gas: int | None = None) -> Step:
    """As a transaction of somebody who can pay for it. Without `gas` it has the most that one may have."""
    return {
        "call": {
            "from": sender,
            "to": call.to,
            "input": "0x" + call.data.hex(),
            "value": hex(call.value),
            "gas": gas,
        }
    }


def view(call: Call) -> Step:
    return {"view": {"to": call.to, "input": "0x" + call.data.hex()}}


class Stage:
    """The chain's state as it is now, anew for each rehearsal.

    Args:
        pauses: by contract what the core tries before a transaction that it judges, as of `Protected.question`.

    Raises:
        ConfigError, ModelError: as `sensor_config`.
    """

    def __init__(self, config: IDSConfig, pauses: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._core = sensor_config(config, listen=False, pauses=pauses)

    async def rehearse(
        self, steps: Sequence[Step], *, rules: Literal["next", "amsterdam"] = "next"
    ) -> Rehearsed:
        """Takes the steps. A mined transaction is executed on what was before it.

        Raises:
            ConfigError: a step is none.
            NodeError: no node has what is needed.
        """
        script = orjson.dumps({"steps": steps, "rules": rules}).decode()
        answer = orjson.loads(await asyncio.to_thread(_core.rehearse, self._core, script))
        taken = tuple(
            Taken(
                outcome=step["outcome"],
                succeeded=step["succeeded"],
                gas=step["gas_spent"] or 0,
                output=bytes.fromhex(step["output"].removeprefix("0x")),
                took_us=step["took_us"],
            )
            for step in answer["steps"]
        )
        return Rehearsed(answer["block"], answer["fork"], taken, answer["simulation"])

    async def attempt(
        self,
        target: Protected,
        guardian: str,
        *,
        gas: int | None = None,
        rules: Literal["next", "amsterdam"] = "next",
        then: Sequence[Step] = (),
    ) -> Attempt:
        """Pauses `target`, and goes on with `then`.

        Args:
            gas: its limit; None is the most that a transaction may have.

        Raises:
            ConfigError, NodeError: as `rehearse`.
        """
        looks = [] if target.check is None else [view(target.check)]
        steps = [*looks, call(target.call, guardian, gas), *looks, *then]
        done = await self.rehearse(steps, rules=rules)
        pause = done.steps[len(looks)]
        before, after = (
            (_says(done.steps[0]), _says(done.steps[2])) if target.check is not None else (None, None)
        )
        why_not = _why_not(target, pause, after)
        return Attempt(
            succeeds=why_not is None,
            why_not=why_not,
            gas=pause.gas,
            paused_before=before,
            paused_after=after,
            took_us=pause.took_us,
            block=done.block,
            fork=done.fork,
            then=done.steps[2 * len(looks) + 1 :],
            report=done.report,
        )


def is_module(target: Protected) -> bool:
    """Whether a Safe is told to pause it, which does not revert where the call inside fails."""
    return target.call.data[:4] == MODULE.selector


def said(output: bytes) -> str:
    """What a revert says, in words for people: the contract wrote it, so one line and not too long."""
    try:
        if output[:4] == _ERROR:
            text = str(decode(["string"], output[4:])[0])[:_WORDS]
            return "".join(letter if letter.isprintable() else " " for letter in text)
        if output[:4] == _PANIC:
            return f"panic {decode(['uint256'], output[4:])[0]:#x}"
    except DecodingError:
        pass
    return f"error 0x{output[:4].hex()}" if len(output) >= 4 else ""


def _says(look: Taken) -> bool:
    return look.succeeded and is_paused(look.output)


def _why_not(target: Protected, pause: Taken, after: bool | None) -> str | None:
    if not pause.succeeded:
        words = said(pause.output) if pause.outcome == "reverted" else ""
        return f"{pause.outcome}: {words}" if words else pause.outcome
    if is_module(target) and not any(pause.output):
        return "the Safe answers that the call inside fails"
    if after is False:
        return "it succeeds, and the contract says that it is not paused afterwards"
    return None
