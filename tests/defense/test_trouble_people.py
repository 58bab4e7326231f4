"""People beside the sensor: asked, asking, and told, through the command line."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mempool_ids.config.models import Webhook
from mempool_ids.defense.journal import Journal
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.exceptions import ConfigError
from mempool_ids.sinks.webhook import ASK_HEADER
from tests.defense import trouble
from tests.defense.answering import Answering, answering
from tests.defense.liar import Liar, says
from tests.defense.races import Ring, configuration, ring
from tests.defense.scenes import Scene, takeover
from tests.defense.test_trouble_threats import rival
from tests.defense.trouble import (
    ENDS,
    check_journal,
    check_nonces,
    looked,
    mine_to_end,
    mine_until,
    mined_by,
    toml_file,
    until_alarm,
    until_pending,
    withdraw,
)
from tests.e2e.harness import run
from tests.scenarios.stage import GWEI

pytestmark = pytest.mark.timeout(60)
NAME = "reentrancy 0"
FOR_LONG = {"seconds": 3600, "default": "act"}


async def command(*arguments: str | Path) -> str:
    done = await asyncio.to_thread(run, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def asked(fight: Ring, scene: Scene) -> str:
    """The id of what a human is asked about."""
    await scene.attack(2 * GWEI)
    intent = await fight.until_state(NAME, "intent")
    assert "a human is asked" in intent.reason
    await looked(fight)
    assert fight.of(NAME)[-1].state == "intent"
    return str(intent.action_id)


@pytest.mark.parametrize(("word", "end"), [("yes", "confirmed"), ("no", "cancelled")])
async def test_an_answer_counts(
    word: str, end: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path, confirm=FOR_LONG) as fight:
        action = await asked(fight, scene)
        await command("defend", "answer", action, word, "-c", file)
        if word == "yes":
            await until_pending(rpc, scene.guardian.address)
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == end, fight.story()
        late = await asyncio.to_thread(run, "defend", "answer", action, "yes", "-c", file)
        assert late.returncode != 0
        assert "is over" in late.stderr
    assert len(await mined_by(rpc, scene.guardian.address)) == (word == "yes")
    assert await scene.is_paused() == (word == "yes")


@pytest.mark.parametrize(("default", "end"), [("act", "confirmed"), ("refuse", "cancelled")])
async def test_where_nobody_answers_the_default_counts(
    default: str, end: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path, confirm={"seconds": 0.3, "default": default}) as fight:
        await scene.attack(2 * GWEI)
        if default == "act":
            await until_pending(rpc, scene.guardian.address)
            await mine_to_end(fight, NAME)
        ended = await fight.until_state(NAME, *ENDS)
        assert ended.state == end, fight.story()
        if default == "refuse":
            assert ended.reason == "nobody answered in time"
    assert await scene.is_paused() == (default == "act")


async def test_what_a_human_declined_is_not_asked_again_but_another_threat_is(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    second = await rival(rpc, scene)
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path, confirm=FOR_LONG) as fight:
        action = await asked(fight, scene)
        await command("defend", "answer", action, "no", "-c", file)
        await fight.until_state(NAME, "cancelled")
        # It bids once more for the same.
        raised = await scene.escalate(9 * GWEI)
        alerted = await fight.until_alerted(raised.tx_hash)
        assert alerted.event["response"]["decision"] == "not paused because a human declined it"
        assert len(fight.of(NAME, "intent")) == 1
        # Whoever else attacks is asked about.
        await second.attack(2 * GWEI)
        await fight.until_state(NAME, "intent", count=2)


async def test_an_attack_that_comes_while_a_human_is_asked_about_a_bait_is_not_declined_with_it(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    thief = await rival(rpc, scene)
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path, confirm=FOR_LONG) as fight:
        bait = await asked(fight, scene)
        attack = await thief.attack(2 * GWEI)
        await fight.until_alerted(attack.tx_hash)
        await command("defend", "answer", bait, "no", "-c", file)
        second = await fight.until_state(NAME, "intent", count=2)
        assert second.threats == (attack.tx_hash,)
        assert [one.action_id for one in fight.of(NAME, "cancelled")] == [bait]
        await command("defend", "answer", str(second.action_id), "yes", "-c", file)
        await until_pending(rpc, scene.guardian.address)
        await mine_until(fight, lambda: bool(fight.of(NAME, "confirmed")), "the pause")
        assert fight.of(NAME)[-1].won, fight.story()
    assert await scene.harm() == 0


async def test_the_link_goes_to_whom_is_asked_and_is_written_nowhere(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("MEMPOOL_IDS_TEST_HOOK", "secret")
    with answering(lambda _: (200, {})) as hook:
        config = configuration(node, [scene], tmp_path, confirm={**FOR_LONG, "listen": "127.0.0.1:0"})
        webhook = Webhook(url=hook.url, secret="env:MEMPOOL_IDS_TEST_HOOK")
        alerts = config.alerts.model_copy(update={"webhooks": (webhook,), "log": True})
        async with trouble.sensor(config.model_copy(update={"alerts": alerts}), rpc, tmp_path) as fight:
            action = await asked(fight, scene)
            told = fight.of(NAME, "intent")[-1]
            link = told.ask_url
            assert link is not None
            assert f"/confirm/{action}/" in link
            await fight.until(lambda: bool(links(hook)), "the webhook")
            assert links(hook) == [link]
            token = link.rpartition("/")[2]
            assert token not in repr(told)
            assert all(token.encode() not in one.body for one in hook.asked)
            written = contents(tmp_path)
            assert {"events.jsonl", "detections.db", "defense.db"} <= set(written)
            assert [name for name, content in written.items() if token.encode() in content] == []
            assert token not in caplog.text
            assert token not in json.dumps(fight.engine.get_statistics().defense)
            async with httpx2.AsyncClient(trust_env=False) as human:
                answered = await human.post(link, data={"answer": "yes"})
            assert answered.status_code == 200
            await until_pending(rpc, scene.guardian.address)
            ended = await mine_to_end(fight, NAME)
            assert ended[NAME].state == "confirmed", fight.story()
            assert [one.ask_url for one in fight.of(NAME)] == [link, *[None] * (len(fight.of(NAME)) - 1)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def links(hook: Answering) -> list[str]:
    """That came with requests."""
    return [one.headers[ASK_HEADER.lower()] for one in hook.asked if ASK_HEADER.lower() in one.headers]


async def test_a_question_whose_threat_is_withdrawn_is_closed(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """The default is to act; but there is nothing to act on any more."""
    async with ring(node, rpc, [scene], tmp_path, confirm={"seconds": 4, "default": "act"}) as fight:
        await scene.attack(2 * GWEI)
        await fight.until_state(NAME, "intent")
        await withdraw(scene)
        ended = await fight.until_state(NAME, "cancelled", "sent")
        assert ended.state == "cancelled", fight.story()
    assert await mined_by(rpc, scene.guardian.address) == []


async def test_a_second_threat_is_answered_with_the_first_and_as_dearly(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """The attacker raises its bid while a human thinks."""
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path, confirm=FOR_LONG) as fight:
        action = await asked(fight, scene)
        raised = await scene.escalate(9 * GWEI)
        await fight.until_alerted(raised.tx_hash)
        await command("defend", "answer", action, "yes", "-c", file)
        await until_pending(rpc, scene.guardian.address)
        ended = await mine_to_end(fight, NAME)
        assert (ended[NAME].state, ended[NAME].won) == ("confirmed", True), fight.story()
        assert len(ended[NAME].threats) == 2
    assert await scene.harm() == 0


async def test_a_pause_by_hand_while_a_human_is_asked_is_the_answer(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path, confirm=FOR_LONG) as fight:
        action = await asked(fight, scene)
        said = asyncio.create_task(command("defend", "pause", NAME, "--yes", "--json", "-c", file))
        await until_pending(rpc, scene.guardian.address)
        await mine_until(fight, said.done, "the command to end")
        told = json.loads(await said)
        assert (told["action_id"], told["state"]) == (action, "confirmed")
    assert await scene.is_paused()
    assert await scene.harm() == 0
    assert len(await check_nonces(rpc, scene.guardian)) == 1


async def test_a_pause_by_hand_beside_a_sensor_is_that_sensor_s(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    async with ring(node, rpc, [scene], tmp_path) as fight:
        said = asyncio.create_task(command("defend", "pause", NAME, "--yes", "--json", "-c", file))
        await fight.until_state(NAME, "sent")
        await until_pending(rpc, scene.guardian.address)
        await mine_until(fight, said.done, "the command to end")
        told = json.loads(await said)
        assert (told["state"], told["target"]) == ("confirmed", NAME)
        # What is paused already costs nothing more.
        again = json.loads(await command("defend", "pause", NAME, "--yes", "--json", "-c", file))
        assert (again["state"], again["cost_wei"]) == ("superseded", "0")
    assert len(await check_nonces(rpc, scene.guardian)) == 1
    check_journal(tmp_path)


async def test_an_order_is_carried_out_though_the_clock_was_set_back(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    async with ring(node, rpc, [scene], tmp_path) as fight:
        journal = Journal.look(tmp_path / "defense.db")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: 1_000_000_000.0)
            journal.order(NAME, None, 0, "critical", "somebody")
        journal.close()
        await fight.until_state(NAME, "sent")
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()


async def test_a_pause_by_hand_needs_no_sensor_and_is_in_the_report(
    node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    other = await takeover(rpc, scene.guardian)
    file = toml_file(tmp_path, trouble.settings(node, [scene, other], tmp_path))
    said = asyncio.create_task(command("defend", "pause", NAME, "--yes", "--json", "-c", file))
    await until_pending(rpc, scene.guardian.address)
    while not said.done():
        await rpc.mine()
        await asyncio.wait([said], timeout=0.3)
    told = json.loads(await said)
    assert told["state"] == "confirmed"
    assert await scene.is_paused()
    # Who is in a hurry does not wait for what is armed for others.
    journal = Journal.look(tmp_path / "defense.db")
    armed = [rung.target for nonce in range(4) for rung in journal.armed(scene.guardian.address, nonce)]
    journal.close()
    assert set(armed) == {NAME}

    await command("defend", "judge", told["action_id"], "attack", "-c", file)
    summed: dict[str, Any] = json.loads(await command("defend", "report", "--json", "-c", file))
    assert (summed["actions"], summed["won"], summed["judged"], summed["open"]) == (1, 1, 1, 0)
    assert summed["false_alarms"]["count"] == 0
    assert int(summed["spent_wei"]) == int(told["cost_wei"]) > 0
    await command("defend", "judge", told["action_id"], "honest", "-c", file)
    summed = json.loads(await command("defend", "report", "--json", "-c", file))
    assert summed["false_alarms"]["count"] == 1
    words = await command("defend", "report", "-c", file)
    assert "1 of 1 judged were false alarms" in words


@pytest.mark.parametrize("threat", ["", "0x5c50…e060", "5c" * 32, "0x" + "5c" * 31, "0x" + "5c" * 33])
async def test_an_order_against_what_is_no_hash_is_refused_and_the_next_one_is_carried_out(
    threat: str, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    file = toml_file(tmp_path, trouble.settings(node, [scene], tmp_path))
    done = await asyncio.to_thread(run, "defend", "pause", NAME, "--threat", threat, "--yes", "-c", file)
    assert done.returncode == 2
    assert "--threat" in done.stderr
    async with ring(node, rpc, [scene], tmp_path) as fight:
        defense = fight.engine._defense
        assert defense is not None
        with pytest.raises(ConfigError, match="a hash is 0x and 64 hexadecimal digits"):
            await defense.execute_defense("pause", NAME, threat)
        # As another version may have written it.
        journal = Journal.look(tmp_path / "defense.db")
        journal.order(NAME, threat, 0, "critical", "somebody")
        await until_alarm(fight, "somebody asked to pause")
        assert fight.of(NAME) == []
        journal.order(NAME, "0x" + "5C" * 32, 0, "critical", "somebody")
        journal.close()
        sent = await fight.until_state(NAME, "sent")
        assert sent.threats == ("0x" + "5c" * 32,)
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()


@pytest.mark.parametrize("price", ["lots", "-0x1", "0x" + "f" * 65, {"a": "b"}, 7.5])
async def test_what_a_node_says_of_a_price_and_cannot_be_read_holds_up_no_order(
    price: Any, bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = trouble.with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with trouble.sensor(config, rpc, tmp_path) as fight:
        bad.lies["eth_getTransactionByHash"] = says({"gasPrice": price})
        journal = Journal.look(tmp_path / "defense.db")
        journal.order(NAME, "0x" + "5c" * 32, 0, "critical", "somebody")
        journal.close()
        await until_pending(rpc, scene.guardian.address)
        bad.tell_truth()
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()
