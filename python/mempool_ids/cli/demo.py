"""`mempool-ids demo`: an attack on a local chain, seen before it is mined."""

from pathlib import Path
from typing import Annotated

import typer

from mempool_ids.cli.options import Json


def demo(
    runs: Annotated[int, typer.Option(help="How often.", min=1)] = 1,
    block_time: Annotated[int, typer.Option(help="Seconds between blocks.", min=1)] = 6,
    seed: Annotated[int | None, typer.Option(help="Makes users and attacker the same every time.")] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="New folder for the capture, configuration and event log.", file_okay=False),
    ] = None,
    json: Json = False,
) -> None:
    """Plays an attack on a real local chain (anvil): the alert comes before the block with the attack.

    A vault with a reentrancy hole, honest users, then an attacker. Exit code 0 says that the alert came first and that
    no honest user raised one.

    **Example**

        mempool-ids demo
    """
    from mempool_ids.demo.command import run

    raise typer.Exit(run(runs=runs, block_time=block_time, seed=seed, keep=keep, as_json=json))
