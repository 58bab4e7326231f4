"""Writes a model folder: the graphs, the known-selector set and the manifest, once all runners agree."""

import hashlib
import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids._core import Model, TraceModel
from mempool_ids.exceptions import ModelError
from mempool_ids.model import manifest
from mempool_ids.model.inference import OnnxModel
from mempool_ids.model.library import onnxruntime_library
from mempool_ids.model.training.export import INPUT, OUTPUT, probe_rows, refuse_disagreement, to_onnx
from mempool_ids.model.training.metrics import TARGET_FPRS, measure, threshold_at
from mempool_ids.model.training.model import CalibratedModel

SELECTORS = "selectors.bin"


def save(
    folder: Path,
    model: CalibratedModel,
    threshold: float,
    selectors: bytes,
    training: dict[str, Any],
    *,
    default: bool = True,
) -> str:
    """Writes `model` into `folder`, beside the models that are there, and returns its version.

    `selectors`: the known-selector set its features were computed with. `training`: where it comes from.
    Raises `ModelError`, and changes nothing, if scikit-learn, ONNX Runtime and the Rust path disagree on a probe row,
    or if the folder's other models were trained with other known selectors.
    """
    name = model.recipe.kind
    graph = to_onnx(model)
    version = f"{datetime.now(UTC):%Y.%m.%d}"
    document = _document(folder, selectors)
    document["models"][name] = _entry(model, graph, version, threshold, training)
    if default or "default" not in document:
        document["default"] = name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".probe-") as scratch:
        probe = Path(scratch)
        (probe / f"{name}.onnx").write_bytes(graph)
        (probe / SELECTORS).write_bytes(selectors)
        _write_json(
            probe / manifest.NAME, {**document, "default": name, "models": {name: document["models"][name]}}
        )
        entry, core = manifest.entry(manifest.read(probe)), Model(str(probe), str(onnxruntime_library()))
        document["models"][name]["probe"] = agreement(OnnxModel(probe, entry), core, model)
        for file in (f"{name}.onnx", SELECTORS):
            (probe / file).replace(folder / file)
    write_manifest(folder, document)
    return version


def save_trace(
    folder: Path,
    model: CalibratedModel,
    threshold: float,
    training: dict[str, Any],
    evaluation: dict[str, Any],
) -> None:
    """Writes the model over traces into `folder`, beside the transaction models that are there.

    A folder without any gets those of the package: a sensor reads both from one. Raises as `save` does.
    """
    graph, file = to_onnx(model), f"{manifest.TRACE}.onnx"
    if not (folder / manifest.NAME).exists():
        shutil.copytree(manifest.BUILTIN, folder, dirs_exist_ok=True)
    document = manifest.read(folder)
    fields = _entry(model, graph, f"{datetime.now(UTC):%Y.%m.%d}", threshold, training)
    document[manifest.TRACE] = fields | {"file": file}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".probe-") as scratch:
        probe = Path(scratch)
        (probe / file).write_bytes(graph)
        _write_json(probe / manifest.NAME, document)
        entry, core = manifest.trace_entry(document), TraceModel(str(probe), str(onnxruntime_library()))
        document[manifest.TRACE]["probe"] = agreement(OnnxModel(probe, entry), core, model)
        (probe / file).replace(folder / file)
    document[manifest.TRACE]["evaluation"] = evaluation
    write_manifest(folder, document)


def agreement(onnx: OnnxModel, core: Model | TraceModel, model: CalibratedModel) -> dict[str, Any]:
    """Runs scikit-learn, ONNX Runtime (in batch and row by row) and the Rust path on the probe rows.

    Raises `ModelError` if any two differ on any row.
    """
    rows = probe_rows(model)

    def one_by_one(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([onnx.probability(batch[i : i + 1]) for i in range(len(batch))])

    def rust(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.frombuffer(core.predict(batch.tobytes()), dtype=np.float32)

    runners = {
        "scikit-learn": model.probability,
        "onnxruntime": onnx.probability,
        "onnxruntime row by row": one_by_one,
        "rust": rust,
    }
    worst = refuse_disagreement(rows, runners)
    return {"rows": len(rows), "runners": list(runners), "largest_difference": worst}


def write_manifest(folder: Path, document: dict[str, Any]) -> None:
    """Replaces the folder's manifest in one step."""
    temporary = folder / f".{manifest.NAME}.new"
    _write_json(temporary, document)
    temporary.replace(folder / manifest.NAME)


def _document(folder: Path, selectors: bytes) -> dict[str, Any]:
    """The folder's manifest, or a new one, for these selectors."""
    digest = hashlib.sha256(selectors).hexdigest()
    fields = {"file": SELECTORS, "sha256": digest, "count": len(selectors) // 4}
    if not (folder / manifest.NAME).exists():
        return {"format": manifest.FORMAT, "selectors": fields, "models": {}}
    document = manifest.read(folder)
    if document["selectors"]["sha256"] != digest:
        raise ModelError(
            f"{folder}: its models were trained with other known selectors; save to an empty folder"
        )
    return document


def _entry(
    model: CalibratedModel, graph: bytes, version: str, threshold: float, training: dict[str, Any]
) -> dict[str, Any]:
    p, labels = model.out_of_fold, model.labels
    measured = measure(labels, p, threshold)
    return {
        "file": f"{model.recipe.kind}.onnx",
        "sha256": hashlib.sha256(graph).hexdigest(),
        "version": version,
        "kind": model.recipe.kind,
        "feature_schema": {"version": model.schema.version, "names": list(model.schema.names)},
        "input": INPUT,
        "output": OUTPUT,
        "threshold": threshold,
        "thresholds": {str(fpr): threshold_at(labels, p, fpr) for fpr in TARGET_FPRS},
        "baseline": [float(value) for value in model.baseline],
        "calibration": {
            "prevalence": model.recipe.prevalence,
            "slope": model.slope,
            "intercept": model.intercept,
        },
        "training": {**training, "importance": model.importance()},
        "metrics": {
            "what": "training rows, each by a calibration fold's model that had not seen its group",
            "average_precision": measured.average_precision,
            "auc": measured.auc,
            "recall": measured.recall,
            "false_positive_rate": measured.false_positive_rate,
        },
    }


def _write_json(path: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1, sort_keys=False, allow_nan=False)
    with path.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
