"""From what was heard, announced and mined to the second act's result."""

from __future__ import annotations

from collections.abc import Sequence

from mempool_ids.demo import aftermath
from mempool_ids.demo.early.result import Foreseen
from mempool_ids.demo.early.story import EarlyStory
from mempool_ids.demo.early.timeline import foresight
from mempool_ids.demo.judgement import Answered, milliseconds, outcome, place_of
from mempool_ids.demo.result import Alert, Outcome
from mempool_ids.demo.story import Attack
from mempool_ids.demo.timeline import Moment
from mempool_ids.records.deployment import Deployment
from mempool_ids.sinks.log import proved


async def judge(story: EarlyStory, attack: Attack, events: Sequence[Alert]) -> Foreseen:
    """Judges the second act by all events of the event log, muted alerts included."""
    attacker, hearing = story.attacker, story.hearing
    assert attacker.creation is not None and attacker.created is not None  # noqa: S101, PT018
    address = attacker.created["contractAddress"].lower()
    alerts = [event for event in events if _is_about(event, address)]
    responses = [event for event in events if event["event_type"] == "response"]
    heard = hearing.proof
    proofs = [alert for alert in alerts if alert["early"]["reason"] == "proof"]
    answered = Answered(proofs or alerts, responses) if story.is_defended else None
    became = await outcome(story.scene, attacker, attack.receipt, heard, answered, events)
    deployments = [event for event in events if _is_deployment(event, address)]
    known = Deployment.from_event(deployments[-1]["contract"]) if deployments else None
    money = known.funding[0] if known and known.funding else None
    hidden = became.attack_tx in story.flow.withheld and became.attack_tx not in story.feed.transactions
    return Foreseen(
        **vars(became),
        contract=address,
        creation_tx=attacker.creation.tx_hash,
        created_block=int(attacker.created["blockNumber"], 16),
        score=known.score.score if known and known.score else None,
        service=None if money is None else money.service,
        funded_wei=None if money is None else money.amount,
        alert=heard.event if heard else None,
        proof="; ".join(proved(heard.event)) if heard else None,
        pending_when_proved=heard is not None and heard.pending,
        creation_to_alert_ms=milliseconds(hearing.began, heard.at if heard else None),
        alert_to_first_call_ms=milliseconds(heard.at if heard else None, attacker.began_at),
        alert_to_inclusion_ms=milliseconds(heard.at if heard else None, attack.mined_at),
        is_private=hidden and not story.flow.was_asked,
        timeline=_timeline(story, alerts, responses, became),
    )


def _is_about(event: Alert, address: str) -> bool:
    if event["event_type"] != "alert" or not event.get("early"):
        return False
    return bool(event["early"]["contract"]["address"] == address)


def _is_deployment(event: Alert, address: str) -> bool:
    return bool(event["event_type"] == "deploy" and event["contract"]["address"] == address)


def _timeline(
    story: EarlyStory, alerts: Sequence[Alert], responses: Sequence[Alert], became: Outcome
) -> tuple[Moment, ...]:
    attacker = story.attacker
    assert attacker.creation is not None and attacker.created is not None  # noqa: S101, PT018
    fate = "goes through" if became.drained else "REVERTS"
    places = [
        (aftermath.place(attacker.created), "the contract is created"),
        ((became.block, became.position), f"attack() {fate}"),
    ]
    if (pause := place_of(became.defense)) is not None:
        places.append((pause, "pause()"))
    mined = []
    for block in sorted({block for (block, _), _ in places}):
        parts = sorted((position, what) for (number, position), what in places if number == block)
        if (at := story.feed.heads.get(block)) is not None:
            words = ", ".join(f"position {position}: {what}" for position, what in parts)
            mined.append((at, f"{block} is mined, {words}"))
    return foresight(attacker.creation, attacker.bids[-1], alerts, responses, story.feed.transactions, mined)
