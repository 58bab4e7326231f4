"""Nodes that fail, hang, lie or change: the pause goes out all the same, and once."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mempool_ids.defense import on_chain, upkeep, watch
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.engine import IDSEngine
from mempool_ids.exceptions import MempoolIdsError
from tests.defense.liar import Ask, Fault, Hangup, Liar, Lie, Silence, fails, refuses, says
from tests.defense.races import configuration
from tests.defense.scenes import Scene
from tests.defense.trouble import (
    alarms,
    check_journal,
    check_nonces,
    head_seen,
    looked,
    mine_to_end,
    pending_of,
    sensor,
    until_alarm,
    until_pending,
    with_urls,
)
from tests.scenarios.stage import GWEI

pytestmark = pytest.mark.timeout(60)
NAME = "reentrancy 0"
SEND = "eth_sendRawTransaction"
RECEIPT = "eth_getTransactionReceipt"


async def is_safe(rpc: Rpc, scene: Scene, folder: Path) -> None:
    """Paused in time, by one transaction."""
    assert await scene.is_paused()
    assert await scene.harm() == 0
    assert [one.is_pause for one in await check_nonces(rpc, scene.guardian)] == [True]
    check_journal(folder)


@pytest.mark.parametrize(
    "lie",
    [
        fails(Fault(500)),
        fails(Fault(429)),
        fails(Hangup()),
        fails(Silence()),
        refuses("already known"),
        refuses("you are limited"),
        says("0x"),
        says({"a": "b"}),
    ],
    ids=["500", "429", "hangup", "silence", "already known", "refused", "nothing", "nonsense"],
)
async def test_beside_an_endpoint_that_fails_in_any_way_the_other_does(
    lie: Lie, bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path), bad.url, node.http_url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies["*"] = lie
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        ended = await mine_to_end(fight, NAME)
        assert (ended[NAME].state, ended[NAME].won) == ("confirmed", True), fight.story()
    await is_safe(rpc, scene, tmp_path)


@pytest.mark.parametrize("lie", [fails(Fault(503)), fails(Hangup())], ids=["503", "hangup"])
async def test_a_sensor_starts_while_one_of_its_endpoints_is_down(
    lie: Lie, bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    bad.lies["*"] = lie
    config = with_urls(configuration(node, [scene], tmp_path), bad.url, node.http_url)
    async with sensor(config, rpc, tmp_path) as fight:
        await scene.attack(2 * GWEI)
        ended = await mine_after_pause(fight, rpc, scene)
        assert ended == "confirmed", fight.story()
    await is_safe(rpc, scene, tmp_path)


async def mine_after_pause(fight: Any, rpc: Rpc, scene: Scene) -> str:
    await until_pending(rpc, scene.guardian.address)
    ended = await mine_to_end(fight, NAME)
    return str(ended[NAME].state)


async def test_what_is_said_to_be_known_and_is_not_is_bid_again_on_the_next_block(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies[SEND] = refuses("already known")
        await scene.attack(2 * GWEI)
        await fight.until_state(NAME, "sent")
        await looked(fight)
        assert await pending_of(rpc, scene.guardian.address) == {}
        bad.tell_truth()
        await rpc.call("evm_setBlockGasLimit", hex(20_999))
        await rpc.mine()
        await rpc.call("evm_setBlockGasLimit", hex(30_000_000))
        assert await mine_after_pause(fight, rpc, scene) == "confirmed", fight.story()
    await is_safe(rpc, scene, tmp_path)


@pytest.mark.parametrize("lie", [fails(Hangup()), fails(Fault(502))], ids=["hangup", "502"])
async def test_a_node_that_is_back_within_the_block_has_the_pause_in_it(
    lie: Lie, bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies[SEND] = lie
        await scene.attack(2 * GWEI)
        await fight.until_state(NAME, "sent")
        await looked(fight)
        assert await pending_of(rpc, scene.guardian.address) == {}
        bad.tell_truth()
        assert await mine_after_pause(fight, rpc, scene) == "confirmed", fight.story()
        assert len(fight.of(NAME, "sent")) == 1
    await is_safe(rpc, scene, tmp_path)


@pytest.mark.parametrize("words", ["intrinsic gas too low", "method not allowed", "txpool is full"])
async def test_what_every_endpoint_refuses_is_told_and_sent_again_within_the_block(
    words: str, bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies[SEND] = refuses(words)
        await scene.attack(2 * GWEI)
        await until_alarm(fight, "stuck: reentrancy 0: refused (")
        bad.tell_truth()
        assert await mine_after_pause(fight, rpc, scene) == "confirmed", fight.story()
        assert len(fight.of(NAME, "sent")) == 1
    await is_safe(rpc, scene, tmp_path)


async def test_receipts_that_vanish_for_a_while_pay_nothing_twice(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path, depth=2), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await rpc.mine()
        await fight.until_state(NAME, "included")
        bad.lies[RECEIPT] = says(None)
        await fight.until_state(NAME, "sent", count=2)
        await rpc.mine()
        await head_seen(fight)
        await looked(fight)
        bad.tell_truth()
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()
    await is_safe(rpc, scene, tmp_path)


async def test_receipts_that_never_come_end_it_as_paused_by_somebody(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies[RECEIPT] = says(None)
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "superseded", fight.story()
    await is_safe(rpc, scene, tmp_path)


async def test_a_check_that_nobody_answers_confirms_nothing(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        bad.lies["eth_call"] = fails(Fault(500))
        for _ in range(4):
            await rpc.mine()
            await head_seen(fight)
            await looked(fight)
        assert fight.of(NAME)[-1].state == "included", fight.story()
        bad.tell_truth()
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()
    await is_safe(rpc, scene, tmp_path)


async def test_a_threat_that_nodes_do_not_answer_about_keeps_nobody_from_following_the_response(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        attack = await scene.attack(2 * GWEI, send=False)
        bad.lies[RECEIPT] = about(attack.tx_hash)
        await rpc.send_raw(attack.raw)
        await until_pending(rpc, scene.guardian.address)
        ended = await mine_to_end(fight, NAME)
        assert (ended[NAME].state, ended[NAME].won) == ("confirmed", None), fight.story()
    await is_safe(rpc, scene, tmp_path)


def about(tx_hash: str) -> Lie:
    """Fails, of this transaction."""

    def lie(params: list[Any], ask: Ask) -> Any:
        is_it = params[0] == tx_hash
        return {"error": {"code": -32602, "message": "invalid argument 0"}} if is_it else ask()

    return lie


async def test_a_response_that_nodes_do_not_answer_about_is_an_alarm_until_they_do(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "UNSEEN_S", 0.2)
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies[RECEIPT] = refuses("you are limited")
        await scene.attack(2 * GWEI)
        await until_alarm(fight, "response not followed")
        await looked(fight)
        assert len([one for one in alarms(tmp_path) if "response not followed" in one]) == 1
        bad.tell_truth()
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()
    await is_safe(rpc, scene, tmp_path)


@pytest.mark.parametrize("again_s", [3600.0, 0.0], ids=["once", "each time"])
async def test_on_one_head_nothing_is_asked_twice_within_a_while(
    again_s: float,
    bad: Liar,
    node: Node,
    rpc: Rpc,
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(on_chain, "AGAIN_S", again_s)
    config = with_urls(configuration(node, [scene], tmp_path, depth=2), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        asked = Counter[str]()

        def count(params: list[Any], ask: Ask) -> Any:
            asked[params[0]] += 1
            return ask()

        bad.lies[RECEIPT] = bad.lies["eth_getBlockByNumber"] = count
        attack = await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await looked(fight, 5)
        # Nothing is in a block: the pause and the attack, each once.
        [pause] = {one.tx_hash for one in fight.of(NAME, "sent")}
        assert is_frugal(asked, again_s, pause, attack.tx_hash)
        await rpc.mine()
        await fight.until_state(NAME, "included")
        await head_seen(fight)
        await looked(fight, 1)
        asked.clear()
        await looked(fight, 5)
        assert asked.pop("latest") >= 5
        if again_s:
            # All of it is known, of the same head.
            assert not asked
        block = hex(await rpc.block_number())
        assert again_s or min(asked[key] for key in (pause, attack.tx_hash, block)) > 1
        bad.tell_truth()
        ended = await mine_to_end(fight, NAME)
        assert ended[NAME].state == "confirmed", fight.story()
    await is_safe(rpc, scene, tmp_path)


def is_frugal(asked: Counter[str], again_s: float, *hashes: str) -> bool:
    """Each once, where answers are remembered; more often where they are not."""
    times = [asked[tx_hash] for tx_hash in hashes]
    return times == [1] * len(hashes) if again_s else min(times) > 1


async def test_another_chain_is_refused_at_the_start(
    bad: Liar, node: Node, scene: Scene, tmp_path: Path
) -> None:
    bad.lies["eth_chainId"] = says("0x5")
    engine = IDSEngine(with_urls(configuration(node, [scene], tmp_path), node.http_url, bad.url))
    with pytest.raises(MempoolIdsError, match="is on chain 5, the configuration says 31337"):
        await engine.start()


async def test_an_endpoint_that_comes_to_serve_another_chain_is_left_out(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """Its nonces and heads would disarm the guardian."""
    config = with_urls(configuration(node, [scene], tmp_path), bad.url, node.http_url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies["eth_chainId"] = says("0x5")
        bad.lies["eth_getTransactionCount"] = says("0x3e7")
        bad.lies["eth_getBalance"] = says("0x0")
        bad.lies["eth_getBlockByNumber"] = another_head
        bad.lies[SEND] = refuses("invalid sender: invalid chain id for signer")
        await rpc.mine()
        await until_alarm(fight, "is on chain 5")
        await head_seen(fight)
        await scene.attack(2 * GWEI)
        assert await mine_after_pause(fight, rpc, scene) == "confirmed", fight.story()
    await is_safe(rpc, scene, tmp_path)


def another_head(params: list[Any], ask: Ask) -> Any:
    said = ask()
    if params[0] == "latest":
        said["result"] = {**said["result"], "hash": "0x" + "77" * 32, "number": "0x1"}
    return said


async def test_an_endpoint_that_stands_still_is_not_believed_however_quickly_it_answers(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that nothing ever happens: no block, no receipt, no nonce used, not paused."""
    monkeypatch.setattr(upkeep, "BEHIND_S", 0.0)
    still = await rpc.call("eth_getBlockByNumber", "latest", False)
    config = with_urls(configuration(node, [scene], tmp_path), bad.url, node.http_url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies["eth_getBlockByNumber"] = says(still)
        bad.lies["eth_getTransactionCount"] = says("0x0")
        bad.lies["eth_call"] = says("0x" + "00" * 32)
        bad.lies[RECEIPT] = says(None)
        for _ in range(5):
            await rpc.mine()
        await until_alarm(fight, f"{bad.url} is far behind")
        await scene.attack(2 * GWEI)
        assert await mine_after_pause(fight, rpc, scene) == "confirmed", fight.story()
        assert len(fight.of(NAME, "sent")) == 1
    await is_safe(rpc, scene, tmp_path)


def hour_old(params: list[Any], ask: Ask) -> Any:
    said = ask()
    made = int(said["result"]["timestamp"], 16) - 3600
    said["result"] = {**said["result"], "timestamp": hex(made)}
    return said


@pytest.mark.parametrize("has_pace", [True, False])
async def test_a_head_that_is_too_old_for_its_chain_is_an_alarm_and_no_readiness(
    has_pace: bool, bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    if has_pace:
        spec = tmp_path / "chain.toml"
        spec.write_text("id = 31337\nname = 'Test'\nnative = 'ETH'\nblock_time_ms = 2000\n")
        chain = config.chain.model_copy(update={"spec": spec})
        config = config.model_copy(update={"chain": chain})
    async with sensor(config, rpc, tmp_path) as fight:
        defense = fight.engine._defense
        assert defense is not None
        bad.lies["eth_getBlockByNumber"] = hour_old
        await rpc.mine()
        if not has_pace:
            # Who tests makes blocks when they like.
            await looked(fight)
            assert [one.ready for one in await defense.prove()] == [True]
            assert not [one for one in alarms(tmp_path) if "blind" in one]
            return
        await until_alarm(fight, "blind: the defense cannot see the chain")
        await looked(fight)
        [proof] = await defense.prove()
        assert not proof.ready
        assert "the chain stands still" in proof.reasons[0]
        assert len([one for one in alarms(tmp_path) if "blind" in one]) == 1
        bad.tell_truth()
        await rpc.mine()
        await head_seen(fight)
        assert [one.ready for one in await defense.prove()] == [True]


async def test_a_chain_that_nobody_shows_is_an_alarm_and_what_is_armed_still_goes_out(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "BLIND_S", 0.1)
    config = with_urls(configuration(node, [scene], tmp_path), bad.url)
    async with sensor(config, rpc, tmp_path) as fight:
        for method in (
            "eth_getBlockByNumber",
            "eth_getTransactionCount",
            "eth_getBalance",
            "eth_call",
            RECEIPT,
        ):
            bad.lies[method] = fails(Fault(500))
        await until_alarm(fight, "cannot see the chain")
        await scene.attack(2 * GWEI)
        await until_pending(rpc, scene.guardian.address)
        await rpc.mine()
        bad.tell_truth()
        assert await mine_to_confirm(fight) == "confirmed", fight.story()
    await is_safe(rpc, scene, tmp_path)


async def mine_to_confirm(fight: Any) -> str:
    return str((await mine_to_end(fight, NAME))[NAME].state)


async def test_a_first_endpoint_that_hangs_does_not_hold_up_the_watch(
    bad: Liar, node: Node, rpc: Rpc, scene: Scene, tmp_path: Path
) -> None:
    """One wait for it at the most: it is asked last from then on."""
    config = with_urls(configuration(node, [scene], tmp_path), bad.url, node.http_url)
    async with sensor(config, rpc, tmp_path) as fight:
        bad.lies["*"] = fails(Silence())
        await looked(fight, 1)
        started = time.monotonic()
        await scene.attack(2 * GWEI)
        assert await mine_after_pause(fight, rpc, scene) == "confirmed", fight.story()
        # Asked first each time, it would cost seconds for every question.
        assert time.monotonic() - started < 60
