"""Alerts, responses and alarms as people read them in the log."""

import logging
from typing import Any

import pytest

from mempool_ids.records.events import ALARM, anomaly_event
from mempool_ids.sinks.log import LogSink, describe, describe_response
from tests.responses import encode, response
from tests.support import SENDER, VAULT, alert


def test_an_alert_says_in_one_line_what_where_and_why() -> None:
    hash_ = f"0x{1:064x}"
    start = f"likely, HIGH 0.875 {hash_} {SENDER} → {VAULT} [Vault] withdraw(uint256)"
    assert describe(alert(1)) == f"{start} (n)"
    broken = [
        {"name": name, "contract": "Vault", "weight": 0.9, "severe": False, "explanation": "…"}
        for name in ("outflow", "reentrancy")
    ]
    simulated = alert(1, simulation={"status": "done", "invariants": broken})
    assert describe(simulated) == f"{start} (n; breaks outflow of Vault; breaks reentrancy of Vault)"
    failed = {"status": "failed", "failure": "state", "reason": "connection lost"}
    assert describe(alert(1, simulation=failed)) == f"{start} (n; not simulated: connection lost)"


THREAT, OWN = f"0x{1:064x}", f"0x{0xF00:064x}"
PLACE = {"block": 17, "position": 0, "won": True, "cost_wei": "750000000000001"}
AGAINST = f"against {THREAT}: outflow of all it has"


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"state": "intent", "tx_hash": None}, "WARNING", f"pause of Vault is wanted {AGAINST}"),
        (
            {"state": "sent"},
            "INFO",
            f"pause of Vault is sent [{OWN}, tip 12.5 of at most 80 gwei a gas] {AGAINST}",
        ),
        (
            {"state": "sent", "capped": True, "attempt": 2},
            "WARNING",
            (
                f"pause of Vault is sent (attempt 2) [{OWN}, tip 12.5 of at most 80 gwei a gas, "
                f"bid cut short by the caps] {AGAINST}"
            ),
        ),
        (
            {"state": "included", **PLACE, "capped": True},
            "INFO",
            (
                f"pause of Vault is in a block [{OWN}, block 17, position 0, before the attack, "
                f"paid 0.000750000000000001 ether] {AGAINST}"
            ),
        ),
        (
            {"state": "included", **PLACE, "won": False},
            "WARNING",
            (
                f"pause of Vault is in a block [{OWN}, block 17, position 0, AFTER the attack, "
                f"paid 0.000750000000000001 ether] {AGAINST}"
            ),
        ),
        (
            {"state": "sent", "shadow": True, "threats": [THREAT, OWN, VAULT]},
            "INFO",
            (
                f"pause of Vault would be sent [{OWN}, tip 12.5 of at most 80 gwei a gas] "
                f"against {THREAT} and 2 more: outflow of all it has"
            ),
        ),
        ({"state": "confirmed"}, "INFO", f"pause of Vault is done [{OWN}] {AGAINST}"),
        (
            {"state": "superseded", "reason": "somebody else paused it"},
            "WARNING",
            f"pause of Vault was forestalled [{OWN}] against {THREAT}: somebody else paused it",
        ),
        (
            {"state": "failed", "tx_hash": None, "threats": [], "reason": "no funds"},
            "WARNING",
            "pause of Vault failed: no funds",
        ),
        (
            {"state": "cancelled", "tx_hash": None, "reason": "its cause is gone"},
            "INFO",
            f"pause of Vault is cancelled against {THREAT}: its cause is gone",
        ),
    ],
)
def test_a_change_of_a_response_is_one_line_in_words(
    caplog: pytest.LogCaptureFixture, changes: dict[str, Any], level: str, words: str
) -> None:
    caplog.set_level("INFO")
    event = response(0, **changes)
    assert describe_response(event) == words
    LogSink().write([encode(event)])
    (message,) = caplog.records
    assert (message.levelname, message.getMessage()) == (level, words)


def test_an_alarm_of_the_defense_is_a_warning_and_other_anomalies_are_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    alarm = anomaly_event("test", 1, ALARM, "balance", "covers 2 actions")
    LogSink().write([alarm, anomaly_event("test", 1, "node_error", "ws://n", "no answer")])
    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [
        (logging.WARNING, "anomaly defense from balance: covers 2 actions"),
        (logging.INFO, "anomaly node_error from ws://n: no answer"),
    ]
