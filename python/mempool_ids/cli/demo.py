"""`mempool-ids demo`: two attacks on a local chain, seen and stopped before they are mined."""

from pathlib import Path
from typing import Annotated

import typer

from mempool_ids.cli.options import Json


def demo(
    watch_only: Annotated[
        bool, typer.Option("--watch-only", help="Only alerts: the vaults are emptied, for comparison.")
    ] = False,
    runs: Annotated[int, typer.Option(help="How often.", min=1)] = 1,
    block_time: Annotated[int, typer.Option(help="Seconds between blocks.", min=1)] = 6,
    seed: Annotated[int | None, typer.Option(help="Makes users and attacker the same every time.")] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="New folder for the captures, configurations, event logs and journals.", file_okay=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Plays two attacks on a real local chain (anvil): alert and pause come before each, and nothing is lost.

    A vault with a reentrancy hole, honest users, a guardian that may pause it. In the first act an attack waits in the
    public pool, and its sender bids again once it sees the pause. In the second the attack is never seen pending: it
    comes by private order flow. But its contract is seen when it is deployed, by an account that a listed mixer paid:
    it is scored, and called before anybody else calls it, which proves the attack.

    Exit code 0 says that the first alert came before the attack's block and the second one's before the contract's
    first call, that no honest user raised one or was stopped before, and that each pause was mined before its attack,
    which took nothing.

    Active defense needs `pip install 'mempool-ids[defense]'`; `--watch-only` does without, and shows what happens to
    vaults that nobody defends: there, exit code 0 says that the alerts came first.

    **Examples**

        mempool-ids demo

        mempool-ids demo --watch-only

        mempool-ids demo --runs 10 --block-time 2 --json
    """
    from mempool_ids.demo.command import run

    raise typer.Exit(
        run(runs=runs, block_time=block_time, seed=seed, keep=keep, as_json=json, watch_only=watch_only)
    )
