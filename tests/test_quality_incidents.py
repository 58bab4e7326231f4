"""The bench of incidents itself: its state is the data's, an attack does its harm, an honest use succeeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benches.quality.incidents import ASIDE, INCIDENTS
from benches.quality.incidents.ronin import RONIN, WETH
from benches.quality.plan import ETHER, Case, Plan, call, gains
from benches.quality.replica import CaseError, Chain, Replica
from benches.quality.run import measure
from benches.quality.state import State, elements, entry, word

from mempool_ids.demo.rpc import Rpc
from tests.support import labelled_data

#: One that an account alone makes, and one by a contract of its own.
FAST = ("Compound", "TempleDao")
DATA = labelled_data() / "incidents"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no states of incidents at {DATA}")


def incident(name: str) -> tuple[State, Plan]:
    """The data's state, and a plan that begins from the same."""
    [found] = [each for each in INCIDENTS if each.name == name]
    plan = Plan(State.load(name, DATA))
    found.build(plan)
    return State.load(name, DATA), plan


async def outcomes(binary: Path, folder: Path, plan: Plan, cases: list[Case]) -> list[str]:
    """What each case fails by; nothing where it does what it says."""
    with Replica(binary, plan.state, folder, len(plan.earlier)) as replica:
        async with Rpc(replica.http_url) as rpc:
            chain = Chain(rpc, plan.state)
            await chain.prepare(plan)
            said = []
            for case in cases:
                try:
                    await chain.play(case)
                    said.append("")
                except CaseError as error:
                    said.append(str(error))
            return said


@needs_data
@pytest.mark.parametrize("name", FAST)
async def test_a_node_has_the_state_of_the_data(name: str, anvil_binary: Path, tmp_path: Path) -> None:
    state = State.load(name, DATA)
    with Replica(anvil_binary, state, tmp_path, 0) as replica:
        async with Rpc(replica.http_url) as rpc:
            await Chain(rpc, state).prepare(Plan(state))
            assert await rpc.call("eth_chainId") == hex(state.chain_id)
            head = await rpc.call("eth_getBlockByNumber", "latest", False)
            assert int(head["number"], 16) == state.number
            assert int(head["baseFeePerGas"], 16) == state.base_fee
            assert int(head["timestamp"], 16) == state.timestamp
            for address, account in state.accounts.items():
                assert await rpc.call("eth_getCode", address, "latest") == account["code"]
            for address, slots in state.storage.items():
                for slot, value in slots.items():
                    assert await rpc.call("eth_getStorageAt", address, slot, "latest") == value


@needs_data
@pytest.mark.parametrize("name", FAST)
async def test_attacks_do_their_harm_and_honest_uses_succeed(
    name: str, anvil_binary: Path, tmp_path: Path
) -> None:
    _, plan = incident(name)
    assert {case.kind for case in plan.cases} == {"attack", "honest"}
    assert await outcomes(anvil_binary, tmp_path, plan, plan.cases) == [""] * len(plan.cases)


@needs_data
@pytest.mark.parametrize("name", FAST)
@pytest.mark.usefixtures("anvil_binary")
async def test_a_live_sensor_tells_the_attack_from_the_honest_uses(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMPOOL_IDS_DATA", str(labelled_data()))
    [found] = [each for each in INCIDENTS if each.name == name]
    said = [(outcome.case.kind, outcome.judged) async for outcome in measure(found)]
    assert {kind: judged.grade if judged and judged.alerted else None for kind, judged in said} == {
        "attack": "proved",
        "honest": None,
    }
    assert all(judged is not None for _, judged in said)


@needs_data
async def test_a_case_that_does_less_than_it_says_is_told(anvil_binary: Path, tmp_path: Path) -> None:
    before, plan = incident("Compound")
    [attack] = [case for case in plan.cases if case.kind == "attack"]
    [change] = attack.changes
    greedy = Case(
        "too much", "attack", "account", attack.transactions, (gains(change.account, change.account, 1),)
    )
    [said] = await outcomes(anvil_binary, tmp_path, plan, [greedy])
    assert "a change of 1 is due" in said
    assert before.accounts.keys() <= plan.state.accounts.keys(), "a plan adds to the data and removes nothing"


@needs_data
async def test_stolen_keys_are_caught_by_the_owners_own_limit(
    anvil_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ronin's withdrawals were signed: what may leave at once is for its owner to say."""
    monkeypatch.setenv("ANVIL", str(anvil_binary))
    limit = {f"invariants.outflow.amounts.{WETH}": str(20_000 * ETHER)}
    outcomes = [each async for each in measure(replace(RONIN, settings={"Bridge": limit}))]
    assert {each.case.kind for each in outcomes} == {"attack", "honest"}
    for outcome in outcomes:
        assert outcome.judged is not None, outcome.failure
        is_attack = outcome.case.kind == "attack"
        assert outcome.judged.alerted == is_attack, outcome.case.name
        assert outcome.judged.grade == ("proved" if is_attack else "")


def test_storage_is_where_solidity_places_it() -> None:
    assert word(10) == word("0xa") == "0x" + "a".zfill(64)
    # The examples of keccak256 over one and two words of zeros.
    assert elements(0) == "0x290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e563"
    assert entry(0, 0) == "0xad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5"


def test_calls_with_tuples_are_encoded() -> None:
    data = call("execute((address,uint256,bytes)[])", [(word(1)[:42], 2, b"\3")])
    assert data[:4].hex() == "3f707e6b"
    assert len(data) == 4 + 32 * 8


def test_a_third_of_the_incidents_is_kept_aside() -> None:
    names = [each.name for each in INCIDENTS]
    assert len(set(names)) == len(names)
    assert len(ASIDE) == 23 // 3
