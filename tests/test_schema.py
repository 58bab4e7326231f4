import asyncio
import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from mempool_ids import IDSConfig, IDSEngine, IDSMode, _core
from mempool_ids.config import sensor_config
from mempool_ids.records.schema import event_schema
from tests.responses import response
from tests.support import SENDER, UNANSWERED, VAULT, alert, write_capture

VALIDATOR = Draft202012Validator(event_schema())


def base(event_type: str, **body: Any) -> dict[str, Any]:
    common = {"timestamp": "2026-01-01T00:00:00.000000Z", "sensor": "s", "chain_id": 1, "schema_version": 1}
    return {**common, "event_type": event_type, **body}


HASH = "0x" + "ab" * 32


def test_the_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(event_schema())


@pytest.mark.parametrize(
    "event",
    [
        alert(1),
        base("outcome", alert_id="a", hash=HASH, outcome="mined", block=1),
        base("outcome", alert_id="a", hash=HASH, outcome="replaced", by=HASH),
        base("outcome", alert_id="a", hash=HASH, outcome="dropped"),
        base("anomaly", kind="malformed_frame", origin="ws://n", reason="no JSON"),
        base("anomaly", kind="defense", origin="Vault", reason="its pause would fail"),
        response(1),
        response(2, threats=[], nonce=None, tx_hash=None, gas_limit=None, state="intent"),
        base("reorg", depth=1, number=5, old_head=HASH, new_head=HASH),
    ],
)
def test_events_of_every_type_are_valid(event: dict[str, Any]) -> None:
    VALIDATOR.validate(event)


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.pop("alert_id"),
        lambda e: e.update(event_type="unheard_of"),
        lambda e: e.update(extra=1),
        lambda e: e.update(timestamp="2026-01-01 00:00:00"),
        lambda e: e["tx"].update(value=5),
        lambda e: e["tx"].update(to="0x12"),
        lambda e: e["tx"].update(hash=HASH.upper()),
        lambda e: e.update(features=[0.0] * 21),
        lambda e: e["response"].update(mode="panic"),
        lambda e: e.pop("response"),
        lambda e: e.update(score=1.5),
    ],
)
def test_wrong_alerts_are_invalid(change: Any) -> None:
    event = copy.deepcopy(alert(1))
    change(event)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(event)


def simulation() -> dict[str, Any]:
    """As the core writes it."""
    ether = {"type": "CALL", "from": SENDER, "to": VAULT, "value": "0x1", "gas": "0x1", "gasUsed": "0x1"}
    config = sensor_config(IDSConfig(monitored_contracts=[VAULT]), listen=False)
    report = orjson.loads(_core.inspect_transaction(config, orjson.dumps(ether).decode()))
    return {"status": "done", **report["simulation"]}


def test_alerts_say_what_their_simulation_found_or_why_there_is_none() -> None:
    done = simulation()
    assert done["touched"] == [VAULT]
    VALIDATOR.validate(alert(1, simulation=done))
    varied = {"of": "all", "harm": 0.9, "probability": None, "finished": True}
    broken = {
        "name": "outflow",
        "contract": "v",
        "weight": 0.5,
        "severe": False,
        "explanation": "1 ETH leaves",
    }
    unique = {"account": SENDER, "asset": VAULT, "id": "7", "amount": "-1"}
    more = {"variations": [varied], "invariants": [broken], "flows": [unique], "created": [VAULT]}
    VALIDATOR.validate(alert(1, simulation={**done, **more}))
    for failure in ("deadline", "budget", "state", "quota", "queue", "not_ready"):
        failed = {"status": "failed", "failure": failure, "reason": "for people"}
        VALIDATOR.validate(alert(1, simulation=failed))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "maybe"},
        {"status": "failed"},
        {"status": "failed", "failure": "bored", "reason": ""},
        {"harm": 1.5},
        {"flows": [{"account": SENDER, "asset": "native", "amount": 5}]},
        {"created": ["0x12"]},
        {"variations": [{"of": "weather", "harm": 0.5, "probability": None, "finished": True}]},
        {"coinbase_payment": "-1"},
    ],
)
def test_a_simulation_that_says_nothing_certain_is_invalid(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate(alert(1, simulation={**simulation(), **change}))


@pytest.mark.parametrize(
    "key", ["block", "outcome", "flows", "invariants", "harm", "probability", "cut", "decides"]
)
def test_a_done_simulation_is_whole(key: str) -> None:
    done = simulation()
    del done[key]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(alert(1, simulation=done))


def test_an_outcome_says_where_or_by_what() -> None:
    for outcome in ("mined", "replaced"):
        with pytest.raises(ValidationError):
            VALIDATOR.validate(base("outcome", alert_id="a", hash=HASH, outcome=outcome))


def test_what_the_core_emits_is_valid(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "c.jsonl", 10)
    with capture.open("a") as file:
        file.write('{"hash": "nonsense"\n')
    config = IDSConfig(detection={"classification_threshold": 0.0}, monitored_contracts=[VAULT])
    sensor = _core.Sensor(sensor_config(config, replay=[capture], emit="all"))
    sensor.start()
    kinds = set()
    ended = False
    while not ended:
        for kind, raw in sensor.recv(1.0):
            ended = ended or kind == "end"
            for line in raw.splitlines():
                event = orjson.loads(line)
                kinds.add(event["event_type"])
                VALIDATOR.validate(event)
    assert kinds == {"alert", "tx", "anomaly"}


def test_an_alert_says_how_long_the_sensor_had_watched_by_the_recorded_clock(tmp_path: Path) -> None:
    config = IDSConfig(detection={"classification_threshold": 0.0}, monitored_contracts=[VAULT])
    capture = write_capture(tmp_path / "c.jsonl", 3)  # 10 ms apart
    sensor = _core.Sensor(sensor_config(config, replay=[capture]))
    sensor.start()
    watched: list[int] = []
    ended = False
    while not ended:
        for kind, raw in sensor.recv(1.0):
            ended = ended or kind == "end"
            if kind == "alert":
                watched.append(orjson.loads(raw)["watched_ms"])
    assert watched == [0, 10, 20]


@pytest.mark.parametrize("mode", IDSMode)
def test_an_alert_says_in_which_mode_it_was_raised(tmp_path: Path, mode: IDSMode) -> None:
    config = IDSConfig(
        operational_mode=mode, detection={"classification_threshold": 0.0}, monitored_contracts=[VAULT]
    )
    capture = write_capture(tmp_path / "c.jsonl", 1)
    sensor = _core.Sensor(sensor_config(config, replay=[capture]))
    sensor.start()
    alerts: list[bytes] = []
    while not alerts:
        alerts += [raw for kind, raw in sensor.recv(1.0) if kind == "alert"]
    assert orjson.loads(alerts[0])["response"] == {**UNANSWERED, "mode": mode.value}


async def test_every_line_of_the_event_log_is_valid(tmp_path: Path) -> None:
    config = IDSConfig(
        detection={"classification_threshold": 0.0},
        alerts={"jsonl": tmp_path / "e.jsonl", "stats_interval_s": 0.05},
        storage={"url": f"sqlite:///{tmp_path}/ids.db"},
    )
    async with IDSEngine(config, replay=[write_capture(tmp_path / "c.jsonl", 10)]) as engine:
        await asyncio.wait_for(engine.wait(), 30)
    events = [orjson.loads(line) for line in (tmp_path / "e.jsonl").read_bytes().splitlines()]
    for event in events:
        VALIDATOR.validate(event)
    assert {event["event_type"] for event in events} == {"alert", "stats"}
