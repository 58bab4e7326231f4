"""The model card's part on the model over traces."""

from datetime import UTC, datetime
from typing import Any

from mempool_ids.model.training.table import (
    RANKING,
    evaluations,
    operating_points,
    ranking,
    reliability,
    table,
)


def render(model: dict[str, Any]) -> str:
    """The part of the card, from the manifest's entry of the model over traces."""
    return "\n\n".join(
        [
            _head(model),
            _ranking(model),
            _operating(model),
            _drift(model),
            _collections(model),
            _missed(model),
            _hidden(model),
            _reproduce(model),
        ]
    )


def _head(model: dict[str, Any]) -> str:
    training = model["training"]
    return f"""# Verdict model: what a simulated transaction did

Gives a transaction's call tree, from a simulation, the probability that it is an exploit, from
{len(model["feature_schema"]["names"])} features: re-entries, callbacks, repetition, verbs of the functions called,
contracts created, who gains without paying, trades' sizes against the pools', answers of views that change, round
amounts, empty transfers, questions that the lead answers. Model:
**{model["kind"]}** {model["version"]}, trained on {training["rows"]:,} traces, of which {training["exploits"]}
exploits.

**It ranks; it does not prove.** An arbitrage with a flash loan looks much like an attack on a price, and an attack
that is one call of an unprotected function looks like any call. The simulation's invariants say what a monitored
contract loses; this model says how unusual the way there is. It judges only what the simulation shows: an attack
that hides from simulation, or whose preparation is another transaction, shows nothing. A transaction that fails has
no features and is benign to it. Its weights are public: who adds harmless calls to an attack makes it look more
harmless, within the bounds that model/training/logistic.py sets, and what the invariants say stays."""


def _ranking(model: dict[str, Any]) -> str:
    result = model["evaluation"]
    lines = [[title, *ranking(part)] for title, part in evaluations(result) if part]
    drawings = "; ".join(
        " / ".join(f"{value:.2f}" for value in drawing) for drawing in result["drawings"] if drawing
    )
    return f"""## Measured on recorded traces

As above: recall at a false positive rate read from the same test rows, 95 % intervals in brackets. *Time-ordered*:
trained on what came before. *Grouped folds*: five folds, an incident or a block never in two, drawn
{len(result["drawings"])} times and averaged; each drawing alone: {drawings}. Features and parameters were chosen on
these rows, so all figures are mildly optimistic.

{table(["split", *RANKING], lines)}"""


def _operating(model: dict[str, Any]) -> str:
    part = model["evaluation"]["grouped_folds"]
    lines = [shown for _, shown in operating_points(part)]
    return f"""## Thresholds and calibration

Grouped folds. A probability holds for a stream of which {model["calibration"]["prevalence"]:.0%} are exploits.

{table(["operating point", "threshold", "recall", "FPR"], lines)}

{reliability(part["reliability"])}"""


def _drift(model: dict[str, Any]) -> str:
    lines = [
        [
            f"from {part['from']}",
            f"{part['benign']:,} / {part['exploits']}",
            *(_rate(part[name]) for name in ("stated", "at_alert_threshold", "at_stated_threshold")),
            *(_recall(part[name]) for name in ("at_stated_threshold", "at_its_own")),
        ]
        for part in model["evaluation"].get("drift", ())  # manifests of before do not tell
    ]
    columns = ["period", "benign rows / exploits", "FPR at 0.7: stated", "measured", "where 0.1 % is stated"]
    return f"""## Drift

Whether thresholds mean later what was stated of them: a model of what came before each period, on that period. *Stated*
are the rates of its own training rows, out of fold. The last period is in nothing that this model learned from, and
counts in the one before it as well, so that this one has exploits and enough benign rows. 0.7 is stated for 0.1 % of
the newest traffic: the prevalence was chosen by the two last lines.

{table([*columns, "recall there", "recall at FPR 0.1 % of the period's own"], lines)}"""


def _rate(point: dict[str, Any]) -> str:
    low, high = point["false_positive_rate_interval"]
    return f"{point['false_positive_rate']:.3%} [{low:.3%}, {high:.3%}]"


def _recall(point: dict[str, Any]) -> str:
    if point["recall"] is None:
        return "n/a"
    low, high = point["recall_interval"]
    return f"{point['recall']:.2f} [{low:.2f}, {high:.2f}]"


def _collections(model: dict[str, Any]) -> str:
    result = model["evaluation"]
    sources = [
        [source, f"{rates['rows']:,}", *(f"{rate:.2%}" for rate in rates["alarm_rates"])]
        for source, rates in result["grouped_folds"]["by_source"].items()
    ]
    against = [
        [source, f"{part['rows'] - part['exploits']:,}", *(f"{p['recall']:.2f}" for p in part["at_fpr"])]
        for source, part in result["collections"].items()
        if part
    ]
    probes = [
        [question, "n/a" if auc is None else f"{auc:.3f}"] for question, auc in result["probes"].items()
    ]
    rates = ["at FPR 0.1 %", "1 %", "5 %", "10 %"]
    return f"""## Does it learn attacks or the collection?

Grouped folds, share of rows that are alarms at each operating point:

{table(["source", "rows", *rates, "at 0.7"], sources)}

Recall where the false positive rate is read from one benign collection alone:

{table(["benign rows of", "rows", *rates], against)}

Can the features tell collections apart? Grouped AUC of a forest that guesses where a row comes from (0.5: it cannot;
below, blocks differ more than collections do). Whole blocks are mostly plain payments, the other benign traces mostly
calls, so these two separate, and false alarms are more frequent among the latter; between calls of the same functions,
as many of each, only the way of recording could. Incidents' recorders have no benign traces to compare: that another
way of recording changes no feature is shown by a test on made-up traces. Chains differ in their protocols.

{table(["question", "AUC"], probes)}"""


def _missed(model: dict[str, Any]) -> str:
    missed = model["evaluation"]["missed"]
    names = "; ".join(f"{name} ({share:.1%})" for name, share in missed.items())
    return f"""## What it misses

The {len(missed)} exploits that more than 1 % of the benign rows outrank in grouped folds, and how many do: {names}.

Nearly all of these are a handful of frames: one call of a function that should have been protected, a forged proof
or signature, a withdrawal of what an earlier transaction had prepared, or that preparation itself."""


def _hidden(model: dict[str, Any]) -> str:
    training = model["training"]
    importance = [[name, f"{value:.3f}"] for name, value in list(training["importance"].items())[:25]]
    return f"""## What the features do not see

{table(["hidden", "why"], [[name, why] for name, why in training["hidden"].items()])}

Most important features (size of the weight times the feature's deviation, as a share of the sum):

{table(["feature", "importance"], importance)}"""


def _reproduce(model: dict[str, Any]) -> str:
    probe = model["probe"]
    files = table(["file", "sha256"], [[name, digest] for name, digest in model["training"]["data"].items()])
    return f"""## Export and data

`{model["file"]}`: {", ".join(probe["runners"])} agree on {probe["rows"]:,} probe rows within
{probe["largest_difference"]:.1e}. `mempool-ids model eval --traces FILES` trains again on every split with seed
{model["training"]["seed"]} and says whether the figures above came out; on other traces it measures the shipped
model. `mainnet-blocks.jsonl` are blocks of 2019 to 2024, executed by the simulator: `MEMPOOL_IDS_TRACES=FILE cargo test
--release -p mempool-ids-core --test conformance traces -- --ignored` writes the same bytes anew.{_kept(model)}

{files}"""


def _kept(model: dict[str, Any]) -> str:
    since = model["training"].get("newest_from")
    if since is None:
        return ""
    day = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d}"
    return (
        f" What is of {day} or later\nwas not learned from (`mempool-ids model train --newest-from {day}`)."
    )
