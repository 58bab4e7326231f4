"""The Rust core. Everything per transaction happens behind these names, without the GIL."""

from typing import final

__all__ = [
    "FEATURE_NAMES",
    "FEATURE_SCHEMA",
    "TRACE_FEATURE_NAMES",
    "TRACE_FEATURE_SCHEMA",
    "VERSION",
    "Analyzer",
    "CaptureError",
    "ConfigError",
    "MempoolIdsError",
    "Model",
    "ModelError",
    "NodeError",
    "RulesError",
    "Sensor",
    "TraceModel",
    "chain_spec",
    "inspect_transaction",
    "lint_rules",
    "list_rules",
    "match_rules",
    "measure_stages",
    "trace_matrix",
]

VERSION: str
FEATURE_NAMES: tuple[str, ...]
FEATURE_SCHEMA: int
TRACE_FEATURE_NAMES: tuple[str, ...]
TRACE_FEATURE_SCHEMA: int

class MempoolIdsError(Exception): ...
class ConfigError(MempoolIdsError): ...
class RulesError(MempoolIdsError): ...
class ModelError(MempoolIdsError): ...
class CaptureError(MempoolIdsError): ...
class NodeError(MempoolIdsError): ...

@final
class Sensor:
    def __new__(cls, config_json: str) -> Sensor: ...
    def start(self) -> None: ...
    def recv(self, timeout: float, limit: int = 1024) -> list[tuple[str, bytes]]: ...
    def stats(self) -> bytes: ...
    def reload(self, rules: list[str]) -> None: ...
    def fetch(self, tx_hash: str) -> None: ...
    def stop(self) -> None: ...

@final
class Analyzer:
    def __new__(cls, known_selectors: bytes, contracts_json: str = "[]") -> Analyzer: ...
    def analyze(self, tx_json: bytes, code: bytes | None = None) -> bytes: ...
    def matrix(
        self,
        to: list[bytes | None],
        from_: list[bytes],
        value: list[bytes],
        nonce: list[int],
        gas: list[int],
        max_fee: list[int],
        max_priority_fee: list[int],
        input: list[bytes],  # noqa: A002
        code: list[bytes | None] | None = None,
    ) -> bytes: ...

@final
class Model:
    def __new__(cls, dir: str, onnxruntime: str) -> Model: ...  # noqa: A002
    def predict(self, rows: bytes) -> bytes: ...
    def explain(self, row: bytes) -> bytes: ...

@final
class TraceModel:
    def __new__(cls, dir: str, onnxruntime: str) -> TraceModel: ...  # noqa: A002
    def predict(self, rows: bytes) -> bytes: ...
    def explain(self, row: bytes) -> bytes: ...

def chain_spec(chain_id: int, file: str | None = None) -> bytes: ...
def inspect_transaction(config_json: str, text: str, block: str | None = None) -> bytes: ...
def lint_rules(rules: list[str]) -> bytes: ...
def list_rules(rules: list[str]) -> bytes: ...
def match_rules(
    rules: list[str], contracts_json: str, tx_json: bytes, code: bytes | None = None
) -> bytes: ...
def measure_stages(config_json: str, transactions: list[bytes], seconds: float) -> bytes: ...
def trace_matrix(traces: list[str]) -> bytes: ...
