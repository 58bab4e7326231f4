"""`mempool-ids score`: how much contracts look like an attacker's, and what calling them would do."""

import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mempool_ids.cli.calls import Names, call_tree
from mempool_ids.cli.codes import Contract, contracts
from mempool_ids.cli.options import ConfigFile, Overrides, address_of, configuration
from mempool_ids.cli.terminal import say, talk
from mempool_ids.config import IDSConfig
from mempool_ids.exceptions import ConfigError, MempoolIdsError

if TYPE_CHECKING:
    from mempool_ids.early.detector import EarlyAttackDetector
    from mempool_ids.records.deployment import Detonation

# Codes scored at once: between two of these Ctrl-C is heard.
_BATCH = 256
_TOLD_EVERY_S = 5.0


def score(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ADDRESS|CODE|FILE",
            help="Addresses; code in hex, with 0x; files of either, or of JSON lines with id, and address or code, "
            "perhaps kind (runtime or creation); - or none: stdin.",
            show_default=False,
        ),
    ] = None,
    detonate: Annotated[
        bool,
        typer.Option(
            "--detonate",
            help="Call the contracts, too, on the node's current state: what would they do to the configured ones?",
        ),
    ] = False,
    deployer: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            parser=address_of,
            help="As whom they are called first.",
            show_default="who signed the creation, as the node's states and traces tell",
        ),
    ] = None,
    chain: Annotated[
        int | None,
        typer.Option(
            help="Chain id, for its thresholds.", min=1, show_default="chain.id of the configuration"
        ),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Scores contracts by their code and prints one JSON line each. Nothing is sent.

    Code is hex, in files with or without 0x, white space anywhere. Of init code the constructor is run, without a
    state; what is said to be runtime code and is plainly init code is taken for it. What is at an address, the nodes of
    `chain.rpc_urls` tell, or of `chain.websocket_urls`; clones and delegations lead to the code that they run. A line
    that cannot be scored has an error. Exit code 1 if none could be.

    `--detonate` calls each function of a contract as the sensor calls new ones, as its deployer and others, alone and
    after each other. The line says what that showed, stderr the same in words, with the calls inside a proof.

    **Examples**

        mempool-ids score contract.hex

        jq -c '{id: .address, code: .code, kind: "runtime"}' dump.jsonl | mempool-ids score --chain 56

        mempool-ids score 0x9a67…f1ce --detonate -c ids.toml
    """
    from mempool_ids.early.detector import EarlyAttackDetector

    settings = configuration(config, overrides)
    if chain is not None:
        settings = settings.model_copy(update={"chain": settings.chain.model_copy(update={"id": chain})})
    if deployer is not None and not detonate:
        raise typer.BadParameter("only --detonate calls anything", param_hint="--deployer")
    if detonate and not settings.contracts:
        raise ConfigError(
            "contracts is empty: which contracts could be harmed? A configuration says it: -c ids.toml"
        )
    detector = EarlyAttackDetector(settings)
    detonation = _Detonation(detector, settings, deployer) if detonate else None
    done = scored = 0
    begun = told = time.monotonic()
    for contract, answer in _answers(detector, contracts(given or ["-"]), detonation):
        typer.echo(json.dumps({"id": contract.id, **answer}))
        done, scored = done + 1, scored + ("error" not in answer)
        if (now := time.monotonic()) - told >= _TOLD_EVERY_S:
            told = now
            say(f"{done:,} contracts, {done / (now - begun):,.1f} a second")
    if not done:
        raise ConfigError("there is no code to score")
    if not scored:
        raise typer.Exit(1)


class _Detonation:
    """Calls contracts, and says on stderr what that showed."""

    def __init__(self, detector: "EarlyAttackDetector", settings: IDSConfig, deployer: str | None) -> None:
        self._detector, self._deployer = detector, deployer
        self._names = {each.address.lower(): each.name for each in settings.contracts}

    def of(self, address: str) -> dict[str, Any]:
        """What there is to add to the contract's line. Raises as `EarlyAttackDetector.detonate`."""
        with talk.status(f"calling {address}") if talk.is_terminal else nullcontext():
            done = self._detector.detonate(address, self._deployer)
        for line in words(done):
            say(line)
        if done.event["calls"]:
            names = {address: "contract", **self._names}
            talk.print(call_tree(done.event["calls"], Names(names)))
        return dict(done.event)


def words(done: "Detonation") -> Iterator[str]:
    """What calling a contract showed, line by line."""
    from mempool_ids.sinks.proof import harms

    if done.deployer is None:
        yield f"{done.address}: who deployed it is not known: {done.deployer_unknown}"
        yield f"called as {done.called_as} instead, who is nobody and has nothing: --deployer ADDRESS says who did"
    outcome, proof = done.outcome, done.proof
    called = (
        f"{outcome['calls']:,} calls on block {outcome['block']:,}, {outcome['entered']:,} did something, "
        f"{outcome['guarded']:,} reverted at a guard"
    )
    if outcome["guards"]:
        called += f" ({', '.join(outcome['guards'])})"
    called += f", {outcome['touched']:,} touched a monitored contract"
    if outcome["cut"]:
        called += "; there was more to try: early.detonation.calls"
    if proof is None:
        yield f"{done.address}: no proof of harm in {called}"
        return
    for harm in harms(proof, done.deployer, done.victims):
        yield f"{done.address}: {done.grade}: {harm}"
    yield called


def _answers(
    detector: "EarlyAttackDetector", rest: Iterator[Contract], detonation: _Detonation | None
) -> Iterator[tuple[Contract, dict[str, Any]]]:
    """Each contract with what its line has beside the id; codes go through the models together."""
    while batch := list(islice(rest, _BATCH)):
        codes = [contract for contract in batch if contract.code and not detonation]
        scores = iter(detector.score_many([one.code for one in codes], [one.kind for one in codes]))
        for contract in batch:
            if contract.error is not None:
                yield contract, {"error": contract.error}
            elif contract.address is not None:
                yield contract, _of_address(detector, contract.address, detonation)
            elif detonation:
                yield contract, {"error": "code is on no chain: --detonate calls what is at an address"}
            else:
                yield contract, dict(next(scores).event)


def _of_address(
    detector: "EarlyAttackDetector", address: str, detonation: _Detonation | None
) -> dict[str, Any]:
    try:
        score = detector.score_address(address).event
        return {**score, **(detonation.of(address) if detonation else {})}
    except ConfigError:
        raise
    except MempoolIdsError as error:
        return {"error": str(error)}
