"""The drill itself: attack, pause, decision, bid, rung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mempool_ids.config import IDSConfig
from mempool_ids.config.core import threshold
from mempool_ids.defense.drill import story
from mempool_ids.defense.drill.blanks import fire
from mempool_ids.defense.drill.place import Place, look
from mempool_ids.defense.drill.result import Drill, Drilled, Moment
from mempool_ids.defense.drill.supposed import of_nothing, of_report
from mempool_ids.defense.guardian import Protected
from mempool_ids.defense.protected import find, protected
from mempool_ids.defense.rehearsal import transaction
from mempool_ids.exceptions import ConfigError


async def drill(
    config: IDSConfig, contract: str | None = None, attack: str | None = None, gas_price: int = 0
) -> Drill:
    """Drills one contract, or all that have a pause; with an attack, those that it concerns.

    Decision, bid and rung are the trigger's own; times are those of code that runs for the first time.

    Args:
        contract: its name or address.
        attack: a transaction's hash, its signed bytes in hex, or its JSON. Without one an attack is supposed that is
            proved to take everything.
        gas_price: what a supposed attack pays, wei a gas; 0 where nobody bids.

    Raises:
        ConfigError: the configuration does not do for a defense, or there is no such contract or transaction.
        SignerError: the signer does not open: it is asked for its address.
        NodeError: no node answers, or has the state.
    """
    if not config.chain.rpc_urls:
        raise ConfigError("the defense sends and asks over HTTP: set chain.rpc_urls")
    targets = protected(config.contracts)
    if not targets:
        raise ConfigError("no contract has a `pause`: there is nothing to drill")
    named = None if contract is None else find(targets, contract).name
    place = await look(config, targets)
    if attack is None:
        return await _supposed(place, list(targets) if named is None else [named], gas_price)
    return await _attacked(place, named, attack)


async def _supposed(place: Place, names: Sequence[str], gas_price: int) -> Drill:
    config, ground = place.config, place.ground
    done = []
    for name in names:
        attempt = await place.attempt(name)
        contract, simulated = place.contract(name), config.simulation.enabled
        alert = of_nothing(contract, attempt, ground.base_fee, gas_price, simulated=simulated)
        needs = {name: attempt.gas} if attempt.succeeds else {}
        fired = await fire(config, ground, place.targets, needs, alert)
        done.append(
            story.drilled(place, name, attempt, fired, [story.paused(place, name, attempt)], is_supposed=True)
        )
    return _drill(place, [], None, done, "")


async def _attacked(place: Place, named: str | None, attack: str) -> Drill:
    config, step = place.config, transaction(attack)
    alone = await place.stage.rehearse([step])
    report = alone.report
    if report is None:
        raise ConfigError("this is no transaction that can be executed")
    response = report["response"]
    if response["asked"]:
        # Of a mined transaction, the block that it was in.
        ground = replace(place.ground, base_fee=int(response["base_fee"]), head=alone.block - 1)
        place = replace(place, ground=ground)
    names = _concerned(report, place.targets) if named is None else [named]
    tried = dict.fromkeys([*names, *(name for name in response["targets"] or () if name in place.targets)])
    attempts = {name: await place.attempt(name, step) for name in tried}
    needs = {name: attempt.gas for name, attempt in attempts.items() if attempt.succeeds}
    alert = of_report(report, threshold(config), simulated=config.simulation.enabled)
    fired = await fire(config, place.ground, place.targets, needs, alert)
    done = []
    for name in names:
        attempt = attempts[name]
        between = [story.paused(place, name, attempt), story.left(name, attempt, response)]
        done.append(story.drilled(place, name, attempt, fired, between))
    common = [story.attacked(report, alone.steps[0].took_us)]
    if not done:
        common.append(story.policy(fired))
    return _drill(place, common, _judged(report, alone.block), done, story.reason(fired.decision.words))


def _concerned(report: Mapping[str, Any], targets: Mapping[str, Protected]) -> list[str]:
    """What would be paused; else what is harmed, or touched."""
    victims = [victim["contract"] for victim in report["victims"]]
    for names in (report["response"]["targets"] or (), victims, report["simulation"]["touched"]):
        known = [name for name in dict.fromkeys(names) if name in targets]
        if known:
            return known
    return []


def _judged(report: Mapping[str, Any], block: int) -> dict[str, Any]:
    kept = ("tx", "grade", "verdict", "victims", "response", "without_earlier")
    told = {key: report[key] for key in kept}
    return {"outcome": report["simulation"]["outcome"], "block": block, **told}


def _drill(
    place: Place,
    common: Sequence[Moment],
    attack: Mapping[str, Any] | None,
    done: Sequence[Drilled],
    otherwise: str,
) -> Drill:
    """
    Args:
        otherwise: why nothing is paused, where nothing is concerned.
    """
    missed = [one.contract for one in done if not one.would_be_paused]
    if len(done) == 1:
        verdict = done[0].verdict
    elif not done:
        verdict = f"would NOT be paused: {otherwise}"
    elif missed:
        verdict = f"would NOT be paused: {', '.join(missed)}"
    else:
        verdict = f"would be paused: {', '.join(one.contract for one in done)}"
    ground = place.ground
    guardians = ground.guardians
    return Drill(
        chain_id=place.config.chain.id,
        block=ground.head + 1,
        base_fee_wei=ground.base_fee,
        guardians=tuple(
            {"address": one.address, "nonce": one.latest, "balance_wei": one.balance} for one in guardians
        ),
        attack=attack,
        timeline=(place.read, *common),
        contracts=tuple(done),
        would_be_paused=bool(done) and not missed,
        verdict=verdict,
        notes=place.notes,
    )
