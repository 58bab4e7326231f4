"""The very bid, signed when it is known: where overpaying by up to one rung matters more than a tenth of a millisecond.

Only with a key in this process. Its bytes go to a file before they go out, without waiting for the disk: it survives
the process, like the marks, and a restart takes them into the journal. The journal itself has them right after.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import orjson

from mempool_ids.defense.armed import EXACT, Call, Fees, Kind, Rung
from mempool_ids.defense.arming import load
from mempool_ids.defense.draft import Draft
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.guardian import Guardian, Loaded, Protected
from mempool_ids.defense.journal import JournalError
from mempool_ids.defense.journal.files import check_private, create_private
from mempool_ids.defense.signers.local import LocalSigner


class Exact:
    """Signs single bids.

    Args:
        journal: the journal's path; the file is beside it, mode 0600.

    Raises:
        JournalError: the file cannot be used.
    """

    def __init__(self, journal: Path, chain_id: int, kind: Kind) -> None:
        self.path = journal.with_name(journal.name + ".exact")
        self._chain_id = chain_id
        self._kind = kind
        create_private(self.path)
        check_private(self.path)
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from None
        self._lock = threading.Lock()
        self._fresh: list[Rung] = []

    def close(self) -> None:
        # First: a bid that comes late must not be written to what has this number then.
        file, self._file = self._file, -1
        os.close(file)

    def sign(
        self,
        guardian: Guardian,
        target: Protected,
        nonce: int,
        gas_limit: int,
        fees: Fees,
        above: Fees | None,
    ) -> Loaded | None:
        """The bid, signed and written down; None where that key is not in this process, or the file takes no more.

        Args:
            above: what is out at this nonce: the bid is raised to what replaces it.
        """
        signer = guardian.signer
        if not isinstance(signer, LocalSigner):
            return None
        if above is not None:
            least = replacement(above)
            fees = Fees(max(fees.max_fee, least.max_fee), max(fees.tip, least.tip))
        draft = Draft(
            self._chain_id,
            self._kind,
            guardian.address,
            nonce,
            target.call,
            gas_limit,
            fees,
            target.name,
            EXACT,
        )
        rung = draft.signed(signer.sign_now(draft.transaction()))
        line = _line(rung)
        try:
            if os.write(self._file, line) != len(line):
                return None
        except OSError:
            return None
        with self._lock:
            self._fresh.append(rung)
        return load([rung])[0]

    def take(self) -> list[Rung]:
        """What was signed since: for the journal."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
        return fresh

    def left(self) -> list[Rung]:
        """What a former process wrote, as far as its lines are whole."""
        size = os.fstat(self._file).st_size
        lines = os.pread(self._file, size, 0).split(b"\n")[:-1]
        return [rung for line in lines if (rung := _rung(line)) is not None]

    def forget(self) -> None:
        """The journal has all of it."""
        os.ftruncate(self._file, 0)


def _line(rung: Rung) -> bytes:
    """Begins with a newline: half a line of before must not spoil it."""
    fields = {
        "chain_id": rung.chain_id,
        "guardian": rung.guardian,
        "nonce": rung.nonce,
        "target": rung.target,
        "fees": [str(rung.fees.max_fee), str(rung.fees.tip)],
        "gas_limit": rung.gas_limit,
        "call": [rung.call.to, rung.call.data.hex(), str(rung.call.value)],
        "raw": rung.raw.hex(),
        "tx_hash": rung.tx_hash,
    }
    return b"\n" + orjson.dumps(fields) + b"\n"


def _rung(line: bytes) -> Rung | None:
    """None for what was cut off."""
    try:
        fields = orjson.loads(line)
        max_fee, tip = fields["fees"]
        to, data, value = fields["call"]
        return Rung(
            chain_id=fields["chain_id"],
            guardian=fields["guardian"],
            nonce=fields["nonce"],
            target=fields["target"],
            rung=EXACT,
            fees=Fees(int(max_fee), int(tip)),
            gas_limit=fields["gas_limit"],
            call=Call(to, bytes.fromhex(data), int(value)),
            raw=bytes.fromhex(fields["raw"]),
            tx_hash=fields["tx_hash"],
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
