"""From what was heard, announced and mined to a run's result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mempool_ids.demo import aftermath
from mempool_ids.demo.aftermath import Place
from mempool_ids.demo.attacker import Attacker
from mempool_ids.demo.hearing import Heard
from mempool_ids.demo.result import Alert, Defended, FalseAlert, Outcome, Result
from mempool_ids.demo.scene import Action, Scene
from mempool_ids.demo.story import Attack, Story
from mempool_ids.demo.timeline import Moment, alert_to_wire_us, timeline
from mempool_ids.records.events import ALARM

Reverted = Sequence[tuple[Place, Action]]


async def judge(story: Story, attack: Attack, events: Sequence[Alert]) -> Result:
    """Judges a race by all events of the event log, muted alerts included."""
    scene, receipt = story.scene, attack.receipt
    bids = tuple(bid.tx_hash for bid in story.attacker.bids)
    heard = story.hearing.alerts.get(bids[0])
    answered = Answered(_about(events, bids), _responses(events, bids)) if story.is_defended else None
    became = await outcome(scene, story.attacker, receipt, heard, answered, events)
    words = _in_words(aftermath.place(receipt), place_of(became.defense), became.drained)
    return Result(
        **vars(became),
        attack_txs=bids,
        alert=heard.event if heard else None,
        pending_when_alerted=heard is not None and heard.pending,
        sent_to_alert_ms=milliseconds(story.attacker.began_at, heard.at if heard else None),
        alert_to_inclusion_ms=milliseconds(heard.at if heard else None, attack.mined_at),
        order=await aftermath.order(scene, became.block, bids),
        timeline=_timeline(story, events, became.block, words),
    )


@dataclass(frozen=True)
class Answered:
    """The alerts that a defense acted on, and what it did."""

    alerts: Sequence[Alert]
    responses: Sequence[Alert]


async def outcome(
    scene: Scene,
    attacker: Attacker,
    receipt: aftermath.Receipt,
    heard: Heard | None,
    answered: Answered | None,
    events: Sequence[Alert],
) -> Outcome:
    """What the chain says of an attack, and the events of who was alarmed.

    Args:
        receipt: the attack's.
        heard: the alert that says what is at stake.
        answered: None where nobody defends.
        events: all of the event log.
    """
    where = aftermath.place(receipt)
    block, position = where
    claims = await aftermath.claims(scene, block)
    before, after = [await aftermath.vault_balance(scene, number) for number in (block - 1, block)]
    reverted = await aftermath.reverted(scene.rpc, scene.sent)
    defense = None if answered is None else await _defended(scene, answered, reverted, events)
    pause = place_of(defense)
    barrier = where if pause is None else min(where, pause)
    alerts = [event for event in events if event["event_type"] == "alert"]
    return Outcome(
        attack_tx=receipt["transactionHash"],
        block=block,
        position=position,
        drained=aftermath.succeeded(receipt),
        vault_before=before,
        vault_after=after,
        at_stake_wei=_at_stake(heard),
        lost_wei=max(0, claims.total - after),
        holders=claims.holders,
        attack_cost_wei=aftermath.cost(receipt),
        honest_transactions=len(scene.sent),
        false_alerts=tuple(
            _false(scene, alert) for alert in alerts if alert["tx"]["from"] != attacker.address
        ),
        stopped=tuple(f"{action.user} {action.text}" for at, action in reverted if at < barrier),
        defense=defense,
    )


async def _defended(
    scene: Scene, answered: Answered, reverted: Reverted, events: Sequence[Alert]
) -> Defended:
    alerts, responses = answered.alerts, answered.responses
    last = responses[-1] if responses else None
    # Where it is, and what it cost, the chain says and not who sent it.
    receipt = await scene.rpc.find_receipt(last["tx_hash"]) if last and last["tx_hash"] else None
    pause = aftermath.place(receipt) if receipt and aftermath.succeeded(receipt) else None
    return Defended(
        guardian=scene.cast.guardian,
        state=None if last is None else last["state"],
        decision=alerts[0]["response"]["decision"] if alerts else None,
        won=None if last is None else last["won"],
        pause_tx=None if last is None else last["tx_hash"],
        block=None if pause is None else pause[0],
        position=None if pause is None else pause[1],
        paused=await scene.vault.read(scene.rpc, "paused()") != 0,
        tips=tuple(int(one["max_priority_fee_per_gas"]) for one in responses if one["state"] == "sent"),
        cost_wei=aftermath.cost(receipt) if receipt else None,
        alert_to_wire_us=alert_to_wire_us(alerts, responses),
        turned_away=sum(pause is not None and at > pause for at, _ in reverted),
        alarms=tuple(
            f"{event['origin']}: {event['reason']}"
            for event in events
            if event["event_type"] == "anomaly" and event["kind"] == ALARM
        ),
    )


def _about(events: Sequence[Alert], hashes: Sequence[str]) -> list[Alert]:
    """Alerts about any of these transactions, each the first."""
    found: dict[str, Alert] = {}
    for event in events:
        if event["event_type"] == "alert" and event["tx"]["hash"] in hashes:
            found.setdefault(event["tx"]["hash"], event)
    return list(found.values())


def _responses(events: Sequence[Alert], hashes: Sequence[str]) -> list[Alert]:
    """Changes of what answers any of these transactions."""
    return [
        event
        for event in events
        if event["event_type"] == "response" and not set(hashes).isdisjoint(event["threats"])
    ]


def _timeline(story: Story, events: Sequence[Alert], block: int, words: str) -> tuple[Moment, ...]:
    bids = story.attacker.bids
    hashes = [bid.tx_hash for bid in bids]
    announced_at = story.feed.heads.get(block)
    mined = None if announced_at is None else (announced_at, words)
    alerts, responses = _about(events, hashes), _responses(events, hashes)
    return timeline(bids, alerts, responses, story.feed.transactions, mined)


def _in_words(attack: Place, pause: Place | None, drained: bool) -> str:
    fate = "goes through" if drained else "REVERTS"
    attacked = f"position {attack[1]}: attack() {fate}"
    if pause is not None and pause[0] == attack[0]:
        both = sorted([(pause[1], f"position {pause[1]}: pause()"), (attack[1], attacked)])
        attacked = ", ".join(words for _, words in both)
    return f"{attack[0]} is mined, {attacked}"


def place_of(defense: Defended | None) -> Place | None:
    """Of the pause; None where the chain has none."""
    if defense is None or defense.block is None or defense.position is None:
        return None
    return defense.block, defense.position


def milliseconds(begin: float | None, end: float | None) -> float | None:
    """Of seconds."""
    return None if begin is None or end is None else (end - begin) * 1000


def _at_stake(heard: Heard | None) -> int | None:
    """Wei that the vault loses in ether, by the simulation."""
    amounts = [
        int(victim["amount"])
        for victim in (heard.event["victims"] if heard else ())
        if victim["asset"] == "native" and victim["amount"] is not None
    ]
    return sum(amounts) if amounts else None


def _false(scene: Scene, alert: Alert) -> FalseAlert:
    action = scene.sent.get(alert["tx"]["hash"])
    if action is None:
        return FalseAlert(alert["tx"]["from"], "sends something", alert)
    return FalseAlert(action.user, action.text, alert)
