"""Who had money of mixers, swaps and exchanges: looking into the index that the sensor and `funding backfill` write."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import orjson

from mempool_ids import _core
from mempool_ids.config import IDSConfig, funding_config
from mempool_ids.config.values import checksummed, lower_address
from mempool_ids.records.deployment import Funding


def _of_core(told: dict[str, Any]) -> Funding:
    """As the core tells it; addresses with their checksums."""
    address = {key: told[key] and checksummed(told[key]) for key in ("source", "via", "token")}
    amount, timestamp = int(told["amount"], 16), datetime.fromtimestamp(told["timestamp"], UTC)
    return Funding(**{**told, **address, "amount": amount, "timestamp": timestamp})


@dataclass(frozen=True, slots=True)
class FundingState:
    """What is in an index, and what is not."""

    chain_id: int
    records: int
    blocks: tuple[tuple[int, int], ...]
    """First and last, both included, of each range that was followed; ascending."""
    until: datetime | None
    """When the last block was."""
    sources: int
    """Addresses of services that are known."""
    longest_window_s: int
    evicted: int
    """Records that went before their time, since the index was full."""
    crowded_out: int
    """Records that went, since their account had too many."""

    @classmethod
    def of_core(cls, told: dict[str, Any]) -> "FundingState":
        """As the core tells it."""
        spans = told["blocks"]
        return cls(
            chain_id=told["chain_id"],
            records=told["records"],
            blocks=tuple((span["first"], span["last"]) for span in spans),
            until=datetime.fromtimestamp(spans[-1]["until"], UTC) if spans else None,
            sources=len(told["sources"]),
            longest_window_s=told["longest_window"],
            evicted=told["evicted"],
            crowded_out=told["crowded_out"],
        )


class FundingTracker:
    """Tells whose money an account has, also beside a sensor that runs. A context manager; closed, it tells nothing.

    A look-up takes microseconds and asks no node. What is not in the index's blocks is not known: see `state`.

    Args:
        config: says where the index is (`early.funding`), of which chain, and what counts.

    Raises:
        ConfigError: there is no index yet, or it is of another chain, or the services cannot be read.
        MempoolIdsError: the index cannot be read.
    """

    def __init__(self, config: IDSConfig | None = None) -> None:
        self._index = _core.FundingIndex(funding_config(config or IDSConfig()))

    def funding_of(self, address: str, at: datetime | int | None = None) -> tuple[Funding, ...]:
        """What the account had of services within their windows, what says most first.

        Args:
            address: in lower case or with its checksum.
            at: a time with its zone, or Unix seconds; None is the time of the last block.

        Raises:
            ValueError: it is no address, or mistyped, or `at` is before 1970 or has no zone.
            MempoolIdsError: the tracker is closed, or the index is damaged.
        """
        if isinstance(at, datetime):
            if at.tzinfo is None:
                raise ValueError("a time without a zone may be any")
            at = int(at.timestamp())
        if at is not None and not 0 <= at < 1 << 63:
            raise ValueError("at is in Unix seconds, from 1970 on")
        raw = self._index.funding_of(bytes.fromhex(lower_address(address)[2:]), at)
        return tuple(map(_of_core, orjson.loads(raw)))

    def state(self) -> FundingState:
        """What is in the index. Raises `MempoolIdsError`."""
        return FundingState.of_core(orjson.loads(self._index.state()))

    def close(self) -> None:
        """Idempotent."""
        self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
