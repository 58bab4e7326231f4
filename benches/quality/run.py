"""One incident after the other: its cases proven on the state, then judged by a live sensor."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from benches.quality.plan import Case, Incident, Plan
from benches.quality.replica import CaseError, Chain, Replica
from benches.quality.state import State
from benches.quality.watch import Judged, Watch
from mempool_ids.demo.anvil import find_anvil
from mempool_ids.demo.rpc import Rpc


@dataclass(frozen=True)
class Outcome:
    """Of one case: why it does not do what it says (then it was not judged), or what the sensor said."""

    incident: Incident
    case: Case
    #: Slots it read that the data does not have, served as zero.
    unknown: int
    judged: Judged | None
    failure: str = ""


async def measure(incident: Incident) -> AsyncIterator[Outcome]:
    """All cases of an incident, in order.

    Raises:
        FileNotFoundError: the shared data is absent.
        CaseError: what comes before the cases failed.
    """
    state = State.load(incident.name)
    plan = Plan(state)
    incident.build(plan)
    with (
        tempfile.TemporaryDirectory(prefix="quality-") as folder,
        Replica(find_anvil(), state, Path(folder), len(plan.earlier)) as replica,
    ):
        async with Rpc(replica.http_url) as rpc:
            chain = Chain(rpc, state)
            await chain.prepare(plan)
            proven: list[tuple[Case, int]] = []
            for case in plan.cases:
                try:
                    proven.append((case, await chain.play(case)))
                except CaseError as error:
                    yield Outcome(incident, case, 0, None, str(error))
            watch = Watch(incident, replica, state.chain_id, Path(folder))
            try:
                await watch.ready()
                for case, unknown in proven:
                    yield Outcome(incident, case, unknown, await watch.judge(case, chain))
            finally:
                watch.close()
