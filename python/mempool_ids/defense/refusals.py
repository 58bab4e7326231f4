"""What is done where no endpoint takes what was sent. Pure.

| endpoints say | what is done |
|---|---|
| underpriced, fee too low | the next higher rung, at once |
| replacement underpriced | the same where a stranger waits at the nonce; else the next head shows who it is |
| nonce too low | nothing: the next head shows whether a block has ours or another's, and what follows on that |
| no funds, in-flight limit, gapped nonce of a delegated account | another guardian, at once |
| nonce too high, pool full, gas limit, wrong chain, refused | people are told, and the same bytes go out again each |
|  | half second: what is in front of it may be filled, the pool empty, the endpoint put right; a head bids more |
| no answer, of all that were reached | the same bytes again after half a second |
"""

from __future__ import annotations

from collections.abc import Collection

from mempool_ids.defense.broadcast.replies import Reply
from mempool_ids.defense.race import Do

SILENT = frozenset({Reply.NO_ANSWER, Reply.UNREACHED})
"""No word of an endpoint's own."""
_HELD = {Reply.ACCEPTED, Reply.ALREADY_KNOWN}
_TOO_LOW = {Reply.UNDERPRICED, Reply.FEE_TOO_LOW}
NOT_BY_THIS_KEY = frozenset({Reply.NO_FUNDS, Reply.IN_FLIGHT_LIMIT, Reply.GAPPED_DELEGATED})
"""Another key could: no pool keeps what it refuses so."""
# A block tells more than the pool: whatever had the nonce may have been ours.
_BY_THE_HEAD = {Reply.NONCE_TOO_LOW, Reply.REPLACEMENT_UNDERPRICED}


def after(kinds: Collection[Reply], *, has_stranger: bool) -> Do:
    """What follows on what the endpoints said.

    Args:
        kinds: of all answers so far, one at least.
        has_stranger: a transaction that is none of ours waits at the nonce.

    Returns:
        `REBROADCAST`, `ESCALATE`, `OTHER_KEY`, or `NOTHING` where a head or an answer is waited for.
    """
    if SILENT.issuperset(kinds):
        return Do.REBROADCAST
    # Who was not reached has nothing, and may be reached by the next post: the others decide.
    said = set(kinds) - {Reply.UNREACHED}
    if said & _HELD or Reply.NO_ANSWER in said:
        return Do.NOTHING
    # Our rungs are far enough apart: it is somebody else's, with our key. What waited there before is outbid; what came
    # at the same time may be another sensor's pause.
    if said & _TOO_LOW or (has_stranger and Reply.REPLACEMENT_UNDERPRICED in said):
        return Do.ESCALATE
    if said & NOT_BY_THIS_KEY:
        return Do.OTHER_KEY
    return Do.NOTHING if said & _BY_THE_HEAD else Do.REBROADCAST
