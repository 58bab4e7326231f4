"""When the defense acts, and what it says."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mempool_ids.config import IDSConfig
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.evidence import price
from mempool_ids.defense.gas import Threat, Urgency
from mempool_ids.defense.policy import Decision, Policy

TOKEN = "0x" + "70" * 20
PAUSE = {"call": "pause()", "check": "paused()"}
CONTRACTS = [
    {"name": "Vault", "address": "0x" + "5f" * 20, "pause": PAUSE},
    {"name": "Pool", "address": "0x" + "6f" * 20, "pause": {**PAUSE, "value_eth": 1000.0}},
    {"name": "Router", "address": "0x" + "7f" * 20, "pause": PAUSE},
    {"name": "Token", "address": "0x" + "8f" * 20},
    {
        "name": "Locker",
        "address": "0x" + "9f" * 20,
        "rescue": {"call": "sweep(address)", "args": ["0x" + "a9" * 20], "recipient": "0x" + "a9" * 20},
    },
]
VICTIM = {
    "contract": "Vault",
    "invariants": ["outflow"],
    "asset": "native",
    "amount": str(12 * ETHER),
    "share": 0.5,
    "beneficiary": "0x" + "a1" * 20,
}
ALERT: dict[str, Any] = {
    "event_type": "alert",
    "alert_id": "1-0xab",
    "notify": True,
    "score": 0.9,
    "threat_level": "CRITICAL",
    "grade": "proved",
    "contracts": ["Vault", "Router"],
    "victims": [VICTIM],
    "classification": {"threshold": 0.7, "probability": 0.8},
    "simulation": {"status": "done", "harm": 0.9},
    "tx": {"hash": "0xab", "from": "0x" + "a1" * 20, "nonce": 7, "authenticity": "proven"},
    "response": {
        "asked": True,
        "why": None,
        "targets": ["Vault"],
        "pause_succeeds": True,
        "already_paused": False,
        "harm_left": 0.02,
        "pause_gas": 50_000,
        "pauses": [{"contract": "Vault", "gas": 50_000}],
        "copyable": True,
        "attack_payment": str(6 * ETHER // 1000),
        "attack_gas": 3_000_000,
        "attack_tip": str(2 * GWEI),
        "attack_max_fee": str(40 * GWEI),
        "base_fee": str(20 * GWEI),
        "includable": True,
        "includable_reason": None,
    },
}


def policy(mode: str = "active_defense", detection: dict[str, Any] | None = None, **defense: Any) -> Policy:
    sections = {"armed": True, **defense}
    return Policy(
        IDSConfig(operational_mode=mode, contracts=CONTRACTS, defense=sections, detection=detection or {})
    )


def alert(response: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    changed = {**copy.deepcopy(ALERT), **changes}
    changed["response"] = {**changed["response"], **(response or {})}
    return changed


def test_a_proved_attack_pauses_its_victim_and_says_why_with_the_numbers() -> None:
    assert policy().decide(ALERT) == Decision(
        act=True,
        targets=("Vault",),
        words="paused because its simulation proves that Vault loses 12 ETH (score 0.9), "
        "and the pause leaves 2% of that",
        urgency=Urgency.CRITICAL,
        grade="proved",
        loss_wei=12 * ETHER,
        tell=True,
        grave=True,
    )


def test_shadow_mode_decides_the_same_and_says_that_it_only_would() -> None:
    armed, shadow = policy().decide(ALERT), policy(armed=False, shadow=True).decide(ALERT)
    assert shadow == dataclasses.replace(armed, words="would be " + armed.words)


FAILED = {"status": "failed", "failure": "deadline", "reason": "250 ms"}
AGAINST: list[tuple[str, dict[str, Any], dict[str, Any], str, bool]] = [
    ("mode", {"mode": "alert_only"}, {}, "operational_mode is alert_only", False),
    ("not armed", {"armed": False}, {}, "the defense is neither armed nor in shadow mode", False),
    ("muted", {}, {"notify": False}, "the alert is muted by a threshold or a suppression", False),
    (
        "a lying node",
        {},
        {"tx": {"authenticity": "contradicted"}},
        "the transaction is not what its hash says: the node lies, or tells it in an unknown way",
        True,
    ),
    ("the model's threshold", {}, {"score": 0.69}, "its score 0.69 is below the threshold 0.7", False),
    (
        "the configured threshold",
        {"detection": {"classification_threshold": 0.95}},
        {},
        "its score 0.9 is below the threshold 0.95",
        False,
    ),
    ("level", {}, {"threat_level": "MEDIUM"}, "its threat level MEDIUM is below HIGH", False),
    ("grade", {}, {"grade": "likely"}, "it is likely, and the defense acts on what is proved", True),
    (
        "late",
        {},
        {"simulation": FAILED, "grade": "suspected"},
        "its simulation failed (deadline: 250 ms): people are to decide",
        True,
    ),
    (
        "not asked",
        {},
        {"response": {"asked": False, "why": "not answered within\nthe deadline"}},
        "the pause was not tried in its simulation (not answered within the deadline): people are to decide",
        True,
    ),
    (
        "not asked, and nobody knows why",
        {},
        {"response": {"asked": False}},
        "the pause was not tried in its simulation (no reason is given): people are to decide",
        True,
    ),
    (
        "no pause",
        {},
        {"victims": [{**VICTIM, "contract": "Token"}]},
        "there is no pause for what it concerns, which is Token",
        True,
    ),
    ("already paused", {}, {"response": {"already_paused": True}}, "Vault is paused already", False),
    (
        "not includable",
        {},
        {"response": {"includable": False, "includable_reason": "its nonce is 9, the sender's 7"}},
        "the next block cannot have the attack: its nonce is 9, the sender's 7",
        True,
    ),
    (
        "not includable, without a reason",
        {},
        {"response": {"includable": False}},
        "the next block cannot have the attack",
        True,
    ),
    ("it fails", {}, {"response": {"pause_succeeds": False}}, "the pause of Vault fails", True),
    (
        "harm left",
        {},
        {"response": {"harm_left": 0.4}},
        "the pause leaves 40% of the harm, more than 10%",
        True,
    ),
    (
        "not worth it",
        {"false_pause_cost_eth": 200.0},
        {},
        "the loss of 12 ETH by score 0.9 does not outweigh a pause for 0.00105 ETH and what a false one costs, 200 ETH",
        True,
    ),
    (
        "not worth its gas",
        {},
        {"victims": [{**VICTIM, "amount": str(ETHER // 1000)}]},
        (
            "the loss of 0.001 ETH by score 0.9 does not outweigh a pause for 0.00105 ETH and what a false one "
            "costs, 0 ETH"
        ),
        True,
    ),
]


@pytest.mark.parametrize(
    ("settings", "changes", "reason", "tell"),
    [case[1:] for case in AGAINST],
    ids=[case[0] for case in AGAINST],
)
def test_each_rule_speaks_against_a_pause(
    settings: dict[str, Any], changes: dict[str, Any], reason: str, tell: bool
) -> None:
    changes = dict(changes)
    decision = policy(**settings).decide(alert(changes.pop("response", None), **changes))
    assert (decision.act, decision.targets) == (False, ())
    assert decision.words == f"not paused because {reason}"
    assert decision.tell is tell


def test_what_is_not_critical_or_has_no_victim_is_not_told() -> None:
    for changes in ({"threat_level": "HIGH"}, {"victims": []}):
        decision = policy().decide(alert(grade="likely", **changes))
        assert (decision.act, decision.tell) == (False, False)


def test_the_first_reason_in_the_order_of_the_rules_is_told() -> None:
    """Each alert lacks all that comes before it in the list, which is in that order."""
    everything = alert({"asked": False}, notify=False, score=0.1, threat_level="LOW", grade="suspected")
    told = []
    for change in (
        {"notify": True},
        {"score": 0.9},
        {"threat_level": "HIGH"},
        {"grade": "proved"},
        {"response": ALERT["response"]},
    ):
        told.append(policy().decide(everything).words.removeprefix("not paused because ").split()[1])
        everything = {**everything, **change}
    assert told == ["alert", "score", "threat", "is", "pause"]
    assert policy().decide(everything).act


def test_the_least_grade_that_acts_is_configured() -> None:
    likely = alert(grade="likely")
    decision = policy(act_on="likely").decide(likely)
    assert (decision.act, decision.grade, decision.grave) == (True, "likely", False)
    assert decision.words.startswith("paused because by its simulation it is likely that Vault loses 12 ETH")
    assert not policy(act_on="likely").decide(alert(grade="suspected")).act


def test_what_is_paused_is_the_victim_and_not_what_was_touched() -> None:
    tried = {"targets": ["Router", "Pool", "Vault"]}
    victims = [VICTIM, {**VICTIM, "contract": "Pool"}, {**VICTIM, "asset": TOKEN}]
    assert policy().decide(alert(tried, victims=victims)).targets == ("Pool", "Vault")
    assert not policy().decide(alert({"targets": ["Router"]})).act
    nobody = policy(on_failed_simulation="act").decide(alert(victims=[]))
    assert nobody.words == "not paused because it names no victim"


def test_a_contract_that_is_rescued_needs_no_pause() -> None:
    decision = policy().decide(alert({"targets": ["Locker"]}, victims=[{**VICTIM, "contract": "Locker"}]))
    assert (decision.act, decision.targets) == (True, ("Locker",))


def test_a_suspicion_without_a_victim_pauses_what_was_tried_only_where_suspicions_are_acted_on() -> None:
    suspicion = alert({"targets": ["Router"], "harm_left": 0}, grade="suspected", victims=[])
    assert not policy(act_on="likely").decide(suspicion).act
    decision = policy(act_on="suspected").decide(suspicion)
    assert decision.targets == ("Router",)
    assert "it is suspected that Router is harmed" in decision.words


def test_a_failed_simulation_pauses_what_is_touched_only_where_that_is_configured() -> None:
    failed = alert({"asked": False}, simulation=FAILED, grade="suspected", victims=[])
    decision = policy(on_failed_simulation="act").decide(failed)
    assert decision.targets == ("Vault", "Router")
    assert decision.words == (
        "paused because it has score 0.9 and on_failed_simulation is act; its simulation failed (deadline: 250 ms)"
    )
    assert not decision.grave
    nobody = policy(on_failed_simulation="act").decide({**failed, "contracts": ["Token"]})
    assert nobody.words == "not paused because there is no pause for what it concerns, which is Token"
    below = policy(on_failed_simulation="act").decide({**failed, "score": 0.5})
    assert not below.act


def test_a_proved_attack_whose_pause_was_not_tried_in_time_pauses_the_victim_where_that_is_configured() -> (
    None
):
    late = alert()
    late["response"] = {"asked": False, "why": "late"}
    decision = policy(on_failed_simulation="act").decide(late)
    assert (decision.targets, decision.loss_wei, decision.grave) == (("Vault",), 12 * ETHER, True)


@pytest.mark.parametrize(
    ("victims", "loss"),
    [
        ([VICTIM, {**VICTIM, "contract": "Router", "amount": str(ETHER)}], 13 * ETHER),
        ([{**VICTIM, "contract": "Pool", "asset": TOKEN, "share": 0.25}], 250 * ETHER),
        ([VICTIM, {**VICTIM, "contract": "Pool", "asset": TOKEN, "share": 0.25}], 262 * ETHER),
        # Two assets of one contract are not lost beyond what it holds.
        (
            [
                {**VICTIM, "contract": "Pool", "asset": TOKEN, "share": 0.75},
                {**VICTIM, "contract": "Pool", "asset": "0x" + "71" * 20, "share": 0.75},
            ],
            1000 * ETHER,
        ),
        # What is not known may be much more than what is.
        ([VICTIM, {**VICTIM, "asset": TOKEN, "share": 0.25}], None),
        ([VICTIM, {**VICTIM, "contract": "Pool", "asset": TOKEN, "share": None}], None),
        ([{**VICTIM, "amount": "1", "invariants": ["outflow", "takeover"]}], None),
        ([VICTIM, {"contract": "Pool", "invariants": ["takeover"], "asset": None, "amount": None}], None),
    ],
)
def test_the_loss_is_known_in_ether_or_not_at_all(victims: list[dict[str, Any]], loss: int | None) -> None:
    decision = policy().decide(alert({"targets": ["Vault", "Pool"]}, victims=victims))
    assert (decision.act, decision.loss_wei) == (True, loss)


@pytest.mark.parametrize(
    ("changes", "grave"),
    [
        ({"share": 0.1, "amount": str(ETHER)}, True),
        ({"share": 0.09, "amount": str(ETHER)}, False),
        ({"share": 0.01, "amount": str(2 * ETHER)}, True),
        ({"share": None, "amount": str(ETHER)}, False),
        ({"share": 0.01, "amount": "1", "asset": TOKEN}, False),
        ({"share": 0.2, "amount": "1", "asset": TOKEN}, True),
        ({"share": None, "asset": None, "amount": None, "invariants": ["takeover"]}, True),
        ({"share": 0.01, "amount": str(ETHER), "invariants": ["outflow", "governance"]}, True),
    ],
)
def test_a_proved_loss_is_grave_by_its_share_its_amount_or_its_kind(
    changes: dict[str, Any], grave: bool
) -> None:
    decision = policy().decide(alert(victims=[{**VICTIM, **changes}]))
    assert (decision.act, decision.grave) == (True, grave)


def test_urgency_follows_the_threat_level() -> None:
    lowest = policy(detection={"threat_level_threshold": "BENIGN"})
    levels = ["BENIGN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
    assert [lowest.decide(alert(threat_level=level)).urgency for level in levels] == [
        "low",
        "low",
        "normal",
        "high",
        "critical",
    ]


def test_the_expected_loss_is_weighed_exactly_against_the_lowest_bid_and_a_false_pause() -> None:
    # .75 × 15/16 × 4 − .25 × false = lowest bid, 50,000 gas at 21 gwei: .00105.
    break_even = (0.75 * 15 / 16 * 4 - 0.00105) / 0.25
    for cost, acts in ((break_even * 0.999, True), (break_even * 1.001, False)):
        weighing = policy(false_pause_cost_eth=cost)
        victims = [{**VICTIM, "amount": str(4 * ETHER)}]
        assert weighing.decide(alert({"harm_left": 0.0625}, score=0.75, victims=victims)).act is acts


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in an alert."""
    below: list[tuple[str | int, ...]] = [path] if path else []
    if isinstance(value, dict):
        items: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        items = []
    for key, inner in items:
        below += paths(inner, (*path, key))
    return below


def put(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if new is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return changed


MISSING = object()
NEEDED = [
    ("notify",),
    ("score",),
    ("threat_level",),
    ("grade",),
    ("victims",),
    ("tx",),
    ("simulation",),
    ("simulation", "status"),
    ("response",),
    ("classification",),
    ("victims", 0, "contract"),
    ("victims", 0, "amount"),
    ("victims", 0, "invariants"),
    *(
        ("response", key)
        for key in (
            "asked",
            "pause_succeeds",
            "already_paused",
            "harm_left",
            "pause_gas",
            "base_fee",
            "includable",
        )
    ),
]


@pytest.mark.parametrize("path", NEEDED, ids=lambda path: ".".join(map(str, path)))
def test_an_alert_that_lacks_what_a_decision_needs_is_not_acted_on_and_says_what(
    path: tuple[str | int, ...],
) -> None:
    decision = policy().decide(put(ALERT, path, MISSING))
    assert (decision.act, decision.targets, decision.tell) == (False, (), True)
    assert str(path[-1]) in decision.words
    assert "the alert" in decision.words


@pytest.mark.parametrize(
    "text", ["٣", "9" * 5000, "1_0", "-1", " 1", "0x1", "1e5", "", True, 1.0, -1, 2**256]
)
def test_an_amount_is_a_uint256_as_a_number_or_in_decimal_digits(text: object) -> None:
    decision = policy().decide(alert({"pause_gas": text}))
    assert decision.words == "not paused because pause_gas of the alert is no amount"
    assert policy().decide(alert({"pause_gas": "50000", "base_fee": 1})).act


strange = st.sampled_from(
    [MISSING, None, True, -1, 2**300, float("nan"), float("inf"), "", "٣", "1e5", "9" * 5000]
) | (
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    )
)


@settings(deadline=None)
@given(
    st.sampled_from(paths(ALERT)),
    strange,
    st.sampled_from(["proved", "suspected"]),
    st.sampled_from(["tell", "act"]),
)
def test_no_alert_makes_decide_raise(path: tuple[str | int, ...], new: Any, act_on: str, failed: str) -> None:
    odd = put(ALERT, path, new)
    for simulation in (odd.get("simulation"), FAILED):
        decision = policy(act_on=act_on, on_failed_simulation=failed).decide(
            {**odd, "simulation": simulation}
        )
        assert decision.words.startswith("paused because " if decision.act else "not paused because ")
        assert set(decision.targets) <= {"Vault", "Pool", "Router"}
        price({**odd, "simulation": simulation}, decision.loss_wei)


@pytest.mark.parametrize("nothing", [{}, None, [], "alert", 7])
def test_what_is_no_alert_is_not_acted_on(nothing: Any) -> None:
    decision = policy().decide(nothing)
    assert (decision.act, decision.tell) == (False, True)


def test_a_watching_sensor_says_nothing_of_a_malformed_alert() -> None:
    decision = policy(mode="monitor_only").decide({})
    assert decision.words == "not paused because operational_mode is monitor_only"
    assert not decision.tell


def test_the_alert_tells_the_threats_price_for_a_bid() -> None:
    assert price(ALERT, 5) == Threat(
        gas_price=22 * GWEI,
        tip=2 * GWEI,
        payment=6 * ETHER // 1000,
        gas=3_000_000,
        copyable=True,
        profit_wei=None,
        loss_wei=5,
        p=0.9,
    )
    assert price({"response": {"asked": False}, "score": 0.9}, None) == Threat(p=0.9)
    assert price({}, None) == Threat()
