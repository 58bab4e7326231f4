"""`mempool-ids model train|eval --early`: the models over a contract's code."""

import hashlib
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids._core import (
    CONTRACT_FEATURE_BLOCKS,
    CONTRACT_FEATURE_NAMES,
    CONTRACT_FEATURE_SCHEMA,
    ContractScorer,
)
from mempool_ids.model import manifest
from mempool_ids.model.inference import session
from mempool_ids.model.library import onnxruntime_library
from mempool_ids.model.training import card as cards
from mempool_ids.model.training import save as files
from mempool_ids.model.training.data import DataError
from mempool_ids.model.training.early.data import (
    BENIGN,
    EXPLOIT,
    HASHED,
    Contracts,
    load_contracts,
    load_made_up,
)
from mempool_ids.model.training.early.evaluate import MODELS, Evaluation
from mempool_ids.model.training.early.export import precision_graph, probe_rows, recall_graph
from mempool_ids.model.training.early.model import EarlyModel, Recipe, fit, probability
from mempool_ids.model.training.early.ranking import RATES
from mempool_ids.model.training.evaluate import Progress, silent
from mempool_ids.model.training.export import INPUT, OUTPUT, refuse_disagreement
from mempool_ids.model.training.metrics import operating_point, same, threshold_at

EARLY = manifest.EARLY
_FILES = {"high_recall": "early_recall.onnx", "high_precision": "early_precision.onnx"}


def train(data: Path, out: Path, seed: int, progress: Progress = silent) -> dict[str, Any]:
    """Trains, evaluates and exports both models into the model folder `out`, with its card.

    `data`: a Parquet file as `load_contracts` reads it, or a folder with one. A folder `out` without models gets
    those of the package: a sensor reads all from one. Returns what the manifest says of them. Raises `DataError`,
    `ModelError`, `MissingExtraError`.
    """
    if not (out / manifest.NAME).exists():
        shutil.copytree(manifest.BUILTIN, out, dirs_exist_ok=True)
    selectors = manifest.known_selectors(out)
    dataset, made_up = load_contracts(data, selectors), load_made_up(selectors)
    _tell(dataset, progress)
    recipe = Recipe(seed)
    evaluation = Evaluation(recipe, dataset, made_up, selectors, progress)
    report = evaluation.report()
    progress("training on everything")
    model = fit(recipe, dataset, made_up)
    benign = dataset.features[dataset.labels == BENIGN][:, HASHED:]
    sigmoids = dict(zip(MODELS, evaluation.sigmoids, strict=True))
    graphs = {
        "high_recall": recall_graph(model, sigmoids["high_recall"]),
        "high_precision": precision_graph(model, sigmoids["high_precision"]),
    }
    entry: dict[str, Any] = {
        "version": f"{datetime.now(UTC):%Y.%m.%d}",
        "feature_schema": {"version": CONTRACT_FEATURE_SCHEMA, "names": list(CONTRACT_FEATURE_NAMES)},
        "blocks": [list(block) for block in CONTRACT_FEATURE_BLOCKS],
        **{
            name: {
                "file": _FILES[name],
                "sha256": hashlib.sha256(graph).hexdigest(),
                "input": INPUT,
                "output": OUTPUT,
                "slope": sigmoids[name][0],
                "intercept": sigmoids[name][1],
            }
            for name, graph in graphs.items()
        },
        "thresholds": evaluation.thresholds,
        "prevalence": evaluation.prevalence,
        "baseline": [float(value) for value in np.median(benign, axis=0)],
        "training": {
            "data": dataset.hashes,
            "made_up": made_up.sha256,
            "seed": seed,
            "parameters": recipe.parameters(),
        },
        "evaluation": report,
    }
    progress("export, scikit-learn against ONNX Runtime against Rust")
    _write(out, entry, graphs, model, dataset, sigmoids)
    document = manifest.read(out)
    (out / cards.NAME).write_text(cards.render(document), encoding="utf-8")
    return entry


def evaluate(model_dir: Path, data: Path, progress: Progress = silent) -> dict[str, Any]:
    """Measures the early models of a folder on labelled contracts.

    On the data they were trained from, their recipe is trained again on each split, and `reproduces` says whether the
    manifest's figures came out. On others the shipped models are measured, of one class too.
    Raises `DataError`, `ModelError`, `MissingExtraError`.
    """
    document = manifest.read(model_dir)
    entry = manifest.early_entry(document)
    selectors = manifest.known_selectors(model_dir)
    dataset = load_contracts(data, selectors)
    _tell(dataset, progress)
    if dataset.hashes == entry["training"]["data"]:
        made_up = load_made_up(selectors)
        if made_up.sha256 != entry["training"]["made_up"]:
            raise DataError(
                "the made-up contracts of this version are not those that the models were trained with"
            )
        recipe = Recipe(int(entry["training"]["seed"]))
        report = Evaluation(recipe, dataset, made_up, selectors, progress).report()
        told = entry["evaluation"]
        return {"data": dataset.hashes, **report, "reproduces": same(told, report, 1e-3)}
    scorer = ContractScorer(str(model_dir), str(onnxruntime_library()), 1)
    answers = [np.frombuffer(p, dtype=np.float32) for p in scorer.predict(dataset.features.tobytes())]
    return {"data": dataset.hashes, "as_shipped": _measured(dataset, answers, entry)}


def _measured(
    dataset: Contracts, answers: list[NDArray[np.float32]], entry: dict[str, Any]
) -> dict[str, Any]:
    rows = dataset.labels >= 0
    labels = dataset.labels[rows]
    result: dict[str, Any] = {
        "exploits": int((labels == EXPLOIT).sum()),
        "benign": int((labels == BENIGN).sum()),
    }
    for name, answer in zip(MODELS, answers, strict=True):
        p = answer[rows]
        points = {
            chain: operating_point(labels, p, float(thresholds[name]))
            for chain, thresholds in entry["thresholds"].items()
        }
        if (labels == BENIGN).any():
            points |= {f"FPR {r:g}": operating_point(labels, p, threshold_at(labels, p, r)) for r in RATES}
        result[name] = points
    return result


def _write(
    folder: Path,
    entry: dict[str, Any],
    graphs: dict[str, bytes],
    model: EarlyModel,
    dataset: Contracts,
    sigmoids: dict[str, tuple[float, float]],
) -> None:
    """Writes both once all runners agree. Raises `ModelError`, and changes nothing, where they do not."""
    document = manifest.read(folder) | {EARLY: entry}
    rows = probe_rows(dataset.features, int(entry["training"]["seed"]))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".probe-") as scratch:
        probe = Path(scratch)
        for name, graph in graphs.items():
            (probe / _FILES[name]).write_bytes(graph)
        shutil.copy(folder / files.SELECTORS, probe / files.SELECTORS)
        files.write_manifest(probe, document)
        scorer = ContractScorer(str(probe), str(onnxruntime_library()), 1)
        margins, rust = model.margins(rows), scorer.predict(rows.tobytes())
        worst = 0.0
        for place, name in enumerate(MODELS):
            runtime = session(graphs[name], name)
            fitted = probability(margins[place], *sigmoids[name])
            runners = {
                "scikit-learn": lambda _, p=fitted: p,
                "onnxruntime": lambda batch, r=runtime: r.run([OUTPUT], {INPUT: batch})[0],
                "rust": lambda _, p=rust[place]: np.frombuffer(p, dtype=np.float32),
            }
            worst = max(worst, refuse_disagreement(rows, runners, TOLERANCE))
        entry["probe"] = {"rows": len(rows), "largest_difference": worst}
        for file in _FILES.values():
            (probe / file).replace(folder / file)
    files.write_manifest(folder, document)


# Sums of thousands of products in float32 against float64.
TOLERANCE = 1e-4


def _tell(dataset: Contracts, progress: Progress) -> None:
    exploits, benign = (int((dataset.labels == label).sum()) for label in (EXPLOIT, BENIGN))
    if not exploits and not benign:
        raise DataError("there is neither an exploit nor a benign contract")
    progress(f"{len(dataset):,} contracts: {exploits} exploits, {benign:,} benign, the rest something else")
