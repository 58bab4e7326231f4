"""What is told of an action of the defense, and whom it reaches in the program."""

import asyncio
import copy
import dataclasses
import pickle
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.defense.action import ActionState, DefenseAction, Transition
from mempool_ids.defense.events import response_event
from mempool_ids.records.events import (
    ALARM,
    MalformedEvent,
    anomaly_event,
    key_of,
    read_event,
    rfc3339,
    stats_event,
)
from mempool_ids.records.response import Response
from mempool_ids.runtime.callbacks import Callbacks
from tests.responses import encode, response
from tests.support import VAULT, alert

HASH, OTHER, OWN = (f"0x{number:064x}" for number in (1, 2, 3))
NOW = 1_767_225_600.25


def action(**changes: Any) -> DefenseAction:
    return DefenseAction("a", "pause", "Vault", VAULT, NOW, (HASH, OTHER), **changes)


def told(which: DefenseAction, transition: Transition) -> dict[str, Any]:
    event, raw = response_event("test", 1, which, transition)
    assert orjson.loads(raw) == event
    return event


def test_an_event_says_what_a_change_made_of_an_action() -> None:
    one = action(grade="proved", loss_wei=10**30)
    wanted = told(one, one.advance(ActionState.INTENT, NOW, "outflow"))
    assert (wanted["response_id"], wanted["state"], wanted["reason"]) == ("a-0", "intent", "outflow")
    assert wanted["timestamp"] == "2026-01-01T00:00:00.250000Z"
    assert (wanted["threats"], wanted["threat_tx"], wanted["loss_wei"]) == ([HASH, OTHER], HASH, str(10**30))
    unknown = ("tx_hash", "nonce", "gas_limit", "max_fee_per_gas", "cost_wei", "block", "position", "won")
    assert {wanted[name] for name in unknown} == {None}

    one.advance(ActionState.VERIFIED, NOW, "allowed")
    one.nonce, one.gas_limit, one.max_fee_per_gas, one.max_priority_fee_per_gas = 7, 60_000, 2**70, 10**9
    one.attempt, one.capped = 1, True
    sent = told(one, one.advance(ActionState.SENT, NOW + 1, "rung 3", tx_hash=OWN))
    assert (sent["response_id"], sent["tx_hash"], sent["attempt"], sent["capped"]) == ("a-2", OWN, 1, True)
    assert (sent["max_fee_per_gas"], sent["max_priority_fee_per_gas"]) == (str(2**70), str(10**9))

    one.tx_hash, one.position, one.won = OWN, 0, True
    included = told(one, one.advance(ActionState.INCLUDED, NOW + 2, "in time", block=17, cost_wei=10**15))
    assert (included["block"], included["position"], included["won"]) == (17, 0, True)
    assert (included["cost_wei"], included["tx_hash"]) == (str(10**15), OWN)


def test_an_event_has_all_that_the_tests_take_it_to_have() -> None:
    one = action()
    made = told(one, one.advance(ActionState.INTENT, NOW, ""))
    assert list(made) == list(response(0))


def test_the_same_change_has_the_same_id_after_a_restart_and_in_a_copy() -> None:
    one = action()
    changes = [one.advance(ActionState.INTENT, NOW, "r")]
    changes += [one.advance(state, NOW, "r") for state in (ActionState.VERIFIED, *[ActionState.SENT] * 2)]
    assert changes[2] == changes[3]  # the same bytes twice within the clock's resolution
    ids = [told(one, change)["response_id"] for change in changes]
    assert ids == ["a-0", "a-1", "a-2", "a-3"]
    restored = copy.deepcopy(one)
    assert [told(restored, change)["response_id"] for change in restored.history] == ids
    assert told(restored, changes[1])["response_id"] == "a-1"


def test_a_change_of_another_action_is_refused() -> None:
    one, other = action(), action()
    one.advance(ActionState.INTENT, NOW, "r")
    with pytest.raises(ValueError, match="action a: no such transition to intent"):
        response_event("test", 1, other, one.history[0])


def test_what_a_person_asked_for_answers_no_transaction() -> None:
    by_hand = DefenseAction("a", "pause", "Vault", VAULT, NOW, ("0x" + "0" * 64,))
    event = told(by_hand, by_hand.advance(ActionState.INTENT, NOW, "somebody asked for it"))
    assert (event["threats"], event["threat_tx"]) == ([], None)


AMOUNT = st.none() | st.integers(0, 2**256 - 1)


@given(cost=AMOUNT, loss=AMOUNT, fee=AMOUNT, tip=AMOUNT)
def test_amounts_survive_to_the_wei(
    cost: int | None, loss: int | None, fee: int | None, tip: int | None
) -> None:
    one = action(cost_wei=cost, loss_wei=loss, max_fee_per_gas=fee, max_priority_fee_per_gas=tip)
    event, raw = response_event("test", 1, one, one.advance(ActionState.INTENT, NOW, "r"))
    read = Response.from_event(read_event("response", raw)[0])
    assert (read.cost_wei, read.loss_wei) == (cost, loss)
    assert (read.max_fee_per_gas, read.max_priority_fee_per_gas) == (fee, tip)
    assert read.event == event


def test_a_response_is_read_back_as_an_object() -> None:
    read = Response.from_event(response(4, cost_wei="5", block=17))
    assert (read.response_id, read.state, read.cost_wei, read.block, read.loss_wei) == (
        "a-4",
        "sent",
        5,
        17,
        10**20,
    )
    assert read.timestamp == datetime(2026, 1, 1, 0, 0, 1, 4, UTC)
    assert (read.threats, read.threat_tx) == ((HASH,), HASH)
    assert Response.from_event(response(0, threats=[])).threat_tx is None


def test_where_a_human_can_answer_is_in_no_copy() -> None:
    link = "http://127.0.0.1/confirm/a/secret"
    read = Response.from_event(response(0), link)
    assert read.ask_url == link
    assert Response.from_event(response(0)).ask_url is None
    copies = [dataclasses.replace(read), copy.copy(read), pickle.loads(pickle.dumps(read))]
    assert copies == [read] * 3
    for shown in (repr(read), str(dataclasses.asdict(read)), str(dataclasses.astuple(read)), repr(copies)):
        assert "secret" not in shown
    assert [one.ask_url for one in copies] == [None] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"response_id": None},
        {"chain_id": 2**63},
        {"tx_hash": 5},
        {"timestamp": "yesterday"},
        {"cost_wei": "1 ether"},
        {"threats": None},
        {"event_type": "alert"},
    ],
)
def test_a_malformed_response_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        read_event("response", orjson.dumps(response(0, **changes)))


def test_only_alerts_responses_and_alarms_of_the_defense_are_kept() -> None:
    alarm = anomaly_event("test", 1, ALARM, "balance", "it is low")
    assert key_of(encode(alert(1))) == ("alert", "alert-1")
    assert key_of(encode(response(3))) == ("response", "a-3")
    kind, key = key_of(alarm) or ("", "")
    assert (kind, key.startswith("alarm-"), len(key)) == ("anomaly", True, 38)
    assert key_of(read_event("anomaly", alarm[1])) == (kind, key)
    assert key_of(anomaly_event("test", 1, "node_error", "ws://n", "no answer")) is None
    assert key_of(stats_event("test", 1, {})) is None
    assert key_of(encode({"event_type": "outcome", "alert_id": "alert-1"})) is None


def test_an_anomaly_of_ours_is_made_like_the_core_s() -> None:
    event, raw = anomaly_event("test", 1, ALARM, "guardian 0x5f", "somebody else used its nonce")
    assert orjson.loads(raw) == event
    assert list(event) == [
        "timestamp", "event_type", "sensor", "chain_id", "schema_version", "kind", "origin", "reason",
    ]  # fmt: skip
    assert (event["event_type"], event["kind"], event["origin"]) == ("anomaly", "defense", "guardian 0x5f")


def test_times_are_written_to_the_microsecond() -> None:
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000000Z"
    assert rfc3339(1_767_225_599.999999) == "2025-12-31T23:59:59.999999Z"


async def test_callbacks_are_called_with_responses_in_order_and_failures_name_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []
    callbacks: Callbacks[Response] = Callbacks()

    def broken(_: Response) -> None:
        raise RuntimeError("no")

    async def take(each: Response) -> None:
        seen.append(each.response_id)

    callbacks.add(broken)
    callbacks.add(take)
    callbacks.start()
    for number in range(3):
        callbacks.put(Response.from_event(response(number)))
    await asyncio.wait_for(callbacks.idle(), 10)
    await callbacks.close()
    assert seen == ["a-0", "a-1", "a-2"]
    assert (callbacks.failures, callbacks.dropped) == (3, 0)
    assert "failed for response a-1" in caplog.text
