"""What one run of the demo showed, and whether it held."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mempool_ids.demo.timeline import Moment

Alert = dict[str, Any]

#: Amounts of wei, which JSON has as decimal text.
_WEI = frozenset(
    {
        *("vault_before", "vault_after", "lost_wei", "at_stake_wei", "attack_cost_wei", "cost_wei", "tip"),
        "funded_wei",
    }
)


@dataclass(frozen=True)
class FalseAlert:
    """An alert about somebody who is not the attacker."""

    user: str
    action: str
    alert: Alert


@dataclass(frozen=True)
class Entry:
    """A transaction in the attack's block. `tip` is wei a gas."""

    position: int
    who: str
    what: str
    tip: int
    succeeded: bool


@dataclass(frozen=True)
class Defended:
    """What the defense did.

    Attributes:
        state: of its action at the end; None where it did nothing.
        decision: why, in words.
        won: as the defense itself judges it.
        block, position: where the chain has the pause; None where no pause of it succeeded.
        paused: what the vault says at the end.
        tips: of each pause that was sent, wei a gas, the last last.
        cost_wei: what the pause that a block has paid for gas.
        alert_to_wire_us: for each alert that bytes answered, microseconds from its timestamp to the bytes on the wire.
        turned_away: honest transactions that came after the pause and reverted.
        alarms: what else the defense told people.
    """

    guardian: str
    state: str | None
    decision: str | None
    won: bool | None
    pause_tx: str | None
    block: int | None
    position: int | None
    paused: bool
    tips: tuple[int, ...]
    cost_wei: int | None
    alert_to_wire_us: tuple[float, ...]
    turned_away: int
    alarms: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of an attack. Balances are wei.

    Attributes:
        attack_tx: the transaction of it that a block has.
        block, position: where the attack is in the chain.
        drained: the attack went through.
        at_stake_wei: what the vault would lose, by the alert's simulation.
        lost_wei: what the vault has less than its users' claims on it, after the attack's block.
        holders: accounts with a claim.
        attack_cost_wei: what the attacker paid for gas.
        stopped: what honest users sent before, and what reverted all the same.
        defense: None where nobody defended.
    """

    attack_tx: str
    block: int
    position: int
    drained: bool
    vault_before: int
    vault_after: int
    at_stake_wei: int | None
    lost_wei: int
    holders: int
    attack_cost_wei: int
    honest_transactions: int
    false_alerts: tuple[FalseAlert, ...]
    stopped: tuple[str, ...]
    defense: Defended | None

    @property
    def pause_first(self) -> bool:
        """Whether the chain has the pause before the attack."""
        done = self.defense
        if done is None or done.block is None or done.position is None:
            return False
        return (done.block, done.position) < (self.block, self.position)

    @property
    def passed(self) -> bool:
        return not self.problems()

    def problems(self) -> list[str]:
        """Why it did not pass, for people."""
        found = self._undefended() if self.defense is None else self._not_defended(self.defense)
        found += [f"false alert: {alert.user} {alert.action}" for alert in self.false_alerts]
        found += [f"stopped before the attack: {each}" for each in self.stopped]
        return found

    def _undefended(self) -> list[str]:
        return [] if self.drained else ["the attack did not go through, so this run shows nothing"]

    def _not_defended(self, done: Defended) -> list[str]:
        found = []
        if done.state is None:
            found.append(f"nothing was paused: {done.decision or 'no alert asked for it'}")
        elif not self.pause_first:
            found.append(f"no pause came before the attack: the response is {done.state}")
        elif done.state != "confirmed" or not done.paused:
            found.append(f"the vault is not known to be paused: the response is {done.state}")
        if self.drained:
            found.append("the attack went through")
        if self.lost_wei:
            found.append(f"the vault lost {self.lost_wei} wei")
        return found

    def to_dict(self) -> dict[str, Any]:
        """For JSON: uint256 as decimal strings."""
        fields: dict[str, Any] = _texts(asdict(self))
        defense = fields["defense"]
        if defense is not None:
            defense["tips"] = [str(tip) for tip in defense["tips"]]
            defense["pause_first"] = self.pause_first
        return {**fields, "passed": self.passed, "problems": self.problems()}


@dataclass(frozen=True)
class Result(Outcome):
    """The race with a pending attack. Times are milliseconds unless named otherwise.

    Attributes:
        attack_txs: all of the attacker's bids, the first first.
        alert: the event about the first, None if there was none before its block.
        pending_when_alerted: the node, asked after the alert arrived, said that no block had the attack yet.
        sent_to_alert_ms: from just before the attacker handed the attack to the node.
        alert_to_inclusion_ms: how long before its block the alert came.
        order: the attack's block.
    """

    attack_txs: tuple[str, ...]
    alert: Alert | None
    pending_when_alerted: bool
    sent_to_alert_ms: float | None
    alert_to_inclusion_ms: float | None
    order: tuple[Entry, ...]
    timeline: tuple[Moment, ...]

    @property
    def preceded(self) -> bool:
        """Whether the alert came while the attack was still pending."""
        return self.alert is not None and self.pending_when_alerted

    def problems(self) -> list[str]:
        """Why it did not pass, for people."""
        late = []
        if self.alert is None:
            late.append("no alert came before the block with the attack")
        elif not self.pending_when_alerted:
            late.append("the alert came after the block with the attack")
        return [*late, *super().problems()]

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "preceded": self.preceded}


def _texts(value: Any, name: str = "") -> Any:
    if name == "alert":
        return value  # an event has its own form
    if isinstance(value, dict):
        return {key: _texts(one, key) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_texts(one) for one in value]
    return str(value) if name in _WEI and value is not None else value
