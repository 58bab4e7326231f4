"""`mempool-ids labels`: lists of attackers are taken whole or not at all, and of others only from who is trusted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mempool_ids.cli import main
from mempool_ids.config import Secret
from mempool_ids.early.labels import Book, Bundle, Label, Labels, LabelsError, read
from mempool_ids.early.labels.bundle import FORMAT, MAX_BYTES, sign
from tests.defense.keys import ADDRESS, KEY, OTHER, OTHER_KEY
from tests.support import labelled_data

pytest.importorskip("coincurve", reason="signing needs mempool-ids[defense]")

from mempool_ids.defense.broadcast.bundle import Identity

EULER = "0xB2698C2D99aD2c302a95A8DB26B08D17a77cedd4"
OTHERS = ["0x" + f"{n:02x}" * 20 for n in range(1, 9)]
TABLE = f"address,role,incident,date,chain\n{EULER.lower()},attacker,Euler,3/13/2023,Mainnet\n"


def signer(monkeypatch: pytest.MonkeyPatch, key: str = KEY) -> Identity:
    monkeypatch.setenv("LABEL_KEY", key)
    return Identity.load(Secret("env:LABEL_KEY"), ())


def labels(*addresses: str) -> list[Label]:
    return [Label.model_validate({"entity": one, "label": "attacker"}) for one in addresses]


def known(book: Book) -> dict[str, list[str]]:
    return {origin: [label.entity.lower() for label in told] for origin, told in book.lists().items()}


def update(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["labels", *map(str, arguments)])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_a_table_becomes_labels_with_checksummed_addresses(tmp_path: Path) -> None:
    change = Book(tmp_path).update(TABLE.encode())
    expected = {
        "id": f"attacker:{EULER.lower()}",
        "entity": EULER,
        "entityType": "ADDRESS",
        "label": "attacker",
        "confidence": 0.9,
        "metadata": {"incident": "Euler", "date": "3/13/2023", "chain": "Mainnet"},
        "remove": False,
    }
    assert [label.model_dump() for label in change.new] == [expected]
    assert [label for _, label in Book(tmp_path).of(EULER)] == list(change.new)


def test_a_list_takes_the_place_of_the_last_and_says_what_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = tmp_path / "list.csv", tmp_path / "labels"
    at = ("--set", f"early.labels={folder}")
    file.write_text(
        f"address,role,incident\n{OTHERS[0]},attacker,A\n{OTHERS[1]},eoa,B\n{OTHERS[2]},attack_contract,C\n"
    )
    assert update("update", file, *at) == 0
    assert "own: 3 labels; 3 new, 0 changed, 0 removed, 0 unreadable" in capsys.readouterr().err
    file.write_text(
        f"address,role,incident\n{OTHERS[0]},attacker,A\n{OTHERS[1]},eoa,changed\n{OTHERS[3]},attacker,D\n"
        f"0x12,attacker,E\n{OTHERS[4]},king,F\n{OTHERS[5]},attacker,G,too much\n"
    )
    assert update("update", file, *at) == 0
    said = capsys.readouterr()
    assert "own: 3 labels; 1 new, 1 changed, 1 removed, 3 unreadable" in said.err
    assert f"{file}:5: left out: entity: an address is 0x and 40" in said.err
    assert f"{file}:6: left out: role: one of" in said.err
    assert f"{file}:7: left out: more fields" in said.err
    assert f"new {OTHERS[3]} attacker D" in said.out.lower().replace(" d", " D")
    assert known(Book(folder)) == {"own": [OTHERS[0], OTHERS[1], OTHERS[3]]}
    assert update("update", file, *at, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kept"], told["new"], [one["line"] for one in told["unreadable"]]) == (3, [], [5, 6, 7])


def test_json_and_json_lines_are_read_and_what_is_refuted_is_removed(tmp_path: Path) -> None:
    book = Book(tmp_path)
    first = [{"entity": one, "label": "contract", "confidence": 1, "id": one} for one in OTHERS[:3]]
    assert book.update(json.dumps(first).encode()).kept == 3
    lines = [*first, {"id": OTHERS[1], "entity": OTHERS[1], "label": "contract", "remove": True}]
    change = book.update("\n".join(map(json.dumps, lines)).encode())
    assert [label.entity for label in change.removed] == [OTHERS[1]]
    assert known(book) == {"own": [OTHERS[0], OTHERS[2]]}


@pytest.mark.parametrize(
    "raw", [b"nonsense", b"[1, 2]", b"{}", b"\xff\xfe", b"[", b"address,role\n0x1,attacker\n"]
)
def test_a_list_of_which_nothing_can_be_read_changes_nothing(tmp_path: Path, raw: bytes) -> None:
    book = Book(tmp_path)
    book.update(TABLE.encode())
    with pytest.raises(LabelsError):
        book.update(raw)
    assert known(book) == {"own": [EULER.lower()]}


def test_what_one_sensor_signs_another_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABEL_KEY", KEY)
    table, bundle = tmp_path / "list.csv", tmp_path / "bundle.json"
    table.write_text(TABLE)
    ours = ("--set", f"early.labels={tmp_path / 'ours'}", "--set", "early.label_key=env:LABEL_KEY")
    assert update("export", "-o", bundle, *ours) == 2
    assert update("update", table, *ours) == 0
    capsys.readouterr()
    assert update("export", "-o", bundle, *ours) == 0
    assert capsys.readouterr().out.strip() == ADDRESS
    theirs = ("--set", f"early.labels={tmp_path / 'theirs'}", "--set", f"early.signers={ADDRESS}")
    assert update("update", bundle, *theirs) == 0
    assert known(Book(tmp_path / "theirs")) == {ADDRESS: [EULER.lower()]}
    # Where somebody is trusted, nothing unsigned is taken; a file can be signed as it is.
    assert update("update", table, *theirs) == 2
    assert update("export", table, "-o", bundle, *ours) == 0
    assert update("update", bundle, *theirs) == 0
    assert KEY not in bundle.read_text()


def test_who_is_not_trusted_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = sign(labels(EULER), signer(monkeypatch, OTHER_KEY))
    for trusted in ((), (ADDRESS,)):
        with pytest.raises(LabelsError, match=OTHER):
            Book(tmp_path, trusted).update(raw)
    assert known(Book(tmp_path)) == {}


def test_an_older_list_does_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity, book, now = signer(monkeypatch), Book(tmp_path, (ADDRESS,)), datetime.now(UTC)
    newer = sign(labels(*OTHERS[:2]), identity, now)
    assert book.update(newer).kept == 2
    with pytest.raises(LabelsError, match="older than what is there"):
        book.update(sign(labels(OTHERS[0]), identity, now - timedelta(seconds=1)))
    assert book.update(newer).new == ()
    # Another one of the same moment is none.
    assert book.update(sign(labels(OTHERS[5]), identity, now)).kept == 2
    assert known(book) == {ADDRESS: OTHERS[:2]}


def test_what_was_altered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = json.loads(sign(labels(EULER), signer(monkeypatch)))
    payload, signature = raw["payload"], raw["signature"]
    s = int(signature[-66:-2], 16)
    altered: list[dict[str, Any]] = [
        {"payload": payload.replace("attacker", "contract"), "signature": signature},
        {"payload": payload, "signature": signature.replace(ADDRESS, OTHER)},
        {"payload": payload, "signature": signature[:-2]},
        {"payload": payload, "signature": f"{signature[:-2]}{55 - int(signature[-2:], 16):02x}"},
        {"payload": payload, "signature": f"{signature[:-66]}{s ^ 1:064x}{signature[-2:]}"},
        {"payload": payload, "signature": None},
        {"payload": json.loads(payload), "signature": signature},
        {"payload": payload},
        {**raw, "labels": []},
    ]
    for wrong in altered:
        with pytest.raises(LabelsError):
            Book(tmp_path, (ADDRESS, OTHER)).update(json.dumps(wrong).encode())
    assert not list(tmp_path.glob("*.jsonl"))


@pytest.mark.parametrize(
    "payload",
    [
        "not JSON",
        "[]",
        json.dumps({"format": FORMAT}),
        json.dumps({"format": "another", "sequence": 1, "issued": "2026-01-01T00:00:00+00:00", "labels": []}),
        json.dumps({"format": FORMAT, "sequence": True, "issued": "2026-01-01T00:00:00+00:00", "labels": []}),
        json.dumps(
            {"format": FORMAT, "sequence": 2**63, "issued": "2026-01-01T00:00:00+00:00", "labels": []}
        ),
        json.dumps({"format": FORMAT, "sequence": 1, "issued": "2026-01-01T00:00:00", "labels": []}),
        json.dumps({"format": FORMAT, "sequence": 1, "issued": "2026-01-01T00:00:00+00:00", "labels": 1}),
    ],
)
def test_another_text_that_the_key_signed_is_no_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, payload: str
) -> None:
    raw = json.dumps({"payload": payload, "signature": signer(monkeypatch).header(payload.encode())})
    with pytest.raises(LabelsError, match="no list of labels"):
        Book(tmp_path, (ADDRESS,)).update(raw.encode())


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    with file.open("wb") as opened:
        opened.truncate(MAX_BYTES + 1)
    assert update("update", file, "--set", f"early.labels={tmp_path / 'labels'}") == 2
    assert not (tmp_path / "labels").exists()


def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text("half of a li")
    with pytest.raises(LabelsError, match=r"own\.jsonl is damaged"):
        Book(tmp_path).lists()


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_have_an_answer(raw: bytes) -> None:
    try:
        bundle = Bundle.read(raw)
        found = read(raw.decode()) if bundle is None else Labels()
    except (LabelsError, UnicodeDecodeError):
        return
    assert len(found.by_id) + len(found.unreadable) <= raw.count(b"\n") + raw.count(b"\r") + len(raw) // 2 + 1


def test_the_public_list_of_past_attackers_is_read(tmp_path: Path) -> None:
    file = labelled_data() / "labels" / "past_attackers.csv"
    if not file.exists():
        pytest.skip(f"no {file}: set MEMPOOL_IDS_DATA")
    change = Book(tmp_path).update(file.read_bytes())
    assert change.unreadable == ()
    assert change.kept > 500
    assert {label.label for label in change.new} == {"attacker", "contract"}
