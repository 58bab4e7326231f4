from __future__ import annotations

import copy
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.armed import EXACT, PAYMENT, Call, Fees
from mempool_ids.defense.journal import Journal, JournalError, Records
from mempool_ids.defense.journal.tables import metadata
from tests.defense.journal_samples import (
    GUARDIAN,
    HUGE,
    SENDER,
    STEPS,
    Life,
    action,
    bear,
    hash_of,
    ladder,
    open_journal,
    rung,
)

OTHER = "0x" + "0b" * 20
INTENT, VERIFIED, SENT = ActionState.INTENT, ActionState.VERIFIED, ActionState.SENT
INCLUDED, CONFIRMED, SUPERSEDED = ActionState.INCLUDED, ActionState.CONFIRMED, ActionState.SUPERSEDED


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = open_journal(tmp_path / "deep")
    yield journal
    journal.close()


def go(journal: Journal, one: DefenseAction, state: ActionState, at: float = 10.0, **details: object) -> None:
    journal.record(one, one.advance(state, at, "because", **details))


def begun(journal: Journal, number: int = 0, **changes: object) -> DefenseAction:
    one = action(number, **changes)
    journal.begin(one, SENDER)
    go(journal, one, INTENT)
    go(journal, one, VERIFIED)
    return one


def send(journal: Journal, one: DefenseAction, nonce: int, number: int = 0, at: float = 10.0) -> None:
    """Of an armed ladder."""
    sent = rung(nonce, one.target, number)
    bear(one, sent)
    go(journal, one, SENT, at, tx_hash=sent.tx_hash)


def worst(nonce: int, number: int) -> int:
    sent = rung(nonce, "vault", number)
    return sent.gas_limit * sent.fees.max_fee


# Armed


def test_what_is_armed_comes_back_exactly(journal: Journal) -> None:
    odd = rung(
        2**62,
        "Tresor ☂ 'x'",
        0,
        guardian="0x" + "Ab" * 20,
        fees=Fees(HUGE, 0),
        gas_limit=2**40,
        call=Call("0x" + "5f" * 20, bytes(range(256)), HUGE),
        raw=bytes(range(256)) * 4,
    )
    journal.arm([odd, *ladder(7, "vault")])
    assert journal.rung(odd.tx_hash) == odd
    assert journal.rung(odd.tx_hash.upper().replace("0X", "0x")) == odd
    assert journal.armed(odd.guardian.lower(), odd.nonce) == [odd]
    assert journal.armed(GUARDIAN, 7) == ladder(7, "vault")
    assert journal.armed(GUARDIAN, 8) == []
    assert journal.rung(hash_of("nothing")) is None


def test_the_same_bytes_again_add_nothing(journal: Journal) -> None:
    journal.arm(ladder(7, "vault"))
    journal.arm([*ladder(7, "vault", 6), *ladder(7, "vault", 6)])
    assert journal.armed(GUARDIAN, 7) == ladder(7, "vault", 6)
    journal.arm([])


def test_ladders_of_a_nonce_are_kept_over_generations(journal: Journal) -> None:
    """A rung of an old one may be what is out."""
    journal.arm(ladder(7, "vault"))
    dearer = [rung(7, "vault", 0, raw=b"dearer", tx_hash=hash_of("dearer"), fees=Fees(10**12, 10**9))]
    journal.arm(dearer)
    assert journal.armed(GUARDIAN, 7) == [*ladder(7, "vault"), *dearer]


@pytest.mark.parametrize(
    "changes", [{"raw": b"other"}, {"nonce": 9}, {"target": "pool"}, {"guardian": OTHER}]
)
def test_one_hash_is_one_intent(journal: Journal, changes: dict[str, object]) -> None:
    journal.arm(ladder(7, "vault"))
    twin = replace(rung(7, "vault", 2), **changes)  # type: ignore[arg-type]
    with pytest.raises(
        JournalError, match=r"armed already, for vault at nonce 7.*nothing of this ladder may be sent"
    ):
        journal.arm([*ladder(8, "vault"), twin])
    assert journal.armed(GUARDIAN, 8) == []


def test_another_chains_bytes_are_refused(journal: Journal) -> None:
    with pytest.raises(JournalError, match="signed for chain 5, this journal is of 1"):
        journal.arm([*ladder(7, "vault"), rung(7, "vault", 9, chain_id=5)])
    assert journal.armed(GUARDIAN, 7) == []


def test_numbers_that_do_not_fit_are_refused_in_whole(journal: Journal) -> None:
    with pytest.raises(JournalError, match="too large"):
        journal.arm([*ladder(7, "vault"), rung(2**64, "vault", 9)])
    assert journal.armed(GUARDIAN, 7) == []


# Actions


def test_an_action_comes_back_exactly_at_every_step(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    life = Life(journal, None)
    for step in STEPS:
        life.play(step)
        if step != "arm":
            journal.close()
            journal = life.journal = open_journal(tmp_path)
            assert journal.actions() == [life.action]
            assert journal.open_actions() == ([] if step == "confirm" else [life.action])
    journal.close()


def test_everything_of_an_action_is_kept(journal: Journal) -> None:
    one = action(
        grade="proved",
        urgency="high",
        capped=True,
        shadow=True,
        loss_wei=HUGE,
        grave=True,
        p=0.625,
        won=False,
        position=3,
        block=2**40,
        cost_wei=HUGE,
        attempt=4,
        max_fee_per_gas=HUGE,
        max_priority_fee_per_gas=0,
        gas_limit=2**24,
        nonce=0,
        tx_hash=hash_of("x"),
    )
    journal.begin(one, None)
    assert journal.actions() == [one]
    one.grade, one.urgency, one.capped, one.won = "likely", "critical", False, None
    one.grave, one.p, one.loss_wei = False, 1.0, None
    go(journal, one, INTENT, at=-1.5, cost_wei=HUGE, block=3)
    assert journal.actions() == [one]


def test_actions_are_told_apart_by_their_time_and_state(journal: Journal) -> None:
    old, new = begun(journal, 0), begun(journal, 1)
    assert journal.actions(since=new.created) == [new]
    assert journal.actions() == [old, new] == journal.open_actions()
    go(journal, old, ActionState.CANCELLED)
    assert journal.open_actions() == [new]
    assert journal.actions() == [old, new]


def test_a_clock_that_jumps_back_changes_no_order(journal: Journal) -> None:
    one = begun(journal)
    send(journal, one, 7, at=1000.0)
    go(journal, one, INCLUDED, at=1.0, block=2)
    assert journal.open_actions() == [one]
    go(journal, one, CONFIRMED, at=0.5)
    assert journal.open_actions() == []
    assert journal.actions() == [one]


def test_beginning_joining_and_recording_again_is_harmless(journal: Journal) -> None:
    one = begun(journal)
    journal.begin(one, SENDER)
    for transition in one.history:
        journal.record(one, transition)
    for _ in range(2):
        journal.join(one.action_id, hash_of("second"), OTHER)
    journal.join(one.action_id, one.threats[0], OTHER)
    one.threats = (*one.threats, hash_of("second"))
    assert journal.actions() == [one]
    assert journal.threats(one.action_id) == [(one.threats[0], SENDER), (one.threats[1], OTHER)]


def test_a_copy_made_at_each_change_is_recorded_as_well(journal: Journal) -> None:
    """The trigger hands over copies: the action goes on meanwhile."""
    one = action()
    copies = []
    for state in (INTENT, VERIFIED, SENT):
        transition = one.advance(state, 1.0, "because")
        copies.append((copy.deepcopy(one), transition))
    journal.begin(copies[0][0], SENDER)
    for then, transition in copies:
        journal.record(then, transition)
        assert journal.actions() == [then]


def test_changes_that_a_full_disk_swallowed_come_with_the_next(journal: Journal) -> None:
    one = begun(journal)
    bear(one, rung(7, "vault", 0))
    one.advance(SENT, 11.0, "not written", tx_hash=hash_of("x"))
    one.advance(SENT, 12.0, "not written either", tx_hash=hash_of("y"))
    go(journal, one, INCLUDED, block=4)
    assert journal.actions() == [one]


def test_two_histories_of_one_action_are_told(journal: Journal) -> None:
    one = begun(journal)
    twin = copy.deepcopy(one)
    go(journal, one, SENT, at=11.0)
    failed = twin.advance(ActionState.FAILED, 12.0, "elsewhere")
    with pytest.raises(JournalError, match="two histories of one action"):
        journal.record(twin, failed)
    assert journal.actions() == [one]


def test_an_id_is_one_actions(journal: Journal) -> None:
    begun(journal)
    with pytest.raises(JournalError, match="there is another action action-0 already"):
        journal.begin(action(target="pool"), SENDER)


def test_what_was_never_begun_has_no_changes_and_no_threats(journal: Journal) -> None:
    one = action()
    transition = one.advance(INTENT, 1.0, "because")
    with pytest.raises(JournalError, match="never begun"):
        journal.record(one, transition)
    with pytest.raises(JournalError, match="never begun"):
        journal.join("action-0", hash_of("x"), SENDER)
    with pytest.raises(JournalError, match="is no change of action"):
        journal.record(action(), transition)


def test_text_that_is_none_does_not_keep_a_change_from_being_written(journal: Journal) -> None:
    one = begun(journal)
    journal.record(one, one.advance(SENT, 1.0, "reverted: \ud800\0☂"))
    (found,) = journal.open_actions()
    assert found.state is SENT
    assert found.reason == "reverted: ?\0☂"


def test_a_nonce_knows_its_actions(journal: Journal) -> None:
    journal.arm([*ladder(7, "vault"), *ladder(8, "vault"), *ladder(7, "pool")])
    pause, pool, shadow = begun(journal, 0), begun(journal, 1, target="pool"), begun(journal, 2, shadow=True)
    send(journal, pause, 7)
    send(journal, pause, 8)
    send(journal, pool, 7)
    send(journal, shadow, 7)
    assert journal.by_nonce(GUARDIAN.upper().replace("0X", "0x"), 7) == [pause, pool]
    assert journal.by_nonce(GUARDIAN, 8) == [pause]
    assert journal.by_nonce(OTHER, 7) == []


# Money


def test_what_is_out_counts_at_its_worst_and_a_receipt_settles_it(journal: Journal) -> None:
    journal.arm(ladder(7, "vault"))
    one = begun(journal)
    assert journal.spent(0) == 0
    send(journal, one, 7, 0)
    assert journal.spent(0) == worst(7, 0)
    send(journal, one, 7, 2)
    assert journal.spent(0) == worst(7, 2)  # one of them is mined, not both
    go(journal, one, INCLUDED, 20.0, cost_wei=HUGE, block=4)
    assert journal.spent(0) == HUGE
    go(journal, one, SENT, 30.0)  # a reorg
    assert journal.spent(0) == worst(7, 2)
    go(journal, one, INCLUDED, 40.0, cost_wei=5, block=5)
    go(journal, one, CONFIRMED, 50.0)
    assert journal.spent(0) == 5
    assert journal.spent(40.0) == 5
    assert journal.spent(50.0) == 0  # the confirmation costs nothing more


def test_what_is_out_and_not_over_counts_however_old(journal: Journal) -> None:
    journal.arm(ladder(7, "vault"))
    one = begun(journal)
    send(journal, one, 7, 1, at=10.0)
    assert journal.spent(10**9) == worst(7, 1)
    go(journal, one, ActionState.FAILED, 20.0)
    assert journal.spent(10**9) == 0
    assert journal.spent(10.0) == worst(7, 1)  # nothing said what it cost


def test_each_nonce_of_an_action_counts(journal: Journal) -> None:
    journal.arm([*ladder(7, "vault"), *ladder(8, "vault")])
    one = begun(journal)
    send(journal, one, 7, 1)
    send(journal, one, 8, 2)
    assert journal.spent(0) == worst(7, 1) + worst(8, 2)
    # The receipt is of the first nonce's bytes, whatever the action bears by now.
    go(journal, one, INCLUDED, cost_wei=3, tx_hash=rung(7, "vault", 1).tx_hash)
    assert journal.spent(0) == 3 + worst(8, 2)


def test_a_cancellation_settles_the_nonce_it_took(journal: Journal) -> None:
    journal.arm([*ladder(7, "vault"), *ladder(7, "cancel")])
    pause, cancel = begun(journal, 0), begun(journal, 1, target="cancel", strategy="cancel")
    send(journal, pause, 7, 3)
    send(journal, cancel, 7, 0)
    assert journal.spent(0) == worst(7, 3)
    go(journal, cancel, INCLUDED, cost_wei=21, block=3)
    assert journal.spent(0) == 21
    go(journal, pause, SUPERSEDED, cost_wei=0)
    assert journal.spent(0) == 21


def test_an_end_that_cost_nothing_says_so(journal: Journal) -> None:
    journal.arm(ladder(7, "vault"))
    one = begun(journal)
    send(journal, one, 7, 1)
    go(journal, one, SUPERSEDED, cost_wei=0)
    assert journal.spent(0) == 0


def test_bytes_that_were_never_armed_count_as_the_action_has_them(journal: Journal) -> None:
    one = begun(journal)
    send(journal, one, 7, 1)
    assert journal.spent(0) == worst(7, 1)


def test_value_counts_and_a_shadow_does_not(journal: Journal) -> None:
    journal.arm([rung(7, "vault", 0, call=Call("0x" + "5f" * 20, b"", HUGE))])
    send(journal, begun(journal, 0), 7, 0)
    send(journal, begun(journal, 1, shadow=True), 8, 0)
    assert journal.spent(0) == worst(7, 0) + HUGE


# Marks


def test_marks_lead_to_bytes_that_nobody_recorded(journal: Journal) -> None:
    journal.arm(ladder(7, "vault"))
    marks = [(bytes.fromhex(hash_of(f"{GUARDIAN} 7 vault {n}")[2:]), 1.0) for n in (2, 0, 1, 2)]
    stranger = (bytes.fromhex(hash_of("stranger")[2:]), 1.0)
    one, shadow = begun(journal, 0), begun(journal, 1, shadow=True)
    send(journal, one, 7, 0)
    send(journal, shadow, 7, 2)  # which sent nothing
    assert journal.unrecorded([*marks, stranger]) == [rung(7, "vault", 2), rung(7, "vault", 1)]
    assert journal.unknown([*marks, stranger]) == [hash_of("stranger")]
    assert journal.unrecorded([]) == []


def test_a_whole_ring_of_marks_is_looked_up(journal: Journal) -> None:
    rungs = ladder(7, "vault", 1600)
    journal.arm(rungs)
    assert journal.unrecorded([(bytes.fromhex(one.tx_hash[2:]), 1.0) for one in rungs]) == rungs


# Sequences


def test_a_sequence_number_is_given_once(tmp_path: Path) -> None:
    given = []
    for _ in range(3):
        journal = open_journal(tmp_path)
        given += [
            journal.next_sequence("titan"),
            journal.next_sequence("titan"),
            journal.next_sequence("flashbots"),
        ]
        journal.close()
    assert given == [1, 2, 1, 3, 4, 2, 5, 6, 3]


# Answers, from another process


def test_a_human_answers_while_the_sensor_writes(journal: Journal) -> None:
    one = begun(journal)
    code = (
        "import sys\nfrom mempool_ids.defense.journal import Journal\n"
        "look = Journal.look(sys.argv[1])\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "for n in range(30): look.answer('action-0', n % 2 == 0, f'ann {n}')\n"
        "assert [one.action_id for one in look.open_actions()] == ['action-0']\n"
    )
    command = [sys.executable, "-c", code, str(journal.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as human:
        assert human.stdout is not None
        assert human.stdout.readline() == "ready\n"
        assert human.stdin is not None
        human.stdin.write("\n")
        human.stdin.flush()
        rounds = 0
        while human.poll() is None or rounds < 30:
            go(journal, one, SENT)
            rounds += 1
            time.sleep(0)
    assert human.returncode == 0
    said = journal.answers("action-0")
    assert [(answer.yes, answer.who) for answer in said] == [(n % 2 == 0, f"ann {n}") for n in range(30)]
    assert journal.open_actions() == [one]


def test_an_answer_waits_for_a_commit_instead_of_failing(journal: Journal) -> None:
    begun(journal)
    look = Journal.look(journal.path)
    answered = threading.Thread(target=look.answer, args=("action-0", True, "ann"))
    with journal._database.write():
        answered.start()
        # It cannot be through while the journal holds the database.
        answered.join(0.3)
        assert answered.is_alive()
    answered.join()
    look.close()
    (answer,) = journal.answers("action-0")
    assert answer.yes
    assert abs(answer.at - time.time()) < 60


def test_who_looks_sees_what_was_committed_and_cannot_arm(journal: Journal) -> None:
    look = Journal.look(journal.path)
    one = begun(journal)
    assert look.open_actions() == [one]
    assert look.chain_id == 1
    assert not isinstance(look, Journal)
    assert not {"arm", "begin", "record", "next_sequence", "prune"} & set(dir(Records))
    look.close()


def test_an_answer_to_what_does_not_wait_is_refused(journal: Journal) -> None:
    one = begun(journal)
    go(journal, one, ActionState.CANCELLED)
    with pytest.raises(JournalError, match="action-0 is over"):
        journal.answer("action-0", True, "ann")
    with pytest.raises(JournalError, match="has no action action-9"):
        journal.answer("action-9", True, "ann")
    assert journal.answers("action-0") == []


# On the disk


def test_a_commit_is_on_the_disk_when_it_returns(journal: Journal) -> None:
    with journal._database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL


# Append-only


def test_nothing_is_changed_or_deleted_by_anybody(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    life = Life(journal, None)
    for step in STEPS:
        life.play(step)
    journal.prune({GUARDIAN: 0, OTHER: 99}, time.time() + 9)
    connection = sqlite3.connect(journal.path)
    for table in metadata.tables.values():
        column = next(iter(table.columns)).name
        for statement in (f"UPDATE {table.name} SET {column} = {column}", f"DELETE FROM {table.name}"):
            if connection.execute(f"SELECT count(*) FROM {table.name}").fetchone() != (0,):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    connection.execute(statement)
    connection.close()
    journal.close()


def test_pruning_forgets_old_generations_whose_nonces_are_used(journal: Journal) -> None:
    later = time.time() + 60
    journal.arm([*ladder(7, "vault"), *ladder(8, "vault")])
    journal.arm(ladder(7, "pool"))
    journal.arm([rung(7, "vault", 50), rung(7, "vault", 51, guardian=OTHER)])
    one = begun(journal, target="pool")
    send(journal, one, 7, 1)
    assert journal.prune({GUARDIAN: 7}, later) == 0
    assert journal.prune({GUARDIAN: 8}, time.time() - 60) == 0  # young
    # Nonce 8 keeps the first generation, the other guardian the third; bytes that went out stay.
    assert journal.prune({GUARDIAN: 8}, later) == 3
    assert journal.armed(GUARDIAN, 7) == [*ladder(7, "vault"), rung(7, "pool", 1), rung(7, "vault", 50)]
    assert journal.prune({GUARDIAN: 9, OTHER: 8}, later) == 10
    assert journal.armed(GUARDIAN, 7) == [rung(7, "pool", 1)]
    assert journal.armed(GUARDIAN, 8) == []
    assert journal.actions() == [one]


def test_arming_a_hundred_contracts_is_one_commit(journal: Journal) -> None:
    rungs = [each for target in range(100) for each in ladder(7, f"c{target}", 16)]
    journal.arm(rungs)
    assert journal.armed(GUARDIAN, 7) == rungs


def forgotten(journal: Journal, marked: set[str], before: float) -> int:
    return journal.forget(journal.superseded(before, 99), marked, before)


def test_ladders_that_others_took_the_place_of_are_forgotten_once_they_are_old(tmp_path: Path) -> None:
    first, second, third = (
        [rung(7, "vault", number) for number in range(start, start + 4)] for start in (0, 10, 20)
    )
    apart = [
        rung(7, "vault", 30, rung=EXACT),
        rung(7, "vault", 31, rung=PAYMENT),
        rung(7, "", 32),
        rung(8, "vault", 33),
        rung(7, "pool", 34),
        rung(7, "vault", 35, guardian=OTHER),
    ]
    journal = open_journal(tmp_path)
    journal.arm([*first, *apart])
    journal.arm(second)
    journal.arm([*second[:2], *third[2:]])
    one = begun(journal)
    send(journal, one, 7, 1)
    marked = {first[2].tx_hash.lower()}
    assert forgotten(journal, marked, time.time() - 60) == 0  # young
    # Of the first, what an action names and what was marked stay; the others' last is loaded, or is being loaded.
    later = time.time() + 60
    assert forgotten(journal, marked, later) == 2
    assert journal.armed(GUARDIAN, 7) == [first[1], first[2], *apart[:3], apart[4], *second, *third[2:]]
    assert journal.armed(GUARDIAN, 8) == [apart[3]]
    assert journal.armed(OTHER, 7) == [apart[5]]
    # The base fee comes back: the bytes of before are loaded again, and newer ones are not.
    journal.arm(second)
    journal.arm(first)
    journal.arm(second)
    assert forgotten(journal, marked, later) == 2
    assert journal.armed(GUARDIAN, 7) == [
        first[1],
        first[2],
        *apart[:3],
        apart[4],
        *second,
        first[0],
        first[3],
    ]
    journal.close()
    # After a restart nothing is loaded yet; the last ladder stays, or what of it is new.
    journal = open_journal(tmp_path)
    assert forgotten(journal, marked, later) == 4
    assert journal.armed(GUARDIAN, 7) == [first[1], first[2], *apart[:3], apart[4], first[0], first[3]]
    journal.arm(second)
    assert journal.armed(GUARDIAN, 7)[-4:] == second
    assert journal.actions() == [one]
    journal.close()
