"""What is answered before anybody calls it: no attack bids yet, and what is journaled says what it is about."""

from __future__ import annotations

from typing import Any

import pytest

from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.trigger import Trigger
from tests.defense.hot import BASE_FEE, Hot
from tests.defense.test_policy import alert, policy

NAME = "Vault"
NEW, OTHER = "0x" + "c0" * 20, "0x" + "c1" * 20
GAS = 1_000_000
#: As the core simulates the proof's last call: what it takes, whoever sends it takes.
CALLED = {
    "base_fee": str(BASE_FEE),
    "attack_tip": str(GWEI),
    "attack_gas": GAS,
    "attack_payment": str(GAS * GWEI),
    "copyable": True,
}


@pytest.fixture
def hot() -> Hot:
    one = Hot(NAME)
    one.trigger = Trigger(one.state, one.bids, policy())
    return one


def proof(contract: str) -> dict[str, Any]:
    return alert(CALLED, early={"contract": {"address": contract}})


def test_nobody_copies_what_is_in_no_pool(hot: Hot) -> None:
    note = hot.trigger.fire(proof(NEW))
    assert "CUT SHORT" not in note.decision
    assert "LIKELY LOST" not in note.decision
    assert "above what the attack would pay it" in note.decision
    live = hot.live(NAME)
    assert not live.action.capped
    # The builder has more of the pause than of a call that comes at the usual tip.
    last = live.last
    assert last is not None
    worth = last.rung.fees.effective(BASE_FEE) * live.cause.pause_gas
    assert GAS * GWEI < worth < ETHER // 100


def test_once_it_is_called_it_is_a_race_as_any(hot: Hot) -> None:
    hot.trigger.fire(proof(NEW))
    alone = hot.live(NAME).wanted_tip
    note = hot.trigger.fire(alert(CALLED))
    assert "LIKELY LOST" in note.decision
    assert hot.live(NAME).wanted_tip > alone
    assert not hot.live(NAME).cause.priced.is_supposed


def test_the_first_of_several_contracts_is_remembered(hot: Hot) -> None:
    hot.trigger.fire(proof(NEW))
    hot.trigger.fire(proof(OTHER))
    action = hot.live(NAME).action
    assert (action.threats, action.contract) == ((), NEW)


def test_a_contract_that_joins_a_pending_attack_is_remembered_too(hot: Hot) -> None:
    hot.trigger.fire(alert(CALLED))
    assert hot.live(NAME).action.contract is None
    hot.trigger.fire(proof(NEW))
    action = hot.live(NAME).action
    assert len(action.threats) == 1
    assert action.contract == NEW
