"""`mempool-ids demo`: an attack on a local chain, seen and stopped before it is mined."""

from pathlib import Path
from typing import Annotated

import typer

from mempool_ids.cli.options import Json


def demo(
    watch_only: Annotated[
        bool, typer.Option("--watch-only", help="Only alerts: the vault is emptied, for comparison.")
    ] = False,
    runs: Annotated[int, typer.Option(help="How often.", min=1)] = 1,
    block_time: Annotated[int, typer.Option(help="Seconds between blocks.", min=1)] = 6,
    seed: Annotated[int | None, typer.Option(help="Makes users and attacker the same every time.")] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="New folder for the capture, configuration, event log and journal.", file_okay=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Plays an attack on a real local chain (anvil): the alert and a pause come before it, and nothing is lost.

    A vault with a reentrancy hole, honest users, a guardian that may pause it, then an attacker who bids again once it
    sees the pause. Exit code 0 says that the alert came before the attack's block, that no honest user raised one or
    was stopped before, and that the pause was mined before the attack, which took nothing.

    Active defense needs `pip install 'mempool-ids[defense]'`; `--watch-only` does without, and shows what happens to a
    vault that nobody defends: there, exit code 0 says that the alert came first.

    **Examples**

        mempool-ids demo

        mempool-ids demo --watch-only

        mempool-ids demo --runs 10 --block-time 2 --json
    """
    from mempool_ids.demo.command import run

    raise typer.Exit(
        run(runs=runs, block_time=block_time, seed=seed, keep=keep, as_json=json, watch_only=watch_only)
    )
