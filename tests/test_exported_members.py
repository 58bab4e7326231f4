import subprocess
import sys

import mempool_ids


def test_public_names_are_exactly_these() -> None:
    assert mempool_ids.__all__ == [
        "CaptureError",
        "ClassificationResult",
        "ConfigError",
        "ContractScore",
        "DefenseAction",
        "DefenseExecutor",
        "EarlyAttackDetector",
        "ExploitClassifier",
        "ExploitPattern",
        "FundingTracker",
        "GasStrategy",
        "IDSConfig",
        "IDSEngine",
        "IDSMode",
        "IDSStatistics",
        "MempoolIdsError",
        "MempoolMonitor",
        "ModelError",
        "MonitoringStats",
        "NodeError",
        "PayloadAnalyzer",
        "PayloadFeatures",
        "PendingTransaction",
        "Response",
        "RulesError",
        "ThreatDetection",
        "ThreatLevel",
        "__version__",
    ]


def test_every_public_name_imports() -> None:
    for name in mempool_ids.__all__:
        assert getattr(mempool_ids, name) is not None
    assert set(mempool_ids.__all__) <= set(dir(mempool_ids))


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(mempool_ids, "IdsEngine")


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "numpy sklearn sqlalchemy pydantic onnxruntime httpx2 typer mempool_ids._core"
    code = f"import sys, mempool_ids; print(*[m for m in '{heavy}'.split() if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert result.stdout.strip() == ""


def test_records_and_the_engine_need_no_numpy() -> None:
    records = "classification deployment detection events response schema statistics transaction"
    code = (
        "import sys, importlib, mempool_ids.engine\n"
        f"for name in '{records}'.split(): importlib.import_module(f'mempool_ids.records.{{name}}')\n"
        "print('numpy' in sys.modules, sorted(name for name in sys.modules if name.startswith('mempool_ids.records.')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    found = [f"mempool_ids.records.{name}" for name in records.split()]
    assert result.stdout.strip() == f"False {found}"


def test_the_whole_interface_needs_no_scikit_learn() -> None:
    code = (
        "import sys, mempool_ids\n"
        "for name in mempool_ids.__all__: getattr(mempool_ids, name)\n"
        "print('sklearn' in sys.modules, 'onnxruntime' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert result.stdout.split() == ["False", "False"]
