"""Each kind of answer of an endpoint leads to something."""

from __future__ import annotations

import pytest

from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.defense.race import Do
from mempool_ids.defense.refusals import after

ALONE = {
    Reply.ACCEPTED: Do.NOTHING,
    Reply.ALREADY_KNOWN: Do.NOTHING,
    Reply.NONCE_TOO_LOW: Do.NOTHING,
    Reply.NONCE_TOO_HIGH: Do.REBROADCAST,
    Reply.REPLACEMENT_UNDERPRICED: Do.NOTHING,
    Reply.UNDERPRICED: Do.ESCALATE,
    Reply.NO_FUNDS: Do.OTHER_KEY,
    Reply.IN_FLIGHT_LIMIT: Do.OTHER_KEY,
    Reply.GAPPED_DELEGATED: Do.OTHER_KEY,
    Reply.FEE_TOO_LOW: Do.ESCALATE,
    Reply.GAS_LIMIT: Do.REBROADCAST,
    Reply.WRONG_CHAIN: Do.REBROADCAST,
    Reply.POOL_FULL: Do.REBROADCAST,
    Reply.REFUSED: Do.REBROADCAST,
    Reply.NO_ANSWER: Do.REBROADCAST,
    Reply.UNREACHED: Do.REBROADCAST,
}


@pytest.mark.parametrize("kind", list(Reply))
def test_every_kind_has_a_consequence(kind: Reply) -> None:
    assert after([kind], has_stranger=False) is ALONE[kind]


def test_a_stranger_at_the_nonce_is_outbid() -> None:
    assert after([Reply.REPLACEMENT_UNDERPRICED], has_stranger=True) is Do.ESCALATE


@pytest.mark.parametrize("held", [Reply.ACCEPTED, Reply.ALREADY_KNOWN, Reply.NO_ANSWER])
@pytest.mark.parametrize("refusal", [Reply.UNDERPRICED, Reply.NO_FUNDS, Reply.REFUSED])
def test_where_one_endpoint_has_it_or_may_have_it_nothing_is_done(held: Reply, refusal: Reply) -> None:
    assert after([refusal, held], has_stranger=True) is Do.NOTHING


@pytest.mark.parametrize("kind", list(Reply))
def test_an_endpoint_that_was_not_reached_changes_nothing(kind: Reply) -> None:
    assert after([kind, Reply.UNREACHED], has_stranger=False) is ALONE[kind]


def test_a_nonce_that_is_used_is_looked_at_and_not_bid_on() -> None:
    assert after([Reply.REFUSED, Reply.NONCE_TOO_LOW], has_stranger=False) is Do.NOTHING
