"""A live sensor on the contracts of an incident, and what it makes of each case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.harness import Event, SensorProcess, alerts

from benches.quality.live import DEADLINE_MS, toml, under_way
from benches.quality.plan import Case, Incident
from benches.quality.replica import Chain, Replica

_JUDGED_SECONDS = 30.0


@dataclass(frozen=True)
class Judged:
    """What the sensor said of a case. Without an alert, all but `alerted` and `simulation` is empty."""

    alerted: bool
    grade: str = ""
    score: float = 0.0
    #: Of the alert's victims, by the names of the incident.
    victims: tuple[str, ...] = ()
    #: Broken, of any contract.
    invariants: tuple[str, ...] = ()
    #: "done"; "failed" and by what; or "none", where the case was not worth one.
    simulation: str = ""
    #: From its being seen to the alert.
    ms: float = 0.0

    @classmethod
    def of(cls, alert: Event) -> Judged:
        simulation = alert["simulation"]
        failure = simulation.get("failure")
        return cls(
            alerted=True,
            grade=alert["grade"],
            score=round(alert["score"], 4),
            victims=tuple(victim["contract"] for victim in alert["victims"]),
            invariants=tuple(dict.fromkeys(each["name"] for each in simulation.get("invariants", ()))),
            simulation=f"{simulation['status']}: {failure}" if failure else simulation["status"],
            ms=round(alert["latency_us"]["total"] / 1000, 2),
        )


class Watch:
    """A sensor beside a replica; `close` ends it."""

    def __init__(self, incident: Incident, replica: Replica, chain_id: int, folder: Path) -> None:
        config = folder / "ids.toml"
        config.write_text(_configuration(incident, replica, chain_id))
        self.sensor = SensorProcess(["run", "-c", str(config)], folder)
        self._sent = 0

    async def ready(self) -> None:
        await self.sensor.wait_ready()

    async def judge(self, case: Case, chain: Chain) -> Judged:
        """Sends the case, waits until the sensor is done with it, and takes it back."""
        before = self._figures()
        sent = [await chain.send(transaction) for transaction in case.transactions]
        self._sent += len(sent)
        judged = f"a verdict of {case.name}"
        await self.sensor.until(lambda: self._alerted(sent) or self._settled(), judged, _JUDGED_SECONDS)
        for tx_hash in reversed(sent):
            await chain.drop(tx_hash)
        said = [event for event in alerts(self.sensor.events()) if event["tx"]["hash"] in sent]
        if said:
            return Judged.of(max(said, key=lambda alert: alert["score"]))
        return Judged(alerted=False, simulation=_simulation(before, self._figures()))

    def _alerted(self, sent: list[str]) -> bool:
        """Of the last one: those before it may only set the scene."""
        return sent[-1] in self.sensor.alerted()

    def _settled(self) -> bool:
        """All that was sent is classified and simulated, and has been so for a while: code may come later."""
        told = self.sensor.statistics()
        return len(told) >= 3 and all(self._done(figures) for figures in told[-3:])

    def _done(self, figures: dict[str, Any]) -> bool:
        return bool(figures["classified"] >= self._sent and under_way(figures) <= 0)

    def _figures(self) -> dict[str, Any]:
        return self.sensor.figures() or {"simulated": 0, "simulation_failures": {}}

    def close(self) -> None:
        self.sensor.close()


def _simulation(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What came of the simulations between."""
    old, new = before["simulation_failures"], after["simulation_failures"]
    failed = [kind for kind, count in new.items() if count > old.get(kind, 0)]
    if failed:
        return f"failed: {', '.join(failed)}"
    return "done" if after["simulated"] > before["simulated"] else "none"


def _configuration(incident: Incident, replica: Replica, chain_id: int) -> str:
    settings = {
        "sensor": "quality",
        "chain.id": chain_id,
        "chain.websocket_urls": [replica.websocket_url],
        "chain.rpc_urls": [replica.http_url],
        "simulation.deadline_ms": DEADLINE_MS,
        "alerts.jsonl": "events.jsonl",
        "alerts.stats_interval_s": 0.2,
        "storage.url": "sqlite:///detections.db",
    }
    contracts = [
        {"name": name, "address": one, **incident.settings.get(name, {})}
        for name, one in incident.monitored.items()
    ]
    return toml(settings, contracts)
