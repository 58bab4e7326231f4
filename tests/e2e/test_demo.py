"""The demo passes: the alert precedes the block with the attack, and no honest user raises one."""

from __future__ import annotations

import json

from tests.e2e.harness import run


def test_the_alert_precedes_inclusion_and_honest_users_raise_none() -> None:
    done = run("demo", "--json", "--block-time", "3", timeout=55)
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = json.loads(done.stdout)["results"]
    assert result["passed"]
    assert result["pending_when_alerted"]
    assert result["alert"]["tx"]["hash"] == result["attack_tx"]
    assert result["alert"]["contracts"] == ["Vault"]
    assert result["alert_to_inclusion_ms"] > 0
    assert int(result["vault_after"]) < int(result["vault_before"]) // 5
    assert result["honest_transactions"] > 10
    assert result["false_alerts"] == []
