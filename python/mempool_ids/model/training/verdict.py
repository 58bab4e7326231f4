"""`mempool-ids model train|eval --traces`: the model over what a simulated transaction does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model import manifest
from mempool_ids.model.training import card as cards
from mempool_ids.model.training.data import DataError, Dataset
from mempool_ids.model.training.drift import drift, later
from mempool_ids.model.training.evaluate import (
    ALERT_THRESHOLD,
    Progress,
    fit_on,
    ordered_summaries,
    predict_splits,
    separation,
    silent,
    summary,
)
from mempool_ids.model.training.metrics import same
from mempool_ids.model.training.model import LOGISTIC, Recipe, sigmoid
from mempool_ids.model.training.save import save_trace
from mempool_ids.model.training.score_file import write_scores
from mempool_ids.model.training.scored import in_words, report
from mempool_ids.model.training.shipped import Shipped
from mempool_ids.model.training.splits import grouped_folds
from mempool_ids.model.training.traces import load_traces

# Grouped folds are drawn anew so many times: few exploits make one drawing an accident.
REPEATS = 3
KIND = LOGISTIC
# Chosen by grouped folds and time-ordered windows. Forests and boosted trees rank no better within the years they have
# seen, and worse in the years after.
PARAMETERS: Mapping[str, Any] = {"C": 0.01}
# Of every probability there is a prevalence for which it holds. At this one, 0.7 is where about one benign trace in
# 1,000 of the newest traffic passes: those of 2024, which nothing was learned from.
PREVALENCE = 0.03

HIDDEN: Mapping[str, str] = {
    "gas, gas used, gas price": "some recorders lack them; they tell chain and era",
    "frames that failed, words of errors": "one collection has no transaction that failed; recorders name and keep"
    " failures differently. What failed did nothing",
    "calls of precompiles": "left out by the benign collection's recorder, kept by the others",
    "logs": "recorded traces have none; live ones are read without them",
    "absent, empty and zero outputs or values": "written differently by each recorder; read alike",
    "creations of contracts that neither call nor are called": "stores of gas (CHI, GST2) of 2020 and 2021, when most"
    " benign traces were recorded",
    "addresses, chain, time, who recorded": "they tell the incident or the collection; never read",
}
"""What the features do not see, and why."""


def recipe(seed: int = 0) -> Recipe:
    """How the verdict model is fitted."""
    return Recipe(KIND, seed, PREVALENCE, PARAMETERS)


def train(
    paths: Iterable[Path],
    out: Path,
    seed: int,
    progress: Progress = silent,
    *,
    newest_from: datetime | None = None,
) -> dict[str, Any]:
    """Trains, evaluates and exports into the model folder `out`, with its card; returns what the manifest says of it.

    What is of `newest_from` or after it is not learned from: it shows what the thresholds are worth on later traffic.
    Raises `DataError`, `ModelError`, `MissingExtraError`.
    """
    dataset = load_traces(paths)
    since = None if newest_from is None else newest_from.replace(tzinfo=UTC).timestamp()
    learned = dataset.rows(~later(dataset, since))
    chosen = recipe(seed)
    kept = f", {len(dataset) - len(learned):,} more to measure with" if since else ""
    progress(f"{len(learned):,} traces, {int(learned.labels.sum())} of them exploits{kept}: training")
    try:
        model = fit_on(chosen, learned, 0, masked=())
    except ValueError as error:
        raise DataError(str(error)) from error
    training = {
        "data": dataset.hashes,
        "newest_from": since,
        "rows": len(learned),
        "exploits": int(learned.labels.sum()),
        "seed": seed,
        "parameters": chosen.merged(),
        "hidden": dict(HIDDEN),
    }
    evaluation, _ = evaluate_traces(chosen, dataset, later(dataset, since), progress)
    progress("export, scikit-learn against ONNX Runtime against Rust")
    save_trace(out, model, ALERT_THRESHOLD, training, evaluation)
    document = manifest.read(out)
    (out / cards.NAME).write_text(cards.render(document), encoding="utf-8")
    entry: dict[str, Any] = document[manifest.TRACE]
    return entry


def evaluate(
    model_dir: Path,
    paths: Iterable[Path],
    progress: Progress = silent,
    *,
    rates: Sequence[float] = (),
    scores: Path | None = None,
) -> dict[str, Any]:
    """Measures the model over traces of a folder on labelled traces, of one class too.

    On files it was trained from, its recipe is trained again on each split, and `reproduces` says whether the
    manifest's figures came out; `out_of_fold` is what `scored.report` says of the grouped folds. On others the shipped
    model itself is measured. `rates`: false positive rates to find the thresholds for. `scores`: a file for every
    row's score. Raises as `train` does, and `OSError`.
    """
    document = manifest.read(model_dir)
    model = Shipped(model_dir, manifest.trace_entry(document), document[manifest.TRACE])
    dataset = load_traces(paths)
    result: dict[str, Any] = {
        "data": dataset.hashes,
        "rows": len(dataset),
        "exploits": int(dataset.labels.sum()),
    }
    if model.can_be_judged_anew(dataset):
        newest = later(dataset, model.entry.training.get("newest_from"))
        measured, p = evaluate_traces(model.recipe, dataset, newest, progress)
        told = document[manifest.TRACE].get("evaluation")
        result |= {**measured, "reproduces": told is not None and same(told, measured)}
        scored = model.scored(dataset.rows(~newest), p)
        result["out_of_fold"] = report(scored, rates)
        lines = in_words("verdict model, out of fold", result["out_of_fold"])
    else:
        result["as_shipped"], scored = model.measured(dataset, rates)
        lines = in_words("verdict model", result["as_shipped"])
    for line in lines:
        progress(line)
    if scores is not None:
        write_scores(scored.rows(), scores)
    return result


def evaluate_traces(
    chosen: Recipe, dataset: Dataset, newest: NDArray[np.bool_], progress: Progress = silent
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Time-ordered and grouped evaluation, the latter by benign collection too, probes of the collections, and drift.

    Rows that are `newest` show the drift alone. Also returns the probability of each other row by grouped folds.
    """
    everything, dataset = dataset, dataset.rows(~newest)
    progress("time-ordered splits")
    result = ordered_summaries(chosen, dataset, masked=())
    drawings = []
    for repeat in range(REPEATS):
        progress(f"grouped folds, drawing {repeat + 1} of {REPEATS}")
        drawn = replace(chosen, seed=chosen.seed + repeat)
        splits = grouped_folds(dataset.labels, dataset.groups, drawn.seed)
        drawings.append(predict_splits(drawn, dataset, splits, masked=()))
    p = _together(drawings)
    result["grouped_folds"] = summary(dataset, p, chosen.seed, chosen.prevalence)
    result["drawings"] = [_recalls(dataset, drawing, chosen) for drawing in drawings]
    result["collections"] = {
        str(source): _against(dataset, p, source, chosen)
        for source in np.unique(dataset.sources[dataset.labels == 0])
    }
    result["missed"] = _missed(dataset, p)
    progress("drift by period")
    result["drift"] = drift(chosen, everything, newest)
    progress("probes for what the collection gives away")
    result["probes"] = probes(dataset, chosen.seed)
    return result, p


def _together(drawings: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Mean log-odds of several answers, as probability; NaN where one has none."""
    p = np.clip(np.array(drawings, dtype=np.float64), 1e-9, 1 - 1e-9)
    return sigmoid(np.mean(np.log(p) - np.log1p(-p), axis=0)).astype(np.float32)


def _recalls(dataset: Dataset, p: NDArray[np.float32], chosen: Recipe) -> list[float] | None:
    measured = summary(dataset, p, chosen.seed, chosen.prevalence)
    return None if measured is None else [point["recall"] for point in measured["at_fpr"]]


def _against(dataset: Dataset, p: NDArray[np.float32], source: str, chosen: Recipe) -> dict[str, Any] | None:
    """The exploits against the benign rows of one collection alone."""
    rows = (dataset.labels == 1) | (dataset.sources == source)
    measured = summary(dataset.rows(rows), p[rows], chosen.seed, chosen.prevalence)
    return measured and {key: measured[key] for key in ("rows", "exploits", "average_precision", "at_fpr")}


def _missed(dataset: Dataset, p: NDArray[np.float32]) -> dict[str, float]:
    """Each exploit that more than 1 % of the benign rows outrank: its incident, and which share of them."""
    benign = p[dataset.labels == 0]
    shares = {
        str(dataset.groups[i]).removeprefix("incident "): float((benign >= p[i]).mean())
        for i in np.flatnonzero((dataset.labels == 1) & np.isfinite(p))
    }
    return dict(sorted(((name, share) for name, share in shares.items() if share > 0.01), key=lambda x: x[1]))


def _same_functions(dataset: Dataset, rows: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """As many of `rows` from either of two collections for each function called, plain payments left out."""
    rng = np.random.default_rng(seed)
    kept: list[NDArray[np.intp]] = []
    functions = np.asarray(dataset.functions)[rows]
    for function in np.unique(functions[functions != "0x"]):
        called = rows[functions == function]
        by_source = [
            called[dataset.sources[called] == source] for source in np.unique(dataset.sources[called])
        ]
        if len(by_source) == 2:
            count = min(map(len, by_source))
            kept.extend(rng.choice(part, count, replace=False) for part in by_source)
    return np.concatenate(kept) if kept else rows[:0]


def probes(dataset: Dataset, seed: int) -> dict[str, float | None]:
    """Grouped AUC of a forest that guesses where a row comes from by the features; 0.5: it cannot."""
    benign = dataset.labels == 0
    sources, counts = np.unique(dataset.sources[benign], return_counts=True)
    answers: dict[str, float | None] = {}
    if len(sources) > 1:
        largest = sources[np.argsort(-counts)[:2]]
        # Of the same years, and transactions that did something.
        acted = (dataset.features != 0).any(axis=1)
        spans = [dataset.times[dataset.sources == source] for source in largest]
        low, high = max(np.nanmin(s) for s in spans), min(np.nanmax(s) for s in spans)
        same = benign & acted & (dataset.times >= low) & (dataset.times <= high)
        rows = np.flatnonzero(same & np.isin(dataset.sources, largest))
        question = f"{largest[0]} or {largest[1]}, benign of the same years"
        for alike, part in (
            ("", rows),
            (", calls of the same functions", _same_functions(dataset, rows, seed)),
        ):
            truth = dataset.sources[part] == largest[0]
            answers[question + alike] = separation(dataset.rows(part), truth, seed)
    bsc = np.char.endswith(dataset.sources, "/bsc")
    answers["bsc or eth, exploits"] = separation(dataset.rows(~benign), bsc[~benign], seed)
    return answers
