"""MODEL_CARD.md from the manifest: every figure in it is one that `mempool-ids model eval` measures again."""

from typing import Any

from mempool_ids.model.training import trace_card
from mempool_ids.model.training.early import card as early_card
from mempool_ids.model.training.table import (
    RANKING,
    evaluations,
    operating_points,
    or_none,
    ranking,
    reliability,
    table,
)

NAME = "MODEL_CARD.md"
TITLES = {"random_forest": "Random forest", "gradient_boosting": "Gradient boosting"}


def render(manifest: dict[str, Any]) -> str:
    """The card of a model folder's manifest."""
    parts = [_head(manifest)]
    evaluated = {name: m["evaluation"] for name, m in manifest["models"].items() if m.get("evaluation")}
    if manifest["default"] in evaluated:
        parts += [
            _ranking(evaluated),
            _operating(manifest, evaluated),
            _sources(manifest, evaluated),
        ]
        parts += [_calibration(manifest, evaluated), _kinds(manifest)]
    else:
        parts.append(
            "## Not measured on real data\n\nThis model was trained on synthetic rows, or on data without both classes."
            " Nothing here says how well it finds exploits."
        )
    parts += [_features(manifest), _export(manifest), _reproduce(manifest)]
    if "trace" in manifest:
        parts.append(trace_card.render(manifest["trace"]))
    if "early" in manifest:
        parts.append(early_card.render(manifest["early"]))
    return "\n\n".join(parts) + "\n"


def _default(manifest: dict[str, Any]) -> dict[str, Any]:
    model: dict[str, Any] = manifest["models"][manifest["default"]]
    return model


def _head(manifest: dict[str, Any]) -> str:
    model = _default(manifest)
    training = model["training"]
    # Manifests of before do not tell.
    creations = training.get("creations", 0)
    return f"""# Model card: mempool-ids transaction classifier

Gives one pending transaction the probability that it is an exploit, from 22 features of its calldata, value and
context. Default model: **{manifest["default"]}** {model["version"]}, trained on {training["rows"]:,} real transactions,
of which {training["exploits"]} exploits, and {training["synthetic_rows"]:,} synthetic rows. Only calls: creations of
contracts ({creations} rows of the data) are left to what their simulation shows.

**Calldata alone cannot tell exploits from trades.** Most attacks are one call into a contract that the
attacker deployed, and a searcher's arbitrage looks the same from outside. This model ranks transactions; it
does not decide. At the natural prevalence (about 0.3 exploits in 1.2 million transactions a day on Ethereum)
nearly every alarm of any threshold below is false. Use it together with the signatures, on transactions that
touch the contracts you monitor, and let simulation decide what is an attack. It sees only public pending
transactions: an attacker with private order flow is not seen at all."""


def _ranking(evaluated: dict[str, Any]) -> str:
    lines = []
    for name, result in evaluated.items():
        for title, part in evaluations(result):
            if part:
                lines.append([TITLES.get(name, name), title, *ranking(part)])
    return f"""## Measured on real data

Average precision, and recall at a false positive rate (FPR) read from the same test rows; in brackets 95 %
intervals (recall: Clopper-Pearson; average precision: bootstrap over whole incidents and blocks).
*Time-ordered*: trained on what came before, tested on what came after (2022, then 2023 and later); this
decides which model is the default. *Grouped folds*: five folds, an incident or a block never in two; more
exploits, but it learns from the future. The configuration (trees, depth, masks) was chosen on these same rows, so
all figures are mildly optimistic.

*Time-ordered* is not free of the future either. The known-selector set is today's collection for every year, so
`unknown_function` knows functions that were published only after the transaction. A row without a time of its own has
that of its block, interpolated between blocks of known time; a block beyond the first or last of these has that one's.

{table(["model", "split", *RANKING], lines)}"""


def _operating(manifest: dict[str, Any], evaluated: dict[str, Any]) -> str:
    part = _main(manifest, evaluated)
    lines = [
        [
            *shown,
            f"{p['alerts_per_day']:,.0f}",
            or_none(p["precision_at_natural_prevalence"], ".1e"),
        ]
        for p, shown in operating_points(part)
    ]
    tuned = ", ".join(
        f"{float(fpr):.1%}: {value:.4f}" for fpr, value in _default(manifest)["thresholds"].items()
    )
    head = ["operating point", "threshold", "recall", "FPR", "alerts a day", "precision in nature"]
    return f"""## What a threshold means in operation

Default model, time-ordered splits. *Alerts a day* if every one of 1.2 million transactions a day were judged;
watching only transactions that touch your contracts divides it by the share of traffic that does. *Precision
in nature*: with 0.3 exploits a day. The FPR's intervals count rows as independent; false alarms come in bursts
(many calls of one popular contract in a block), so it varies more from day to day than they say. The thresholds
shipped in the manifest, by target FPR on the training rows out of fold: {tuned}.

{table(head, lines)}"""


def _sources(manifest: dict[str, Any], evaluated: dict[str, Any]) -> str:
    sections = []
    for title, key in (("Grouped folds", "grouped_folds"), ("Time-ordered", "time_ordered")):
        part = evaluated[manifest["default"]][key]
        if part:
            lines = [
                [source, f"{rates['rows']:,}", *(f"{rate:.2%}" for rate in rates["alarm_rates"])]
                for source, rates in part["by_source"].items()
            ]
            head = ["source", "rows", "at FPR 0.1 %", "1 %", "5 %", "10 %", "at 0.7"]
            sections.append(
                f"{title}, share of rows that are alarms at each operating point:\n\n{table(head, lines)}"
            )
    probes = manifest.get("data", {}).get("probes")
    if probes:
        lines = [
            [question, *("n/a" if v is None else f"{v:.3f}" for v in answer.values())]
            for question, answer in probes["separation_auc"].items()
        ]
        sections.append(
            "Can the features tell the collections apart? AUC of a forest that guesses where a row comes from, grouped"
            " folds (0.5: it cannot). The benign collections do differ in what their transactions do (mainnet-blocks"
            " has more plain transfers), so the middle line compares calls with arguments only.\n\n"
            + table(["question", "features the model sees", "all 22"], lines)
        )
        sections.append(
            "With nothing masked, the same forest reaches an average precision of"
            f" {probes['average_precision_unmasked']:.2f} in grouped folds. What exceeds the masked figure is the"
            " collection being learned, not the attack: live, it would be lost."
        )
    return "## Does it learn attacks or the collection?\n\n" + "\n\n".join(sections)


def _calibration(manifest: dict[str, Any], evaluated: dict[str, Any]) -> str:
    model, part = _default(manifest), _main(manifest, evaluated)
    return f"""## What the probability means

A sigmoid over out-of-fold scores, stated for a stream in which {model["calibration"]["prevalence"]:.0%} of
transactions are exploits. Every probability holds for some prevalence; the natural one would make all of them zero.
At this one, 0.7 lies where about one benign training row in 1,000 passes out of fold, the lowest rate that the data
can measure; on later transactions it was {part["at_alert_threshold"]["false_positive_rate"]:.2%}. To restate a
probability p for another prevalence, multiply its odds p/(1−p) by the ratio of the prevalences' odds.
Default model, time-ordered:

{reliability(part["reliability"])}

Few exploits reach the upper levels, so their shares are uncertain. Brier score on those rows:
{part["brier"]:.4f}."""


def _kinds(manifest: dict[str, Any]) -> str:
    supplement = manifest.get("data", {}).get("synthetic_supplement", {})
    if not supplement:
        return "## Synthetic rows\n\nNot compared."
    columns = list(next(iter(supplement.values())))
    lines = [
        [TITLES.get(kind, kind), *("n/a" if v is None else f"{v:.3f}" for v in scores.values())]
        for kind, scores in supplement.items()
    ]
    return f"""## Would synthetic rows help?

Average precision on the *real*, later exploits (time-ordered, masked alike), by what the model was trained
on. Synthetic rows are invented feature vectors; accuracy on them is never reported as accuracy.

{table(["model", *(f"trained on {c}" for c in columns)], lines)}"""


def _features(manifest: dict[str, Any]) -> str:
    model = _default(manifest)
    masked = model["training"].get("masked", {})
    importance = [
        [name, f"{value:.3f}"] for name, value in model["training"].get("importance", {}).items() if value > 0
    ]
    hidden = (
        table(["masked feature", "why"], [[name, why] for name, why in masked.items()]) if masked else "None."
    )
    return f"""## Features

Importance in the default model (mean decrease of impurity):

{table(["feature", "importance"], importance)}

Masked features hold one constant in training, so no tree splits on them and no live value of them can move
the probability. What they say reaches a detection through the signatures.

{hidden}"""


def _export(manifest: dict[str, Any]) -> str:
    lines = [
        [
            name,
            m["file"],
            f"{m['probe']['rows']:,}",
            ", ".join(m["probe"]["runners"]),
            f"{m['probe']['largest_difference']:.1e}",
        ]
        for name, m in manifest["models"].items()
        if "probe" in m
    ]
    return f"""## Export

Written only if all runners agree within 1e-6 on every probe row (training rows, rows on both sides of every
split, extremes).

{table(["model", "file", "probe rows", "runners", "largest difference"], lines)}"""


def _reproduce(manifest: dict[str, Any]) -> str:
    training = _default(manifest)["training"]
    files = table(["file", "sha256"], [[name, digest] for name, digest in training["data"].items()])
    return f"""## Reproduce

`mempool-ids model eval --data DATA` trains again on every split with seed {training["seed"]} and says whether
the figures above came out. On other labelled transactions it measures the shipped models as they are.

{files if training["data"] else "No data files: synthetic rows only."}

Licence: MIT, like the project. The training data is public and is not part of the package."""


def _main(manifest: dict[str, Any], evaluated: dict[str, Any]) -> dict[str, Any]:
    result = evaluated[manifest["default"]]
    part: dict[str, Any] = result["time_ordered"] or result["grouped_folds"]
    return part
