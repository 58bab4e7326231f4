"""The model card's part on the models over contracts."""

from collections.abc import Mapping
from typing import Any

from mempool_ids.model.training.table import table, with_interval

TITLES = {"high_recall": "recall", "high_precision": "precision"}


def render(entry: Mapping[str, Any]) -> str:
    """The part of the card, from the manifest's entry of the early models."""
    report = entry["evaluation"]
    return "\n\n".join(
        [
            _head(entry),
            _field(entry),
            _ranking(report),
            _thresholds(report),
            _sources(report),
            _drift(report),
            _hiding(report),
            _ablations(report),
            _tried(),
            _missed(report),
            _surest(report),
            _limits(),
            _reproduce(entry),
        ]
    )


def _head(entry: Mapping[str, Any]) -> str:
    rows = entry["evaluation"]["rows"]
    width = sum(width for _, width in entry["blocks"])
    return f"""# Early models: a contract's code before its first call

Two models, **{entry["version"]}**, of the same features: {width:,} hashed ones (as tf-idf: opcode 5-grams without stack
operations, 3-grams of what has an effect or decides, pairs of steps, which are functions called, calls, stores and
events; selectors called and offered) and {len(entry["feature_schema"]["names"])} named ones.
*Precision*: a regression on the hashed ones, which ranks best at the very top. *Recall*: the same with a regression,
a forest and boosted trees over the named ones, which find more of the rest. That is why there are two. The twentieth
of the benign contracts that a first regression takes for attacks most weighs three times as much. Trained on
{rows["benign"]:,} benign contracts and {rows["exploit"]} of attackers, of {rows["incidents"]} incidents, and on
{rows["made_up"]} attack contracts of our own that do nothing: these are in no figure below. Init code is scored by
what its constructor leaves, executed without a state; where it leaves nothing, or cannot run, by what it has
embedded, else by itself.

**Neither proves anything.** Code of searchers looks like that of attackers, and an attack that is one call of a
function needs no contract. Both scores are probabilities for a stream of contracts of which attackers made
{entry["prevalence"]:.1%}. That share is chosen, so that Ethereum's threshold of the recall model is 0.5: in nature
one in ten thousand or fewer is theirs, and a score is no probability there."""


def _field(entry: Mapping[str, Any]) -> str:
    cells = [entry["version"]]
    head = ["version"]
    names = {
        "ethereum recall": "eth",
        "others recall": "other chains",
        "ethereum precision": "high-precision eth",
        "others precision": "high-precision other chains",
    }
    counted = []
    for key, name in names.items():
        part = entry["evaluation"]["field"].get(key)
        head += [f"{name} f1", "p", "r"]
        cells += (
            ["", "", ""]
            if part is None
            else [f"{part[value]:.2f}" for value in ("f1", "precision", "recall")]
        )
        if part and "recall" in key:
            counted.append(f"{name} {part['exploits']}")
    return f"""## Five folds, in the field's form

Out of fold at the shipped thresholds, an incident whole on one side, against all benign rows. Exploits:
{", ".join(counted)}; what names no chain counts as Ethereum's. Precision hangs on how many benign rows there are: 130
for each exploit here.

{table(head, [cells])}"""


def _ranking(report: Mapping[str, Any]) -> str:
    lines = []
    for split, name in (("grouped", "grouped by incident"), ("time_ordered", "time-ordered")):
        for model, part in report[split].items():
            points = [with_interval(p["recall"], p["recall_by_incidents"]) for p in part["at_fpr"]]
            day = part["at_fpr"][1]
            lines.append(
                [
                    TITLES[model],
                    name,
                    f"{part['rows']:,} / {part['exploits']}",
                    with_interval(part["average_precision"], part["average_precision_interval"]),
                    *points,
                    f"{part['recall_at_precision']:.2f}",
                    f"{day['alerts_per_day']:,.0f}",
                    f"{day['precision_at_natural_prevalence'] or 0:.1e}",
                ]
            )
    head = [
        "model",
        "split",
        "rows / exploits",
        "average precision",
        "recall at FPR 0.16 %",
        "at 1 %",
        "at 5 %",
    ]
    head += ["recall at precision .95", "alerts a day at 1 %", "precision in nature at 1 %"]
    return f"""## Measured

Recall where the false positive rate is read from the same rows; in brackets 95 % intervals by drawing incidents anew.
*Time-ordered*: exploits before 2023 are learned from, those of 2023 tested; benign contracts have no dates, half of
them are on either side. Alerts a day if 10,000 distinct contracts a day are deployed; with 0.3 exploits a day.
Features and weights were chosen by two other drawings of the folds and by the time-ordered split, all of these rows:
all figures are optimistic. Aims were, time-ordered, recall .65 at 1 % (.75 grouped) and .45 at .16 %, and precision
.95 at recall .31: where a figure is below, the aim is
missed. Rows of one incident are often copies: the {report["rows"]["incidents"]} incidents are the evidence.

{table(head, lines)}"""


def _thresholds(report: Mapping[str, Any]) -> str:
    lines = []
    for key in report["at_thresholds"]["grouped"]:
        chain, model = key.split(" ")
        threshold = report["thresholds"][chain][model]
        cells = [chain, TITLES[model], f"{threshold:.4f}"]
        for split in ("grouped", "time_ordered"):
            point = report["at_thresholds"][split][key]
            cells += [
                f"{point['recall']:.2f}",
                with_interval(point["false_positive_rate"], point["false_positive_rate_interval"], 4),
            ]
        lines.append([*cells, f"{report['at_thresholds']['grouped'][key]['alerts_per_day']:,.1f}"])
    head = [
        "chain",
        "model",
        "threshold",
        "recall, grouped",
        "FPR",
        "recall, time-ordered",
        "FPR",
        "alerts a day",
    ]
    return f"""## Thresholds

*Recall*: where 1 % of benign contracts of the newest compilers pass out of fold. *Precision*: where 0.02 % of all
pass. For other chains half of these rates, for there is no benign contract of theirs in the data.

{table(head, lines)}"""


def _rates(part: Mapping[str, Any]) -> list[str]:
    return [f"{part['rows']:,}", *(f"{rate:.2%}" for rate in part["alarm_rates"])]


def _sources(report: Mapping[str, Any]) -> str:
    lines = [[name, *_rates(part)] for name, part in report["by_source"].items()]
    origins = [[name, *_rates(part)] for name, part in report["by_origin"].items()]
    head = ["rows", "rows at Ethereum's thresholds: recall model", "precision model"]
    return f"""## By source, and by what the code was

Out of fold. *mev-bot* are the hardest: searchers' contracts. Ponzi schemes and rug pulls (*other*) are neither
learned from nor counted.

{table(["source", *head], lines)}

{table(["code of exploits", *head], origins)}"""


def _drift(report: Mapping[str, Any]) -> str:
    lines = [[name.removesuffix(" benign"), *_rates(part)] for name, part in report["drift"].items()]
    return f"""## Drift

Benign contracts by the compiler that their metadata names, which is all that dates them: whether the rates hold for
newer code.

{table(["compiler", "rows", "recall model's rate", "precision model's"], lines)}"""


def _hiding(report: Mapping[str, Any]) -> str:
    lines = [[way, *(f"{value:.2f}" for value in both)] for way, both in report["obfuscated"].items()]
    compilers = [[name, *_rates(part)] for name, part in report["made_up_by_compiler"].items()]
    return f"""## Hiding

What costs an attacker nothing, done to the exploits before a model that has not seen them scores them: recall at
Ethereum's thresholds. The source of real attacks is not there to compile anew; of made-up ones by other compilers and
settings, a model that has seen none of them recalls what the second table says.

{table(["exploits", "recall model", "precision model"], lines)}

{table(["made-up by", "rows", "recall model", "precision model"], compilers)}"""


def _ablations(report: Mapping[str, Any]) -> str:
    lines = [
        [name, *(f"{value:.2f}" for model in both for value in model)]
        for name, both in report["ablations"].items()
    ]
    columns = ["AP", "at 0.16 %", "at 1 %", "at 5 %"]
    head = ["features", *(f"recall model: {c}" for c in columns), *(f"precision model: {c}" for c in columns)]
    return f"""## Without some features

Time-ordered. Who funded the deployer is in no model: it decides beside the score.

{table(head, lines)}"""


def _tried() -> str:
    return """## What was tried

For version 2026.12.01, by the mean of two other drawings of the grouped folds and by the time-ordered split. What
brought more: 3-grams of effects (alone the most at 1 %), pairs of steps (time-ordered average precision), boosted trees
over the named features (grouped at 1 %), and at last three times the weight on the hardest benign rows (the precision
model, time-ordered, from 18 to 23 of 42 at 0.16 % and from 2 to 7 at precision .95; the recall model, grouped, from .64
to .66 at 1 %, from .42 to .43 at 0.16 %, and half a row less at 5 %). What moved no figure by more than chance, or one
up and another down: 5-grams in sixteen times as many buckets, sequences of 3, 4, 6 or 8 in their place, 4-grams of
effects as well, the regression held back three times more or less, made-up contracts weighed more, and what the table
says, which was measured without the weight on hard rows unless it says so. In the recall model the extra trees beside
the rest lost average precision, and grouped recall at 1 %. Far worse: likeness to known exploits alone. Nothing in a
blend moved the time-ordered recall at 1 %: of the sixteen rows that were missed, the nearest was outranked by two
percent of the benign ones, nine by a fifth or more.

| precision model | grouped: AP / recall at 0.16 % / at 1 % / at precision .95 | time-ordered: the same |
| --- | --- | --- |
| as it was before | .505 / .406 / .573 / .156 | .518 / .429 / .619 / .048 |
| more weight on the hardest benign rows, as it is | .506 / .411 / .583 / .161 | .539 / .548 / .619 / .167 |
| eight times as much weight on them | .504 / .417 / .578 / .161 | .549 / .548 / .619 / .214 |
| tf-idf scaled by log-count ratios | .463 / .401 / .568 / .005 | .514 / .500 / .619 / .048 |
| a support vector machine | .461 / .385 / .562 / .109 | .529 / .429 / .619 / .214 |
| a regression of few weights (L1) |  | .432 / .500 / .548 / .000 |
| extra trees, 1,000 hashed columns and the named | .385 / .276 / .557 / .005 | .382 / .262 / .667 / .000 |
| boosted trees over the same |  | .412 / .381 / .571 / .190 |
| likeness to the three nearest exploits | .102 / .089 / .161 / .010 | .030 / .000 / .000 / .000 |
| less weight on benign rows other folds are sure of |  | .509 / .548 / .619 / .000 |
| mean of regressions on half of the columns |  | .492 / .429 / .619 / .000 |
| mean of regressions without a third of the incidents |  | .511 / .524 / .619 / .000 |"""


def _missed(report: Mapping[str, Any]) -> str:
    missed = "; ".join(
        f"{name.removeprefix('incident ')} ({share:.1%})" for name, share in report["missed"].items()
    )
    return f"""## What it misses

Incidents none of whose contracts reach the recall model's threshold, and which share of benign rows outranks the
best: {missed}.

Some of these contracts are tokens that an attack made up, or do nothing by themselves."""


def _surest(report: Mapping[str, Any]) -> str:
    lines = [
        [one["keccak256"][:16], one["source"], f"{one['exploits_above']:.0%}"] for one in report["surest"]
    ]
    return f"""## What it takes for an attack

The benign rows that the precision model is surest of, out of fold, by keccak256 of their code. Those of version
2026.11.30 were read, nine of which are still among these: bots of searchers and scripts for one use, such as a
liquidation, a claim by a contract that then destroys itself, a call of one function that pays its caller. Nothing shows
that they attacked anybody, nor that they did not: their label says benign, so they are learned from and counted as
false alarms in every figure.

{table(["code", "source", "exploits that outrank it"], lines)}"""


def _limits() -> str:
    return """## What it does not see

Only code: not who deployed it, who funded them, or what it was called with. Targets of computed jumps inside made-up
metadata, code that is decrypted or created later, and what a proxy leads to before it is read. Code is read up to 64
KiB. Its weights are public: who studies them can write code that scores low, which detonation then has to catch."""


def _reproduce(entry: Mapping[str, Any]) -> str:
    training = entry["training"]
    lines = [[name, digest] for name, digest in training["data"].items()]
    lines.append(["made_up.jsonl.gz", training["made_up"]])
    probe = entry["probe"]
    return f"""## Export and data

scikit-learn, onnxruntime and rust agree on {probe["rows"]} probe rows within {probe["largest_difference"]:.1e}.
`mempool-ids model eval --early DATA` trains again on every split with seed {training["seed"]} and says whether the
figures above came out; on other contracts it measures the shipped models.

{table(["file", "sha256"], lines)}"""
