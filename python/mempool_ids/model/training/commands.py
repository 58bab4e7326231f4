"""`mempool-ids model train|eval|card`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mempool_ids.model import manifest
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
)
from mempool_ids.model.training.metrics import same
from mempool_ids.model.training.model import KINDS, Recipe
from mempool_ids.model.training.score_file import write_scores
from mempool_ids.model.training.scored import Scored, in_words, report
from mempool_ids.model.training.shipped import Shipped

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
        _tell_creations(dataset, progress)
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
            "creations": 0 if dataset is None else dataset.creations,
            "synthetic_rows": synthetic,
            "seed": seed,
            "parameters": recipe.merged(),
            "masked": dict(masked),
        }
        progress(f"{recipe.kind}: export, scikit-learn against ONNX Runtime against Rust")
        files.save(out, model, ALERT_THRESHOLD, selectors, training)
        if dataset is not None:
            figures, _ = evaluate_kind(recipe, dataset, synthetic, progress)
            _add(out, ("models", recipe.kind, "evaluation"), figures)
    if dataset is not None:
        _add(out, ("data",), evaluate_data(dataset, seed, [r.kind for r in recipes], progress))
    document = manifest.read(out)
    trained = {recipe.kind: document["models"][recipe.kind] for recipe in recipes}
    document["default"] = _better(trained)
    files.write_manifest(out, document)
    (out / cards.NAME).write_text(cards.render(document), encoding="utf-8")
    return trained


def evaluate(
    model_dir: Path,
    data: Path,
    progress: Progress = silent,
    *,
    rates: Sequence[float] = (),
    scores: Path | None = None,
) -> dict[str, Any]:
    """Measures the models of a folder on labelled transactions, of one class too.

    On the data they were trained from, the shipped models have seen every row: their recipe is trained again on
    each split instead, as `train` did, and `reproduces` says whether the manifest's figures came out; `out_of_fold` is
    what `scored.report` says of the grouped folds. On other data the shipped models themselves are measured.

    `rates`: false positive rates to find the thresholds for. `scores`: a file for every row's score by each model.
    Raises `DataError`, `ModelError`, `MissingExtraError`, `OSError`.
    """
    document = manifest.read(model_dir)
    dataset = load_transactions(data, manifest.known_selectors(model_dir))
    _tell_creations(dataset, progress)
    result: dict[str, Any] = {
        "data": dataset.hashes,
        "rows": len(dataset),
        "exploits": int(dataset.labels.sum()),
        "creations": dataset.creations,
    }
    result["models"] = {}
    judged: list[Scored] = []
    for name, fields in document["models"].items():
        model = Shipped(model_dir, manifest.entry(document, name), fields)
        if model.can_be_judged_anew(dataset):
            answer, scored = _again(model, dataset, rates, progress)
            lines = in_words(f"{name}, out of fold", answer["out_of_fold"])
        else:
            told, scored = model.measured(dataset, rates)
            answer = {"as_shipped": told}
            lines = in_words(name, told)
        for line in lines:
            progress(line)
        result["models"][name] = answer
        judged.append(scored)
    if any("time_ordered" in answer for answer in result["models"].values()):
        seed = int(next(iter(document["models"].values()))["training"]["seed"])
        result.update(evaluate_data(dataset, seed, list(document["models"]), progress))
    if scores is not None:
        write_scores((row for each in judged for row in each.rows()), scores)
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


def _tell_creations(dataset: Dataset, progress: Progress) -> None:
    if dataset.creations:
        progress(f"{dataset.creations:,} creations left out: what calldata says is of calls")


def _again(
    model: Shipped, dataset: Dataset, rates: Sequence[float], progress: Progress
) -> tuple[dict[str, Any], Scored]:
    figures, p = evaluate_kind(model.recipe, dataset, int(model.entry.training["synthetic_rows"]), progress)
    told, scored = model.fields.get("evaluation"), model.scored(dataset, p)
    reproduces = told is not None and same(told, figures)
    return {**figures, "reproduces": reproduces, "out_of_fold": report(scored, rates)}, scored


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
