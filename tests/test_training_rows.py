"""What a row says of its label and its time is understood, or refused by name."""

from datetime import UTC, date, datetime

import pytest

from mempool_ids.model.training import rows

NEW_YEAR_2023 = 1_672_531_200.0


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2023", "2023-01-01"),
        (2023, "2023-01-01"),
        ("2023-05", "2023-05-01"),
        ("2023/5", "2023-05-01"),
        ("2023-03-13", "2023-03-13"),
        ("2023/3/13", "2023-03-13"),
        (date(2023, 3, 13), "2023-03-13"),
        (datetime(2023, 3, 13, 17, 30, tzinfo=UTC), "2023-03-13"),
    ],
)
def test_a_date_without_a_day_or_month_is_its_first(written, meant):
    assert rows.midnight(written) == datetime.fromisoformat(f"{meant}T00:00:00+00:00").timestamp()


@pytest.mark.parametrize(
    "written",
    ["", "23", "2023-13", "2023-02-30", "13.3.2023", "May 2023", "2023-05-01x", "0000", "2023-", -1],
)
def test_a_date_that_is_none_is_refused_with_its_value(written):
    with pytest.raises(ValueError, match=r"date .* is none of 2023-03-13") as raised:
        rows.midnight(written)
    assert repr(written) in str(raised.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1_672_531_200, NEW_YEAR_2023),
        ("1672531200", NEW_YEAR_2023),
        (datetime(2023, 1, 1), NEW_YEAR_2023),  # noqa: DTZ001  (as Parquet gives it)
        (datetime(2023, 1, 1, tzinfo=UTC), NEW_YEAR_2023),
        (float("nan"), None),
        (None, None),
    ],
)
def test_a_timestamp_is_unix_seconds(written, meant):
    assert rows.seconds(written) == meant


def test_a_timestamp_that_is_none_is_refused_with_its_value():
    with pytest.raises(ValueError, match="timestamp 'yesterday' is not in Unix seconds"):
        rows.seconds("yesterday")


@pytest.mark.parametrize("label", ["Benign", "attack", "", 0, 1, True, ["benign"], None])
def test_what_is_neither_exploit_nor_benign_is_not_benign(label):
    with pytest.raises(ValueError, match="exploit"):
        rows.read_row({"label": label}, "a:1")


def test_a_row_stands_with_its_incident_or_block_else_alone():
    def group(**fields):
        return rows.group({"place": "a:1", "chain": "eth", **fields})

    assert group(label="exploit", incident="Vault", hash="0x1") == "incident Vault"
    assert group(label="exploit", hash="0x1") == "incident 0x1"
    assert group(label="exploit") == "incident a:1"
    assert group(label="benign", block=0) == "eth block 0"
    assert group(label="benign", block=None, hash="0x1") == "transaction 0x1"
    assert group(label="benign") == "transaction a:1"
