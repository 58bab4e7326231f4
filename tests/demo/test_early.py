"""The second act judges itself, is told in its order, and is there to read at any width."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from typing import Any, cast

import httpx2
import pytest
from rich.console import Console

from mempool_ids.demo.attacker import Attacker
from mempool_ids.demo.early import panels
from mempool_ids.demo.early.hearing import EarlyHearing
from mempool_ids.demo.early.result import Foreseen
from mempool_ids.demo.play import Played
from mempool_ids.demo.result import FalseAlert
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import Cast, Scene
from mempool_ids.demo.terminal import SilentTeller, TerminalTeller
from tests.demo.early import DEPLOYER, EARLY_RESPONSES, FORESEEN, FUNDED, PROOF
from tests.demo.runs import ALERTS, DEFENDED
from tests.demo.test_terminal import drawn, words

assert FORESEEN.defense is not None
WATCHED = replace(FORESEEN, defense=None, drained=True, lost_wei=90 * 10**18, vault_after=0)
GOOD = pytest.mark.parametrize("good", [FORESEEN, WATCHED], ids=["defended", "watched"])
WIDTH = pytest.mark.parametrize("width", [40, 80, 140])


@GOOD
def test_it_passes_if_the_proof_came_first_and_the_attack_was_private(good: Foreseen) -> None:
    assert good.problems() == []
    assert good.foreseen


@GOOD
@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"alert": None, "alert_to_first_call_ms": None}, "nothing proved"),
        ({"alert_to_first_call_ms": -3.0}, "after the contract's first call"),
        ({"score": None}, "not scored"),
        ({"service": None}, "whose money"),
        ({"is_private": False}, "not private"),
        ({"false_alerts": (FalseAlert("user 1", "deposits 1 ETH", {}),)}, "false alert: user 1"),
        ({"stopped": ("user 2 withdraws 1 ETH",)}, "stopped before the attack: user 2"),
    ],
)
def test_it_fails_and_says_why(good: Foreseen, broken: dict[str, object], problem: str) -> None:
    result = replace(good, **broken)  # type: ignore[arg-type]
    assert not result.passed
    assert any(problem in found for found in result.problems())
    played = Played(DEFENDED, result)
    assert not played.passed, "one act alone is not enough"
    assert any(problem in found for found in played.problems())


def test_a_defended_one_fails_unless_the_pause_was_first_and_nothing_was_lost() -> None:
    assert FORESEEN.defense is not None
    late = replace(FORESEEN, defense=replace(FORESEEN.defense, block=12))
    assert any("no pause came before" in found for found in late.problems())
    assert not replace(FORESEEN, drained=True, lost_wei=1).passed


def test_both_acts_count() -> None:
    assert Played(DEFENDED, FORESEEN).passed
    assert not Played(replace(DEFENDED, drained=True), FORESEEN).passed


def test_as_json_the_second_act_is_in_the_run_and_exact() -> None:
    told = json.loads(json.dumps(Played(DEFENDED, FORESEEN).to_dict()))
    assert told["passed"] is True
    assert told["attack_tx"] == DEFENDED.attack_tx
    assert told["early"]["funded_wei"] == str(2**200)
    assert told["early"]["foreseen"] is True
    assert told["early"]["defense"]["pause_first"] is True
    failed = Played(DEFENDED, replace(FORESEEN, score=None)).to_dict()
    assert failed["passed"] is False
    assert failed["early"]["passed"] is False
    assert failed["problems"] == ["before the first call: the contract was not scored"]


def test_what_happened_is_told_in_the_order_of_time() -> None:
    assert [(moment.who, round(moment.us)) for moment in FORESEEN.timeline] == [
        ("attacker", 0),
        ("sensor", 30_000),
        ("sensor", 50_000),
        ("defense", 51_000),
        ("node", 52_000),
        ("block", 6_000_000),
        ("defense", 12_100_000),
        ("attacker", 18_000_000),
        ("block", 24_000_000),
    ]
    told = [moment.what for moment in FORESEEN.timeline]
    assert "score 0.905" in told[1]
    assert "money of Demo mixer" in told[1]
    assert "calling 0x9e5faafc() as its deployer takes 90 ether out of Vault" in told[2]


class Recording(SilentTeller):
    """What was told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def early_alert(self, alert: Any, sent_to_alert_ms: float, pending: bool) -> None:
        self.told.append(f"{alert['early']['reason']} {'pending' if pending else 'mined'}")

    def other_alert(self, alert: Any, who: str) -> None:
        self.told.append(who)

    def response(self, response: Any) -> None:
        self.told.append(response["state"])


def hearing(receipt: object) -> tuple[EarlyHearing, Recording]:
    """On a node that gives this receipt of the creation."""

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": receipt})

    rpc = Rpc("http://node.test", httpx2.MockTransport(answer))
    cast_of = Cast.of([f"0x{number:040x}" for number in range(20)])
    nothing = cast(Any, None)
    scene = Scene(rpc, cast_of, nothing, nothing, nothing, random.Random(1))
    teller = Recording()
    return EarlyHearing(scene, Attacker(rpc, DEPLOYER, "0x00", 1.0), teller), teller


async def test_an_answer_is_told_after_the_proof_that_it_answers() -> None:
    heard, teller = hearing(None)
    heard.begin()
    await heard.hear(FUNDED)
    assert heard.proof is None
    for response in EARLY_RESPONSES[:2]:
        await heard.follow(response)
    await heard.hear(PROOF)
    for response in EARLY_RESPONSES[2:]:
        await heard.follow(response)
    assert teller.told == ["funded pending", "proof pending", "intent", "sent", "included", "confirmed"]
    assert heard.proof is not None
    assert heard.proof.event is PROOF
    assert heard.proof.pending
    assert heard.is_over()
    assert heard._scene.closed, "users leave a paused vault alone"


async def test_a_contract_that_a_block_has_is_told_as_such() -> None:
    heard, teller = hearing({"status": "0x1"})
    await heard.hear(PROOF)
    assert teller.told == ["proof mined"]
    assert heard.proof is not None
    assert not heard.proof.pending


async def test_what_answers_nothing_that_was_heard_is_told_in_the_end() -> None:
    heard, teller = hearing(None)
    await heard.follow(EARLY_RESPONSES[0])
    assert teller.told == []
    await heard.tell_the_rest()
    assert teller.told == ["intent"]
    assert not heard.is_over()


async def test_an_alert_about_somebody_else_or_about_a_transaction_proves_nothing() -> None:
    heard, teller = hearing(None)
    await heard.hear({**PROOF, "tx": {**PROOF["tx"], "from": "0x" + "09" * 20}})
    await heard.hear(ALERTS[0])
    assert teller.told == ["somebody else", "what the attacker sends"]
    assert heard.proof is None


@WIDTH
def test_the_end_says_what_was_foreseen_by_how_much_and_what_it_saved(width: int) -> None:
    text = words(drawn(panels.verdict(FORESEEN), width))
    assert "proved to attack 52 ms after its creation was sent, before a block had it" in text
    assert "17.95 s before its first call" in text
    assert "Block 8 has the pause, and block 11 the attack: it reverted" in text
    assert "1,000 µs" in text
    assert "FAILED" not in text


@WIDTH
def test_all_moments_and_evidence_are_whole(width: int) -> None:
    lines = drawn(panels.foresight(FORESEEN), width)
    assert all(len(line) <= width for line in lines)
    text = words(lines)
    for moment in FORESEEN.timeline:
        assert all(word in text for word in moment.what.split()), moment
    shown = words(drawn(panels.evidence(PROOF), width))
    assert "calling 0x9e5faafc() as its deployer takes" in shown
    assert "Demo mixer" in shown


def test_a_failed_act_says_so_and_claims_nothing() -> None:
    failed = replace(FORESEEN, alert=None, proof=None, alert_to_first_call_ms=None, is_private=False)
    text = words(drawn(panels.verdict(failed), 80))
    assert "FAILED" in text
    assert "Problem: nothing proved" in text
    assert "before its first call:" not in text
    assert "private order flow: the sensor" not in text


def test_a_late_proof_is_not_told_as_foresight() -> None:
    text = words(drawn(panels.verdict(replace(FORESEEN, alert_to_first_call_ms=-5.0)), 80))
    assert "s before its first call" not in text


def test_an_alert_is_shown_with_what_the_node_says() -> None:
    console = Console(file=io.StringIO(), width=80)
    TerminalTeller(console).early_alert(PROOF, 52.0, True)
    assert isinstance(console.file, io.StringIO)
    text = words(console.file.getvalue().splitlines())
    assert "52.0 ms after the contract's creation was sent" in text
    assert "no block has the contract yet" in text
