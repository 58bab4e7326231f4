"""A bid that is signed when it is known: exactly what was wanted, and known to a restart however the process ended."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from mempool_ids import _core
from mempool_ids.config.defense import EnvironmentSigner
from mempool_ids.config.values import Secret
from mempool_ids.defense.armed import EXACT, Call, Fees
from mempool_ids.defense.exact import Exact
from mempool_ids.defense.gas import replacement
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.journal import Journal, JournalError, Marks
from mempool_ids.defense.recovery import read
from mempool_ids.defense.signers import Signer, signer
from mempool_ids.demo.rpc import Rpc
from tests.defense.races import GWEI, key, name_of, next_block, ring
from tests.defense.scenes import STAGES
from tests.geth import Geth

VARIABLE = "MEMPOOL_IDS_TEST_EXACT"
VAULT = Protected("Vault", "0x" + "11" * 20, Call("0x" + "11" * 20, bytes.fromhex("8456cb59")), None, None)
FEES = Fees(30 * GWEI + 7, 3 * GWEI + 1)


@pytest.fixture
async def guardian(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guardian]:
    monkeypatch.setenv(VARIABLE, key())
    opened: Signer = signer(EnvironmentSigner(type="environment", key=Secret(f"env:{VARIABLE}")))
    await opened.open(1)
    yield Guardian(opened.address, opened)
    await opened.close()


def test_it_signs_the_very_fees(guardian: Guardian, tmp_path: Path) -> None:
    exact = Exact(tmp_path / "defense.db", 1, "eip1559")
    signed = exact.sign(guardian, VAULT, 5, 60_000, FEES, None)
    assert signed is not None
    decoded = orjson.loads(_core.decode_transaction(signed.rung.raw))
    assert decoded["from"] == guardian.address
    assert int(decoded["nonce"]) == 5
    assert int(decoded["max_fee_per_gas"]) == FEES.max_fee
    assert int(decoded["max_priority_fee_per_gas"]) == FEES.tip
    assert signed.rung.rung == EXACT
    exact.close()


def test_what_is_out_is_replaced(guardian: Guardian, tmp_path: Path) -> None:
    exact = Exact(tmp_path / "defense.db", 1, "eip1559")
    signed = exact.sign(guardian, VAULT, 5, 60_000, Fees(FEES.max_fee, FEES.tip + 1), FEES)
    assert signed is not None
    least = replacement(FEES)
    assert (signed.rung.fees.max_fee, signed.rung.fees.tip) == (least.max_fee, least.tip)
    exact.close()


def test_a_key_that_is_elsewhere_signs_no_exact_bid(tmp_path: Path) -> None:
    exact = Exact(tmp_path / "defense.db", 1, "eip1559")
    assert exact.sign(Guardian("0x" + "22" * 20, None), VAULT, 5, 60_000, FEES, None) is None
    assert exact.take() == []
    exact.close()


def test_a_bid_that_comes_after_the_end_is_not_signed(guardian: Guardian, tmp_path: Path) -> None:
    exact = Exact(tmp_path / "defense.db", 1, "eip1559")
    exact.close()
    assert exact.sign(guardian, VAULT, 5, 60_000, FEES, None) is None
    assert exact.take() == []


def test_a_restart_finds_what_was_marked_though_the_journal_never_had_it(
    guardian: Guardian, tmp_path: Path
) -> None:
    path = tmp_path / "defense.db"
    exact, marks = Exact(path, 1, "eip1559"), Marks.beside(path)
    signed = exact.sign(guardian, VAULT, 5, 60_000, FEES, None)
    assert signed is not None
    marks.put(bytes.fromhex(signed.rung.tx_hash[2:]), 1_000.0)
    # The process ends here: nothing was journaled. Half a line is what a full disk leaves.
    os.write(os.open(exact.path, os.O_WRONLY | os.O_APPEND), b'\n{"chain_id": 1, "gua')
    exact.close()
    marks.close()

    journal = Journal(path, chain_id=1, guardian=guardian.address)
    again, marks = Exact(path, 1, "eip1559"), Marks.beside(path)
    left = read(journal, marks, again)
    [found] = left.found
    assert [rung.raw for rung in found.sent] == [signed.rung.raw]
    assert found.adopted == found.sent
    assert journal.rung(signed.rung.tx_hash) == signed.rung
    assert again.left() == []
    for one in (again, marks, journal):
        one.close()


def test_whoever_reads_the_file_can_pause(guardian: Guardian, tmp_path: Path) -> None:
    exact = Exact(tmp_path / "defense.db", 1, "eip1559")
    assert stat.S_IMODE(exact.path.stat().st_mode) == 0o600
    exact.close()
    exact.path.chmod(0o640)
    with pytest.raises(JournalError, match="chmod 600"):
        Exact(tmp_path / "defense.db", 1, "eip1559")


@pytest.mark.timeout(120)
async def test_a_race_is_won_by_the_exact_bid(geth_binary: Path, tmp_path: Path) -> None:
    with Geth(geth_binary, period=2) as node:
        async with Rpc(node.http_url) as rpc:
            scene = await STAGES["takeover"](rpc)
            async with ring(node, rpc, [scene], tmp_path, exact=True) as fight:
                name = name_of([scene], scene)
                await next_block(rpc)
                attack = await scene.attack(2 * GWEI)
                ended = await fight.until_state(name, "confirmed", "failed", "superseded")
            assert (ended.state, ended.won) == ("confirmed", True), fight.story()
            assert ended.tx_hash is not None
            pause, _ = await fight.place(ended.tx_hash)
            hit, succeeded = await fight.place(attack.tx_hash)
            assert pause < hit
            assert not succeeded
            sent = fight.of(name, "sent")[0]
            assert sent.reason.startswith("exact: ")
            journal = Journal.look(tmp_path / "defense.db")
            rung = journal.rung(str(sent.tx_hash))
            journal.close()
            assert rung is not None
            assert rung.rung == EXACT
