"""A sensor, run by its command line, watches contracts be deployed: attacks are told before their first call, and again
by a replay of what it captured."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from tests.e2e.harness import Event, SensorProcess, alerts, parse, run
from tests.early.traps import TRAPS, Trap
from tests.scenarios.stage import Contract

pytestmark = pytest.mark.timeout(180)


def configure(folder: Path, node: Node, traps: dict[str, Trap], more: str = "") -> Path:
    """One sensor for all. A contract's name begins with its trap's."""
    contracts = "".join(
        monitored.toml(f"{name}: {monitored.contract.name}")
        for name, trap in traps.items()
        for monitored in trap.stage.monitored
    )
    folder.mkdir(parents=True)
    path = folder / "ids.toml"
    path.write_text(
        f"""\
sensor = "test"
[chain]
id = {next(iter(traps.values())).stage.chain_id}
websocket_urls = ["{node.websocket_url}"]
rpc_urls = ["{node.http_url}"]
[early.detonation]
# What is tested is what is found, however busy the machine is.
contract_ms = 5_000
head_ms = 60_000
[alerts]
jsonl = "events.jsonl"
stats_interval_s = 0.2
[storage]
url = "sqlite:///detections.db"
{more}
{contracts}"""
    )
    return path


def early_alerts(events: Iterable[Event], contract: Contract) -> list[Event]:
    """Of this new contract, in order."""
    told = (event for event in alerts(events) if event.get("early"))
    return [event for event in told if event["early"]["contract"]["address"] == contract.address]


@dataclass(frozen=True)
class Sprung:
    """What a sensor said of each trap's contract, which nobody called."""

    alerts: dict[str, list[Event]]
    contracts: dict[str, Contract]
    events: list[Event]
    folder: Path
    """Where its configuration and its capture are."""


async def spring(node: Node, folder: Path) -> Sprung:
    async with Rpc(node.http_url) as rpc:
        built = await asyncio.gather(*(build(rpc) for build in TRAPS.values()))
        traps = dict(zip(TRAPS, built, strict=True))
        config = configure(folder, node, traps, '[capture]\ndir = "capture"')
        sensor = SensorProcess(["run", "-c", str(config)], folder)
        try:
            await sensor.wait_ready()
            await sensor.until(sensor.knows_the_head, "the head's state")
            contracts = {name: await trap.place() for name, trap in traps.items()}
            for trap in traps.values():
                await trap.stage.settle()

            def all_told() -> bool:
                events = sensor.events()
                return all(early_alerts(events, contract) for contract in contracts.values())

            await sensor.until(all_told, "all to be told", 90)
            assert await sensor.terminate() == 0
            events = sensor.events()
            told = {name: early_alerts(events, contract) for name, contract in contracts.items()}
            return Sprung(told, contracts, events, folder)
        finally:
            sensor.close()


@pytest.fixture(scope="module", params=["anvil", "geth"])
def sprung(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sprung:
    folder = tmp_path_factory.mktemp("sensor") / "run"
    if request.param == "geth":
        from tests.geth import Geth

        with Geth(request.getfixturevalue("geth_binary"), period=1) as geth:
            return asyncio.run(spring(geth, folder))
    with Anvil(request.getfixturevalue("anvil_binary"), AnvilOptions(block_time=1)) as anvil:
        return asyncio.run(spring(anvil, folder))


@pytest.mark.parametrize("name", TRAPS)
def test_an_attack_is_told_before_its_first_call(name: str, sprung: Sprung) -> None:
    alert = sprung.alerts[name][-1]
    assert alert["early"]["name"] == "EARLY-ATTACK-DETECTOR-1"
    assert alert["grade"] in ("proved", "likely"), alert["early"]["reason"]
    assert {victim["contract"].partition(": ")[0] for victim in alert["victims"]} == {name}


@pytest.mark.parametrize("name", sorted(TRAPS.keys() - {"price"}))
def test_what_it_would_do_is_proved_by_calling_it(name: str, sprung: Sprung) -> None:
    alert = sprung.alerts[name][-1]
    assert (alert["grade"], alert["early"]["reason"]) == ("proved", "proof")
    proof = alert["early"]["contract"]["detonation"]["proof"]
    assert proof["calls"][-1]["to"] == sprung.contracts[name].address
    assert proof["simulation"]["invariants"]


def essence(value: Any) -> Any:
    """Without what may differ: when it was told, and how long that took."""
    if isinstance(value, dict):
        differ = ("timestamp", "latency_us", "took_us", "watched_ms")
        return {key: essence(inner) for key, inner in value.items() if key not in differ}
    return [essence(inner) for inner in value] if isinstance(value, list) else value


def early(events: Iterable[Event]) -> list[Event]:
    """All that is told of new contracts, in order."""
    return [essence(one) for one in events if one["event_type"] == "deploy" or one.get("early")]


def replayed(sprung: Sprung, capture: Path, *more: str) -> tuple[list[Event], str]:
    """What is told of new contracts, and what people are told. The node is gone by then."""
    done = run("replay", capture, "-c", sprung.folder / "ids.toml", *more, cwd=sprung.folder)
    assert done.returncode == 0, done.stderr
    return early(parse(done.stdout.encode())), done.stderr


def test_a_replay_of_its_capture_tells_the_same(sprung: Sprung) -> None:
    live = early(sprung.events)
    assert {one["event_type"] for one in live} == {"alert", "deploy"}
    told, said = replayed(sprung, sprung.folder / "capture", "--emit", "all")
    assert told == live, said
    told, said = replayed(sprung, sprung.folder / "capture")
    assert told == alerts(live), said


def test_who_looks_for_no_new_contracts_is_told_of_none(sprung: Sprung) -> None:
    off = ("--emit", "all", "--set", "early.enabled=false")
    assert replayed(sprung, sprung.folder / "capture", *off)[0] == []


def _damage(capture: Path, kind: str, contract: Contract, damage: Any) -> None:
    """In the first entry of this kind that is about the contract, and that `damage` changes."""
    for path in sorted(capture.glob("*.context.parquet")):
        table = pq.read_table(path)
        bodies = table.column("body").to_pylist()
        for at, (of, body) in enumerate(zip(table.column("kind").to_pylist(), bodies, strict=True)):
            of = of.decode() if isinstance(of, bytes) else of
            text = body.decode() if isinstance(body, bytes) else body
            about = json.loads(text).get("deployment", json.loads(text)) if of == kind else {}
            if about.get("address") == contract.address and (changed := damage(text)) is not None:
                bodies[at] = changed.encode() if isinstance(body, bytes) else changed
                field = table.schema.field("body")
                index = table.schema.get_field_index("body")
                pq.write_table(table.set_column(index, field, pa.array(bodies, field.type)), path)
                return
    raise AssertionError(f"the capture has no {kind} of {contract.address}")


def _cut(body: str) -> str:
    return body[: len(body) // 2]


def _without_an_account(body: str) -> str | None:
    """What the proof read of the contract itself is lost."""
    record = json.loads(body)
    if not record.get("executed"):
        return None
    del record["executed"]["accounts"][record["address"]]
    return json.dumps(record)


@pytest.mark.parametrize(
    ("kind", "damage", "said"),
    [
        ("deployment", _cut, "position"),
        ("detonation", _without_an_account, "is not in the recorded state"),
    ],
)
def test_what_is_damaged_in_its_capture_is_said_and_takes_nothing_else_with_it(
    kind: str, damage: Any, said: str, sprung: Sprung, tmp_path: Path
) -> None:
    capture = tmp_path / "capture"
    shutil.copytree(sprung.folder / "capture", capture)
    contract = sprung.contracts["takeover"]
    _damage(capture, kind, contract, damage)
    told, heard = replayed(sprung, capture)
    assert "malformed_capture" in heard
    assert said in heard

    def of_others(events: list[Event]) -> list[Event]:
        return [one for one in events if one["early"]["contract"]["address"] != contract.address]

    assert of_others(told) == of_others(alerts(early(sprung.events)))
