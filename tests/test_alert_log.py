"""An alert as people read it in the log."""

from mempool_ids.sinks.log import describe
from tests.support import SENDER, VAULT, alert


def test_an_alert_says_in_one_line_what_where_and_why() -> None:
    hash_ = f"0x{1:064x}"
    start = f"HIGH 0.875 {hash_} {SENDER} → {VAULT} [Vault] withdraw(uint256)"
    assert describe(alert(1)) == f"{start} (n)"
    broken = [
        {"name": name, "contract": "Vault", "weight": 0.9, "severe": False, "explanation": "…"}
        for name in ("outflow", "reentrancy")
    ]
    simulated = alert(1, simulation={"status": "done", "invariants": broken})
    assert describe(simulated) == f"{start} (n; breaks outflow of Vault; breaks reentrancy of Vault)"
    failed = {"status": "failed", "failure": "state", "reason": "connection lost"}
    assert describe(alert(1, simulation=failed)) == f"{start} (n; not simulated: connection lost)"
