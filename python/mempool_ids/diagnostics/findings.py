"""One thing that was checked."""

import enum
from dataclasses import dataclass


class Status(enum.StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is what was asked (URLs redacted), `latency_ms` how long it took where that says something."""

    check: str
    subject: str
    status: Status
    detail: str
    latency_ms: float | None = None
