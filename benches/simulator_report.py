"""What the report says of the simulator."""

from typing import Any

NODES = ("geth debug_traceCall", "geth eth_simulateV1", "anvil debug_traceCall", "anvil eth_simulateV1")

STAGES = {
    "revm alone": "revm_alone",
    "revm with the recorder": "revm_with_recorder",
    "execution: the same with the diff": "execute_with_diff",
    "flows: transfers and their sums": "flows",
    "total": "total",
}

QUANTILES = ("p50", "p90", "p99", "p99.9", "max")

_PAUSE = ("without_us", "with_us", "added_us")


def targets(found: dict[str, Any]) -> list[tuple[str, float, str, bool]]:
    """Rows of the report's targets: what, measured, goal, reached."""
    if not found["own"]:
        return []
    total = found["own"]["us"]["total"]["all"]
    rows = [
        ("simulation with warm state, p50, µs", total["p50"], "< 5,000", total["p50"] < 5_000),
        ("simulation with warm state, p99, µs", total["p99"], "< 60,000", total["p99"] < 60_000),
    ]
    for name in NODES:
        if peer := found["peers"].get(name):
            ratio = peer["ratio"]["p50"]
            what = f"simulation, {name} as a multiple of ours on the same transaction, median"
            rows.append((what, ratio, "≥ 10", ratio >= 10))
    added = max(attack["added_us"]["p99"] for attack in found["own"]["pause"])
    what = "what [pause, attack] adds to a warm simulation, p99 of the worst attack, µs"
    return [*rows, (what, added, "< 1,000", added < 1_000)]


def section(found: dict[str, Any]) -> list[str]:
    own = found["own"]
    lines = ["", "## Simulator", ""]
    if not own:
        return [*lines, "Not measured: the recorded blocks were not there."]
    left_out = own["blocks_recorded"] - own["blocks"]
    lines += [
        (
            f"{own['transactions']:,} transactions of {own['blocks']} blocks of mainnet, 2015 to 2024, each on what "
            "the former ones of its block left; each block used the gas that it used there. "
            f"{left_out} blocks are left out: their record lacks code or a block's hash. The state is at hand. One "
            f"core does {own['tx_per_second']:,.0f} tx/s, {own['megagas_per_second']:,.0f} million gas a second. "
            f"Steal meanwhile: {own['stolen_percent'] or 0:.1f} %; Keccak {own['keccak_mb_per_second']:,.0f} MB/s."
        ),
        "",
        "| µs a transaction | mean | " + " | ".join(QUANTILES) + " |",
        "|---|---:|" + "---:|" * len(QUANTILES),
    ]
    for name, key in STAGES.items():
        lines.append(_row(name, own["us"][key]["all"]))
    with_code = own["us"]["total"]["with_code"]
    lines.append(
        _row(f"total, the {with_code['count'] // own['rounds']:,} of more than 21,000 gas", with_code)
    )
    return lines + _pause(own["pause"]) + _peers(found["peers"])


def _pause(attacks: list[dict[str, Any]]) -> list[str]:
    lines = [
        "",
        (
            "What the question whether a pause would help adds to an attack's simulation: the demo's vault, entered "
            "as often as said; copyable: somebody else's copy of the attack is simulated, too. Each answer is checked."
        ),
        "",
        "| entries | copyable | gas | without, p50 / p99 µs | with, p50 / p99 µs | added, p50 / p99 µs |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for attack in attacks:
        cells = (f"{attack[key]['p50']:,.0f} / {attack[key]['p99']:,.0f}" for key in _PAUSE)
        copyable = "yes" if attack["copyable"] else "no"
        lines.append(f"| {attack['entries']} | {copyable} | {attack['gas']:,} | {' | '.join(cells)} |")
    return lines


def _row(name: str, figures: dict[str, float]) -> str:
    cells = " | ".join(f"{figures[q]:,.1f}" for q in ("mean", *QUANTILES))
    return f"| {name} | {cells} |"


def _peers(peers: dict[str, Any]) -> list[str]:
    if not peers:
        return ["", "Peers were not at hand."]
    lines = [
        "",
        (
            "Beside others, on the state before the block, each transaction alone: µs from a request over a kept "
            "connection on loopback to its answer (py-evm: of the execution, in its process), medians of repeated "
            "calls; only where gas is equal, so that the work is. Empty: a request for the chain's id."
        ),
        "",
        (
            "| peer | compared | other gas | refused | empty | peer p50 / p99 | here p50 / p99 "
            "| ratio p10 / p50 / p90 | ≥ 10 × |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, peer in peers.items():
        theirs, ours, ratio = peer["us"], peer["ours_us"], peer["ratio"]
        lines.append(
            f"| {name} | {peer['transactions']:,} | {peer['other_gas']:,} | {peer['refused']:,} "
            f"| {peer['floor_us']:,.0f} | {theirs['p50']:,.0f} / {theirs['p99']:,.0f} "
            f"| {ours['p50']:,.0f} / {ours['p99']:,.0f} "
            f"| {ratio['p10']:,.1f} / {ratio['p50']:,.1f} / {ratio['p90']:,.1f} | {peer['tenfold_share']:.0%} |"
        )
    return [
        *lines,
        "",
        (
            "anvil is revm, too: what differs there is the way to it. `eth_simulateV1` cannot be given the block's "
            "number, and code that reads it does other work; py-evm checks nonces, and refuses a sender's second."
        ),
    ]
