"""One transaction's features for a person in a notebook, and a matrix of many, by the sensor's own code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from mempool_ids import _core
from mempool_ids.config.contracts import Contract
from mempool_ids.config.core import contracts_json
from mempool_ids.model import manifest
from mempool_ids.records.transaction import Argument, PendingTransaction

FEATURE_NAMES: tuple[str, ...] = _core.FEATURE_NAMES
MISSING = -1.0
_GAS_LIMIT = FEATURE_NAMES.index("gas_limit_log")


@dataclass(frozen=True, slots=True)
class PayloadFeatures(Mapping[str, float]):
    """The 22 features of one transaction, by name or as a vector; −1 is unknown.

    `features["call_depth"]` and `features.call_depth` are the same. Analysed alone, a transaction has no neighbours:
    tip_percentile, tip_anomaly and timing_anomaly are unknown, and without the callee's code, what reads it too.
    """

    tx_hash: str
    vector: tuple[float, ...]
    """In the order of `FEATURE_NAMES`."""
    function: str | None
    """Signature of the called function, if known."""
    arguments: tuple[Argument, ...]
    depth: int
    """Nesting of calls embedded in the calldata."""
    selectors: tuple[str, ...]
    """Of the call and of embedded calls, outermost first."""
    addresses: tuple[str, ...]
    """In the calldata."""
    anomaly: str | None
    """Why the calldata cannot be what its function says."""

    def to_feature_vector(self) -> NDArray[np.float32]:
        """Shape (22,), in the order of the schema."""
        return np.array(self.vector, dtype=np.float32)

    def __getitem__(self, name: str) -> float:
        try:
            return self.vector[FEATURE_NAMES.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __getattr__(self, name: str) -> float:
        # Called for names that are no fields; pickle asks for some before there are any.
        if name in FEATURE_NAMES:
            return self[name]
        raise AttributeError(f"no feature {name!r}")

    def __iter__(self) -> Iterator[str]:
        return iter(FEATURE_NAMES)

    def __len__(self) -> int:
        return len(FEATURE_NAMES)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *FEATURE_NAMES})

    def __repr__(self) -> str:
        width = max(map(len, FEATURE_NAMES))
        rows = "\n".join(f"  {name:<{width}}  {_shown(value)}" for name, value in self.items())
        anomaly = f"\n  anomaly: {self.anomaly}" if self.anomaly else ""
        return f"PayloadFeatures({self.tx_hash} {self.function or 'unknown function'})\n{rows}{anomaly}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{name}</td><td>{_shown(value)}</td></tr>"
            for name, value in self.items()
        )
        anomaly = f"<br>anomaly: {escape(self.anomaly)}" if self.anomaly else ""
        title = f"{escape(self.tx_hash)}<br>{escape(self.function or 'unknown function')}{anomaly}"
        return f"<table><caption>{title}</caption><tr><th>feature</th><th>value</th></tr>{rows}</table>"


def _shown(value: float) -> str:
    return "unknown" if value == MISSING else f"{value:.6g}"


@dataclass(frozen=True, slots=True)
class ExploitPattern:
    """A signature, as a record. `severity`: 1 critical, 2 high, 3 medium, 4 low; `weight` 0..1."""

    sid: int
    rev: int
    msg: str
    classtype: str
    severity: int
    weight: float
    reference: tuple[str, ...]
    metadata: Mapping[str, str]
    file: str
    """Where it is from; "builtin" for the pack that comes with the package."""
    enabled: bool

    @classmethod
    def load(cls, rules: Sequence[str] = ("builtin",)) -> "list[ExploitPattern]":
        """The signatures of rule files (paths, globs, "builtin"), without their invariants.

        Raises:
            RulesError: one does not load.
        """
        records = orjson.loads(_core.list_rules(list(rules)))
        signatures = (record for record in records if "never" not in record)
        return [cls(**{**record, "reference": tuple(record["reference"])}) for record in signatures]


class PayloadAnalyzer:
    """Computes features as the sensor does, without a sensor.

    Args:
        contracts: monitored contracts; their ABIs are used, and their addresses count as known.
        known_selectors: sorted 4-byte selectors; None takes those of the model that comes with the package.

    Raises:
        ConfigError: an ABI does not parse.
        ModelError: the package's selectors are missing or altered.
    """

    def __init__(self, contracts: Sequence[Contract] = (), *, known_selectors: bytes | None = None) -> None:
        known = manifest.known_selectors() if known_selectors is None else known_selectors
        self._core = _core.Analyzer(known, orjson.dumps(contracts_json(contracts)).decode())

    def analyze(
        self,
        tx_hash: str,
        from_addr: str,
        to_addr: str | None,
        value: int,
        gas_price: int,
        input_data: str | bytes,
        nonce: int,
        timestamp: float,
        *,
        gas: int | None = None,
        code: bytes | None = None,
    ) -> PayloadFeatures:
        """Features of one transaction.

        Args:
            tx_hash: 0x and 64 hexadecimal digits.
            from_addr: sender.
            to_addr: callee; None for a contract creation.
            value: wei.
            gas_price: wei per gas.
            input_data: calldata, as bytes or hexadecimal.
            nonce: of the sender.
            timestamp: when it was seen, Unix seconds.
            gas: gas limit; None leaves that feature unknown.
            code: the callee's runtime code; None leaves the features that read it unknown.

        Raises:
            MempoolIdsError: a field is no such value.
        """
        calldata = "0x" + input_data.hex() if isinstance(input_data, bytes) else input_data
        transaction = {
            "hash": tx_hash,
            "from": from_addr,
            "to": to_addr,
            "value": hex(value),
            "gas": hex(gas or 0),
            "gasPrice": hex(gas_price),
            "nonce": hex(nonce),
            "input": calldata,
            "type": "0x0",
            "timestamp_ms": int(timestamp * 1000),
        }
        return self._features(tx_hash, orjson.dumps(transaction), gas is not None, code)

    def analyze_transaction(
        self, transaction: Mapping[str, Any], *, code: bytes | None = None
    ) -> PayloadFeatures:
        """Features of a transaction object as `eth_getTransactionByHash` returns it.

        Raises:
            MempoolIdsError: it is no such object.
        """
        return self._features(str(transaction.get("hash")), orjson.dumps(transaction), True, code)

    def _features(
        self, tx_hash: str, transaction: bytes, has_gas: bool, code: bytes | None
    ) -> PayloadFeatures:
        report = orjson.loads(self._core.analyze(transaction, code))
        values = [float(np.float32(value)) for value in report["features"]]
        if not has_gas:
            values[_GAS_LIMIT] = MISSING
        return PayloadFeatures(
            tx_hash=tx_hash,
            vector=tuple(values),
            function=report["function"],
            arguments=tuple(Argument(**argument) for argument in report["arguments"]),
            depth=report["depth"],
            selectors=tuple(report["selectors"]),
            addresses=tuple(report["addresses"]),
            anomaly=report["anomaly"],
        )

    def matrix(
        self, transactions: Sequence[PendingTransaction], code: Sequence[bytes | None] | None = None
    ) -> NDArray[np.float32]:
        """Features of many transactions, (n, 22), each as if alone.

        Args:
            transactions: with calldata, gas and fees (as `MempoolMonitor` gives them).
            code: the callees' runtime code, one for each transaction.

        Raises:
            ValueError: a transaction lacks its calldata, gas or fees.
            MempoolIdsError: the columns differ in length.
        """
        if any(
            None in (tx.input, tx.gas, tx.max_fee_per_gas, tx.max_priority_fee_per_gas) for tx in transactions
        ):
            raise ValueError(
                "transactions without calldata, gas or fees: alerts do not carry them, `tx` events do"
            )
        raw = self._core.matrix(
            [None if tx.to_addr is None else bytes.fromhex(tx.to_addr[2:]) for tx in transactions],
            [bytes.fromhex(tx.from_addr[2:]) for tx in transactions],
            [tx.value.to_bytes(32, "big") for tx in transactions],
            [tx.nonce for tx in transactions],
            [tx.gas or 0 for tx in transactions],
            [tx.max_fee_per_gas or 0 for tx in transactions],
            [tx.max_priority_fee_per_gas or 0 for tx in transactions],
            [tx.input or b"" for tx in transactions],
            None if code is None else list(code),
        )
        return np.frombuffer(raw, dtype=np.float32).reshape(len(transactions), len(FEATURE_NAMES))
