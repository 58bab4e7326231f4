"""The demo judges itself: it passes only if the alert really came first and only the attack was alerted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mempool_ids.demo.contracts import artifact
from mempool_ids.demo.result import FalseAlert, Result
from mempool_ids.demo.scene import Cast

GOOD = Result(
    attack_tx="0xaa",
    alert={"alert_id": "a"},
    pending_when_alerted=True,
    sent_to_alert_ms=3.0,
    alert_to_inclusion_ms=4000.0,
    block=7,
    drained=True,
    vault_before=2**200,
    vault_after=0,
    honest_transactions=20,
    false_alerts=(),
)


def test_a_run_passes_if_the_alert_came_first_and_alone() -> None:
    assert GOOD.passed
    assert GOOD.problems() == []


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (replace(GOOD, alert=None, pending_when_alerted=False), "no alert came before"),
        (replace(GOOD, pending_when_alerted=False), "came after the block"),
        (replace(GOOD, drained=False), "did not go through"),
        (
            replace(GOOD, false_alerts=(FalseAlert("user 1", "deposits 1 ETH", {}),)),
            "false alert: user 1 deposits",
        ),
    ],
)
def test_it_fails_otherwise_and_says_why(broken: Result, problem: str) -> None:
    assert not broken.passed
    assert any(problem in found for found in broken.problems())


def test_results_as_json_keep_uint256_exact() -> None:
    assert GOOD.to_dict()["vault_before"] == str(2**200)
    assert GOOD.to_dict()["passed"] is True


def test_calldata_is_selector_and_words() -> None:
    calldata = artifact("Token").calldata("transfer(address,uint256)", "0x" + "ab" * 20, 5)
    assert calldata == "0xa9059cbb" + "00" * 12 + "ab" * 20 + f"{5:064x}"


def test_a_function_that_the_contract_lacks_is_an_error() -> None:
    with pytest.raises(KeyError):
        artifact("Vault").calldata("withdrawAll()")


def test_nobody_plays_two_parts() -> None:
    accounts = [f"0x{number:040x}" for number in range(20)]
    cast = Cast.of(accounts)
    names = [cast.deployer, cast.guardian, cast.attacker, cast.newcomer.address]
    names += [user.address for user in cast.users]
    assert len(set(names)) == len(names)
