"""What a journal says, and a human's answers to it: for the sensor, and for the command line beside it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    func,
    insert,
    or_,
    select,
)

from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.journal.database import Database
from mempool_ids.defense.journal.errors import JournalError
from mempool_ids.defense.journal.outlay import outlays, total
from mempool_ids.defense.journal.queries import CHUNK, OVER, PAID_TO_BUILDERS, WITH_BYTES
from mempool_ids.defense.journal.rows import Answer, Order, action_of, rung_of
from mempool_ids.defense.journal.tables import (
    actions,
    answers,
    armed,
    guardians,
    judgements,
    orders,
    threats,
    transitions,
)


class Records:
    """Everything that was written down. Used from one thread at a time.

    Raises:
        JournalError: from every method, with what to do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path: Path = database.path

    def close(self) -> None:
        self._database.close()

    @property
    def chain_id(self) -> int:
        return self._database.chain_id()

    def guardians(self) -> list[str]:
        """Every account that was ever a guardian of this journal, the first first."""
        with self._database.read() as connection:
            return list(connection.scalars(select(guardians.c.address).order_by(guardians.c.since)))

    def armed(self, guardian: str, nonce: int) -> list[Rung]:
        """All that was ever signed for this nonce, of every target and bid, in the order of signing."""
        query = select(armed).where(armed.c.guardian == guardian, armed.c.nonce == nonce).order_by(armed.c.id)
        with self._database.read() as connection:
            return [rung_of(row) for row in connection.execute(query)]

    def rung(self, tx_hash: str) -> Rung | None:
        """The signed bytes with this hash."""
        with self._database.read() as connection:
            row = connection.execute(select(armed).where(armed.c.tx_hash == tx_hash)).one_or_none()
        return None if row is None else rung_of(row)

    def open_actions(self) -> list[DefenseAction]:
        """Those that are not over, as they were when last written, the oldest first."""
        return self._actions(actions.c.action_id.not_in(OVER))

    def actions(self, since: float = 0) -> list[DefenseAction]:
        """Those created from `since` on (Unix seconds), the oldest first."""
        return self._actions(actions.c.created >= since)

    def by_nonce(self, guardian: str, nonce: int) -> list[DefenseAction]:
        """Whose bytes, sent or chosen, bear this nonce: more than one where it is contended. Shadows take no nonce."""
        named = (
            select(transitions.c.action_id)
            .select_from(WITH_BYTES)
            .where(
                or_(
                    (transitions.c.guardian == guardian) & (transitions.c.nonce == nonce),
                    (armed.c.guardian == guardian) & (armed.c.nonce == nonce),
                )
            )
        )
        at_first = (actions.c.guardian == guardian) & (actions.c.nonce == nonce)
        return self._actions(or_(actions.c.action_id.in_(named), at_first) & actions.c.shadow.is_(False))

    def threats(self, action_id: str) -> list[tuple[str, str | None]]:
        """Hash and sender of each transaction that the action answers, the first first."""
        query = select(threats.c.hash, threats.c.sender).where(threats.c.action_id == action_id)
        with self._database.read() as connection:
            return [(row.hash, row.sender) for row in connection.execute(query.order_by(threats.c.seq))]

    def spent(self, since: float) -> int:
        """Wei that responses cost since then (Unix seconds): by receipts; without one, the worst case of what went out.

        Of several transactions at one nonce one counts. A transfer to a builder counts once it is signed. What is out
        and not over counts however old it is. An end that cost nothing says so with a cost of 0; one that says nothing
        counts in full. Shadows cost nothing. What was marked but not recorded (`unrecorded`) is not in it yet.
        """
        with self._database.read() as connection:
            return total(outlays(connection, since), since)

    def payments(self, since: float) -> list[tuple[Rung, float]]:
        """Transfers to builders that were signed since then, and when (Unix seconds): they may have been offered."""
        with self._database.read() as connection:
            rows = connection.execute(select(armed).where(PAID_TO_BUILDERS, armed.c.created >= since))
            return [(rung_of(row), row.created) for row in rows]

    def answer(self, action_id: str, yes: bool, who: str) -> None:
        """A human's answer, committed; the first one counts.

        Raises:
            JournalError: there is no such action, or it is over.
        """
        row = {
            "action_id": action_id,
            "answer": "yes" if yes else "no",
            "who": _text(who),
            "at": time.time(),
        }
        with self._database.write() as connection:
            found = connection.scalar(select(actions.c.id).where(actions.c.action_id == action_id))
            if found is None:
                raise JournalError(f"journal {self.path}: it has no action {action_id}")
            if connection.scalar(OVER.where(transitions.c.action_id == action_id)) is not None:
                raise JournalError(f"journal {self.path}: action {action_id} is over: nothing was written")
            connection.execute(insert(answers), row)

    def answers(self, action_id: str) -> list[Answer]:
        """In the order in which they came."""
        query = select(answers).where(answers.c.action_id == action_id).order_by(answers.c.seq)
        with self._database.read() as connection:
            return [Answer(row.answer == "yes", row.who, row.at) for row in connection.execute(query)]

    def judge(self, action_id: str, attack: bool, who: str) -> None:
        """What an action answered, as people found out; the last one counts.

        Raises:
            JournalError: there is no such action.
        """
        row = {
            "action_id": action_id,
            "judgement": "attack" if attack else "honest",
            "who": _text(who),
            "at": time.time(),
        }
        with self._database.write() as connection:
            if connection.scalar(select(actions.c.id).where(actions.c.action_id == action_id)) is None:
                raise JournalError(f"journal {self.path}: it has no action {action_id}")
            connection.execute(insert(judgements), row)

    def judgements(self) -> dict[str, bool]:
        """By action, whether it answered an attack."""
        with self._database.read() as connection:
            rows = connection.execute(select(judgements).order_by(judgements.c.seq))
            return {row.action_id: row.judgement == "attack" for row in rows}

    def order(self, target: str, threat: str | None, gas_price: int, urgency: str, who: str) -> float:
        """Asks the sensor that runs on this journal for a pause. Returns when (Unix seconds)."""
        now = time.time()
        row = {"target": target, "threat": threat, "gas_price": gas_price, "urgency": urgency}
        with self._database.write() as connection:
            connection.execute(insert(orders), {**row, "who": _text(who), "at": now})
        return now

    def orders(self, after: int) -> list[Order]:
        """Those with a higher number, in order."""
        query = select(orders).where(orders.c.seq > after).order_by(orders.c.seq)
        with self._database.read() as connection:
            return [
                Order(row.seq, row.target, row.threat, row.gas_price, row.urgency, row.who, row.at)
                for row in connection.execute(query)
            ]

    def unrecorded(self, marks: Iterable[tuple[bytes, float]]) -> list[Rung]:
        """Armed bytes that were marked as going out while no action says that it sent them, in the order of marks.

        They may be out or not. Broadcasting them again is harmless; giving their nonce to something else is not.
        """
        hashes = _hashes(marks)
        found: dict[str, Rung] = {}
        with self._database.read() as connection:
            for chunk in _chunks(hashes):
                sent = set(
                    connection.scalars(
                        select(func.lower(transitions.c.tx_hash))
                        .join(actions, actions.c.action_id == transitions.c.action_id)
                        .where(
                            transitions.c.tx_hash.in_(chunk),
                            transitions.c.state == ActionState.SENT.value,
                            actions.c.shadow.is_(False),
                        )
                    )
                )
                rows = connection.execute(select(armed).where(armed.c.tx_hash.in_(chunk)))
                found.update(
                    (row.tx_hash.lower(), rung_of(row)) for row in rows if row.tx_hash.lower() not in sent
                )
        return [found[each] for each in hashes if each in found]

    def unknown(self, marks: Iterable[tuple[bytes, float]]) -> list[str]:
        """Hashes that were marked as going out and whose bytes the journal does not have, in the order of marks.

        There are none while only armed bytes are sent. The chain alone knows what they are.
        """
        hashes = _hashes(marks)
        known: set[str] = set()
        with self._database.read() as connection:
            for chunk in _chunks(hashes):
                query = select(func.lower(armed.c.tx_hash)).where(armed.c.tx_hash.in_(chunk))
                known.update(connection.scalars(query))
        return [each for each in hashes if each not in known]

    def _actions(self, which: ColumnElement[bool]) -> list[DefenseAction]:
        ids = select(actions.c.action_id).where(which)
        with self._database.read() as connection:
            rows = connection.execute(select(actions).where(which).order_by(actions.c.id)).all()
            changes = _grouped(
                connection,
                select(transitions).where(transitions.c.action_id.in_(ids)).order_by(transitions.c.seq),
            )
            joined = _grouped(
                connection, select(threats).where(threats.c.action_id.in_(ids)).order_by(threats.c.seq)
            )
        return [
            action_of(row, [threat.hash for threat in joined[row.action_id]], changes[row.action_id])
            for row in rows
        ]


def _grouped(connection: Connection, query: Select[Any]) -> dict[str, list[Row[Any]]]:
    by_action: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query):
        by_action[row.action_id].append(row)
    return by_action


def _text(who: str) -> str:
    return who.encode("utf-8", "replace").decode()


def _hashes(marks: Iterable[tuple[bytes, float]]) -> list[str]:
    """Each once."""
    return list(dict.fromkeys("0x" + tx_hash.hex() for tx_hash, _at in marks))


def _chunks(hashes: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(hashes), CHUNK):
        yield hashes[start : start + CHUNK]
