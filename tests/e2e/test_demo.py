"""The demo passes: alert and pause precede both attacks, nothing is lost, and no honest user is alarmed or stopped."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.e2e.harness import COMMAND, alerts, parse, read_events, run


def only_result(stdout: str) -> dict[str, Any]:
    (result,) = json.loads(stdout)["results"]
    assert isinstance(result, dict)
    return result


@pytest.mark.timeout(240)
def test_the_pause_is_mined_before_the_attack_and_nothing_is_lost(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    done = run("demo", "--json", "--block-time", "3", "--keep", kept, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    summary, result = json.loads(done.stdout), only_result(done.stdout)
    assert summary["defense"]["won"] == 1
    assert summary["defense"]["lost_wei"] == "0"
    assert result["passed"]
    assert result["pending_when_alerted"]
    assert result["alert"]["tx"]["hash"] == result["attack_txs"][0]
    assert result["alert"]["grade"] == "proved"

    defense = result["defense"]
    assert defense["state"] == "confirmed"
    assert defense["won"]
    assert defense["paused"]
    assert (defense["block"], defense["position"]) < (result["block"], result["position"])
    assert not result["drained"], "the attack reverted"
    assert int(result["vault_after"]) == int(result["vault_before"]) > 0
    assert int(result["at_stake_wei"]) > int(result["vault_before"]) // 2
    assert int(defense["cost_wei"]) < int(result["at_stake_wei"]) // 1_000
    assert all(us > 0 for us in defense["alert_to_wire_us"])
    assert result["honest_transactions"] > 10
    assert result["false_alerts"] == []
    assert result["stopped"] == []

    # The attacker raised its bid once, and was answered once: nothing else was bid, and nobody was alarmed.
    assert result["attack_tx"] == result["attack_txs"][-1]
    assert len(result["attack_txs"]) == 2
    assert len(defense["tips"]) == len(defense["alert_to_wire_us"]) == 2
    assert int(defense["tips"][1]) > int(defense["tips"][0])
    assert defense["alarms"] == []
    assert [entry["who"] for entry in result["order"][:2]] == ["guardian", "attacker"]
    moments = [moment["us"] for moment in result["timeline"]]
    assert moments == sorted(moments)
    assert moments[0] == 0

    replays_without_an_answer(kept)
    foreseen(result["early"], kept / "early")


def foreseen(early: dict[str, Any], kept: Path) -> None:
    """The second act: proved and paused before the first call, which nobody saw pending."""
    assert early["passed"]
    assert early["foreseen"]
    assert early["score"] > 0.5
    assert (early["service"], early["funded_wei"]) == ("Demo mixer", str(20 * 10**18))
    assert early["alert"]["early"]["reason"] == "proof"
    assert early["alert"]["tx"]["hash"] == early["creation_tx"]
    assert "as its deployer takes" in early["proof"]
    # One block at least lies between the contract and its first call.
    assert early["alert_to_first_call_ms"] > 3_000

    defense = early["defense"]
    assert defense["state"] == "confirmed"
    assert defense["paused"]
    assert early["created_block"] <= defense["block"] < early["block"]
    assert not early["drained"], "the attack reverted"
    assert int(early["vault_after"]) == int(early["vault_before"]) > 0
    assert int(early["at_stake_wei"]) > int(early["vault_before"]) // 2
    assert early["lost_wei"] == "0"
    assert early["false_alerts"] == []
    assert early["stopped"] == []
    moments = [moment["us"] for moment in early["timeline"]]
    assert moments == sorted(moments)

    # The sensor's own capture is the witness: of what was pending it has all but the attack.
    seen = captured(kept / "capture")
    assert {early["creation_tx"], defense["pause_tx"]} <= seen
    assert early["attack_tx"] not in seen
    assert early["is_private"]


def captured(folder: Path) -> set[str]:
    """Hashes of the pending transactions in a capture."""
    files = [path for path in folder.glob("*.parquet") if not path.name.endswith(".context.parquet")]
    return {
        tx_hash for path in files for tx_hash in pq.read_table(path, columns=["hash"])["hash"].to_pylist()
    }


def replays_without_an_answer(kept: Path) -> None:
    """What was kept is judged again as it was judged live; a replay sends nothing and asks for no key."""
    journal = kept / "defense.db"
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    before = {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()}
    done = run("replay", kept / "capture", "-c", kept / "ids.toml")
    assert done.returncode == 0, done.stderr
    live, again = alerts(read_events(kept / "events.jsonl")), alerts(parse(done.stdout.encode()))
    assert [essence(alert) for alert in again] == [essence(alert) for alert in live]
    assert all(alert["response"]["action_id"] is None for alert in again)
    assert {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()} == before
    report = run("defend", "report", "-c", kept / "ids.toml")
    assert report.returncode == 0, report.stderr
    assert "1 of 1 came first" in report.stdout


def essence(alert: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on when it was judged, or on an answer."""
    return {
        name: alert[name] for name in ("alert_id", "score", "grade", "simulation", "victims", "contracts")
    }


@pytest.mark.timeout(240)
def test_watched_only_the_alert_precedes_the_block_and_the_vault_is_emptied() -> None:
    done = run("demo", "--watch-only", "--json", "--block-time", "3", timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["defense"] is None
    result = only_result(done.stdout)
    assert result["passed"]
    assert result["pending_when_alerted"]
    assert result["defense"] is None
    assert result["attack_txs"] == [result["attack_tx"]]
    assert result["alert"]["tx"]["hash"] == result["attack_tx"]
    assert result["alert"]["contracts"] == ["Vault"]
    assert result["alert_to_inclusion_ms"] > 0
    assert int(result["vault_after"]) < int(result["vault_before"]) // 5
    assert int(result["lost_wei"]) > int(result["vault_before"]) // 2
    assert result["honest_transactions"] > 10
    assert result["false_alerts"] == []

    early = result["early"]
    assert early["passed"]
    assert early["defense"] is None
    assert early["drained"], "nobody stops it"
    assert early["alert_to_first_call_ms"] > 3_000
    assert early["is_private"]
    assert int(early["lost_wei"]) > int(early["vault_before"]) // 2


@pytest.mark.timeout(240)
def test_told_on_a_narrow_terminal_the_story_is_in_its_order() -> None:
    done = subprocess.run(
        [COMMAND, "demo", "--block-time", "2"],
        capture_output=True,
        text=True,
        timeout=180,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "44", "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    in_order = [
        "attacker deploys a contract",
        "attacker calls attack()",
        "ALERT CRITICAL",
        "defense wants to pause Vault",
        "defense verified",
        "defense sends pause()",
        "attacker sees the pause in the pool",
        "defense answers by a pause()",
        "defense included",
        "defense confirmed",
        "the race",
        "stopped before it happened",
        "act two",
        "attacker has a mixer pay 20 ETH",
        "attacker deploys a contract from there",
        "ALERT CRITICAL, proved",
        "attacker sends attack() with 10 ETH straight",
        "REVERTS",
        "before the first call",
        "stopped before its first call",
        "mempool-ids demo --watch-only",
    ]
    at = 0
    for words in in_order:
        at = told.index(words, at)
    drawn = [line for line in told.splitlines() if line.startswith(("│", "╭", "╰"))]
    assert drawn
    assert all(len(line) == 44 for line in drawn)
