"""A human's no holds for its threat, and a question counts as a response."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mempool_ids.config.defense import Rails as Limits
from mempool_ids.defense.amounts import ETHER
from mempool_ids.defense.book import Cause
from mempool_ids.defense.declined import Declined
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.gas import Urgency
from mempool_ids.defense.rails import Allowed, Rails, Refused

NOW = 1_800_000_000.0
CAUSE = Cause(
    "0x1", "0xa", Priced(loss_wei=ETHER), 0, "proved", Urgency.NORMAL, 0, grave=False, reason="outflow"
)


def loss(wei: int | None, **changes: object) -> Cause:
    changed = replace(CAUSE.priced, loss_wei=wei)
    return replace(CAUSE, **{"tx_hash": "0x2", "priced": changed, **changes})  # type: ignore[arg-type]


@pytest.fixture
def declined() -> Declined:
    """Of `CAUSE`, a minute long."""
    one = Declined(60.0)
    one.add(NOW, "Vault", CAUSE)
    return one


def test_a_no_holds_for_its_transaction_as_long_as_the_cooldown(declined: Declined) -> None:
    assert declined.holds(NOW + 59.9, "Vault", CAUSE)
    assert not declined.holds(NOW + 60, "Vault", CAUSE)
    assert not declined.holds(NOW, "Pool", CAUSE)


def test_a_sender_that_tries_the_same_again_is_not_asked_about_and_one_that_tries_worse_is(
    declined: Declined,
) -> None:
    assert declined.holds(NOW, "Vault", loss(ETHER))
    assert declined.holds(NOW, "Vault", loss(ETHER // 2))
    assert not declined.holds(NOW, "Vault", loss(ETHER + 1))
    assert not declined.holds(NOW, "Vault", loss(None)), "nobody knows how bad it is"
    assert not declined.holds(NOW, "Vault", loss(ETHER, grave=True))


def test_what_turns_out_to_be_grave_is_asked_about_again_and_declined_as_that(declined: Declined) -> None:
    grave = replace(CAUSE, grave=True)
    assert not declined.holds(NOW, "Vault", grave)
    declined.add(NOW, "Vault", grave)
    assert declined.holds(NOW, "Vault", grave)


def test_another_threat_is_asked_about(declined: Declined) -> None:
    assert not declined.holds(NOW, "Vault", loss(ETHER, sender="0xb"))
    assert not declined.holds(NOW, "Vault", loss(ETHER, tx_hash=None, sender="by hand"))


def test_a_no_to_one_contract_is_none_to_another_that_somebody_else_made() -> None:
    one = Declined(60.0)
    contract = replace(CAUSE, tx_hash=None, contract="0xc1", sender="0xa")
    one.add(NOW, "Vault", contract)
    assert one.holds(NOW, "Vault", contract)
    assert not one.holds(NOW, "Vault", replace(contract, contract="0xc2", sender="0xb"))


def test_without_a_cooldown_a_no_holds_for_nothing() -> None:
    one = Declined(0.0)
    one.add(NOW, "Vault", CAUSE)
    assert not one.holds(NOW, "Vault", CAUSE)


def test_questions_count_as_responses_once() -> None:
    rails = Rails(Limits(actions=3, per_sender=2, cooldown_s=0), 2 * ETHER)
    rails.asked(NOW, ["0xa"], "a")
    rails.sent(NOW, "Vault", "0xa", 1, "a")
    assert isinstance(rails.allow(NOW, "Vault", "0xa", 1), Allowed), "one response, not two"
    rails.asked(NOW, ["0xa"], "b")
    refused = rails.allow(NOW, "Vault", "0xa", 1)
    assert isinstance(refused, Refused)
    assert refused.rail == "sender"
    rails.asked(NOW, ["0xb"], "c")
    refused = rails.allow(NOW, "Pool", "0xc", 1)
    assert isinstance(refused, Refused)
    assert refused.rail == "actions"
    assert isinstance(rails.allow(NOW, "Pool", "0xc", 1, grave=True), Allowed), (
        "no count holds back a grave one"
    )
    assert rails.spent(NOW) == 1
