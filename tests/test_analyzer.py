import pickle

import numpy as np
import pytest

from mempool_ids import ExploitPattern, MempoolIdsError, PayloadAnalyzer, PayloadFeatures, RulesError, _core
from mempool_ids.config import Contract
from mempool_ids.records.transaction import PendingTransaction
from tests.support import SENDER, VAULT, WITHDRAW, transaction

HASH = "0x" + "ab" * 32


@pytest.fixture(scope="module")
def analyzer() -> PayloadAnalyzer:
    return PayloadAnalyzer([Contract(name="Vault", address=VAULT)])


def withdraw(analyzer: PayloadAnalyzer, **changes: object) -> PayloadFeatures:
    arguments: dict[str, object] = {
        "tx_hash": HASH,
        "from_addr": SENDER,
        "to_addr": VAULT,
        "value": 10**18,
        "gas_price": 2 * 10**9,
        "input_data": WITHDRAW,
        "nonce": 7,
        "timestamp": 1_700_000_000.0,
        **changes,
    }
    return analyzer.analyze(**arguments)  # type: ignore[arg-type]


def test_the_vector_has_the_schemas_order(analyzer: PayloadAnalyzer) -> None:
    features = withdraw(analyzer, gas=100_000)
    vector = features.to_feature_vector()
    assert vector.shape == (22,)
    assert vector.dtype == np.float32
    for index, name in enumerate(_core.FEATURE_NAMES):
        assert features[name] == getattr(features, name) == vector[index]
    # By hand: nibbles of 2e1a7d4d are 2 e 1 a 7 d 4 d, seven kinds of eight, one of them twice.
    assert features.selector_entropy == pytest.approx(6 / 8 * 3 + 2 / 8 * 2)
    assert features.param_count == pytest.approx(np.log(2))
    assert features.value_log == pytest.approx(18)
    assert features.gas_limit_log == pytest.approx(np.log2(100_000) / 24)
    assert features.new_sender == 0


def test_what_cannot_be_known_is_unknown(analyzer: PayloadAnalyzer) -> None:
    features = withdraw(analyzer)
    unknown = (
        "tip_percentile",
        "tip_anomaly",
        "timing_anomaly",
        "state_change",
        "callee_age",
        "gas_limit_log",
    )
    assert {features[name] for name in unknown} == {-1.0}


def test_the_callees_code_fills_what_reads_it(analyzer: PayloadAnalyzer) -> None:
    # PUSH1 0 SLOAD · PUSH1 0 PUSH1 0 SSTORE · STOP
    features = withdraw(analyzer, code=bytes.fromhex("6000546000600055" + "00"))
    assert features.state_change == pytest.approx(0.5)


def test_calldata_is_bytes_or_hexadecimal(analyzer: PayloadAnalyzer) -> None:
    assert withdraw(analyzer) == withdraw(analyzer, input_data=bytes.fromhex(WITHDRAW[2:]))


def test_it_is_shown_with_every_feature_by_name(analyzer: PayloadAnalyzer) -> None:
    features = withdraw(analyzer)
    for name in _core.FEATURE_NAMES:
        assert name in repr(features)
        assert name in features._repr_html_()
        assert name in dir(features)
    assert "unknown" in repr(features)
    assert dict(features) == {name: features[name] for name in features}
    assert pickle.loads(pickle.dumps(features)) == features


def test_a_feature_that_does_not_exist_is_an_error(analyzer: PayloadAnalyzer) -> None:
    features = withdraw(analyzer)
    with pytest.raises(KeyError):
        features["nonsense"]
    with pytest.raises(AttributeError):
        _ = features.nonsense


@pytest.mark.parametrize(
    "change", [{"tx_hash": "0x12"}, {"from_addr": "me"}, {"input_data": "0x123"}, {"to_addr": VAULT + "00"}]
)
def test_wrong_fields_are_errors(analyzer: PayloadAnalyzer, change: dict[str, str]) -> None:
    with pytest.raises(MempoolIdsError):
        withdraw(analyzer, **change)


def test_a_matrix_is_the_single_features_row_by_row(analyzer: PayloadAnalyzer) -> None:
    objects = [transaction(1), transaction(2, to=None, input="0x6000"), transaction(3, value=hex(10**20))]
    rows = [
        PendingTransaction(
            hash=each["hash"],
            from_addr=each["from"],
            to_addr=each["to"],
            value=int(each["value"], 16),
            nonce=int(each["nonce"], 16),
            selector=None,
            seen_ms=0,
            gas=int(each["gas"], 16),
            max_fee_per_gas=int(each["maxFeePerGas"], 16),
            max_priority_fee_per_gas=int(each["maxPriorityFeePerGas"], 16),
            input=bytes.fromhex(each["input"][2:]),
        )
        for each in objects
    ]
    matrix = analyzer.matrix(rows)
    assert matrix.shape == (3, 22)
    for row, each in zip(matrix, objects, strict=True):
        np.testing.assert_array_equal(row, analyzer.analyze_transaction(each).to_feature_vector())
    with pytest.raises(ValueError, match="alerts do not carry"):
        analyzer.matrix([PendingTransaction(HASH, SENDER, VAULT, 0, 0, None, 0)])


def test_patterns_are_the_rules_as_records() -> None:
    patterns = ExploitPattern.load()
    assert len(patterns) >= 6
    assert len({pattern.sid for pattern in patterns}) == len(patterns)
    assert all(0 <= pattern.weight <= 1 and pattern.severity in (1, 2, 3, 4) for pattern in patterns)
    with pytest.raises(RulesError):
        ExploitPattern.load(["/nowhere/none.yaml"])
