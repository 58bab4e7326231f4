"""Who is who, what they call, and in which order it is told."""

from __future__ import annotations

import random
from typing import Any, cast

import httpx2
import pytest

from mempool_ids.demo.attacker import Attacker
from mempool_ids.demo.contracts import Deployed, artifact
from mempool_ids.demo.hearing import Hearing
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import GWEI, Action, Cast, Scene
from mempool_ids.demo.terminal import SilentTeller
from tests.demo.runs import ALERTS, BIDS, RESPONSES

ATTACKER = ALERTS[0]["tx"]["from"]
ACCOUNTS = [f"0x{number:040x}" for number in range(20)]


class Recording(SilentTeller):
    """What was told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def alert(self, alert: Any, sent_to_alert_ms: float, pending: bool) -> None:
        self.told.append(f"alert {alert['tx']['hash']} {'pending' if pending else 'mined'}")

    def alert_again(self, alert: Any) -> None:
        self.told.append(f"again {alert['tx']['hash']}")

    def other_alert(self, alert: Any, who: str) -> None:
        self.told.append(who)

    def response(self, response: Any) -> None:
        self.told.append(f"{response['state']} {response['attempt']}")


def hearing(nonce: int, *, attacks: bool = True) -> tuple[Hearing, Recording]:
    """Of an attack with nonce 0, on a node that says that `nonce` is the attacker's next."""

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": hex(nonce)})

    rpc = Rpc("http://node.test", httpx2.MockTransport(answer))
    scene = Scene(rpc, Cast.of(ACCOUNTS), cast(Any, None), cast(Any, None), cast(Any, None), random.Random(1))
    attacker = Attacker(rpc, ATTACKER, "0x00", 1.0)
    attacker.began_at = 0.0 if attacks else None
    teller = Recording()
    return Hearing(scene, attacker, teller), teller


async def test_an_answer_that_arrives_before_its_alert_is_told_after_it() -> None:
    heard, teller = hearing(0)
    for response in RESPONSES[:3]:
        await heard.follow(response)
    assert teller.told == []
    await heard.hear(ALERTS[0])
    await heard.follow(RESPONSES[3])
    await heard.hear(ALERTS[1])
    assert teller.told == [
        "alert 0xaa pending",
        "intent 0",
        "verified 0",
        "sent 1",
        "again 0xbb",
        "sent 2",
    ]


async def test_an_answer_whose_alert_nobody_heard_is_told_in_the_end() -> None:
    heard, teller = hearing(0)
    await heard.follow(RESPONSES[0])
    assert not heard.was_told("intent")
    await heard.tell_the_rest()
    assert teller.told == ["intent 0"]
    assert heard.was_told("intent")


async def test_an_alert_after_the_attacks_block_is_seen_to_come_late() -> None:
    heard, teller = hearing(1)
    await heard.hear(ALERTS[0])
    assert teller.told == ["alert 0xaa mined"]
    assert not heard.alerts["0xaa"].pending


async def test_users_leave_a_paused_vault_alone() -> None:
    heard, _ = hearing(0)
    scene = heard._scene
    await heard.follow(RESPONSES[3])
    assert not scene.closed
    await heard.follow(RESPONSES[4])
    assert scene.closed


@pytest.mark.parametrize(
    ("sender", "attacks", "who"),
    [
        (ACCOUNTS[7], True, "an honest user"),
        (ACCOUNTS[1], True, "its own guardian"),
        (ATTACKER, False, "the attacker, before the attack"),
    ],
)
async def test_an_alert_about_somebody_else_is_told_as_such(sender: str, attacks: bool, who: str) -> None:
    heard, teller = hearing(0, attacks=attacks)
    await heard.hear({**ALERTS[0], "tx": {**ALERTS[0]["tx"], "from": sender}})
    assert teller.told == [who]
    assert heard.alerts == {}


async def test_what_does_not_come_in_time_is_not_waited_for() -> None:
    heard, _ = hearing(0)
    assert not await heard.until(lambda: False, 0.01)
    assert await heard.until(lambda: True, 0.01)


def test_the_attacker_goes_above_the_pause_and_its_own_last_bid_in_both_fees() -> None:
    attacker = Attacker(cast(Any, None), ATTACKER, "0x00", 1.0)
    attacker.bids.append(BIDS[0])
    assert attacker.above(20 * GWEI, 20 * GWEI) == (23 * GWEI, 23 * GWEI)
    tip, max_fee = attacker.above(GWEI, GWEI)
    assert tip * 10 >= BIDS[0].tip * 11, "a pool replaces nothing for less"
    assert max_fee * 10 >= BIDS[0].max_fee * 11


def test_calldata_is_selector_and_words() -> None:
    calldata = artifact("Token").calldata("transfer(address,uint256)", "0x" + "ab" * 20, 5)
    assert calldata == "0xa9059cbb" + "00" * 12 + "ab" * 20 + f"{5:064x}"


def test_a_function_that_the_contract_lacks_is_an_error() -> None:
    with pytest.raises(KeyError):
        artifact("Vault").calldata("withdrawAll()")


@pytest.mark.parametrize("guardian", [None, "0x" + "ab" * 20])
def test_nobody_plays_two_parts(guardian: str | None) -> None:
    cast = Cast.of(ACCOUNTS, guardian)
    names = [cast.deployer, cast.guardian, cast.attacker, cast.newcomer.address]
    names += [user.address for user in cast.users]
    assert len(set(names)) == len(names)
    assert guardian in (None, cast.guardian)


async def test_with_the_vault_closed_nobody_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither do users call the router, whose ether is in the vault."""
    sent: list[str | None] = []

    async def send(self: Rpc, sender: str, to: str | None, data: str = "0x", **_options: int) -> str:
        sent.append(to)
        return f"0x{len(sent):064x}"

    monkeypatch.setattr(Rpc, "send", send)
    rpc = Rpc("http://node.test", httpx2.MockTransport(lambda _request: httpx2.Response(500)))
    vault, router, token = (
        Deployed(artifact(name), f"0x{number:040x}")
        for number, name in enumerate(("Vault", "Router", "Token"), 100)
    )
    scene = Scene(rpc, Cast.of(ACCOUNTS), vault, router, token, random.Random(1), closed=True)
    for user in scene.cast.users:
        user.in_vault = user.in_router = 10**21
    actions: list[Action] = [await scene.act() for _ in range(200)]
    assert {vault.address, router.address}.isdisjoint({to for to in sent if to})
    assert token.address in sent
    assert len(actions) == 200
