"""`mempool-ids model train|eval|card`."""

from pathlib import Path
from typing import Any

import numpy as np

from mempool_ids.model import manifest
from mempool_ids.model.inference import OnnxModel
from mempool_ids.model.training import card as cards
from mempool_ids.model.training import save as files
from mempool_ids.model.training.columns import MASKED
from mempool_ids.model.training.data import (
    SELECTORS,
    DataError,
    Dataset,
    load_transactions,
    read_selectors,
    sha256,
)
from mempool_ids.model.training.evaluate import (
    ALERT_THRESHOLD,
    Progress,
    evaluate_data,
    evaluate_kind,
    fit_on,
    silent,
    summary,
)
from mempool_ids.model.training.metrics import same
from mempool_ids.model.training.model import KINDS, Recipe

ALL = "all"


def train(
    data: Path | None, synthetic: int, kind: str, out: Path, seed: int, progress: Progress = silent
) -> dict[str, Any]:
    """Trains, evaluates and exports into the model folder `out`, with its card; returns what the manifest says of it.

    `data`: a folder as `training.data` reads it, or None for `synthetic` invented rows alone. `kind`: one of
    `KINDS`, or `all`. The folder's default becomes the model trained here, with `all` the better one by time-ordered
    average precision; other models that are there stay.
    Raises `DataError` (nothing to train on, or a class too few), `ModelError`, `MissingExtraError`, and `ValueError`
    for an unknown kind.
    """
    recipes = [Recipe(name, seed) for name in (KINDS if kind == ALL else (kind,))]
    selectors, sources = _selectors(data)
    dataset = None if data is None else load_transactions(data, selectors)
    if dataset is not None:
        sources = {**dataset.hashes, **sources}
    # Synthetic rows alone know every feature, for both classes alike.
    masked = {} if dataset is None else MASKED
    for recipe in recipes:
        progress(f"{recipe.kind}: training")
        try:
            model = fit_on(recipe, dataset, synthetic, masked)
        except ValueError as error:
            raise DataError(str(error)) from error
        training = {
            "data": sources,
            "rows": 0 if dataset is None else len(dataset),
            "exploits": 0 if dataset is None else int(dataset.labels.sum()),
            "synthetic_rows": synthetic,
            "seed": seed,
            "parameters": recipe.merged(),
            "masked": dict(masked),
        }
        progress(f"{recipe.kind}: export, scikit-learn against ONNX Runtime against Rust")
        files.save(out, model, ALERT_THRESHOLD, selectors, training)
        if dataset is not None:
            _add(
                out,
                ("models", recipe.kind, "evaluation"),
                evaluate_kind(recipe, dataset, synthetic, progress),
            )
    if dataset is not None:
        _add(out, ("data",), evaluate_data(dataset, seed, [r.kind for r in recipes], progress))
    document = manifest.read(out)
    trained = {recipe.kind: document["models"][recipe.kind] for recipe in recipes}
    document["default"] = _better(trained)
    files.write_manifest(out, document)
    (out / cards.NAME).write_text(cards.render(document), encoding="utf-8")
    return trained


def evaluate(model_dir: Path, data: Path, progress: Progress = silent) -> dict[str, Any]:
    """Measures the models of a folder on labelled transactions.

    On the data they were trained from, the shipped models have seen every row: their recipe is trained again on
    each split instead, as `train` did, and `reproduces` says whether the manifest's figures came out. On other data
    the shipped models themselves are measured. Raises `DataError`, `ModelError`, `MissingExtraError`.
    """
    document = manifest.read(model_dir)
    dataset = load_transactions(data, manifest.known_selectors(model_dir))
    result: dict[str, Any] = {
        "data": dataset.hashes,
        "rows": len(dataset),
        "exploits": int(dataset.labels.sum()),
    }
    result["models"] = {}
    for name in document["models"]:
        entry = manifest.entry(document, name)
        seen = set(entry.training.get("data", {}).values()) & set(dataset.hashes.values())
        result["models"][name] = (
            _again(document, entry, dataset, progress) if seen else _as_shipped(model_dir, entry, dataset)
        )
    if any("time_ordered" in answer for answer in result["models"].values()):
        seed = int(next(iter(document["models"].values()))["training"]["seed"])
        result.update(evaluate_data(dataset, seed, list(document["models"]), progress))
    return result


def card(model_dir: Path) -> str:
    """The model card, Markdown, from the figures in the manifest. Raises `ModelError`."""
    return cards.render(manifest.read(model_dir))


def _selectors(data: Path | None) -> tuple[bytes, dict[str, str]]:
    """The known-selector set and its source's hash: the data folder's own, or that of the models in the package."""
    path = None if data is None else data / SELECTORS
    if path is not None and path.exists():
        return read_selectors(path), {SELECTORS: sha256(path)}
    return manifest.known_selectors(), {}


def _again(
    document: dict[str, Any], entry: manifest.ModelEntry, dataset: Dataset, progress: Progress
) -> dict[str, Any]:
    training = entry.training
    recipe = Recipe(
        entry.kind,
        int(training["seed"]),
        float(document["models"][entry.name]["calibration"]["prevalence"]),
        training.get("parameters", {}),
    )
    result = evaluate_kind(recipe, dataset, int(training["synthetic_rows"]), progress)
    told = document["models"][entry.name].get("evaluation")
    return {**result, "reproduces": told is not None and same(told, result)}


def _as_shipped(model_dir: Path, entry: manifest.ModelEntry, dataset: Dataset) -> dict[str, Any]:
    p = OnnxModel(model_dir, entry).probability(np.ascontiguousarray(dataset.features))
    prevalence = float(manifest.read(model_dir)["models"][entry.name]["calibration"]["prevalence"])
    return {"as_shipped": summary(dataset, p, seed=0, prevalence=prevalence)}


def _add(folder: Path, place: tuple[str, ...], value: dict[str, Any]) -> None:
    document = manifest.read(folder)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    files.write_manifest(folder, document)


def _better(models: dict[str, Any]) -> str:
    """The model with the best time-ordered average precision among those that were evaluated, else the first."""
    scores = {name: (fields.get("evaluation") or {}).get("time_ordered") for name, fields in models.items()}
    known = {name: score["average_precision"] for name, score in scores.items() if score}
    return max(known, key=lambda name: known[name]) if known else next(iter(models))
