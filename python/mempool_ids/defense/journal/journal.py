"""The sensor's own journal: the one that writes it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from mempool_ids.defense.action import DefenseAction, Transition
from mempool_ids.defense.armed import Rung
from mempool_ids.defense.journal.database import Database
from mempool_ids.defense.journal.errors import JournalError
from mempool_ids.defense.journal.files import Lock, check_private, create_private
from mempool_ids.defense.journal.prune import Superseded, forget, prune, superseded
from mempool_ids.defense.journal.queries import CHUNK
from mempool_ids.defense.journal.records import Records
from mempool_ids.defense.journal.rows import action_row, rung_of, rung_row, transition_of, transition_row
from mempool_ids.defense.journal.tables import (
    actions,
    armed,
    guardians,
    sequences,
    threats,
    transitions,
)


class Journal(Records):
    """What is signed, what was sent, and what became of it: with the chain, the truth after a crash.

    Everything is committed and on the disk when a method returns. After a JournalError nothing of that call is there,
    and the same call may be made again. Rows are only added. Used from one thread at a time, by one process at a time.

    Whoever reads the file can pause: its mode is 0600, and another mode is refused, at the start and at each arming.

    Args:
        path: the file; it is created where there is none, with its directory.
        chain_id: a journal is of one chain.
        guardian: who signs now. It may be another than before (a new key, the second guardian): what the former ones
            signed and left open stays in the journal and in every answer of it; `guardians` names them all.

    Raises:
        JournalError: another process has it; it is damaged, of a newer version, of another chain, another program's, or
            not writable. It says what to do, and leaves the file as it is.
    """

    def __init__(self, path: str | Path, *, chain_id: int, guardian: str | None) -> None:
        # Beside a link there is no -wal: SQLite follows it.
        file = Path(path).resolve()
        create_private(file)
        check_private(file)
        self._lock = Lock(file)
        # By guardian, nonce and contract, hashes of the last two ladders: one of them is loaded, and may go out.
        self._ladders: dict[tuple[str, int, str], tuple[frozenset[str], frozenset[str]]] = {}
        try:
            database = Database(file)
            try:
                database.prepare(chain_id)
                super().__init__(database)
                self._chain_id = chain_id
                if guardian is not None:
                    self.add_guardian(guardian)
            except BaseException:
                database.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    @staticmethod
    def look(path: str | Path) -> Records:
        """To read it, and to answer, while a sensor may be writing.

        Raises:
            JournalError: there is no journal, or this version cannot read it.
        """
        if not Path(path).exists():
            raise JournalError(
                f"there is no journal at {path}: no sensor with a defense has run with this configuration"
            )
        database = Database(Path(path).resolve())
        try:
            database.check_ours()
        except BaseException:
            database.close()
            raise
        return Records(database)

    def close(self) -> None:
        super().close()
        self._lock.release()

    def add_guardian(self, address: str) -> None:
        """Another one that signs now. Again is harmless."""
        with self._database.write() as connection:
            row = {"address": address, "since": time.time()}
            connection.execute(sqlite_insert(guardians).on_conflict_do_nothing(), row)

    def arm(self, rungs: Sequence[Rung]) -> None:
        """Takes in signed bytes, all or none. Only afterwards may they be used. Bytes that it has already add nothing.

        Raises:
            JournalError: they are not taken in, and must not be used.
        """
        check_private(self.path)
        for rung in rungs:
            if rung.chain_id != self._chain_id:
                raise JournalError(
                    f"journal {self.path}: a response for {rung.target} is signed for chain {rung.chain_id}, "
                    f"this journal is of {self._chain_id}: nothing of it may be sent"
                )
        now = time.time()
        with self._database.write() as connection:
            generation = (connection.scalar(select(func.max(armed.c.generation))) or 0) + 1
            for start in range(0, len(rungs), CHUNK):
                fresh = self._fresh(connection, rungs[start : start + CHUNK])
                rows = [
                    {**rung_row(rung), "generation": generation, "seq": start + index, "created": now}
                    for index, rung in fresh.values()
                ]
                if rows:
                    connection.execute(insert(armed), rows)
        self._remember(rungs)

    def _remember(self, rungs: Sequence[Rung]) -> None:
        """Ladders that may be loaded from now on, also where nothing of them is new: a base fee that comes back brings
        the very bytes of before."""
        hashes: dict[tuple[str, int, str], set[str]] = defaultdict(set)
        for rung in rungs:
            if rung.target and rung.rung >= 0:
                hashes[rung.guardian.lower(), rung.nonce, rung.target].add(rung.tx_hash.lower())
        for key, own in hashes.items():
            newest, _ = self._ladders.get(key, (frozenset(), frozenset()))
            if own != newest:
                self._ladders[key] = (frozenset(own), newest)

    def _fresh(self, connection: Connection, rungs: Sequence[Rung]) -> dict[str, tuple[int, Rung]]:
        """Those that are not there yet, by hash, with their place in `rungs`."""
        asked = select(armed).where(armed.c.tx_hash.in_([rung.tx_hash for rung in rungs]))
        there = {row.tx_hash.lower(): rung_of(row) for row in connection.execute(asked)}
        fresh: dict[str, tuple[int, Rung]] = {}
        for index, rung in enumerate(rungs):
            tx_hash = rung.tx_hash.lower()
            known = there.setdefault(tx_hash, rung)
            if (known.raw, known.nonce, known.guardian.lower(), known.target) != (
                rung.raw,
                rung.nonce,
                rung.guardian.lower(),
                rung.target,
            ):
                raise JournalError(
                    f"journal {self.path}: {tx_hash} is armed already, for {known.target} at nonce {known.nonce}, "
                    "with other bytes or another intent: nothing of this ladder may be sent"
                )
            if known is rung:
                fresh.setdefault(tx_hash, (index, rung))
        return fresh

    def begin(self, action: DefenseAction, sender: str | None) -> None:
        """A new action, with what its history has so far. Again is harmless.

        Args:
            sender: of its first threat.

        Raises:
            JournalError: another action has its id.
        """
        now = time.time()
        with self._database.write() as connection:
            row = action_row(action, sender)
            added = connection.execute(sqlite_insert(actions).on_conflict_do_nothing(), row).rowcount
            if not added:
                self._check_same(connection, row)
            for index, tx_hash in enumerate(action.threats):
                self._join(connection, action.action_id, tx_hash, None if index else sender, now)
            self._append(connection, action, len(action.history))

    def _check_same(self, connection: Connection, row: Mapping[str, Any]) -> None:
        names = ("strategy", "target", "target_address", "created", "shadow")
        found = connection.execute(select(actions).where(actions.c.action_id == row["action_id"])).one()
        if any(found._mapping[name] != row[name] for name in names):
            raise JournalError(f"journal {self.path}: there is another action {row['action_id']} already")

    def join(self, action_id: str, threat_hash: str, sender: str | None) -> None:
        """One more transaction that the action answers. Again is harmless."""
        with self._database.write() as connection:
            self._join(connection, action_id, threat_hash, sender, time.time())

    def _join(
        self, connection: Connection, action_id: str, tx_hash: str, sender: str | None, now: float
    ) -> None:
        row = {"action_id": action_id, "hash": tx_hash, "sender": sender, "joined": now}
        add = sqlite_insert(threats).on_conflict_do_nothing(index_elements=["action_id", "hash"])
        connection.execute(add, row)

    def record(self, action: DefenseAction, transition: Transition) -> None:
        """A change of state, and the action as it is now. Again is harmless.

        Earlier changes that are missing (a full disk, since freed) are written too. Threats are `join`'s.

        Args:
            transition: one of its history.

        Raises:
            JournalError: it is not written; or the journal has another history of this action.
        """
        number = _place(action, transition)
        if number is None:
            raise JournalError(
                f"journal {self.path}: {transition.state} is no change of action {action.action_id}"
            )
        with self._database.write() as connection:
            self._append(connection, action, number + 1)

    def _append(self, connection: Connection, action: DefenseAction, until: int) -> None:
        """What is missing of the first `until` changes."""
        mine = transitions.c.action_id == action.action_id
        known = connection.scalar(select(func.count()).where(mine)) or 0
        if known and until:
            # The last that both have.
            at = min(known, until) - 1
            row = connection.execute(select(transitions).where(mine, transitions.c.number == at)).one()
            theirs, ours = transition_of(row), action.history[at]
            if (theirs.state, theirs.at, theirs.tx_hash) != (ours.state, ours.at, ours.tx_hash):
                raise JournalError(
                    f"journal {self.path}: action {action.action_id} is {theirs.state} there and {ours.state} here: "
                    "two histories of one action; restart the sensor, which goes on with the journal's"
                )
        rows = [transition_row(action, number) for number in range(known, until)]
        if rows:
            connection.execute(insert(transitions), rows)

    def next_sequence(self, builder: str) -> int:
        """1, 2, 3 … for each builder, over all restarts: each number is given once."""
        with self._database.write() as connection:
            last = connection.scalar(
                select(func.max(sequences.c.number)).where(sequences.c.builder == builder)
            )
            number = (last or 0) + 1
            connection.execute(insert(sequences), {"builder": builder, "number": number})
        return number

    def prune(self, latest: Mapping[str, int], before: float) -> int:
        """Forgets signed bytes that can never be mined any more. Bytes that an action names stay.

        Args:
            latest: each guardian's next nonce, by the chain.
            before: Unix seconds. A generation goes as a whole, once it is older and all of its nonces are used.

        Returns:
            How many rungs are gone.
        """
        with self._database.write() as connection:
            return prune(connection, latest, before)

    def superseded(self, before: float, most: int) -> list[Superseded]:
        """Rungs that nobody sends any more: a later ladder took their place. Without `forget` a guardian that never
        pauses keeps every ladder that it ever had. Exact bids and transfers are none of them.

        Args:
            before: Unix seconds. They are older, and so is what took their place.
            most: so many at a time.
        """
        with self._database.read() as connection:
            return superseded(connection, before, most)

    def forget(self, some: Sequence[Superseded], marked: Collection[str], before: float) -> int:
        """Of these, whatever no action names, was not marked as going out, and cannot be loaded now.

        Args:
            marked: hashes, in lower case.
            before: as in `superseded`.

        Returns:
            How many rungs are gone.
        """
        loaded = (tx_hash for pair in self._ladders.values() for ladder in pair for tx_hash in ladder)
        kept = {*marked, *loaded}
        with self._database.write() as connection:
            return forget(connection, [one for one in some if one.tx_hash not in kept], before)


def _place(action: DefenseAction, transition: Transition) -> int | None:
    """In its history; the last of equals."""
    history = action.history
    places = range(len(history) - 1, -1, -1)
    same = next((place for place in places if history[place] is transition), None)
    return (
        same if same is not None else next((place for place in places if history[place] == transition), None)
    )
