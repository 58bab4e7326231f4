"""Pulls the trigger with nothing behind it: what would be decided, bid and chosen, by the code that does it for real.

There is no wire, no marks, no journal and no signer: the ladders have no bytes, and nothing could go out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from mempool_ids.config import IDSConfig, IDSMode
from mempool_ids.defense.action import ActionState
from mempool_ids.defense.armed import Kind, Rung
from mempool_ids.defense.arming import Armory
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.gas import Bid, GasStrategy, Situation, Threat, Unaffordable
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.policy import Decision, Policy
from mempool_ids.defense.rails import Allowed, Rails, Refused
from mempool_ids.defense.state import Change, State
from mempool_ids.defense.trigger import Trigger


@dataclass(frozen=True, slots=True)
class Ground:
    """What the chain says, and the journal."""

    head: int
    base_fee: int
    """Of the block that all would happen in, wei a gas."""
    kind: Kind
    by_fee_cap: bool
    """The node orders its blocks by fee caps and not by tips."""
    guardians: tuple[Guardian, ...]
    spent: int = 0
    """Wei that responses cost within a day."""


@dataclass(slots=True)
class Shot:
    """At one contract."""

    threat: Threat | None = None
    bid: Bid | Unaffordable | None = None
    bid_us: float = 0.0
    rung: Rung | None = None
    """What would be sent."""
    rungs: int = 0
    """Of its ladder."""
    rung_us: float = 0.0
    """From the bid on."""
    failure: str | None = None
    """Why nothing would be sent."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What an alert leads to."""

    as_configured: Decision
    decision: Decision
    """The same where mode and arms allow it: all else is of interest without them, too."""
    policy_us: float
    shots: Mapping[str, Shot]
    """By contract that is to be paused."""


async def fire(
    config: IDSConfig,
    ground: Ground,
    targets: Mapping[str, Protected],
    needs: Mapping[str, int],
    alert: Mapping[str, Any],
) -> Fired:
    """Answers an alert as an armed sensor would, each contract as if it were the only one.

    Args:
        needs: gas of each pause, by contract, where it succeeds.
    """
    policy = Policy(_as_if_armed(config))
    started = time.perf_counter_ns()
    decision = policy.decide(alert)
    took = _since(started)
    shots = {
        name: await _shoot(config, ground, targets[name], needs, policy, alert)
        for name in decision.targets
        if name in targets
    }
    return Fired(Policy(config).decide(alert), decision, took, shots)


async def _shoot(
    config: IDSConfig,
    ground: Ground,
    target: Protected,
    needs: Mapping[str, int],
    policy: Policy,
    alert: Mapping[str, Any],
) -> Shot:
    shot = Shot()
    gas = _Gas(config, shot)
    guardians = [
        replace(one, taken=dict(one.taken), out=dict(one.out), ladders={}) for one in ground.guardians
    ]
    unarmed = await _arm(config, ground, gas, guardians, target, needs)
    state = State(
        gas=gas,
        rails=_rails(config, ground, gas.daily_budget, shot),
        targets={target.name: target},
        guardians=guardians,
        tell=lambda change: _hear(shot, change),
    )
    state.base_fee, state.head = ground.base_fee, ground.head
    bids = Bids(state, by_fee_cap=ground.by_fee_cap, legacy=ground.kind == "legacy")
    Trigger(state, bids, policy).fire(alert)
    ended = time.perf_counter_ns()
    live = state.book.by_target.get(target.name)
    if live is not None and live.last is not None:
        shot.rung = live.last.rung
        shot.rungs = len(live.guardian.ladder(target.name, shot.rung.nonce))
        shot.rung_us = (ended - gas.bid_at) / 1000
    elif unarmed is not None:
        shot.failure = unarmed
    return shot


async def _arm(
    config: IDSConfig,
    ground: Ground,
    gas: GasStrategy,
    guardians: list[Guardian],
    target: Protected,
    needs: Mapping[str, int],
) -> str | None:
    """Ladders without bytes; why there are none."""
    problems: list[str] = []
    for guardian in guardians:
        armory = Armory(
            config.defense, gas, guardian, config.chain.id, ground.kind, _no_journal, nullcontext()
        )
        problems += await armory.refresh([target], needs, ground.base_fee)
    return problems[0] if problems else None


async def _no_journal(_rungs: list[Rung]) -> None:
    raise AssertionError("nothing is signed in a drill")


def _as_if_armed(config: IDSConfig) -> IDSConfig:
    defense = config.defense.model_copy(update={"armed": False, "shadow": True})
    return config.model_copy(update={"operational_mode": IDSMode.ACTIVE_DEFENSE, "defense": defense})


def _since(started: int) -> float:
    """Microseconds."""
    return (time.perf_counter_ns() - started) / 1000


def _hear(shot: Shot, change: Change) -> None:
    if change.transition is not None and change.transition.state is ActionState.FAILED:
        shot.failure = change.transition.reason


def _rails(config: IDSConfig, ground: Ground, budget: int, shot: Shot) -> Rails:
    rails = _Rails(config, budget, shot)
    if ground.spent:
        now = time.time()
        rails.sent(now, "", "", ground.spent, "before")
        rails.settled(now, "before", ground.spent)
    return rails


class _Rails(Rails):
    def __init__(self, config: IDSConfig, budget: int, shot: Shot) -> None:
        super().__init__(config.defense.rails, budget)
        self._shot = shot

    def allow(
        self, now: float, target: str, sender: str, cost_wei: int, *, grave: bool = False
    ) -> Allowed | Refused:
        allowed = super().allow(now, target, sender, cost_wei, grave=grave)
        if isinstance(allowed, Refused):
            self._shot.failure = allowed.reason
        return allowed


class _Gas(GasStrategy):
    def __init__(self, config: IDSConfig, shot: Shot) -> None:
        super().__init__(config.defense.gas)
        self._shot = shot
        self.bid_at = 0
        """When the bid was made, nanoseconds of the performance counter."""

    def bid(self, threat: Threat, situation: Situation) -> Bid | Unaffordable:
        started = time.perf_counter_ns()
        bid = super().bid(threat, situation)
        self.bid_at = time.perf_counter_ns()
        self._shot.threat, self._shot.bid = threat, bid
        self._shot.bid_us = (self.bid_at - started) / 1000
        return bid
