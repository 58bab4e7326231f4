"""How good the early models are, and whether they learned attacks or the collection."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids._core import keccak256
from mempool_ids.model.training.early.data import (
    BENIGN,
    EXPLOIT,
    NEWEST,
    PERIODS,
    Contracts,
    MadeUp,
    matrix,
)
from mempool_ids.model.training.early.model import (
    EarlyModel,
    Recipe,
    calibration,
    even_prevalence,
    probability,
)
from mempool_ids.model.training.early.obfuscate import WAYS
from mempool_ids.model.training.early.ranking import (
    DEPLOYMENTS_PER_DAY,
    Probability,
    of_rate,
    ranking,
    short,
)
from mempool_ids.model.training.early.splits import grouped, ordered, tested
from mempool_ids.model.training.evaluate import Progress, silent
from mempool_ids.model.training.metrics import measure, operating_point

Thresholds = dict[str, dict[str, float]]

RECALL_RATE = 0.01
"""Of the newest benign contracts, so many reach the threshold of the recall model."""
FEW = 0.0002
"""Of all benign contracts, so many reach the threshold of the precision model: a handful of rows, the fewest that can
be told from none."""
SUREST = 10
"""Benign rows that are told one by one."""
OTHERS = 0.5
"""On other chains thresholds are set for this share of the rate: the data has no benign contract of theirs."""
ABLATIONS: dict[str, tuple[str, ...]] = {
    "no selectors": (
        "steps",
        "called",
        "offered",
        "functions",
        "function_called",
        "calls_",
        "offers",
        "callbacks",
    ),
    "no size": ("size", "function_instructions"),
    "no metadata": ("metadata",),
    "no opcode sequences": ("grams", "effects", "steps"),
}
MODELS = ("high_recall", "high_precision")


class Evaluation:
    """Everything that is measured of a recipe on labelled contracts."""

    def __init__(
        self,
        recipe: Recipe,
        data: Contracts,
        made_up: MadeUp,
        selectors: bytes,
        progress: Progress = silent,
    ) -> None:
        self.recipe, self.data, self.made_up = recipe, data, made_up
        self._selectors, self._progress = selectors, progress
        margins = np.full((2, len(data)), np.nan)
        altered = {way: np.full((2, len(data)), np.nan) for way in WAYS}
        for number, split in enumerate(grouped(data, recipe.seed), 1):
            progress(f"grouped folds: {number}")
            model, found = tested(recipe, data, split, made_up)
            rows = split[1]
            margins[:, rows] = np.array(found)[:, rows]
            self._alter(model, rows, altered)
        learned = data.labels >= 0
        labels = data.labels[learned]
        self.prevalence = even_prevalence(margins[0, learned], labels, self._recall_margin(margins[0]))
        self.sigmoids = [calibration(margin[learned], labels, self.prevalence) for margin in margins]
        self.grouped = self._probabilities(margins)
        self._altered = {way: self._probabilities(found) for way, found in altered.items()}
        self.thresholds = self._thresholds()

    def report(self) -> dict[str, Any]:
        """What the manifest keeps and the card prints."""
        data = self.data
        self._progress("time-ordered")
        split = ordered(data)
        _, margins = tested(self.recipe, data, split, self.made_up)
        in_order = self._probabilities(np.array(margins))
        return {
            "rows": {
                "exploit": int((data.labels == EXPLOIT).sum()),
                "benign": int((data.labels == BENIGN).sum()),
                "other": int((data.labels < 0).sum()),
                "incidents": len(np.unique(data.groups[data.labels == EXPLOIT])),
                "made_up": len(self.made_up.features),
            },
            "thresholds": self.thresholds,
            "field": self._field(),
            "grouped": {name: self._ranking(p) for name, p in zip(MODELS, self.grouped, strict=True)},
            "time_ordered": {name: self._ranking(p) for name, p in zip(MODELS, in_order, strict=True)},
            "at_thresholds": {
                "grouped": self._at_thresholds(self.grouped),
                "time_ordered": self._at_thresholds(in_order),
            },
            "by_source": self._by(data.sources, self.grouped, (BENIGN, EXPLOIT, -1)),
            "by_origin": self._by(data.origins, self.grouped, (EXPLOIT,)),
            "drift": self._by(data.periods, self.grouped, (BENIGN,), PERIODS),
            "obfuscated": self._obfuscated(),
            **self._ablations(in_order),
            "missed": self._missed(),
            "surest": self._surest(),
        }

    def _probabilities(self, margins: NDArray[np.float64]) -> list[Probability]:
        pairs = zip(margins, self.sigmoids, strict=True)
        return [probability(margin, *sigmoid) for margin, sigmoid in pairs]

    def _newest(self) -> NDArray[np.bool_]:
        """Benign contracts of the newest compilers; all, where these are too few to read a rate from."""
        benign = self.data.labels == BENIGN
        newest: NDArray[np.bool_] = benign & np.isin(self.data.periods, NEWEST)
        return newest if newest.sum() >= 1 / RECALL_RATE else benign

    def _recall_margin(self, margin: NDArray[np.float64]) -> float:
        return of_rate(margin.astype(np.float32), RECALL_RATE, self._newest())

    def _thresholds(self) -> Thresholds:
        recall, precise = self.grouped
        newest, benign = self._newest(), self.data.labels == BENIGN
        return {
            chain: {
                "high_precision": of_rate(precise, share * FEW, benign),
                "high_recall": of_rate(recall, share * RECALL_RATE, newest),
            }
            for chain, share in (("ethereum", 1.0), ("others", OTHERS))
        }

    def _field(self) -> dict[str, dict[str, float]]:
        """Precision, recall and F1 by chain and model, out of fold. What names no chain counts as Ethereum's."""
        labels, chains = self.data.labels, self.data.chains
        table = {}
        for name, p, which in zip(("recall", "precision"), self.grouped, MODELS, strict=True):
            for chain, of_chain in (("ethereum", chains != "bsc"), ("others", chains == "bsc")):
                rows = (labels == BENIGN) | ((labels == EXPLOIT) & of_chain)
                if (labels[rows] == EXPLOIT).any():
                    m = measure(labels[rows], p[rows], self.thresholds[chain][which])
                    table[f"{chain} {name}"] = {
                        "f1": m.f1,
                        "precision": m.precision if m.precision == m.precision else 0.0,
                        "recall": m.recall,
                        "exploits": m.exploits,
                    }
        return table

    def _ranking(self, p: Probability) -> dict[str, Any]:
        rows = np.isfinite(p) & (self.data.labels >= 0)
        return ranking(self.data.labels[rows], p[rows], self.data.groups[rows], self.recipe.seed)

    def _at_thresholds(self, both: list[Probability]) -> dict[str, Any]:
        table = {}
        for chain, thresholds in self.thresholds.items():
            for name, p in zip(MODELS, both, strict=True):
                rows = np.isfinite(p) & (self.data.labels >= 0)
                table[f"{chain} {name}"] = operating_point(
                    self.data.labels[rows], p[rows], thresholds[name], DEPLOYMENTS_PER_DAY
                )
        return table

    def _alarms(self, both: list[Probability]) -> list[NDArray[np.bool_]]:
        thresholds = self.thresholds["ethereum"]
        return [p >= np.float32(thresholds[name]) for name, p in zip(MODELS, both, strict=True)]

    def _by(
        self,
        kinds: NDArray[np.str_],
        both: list[Probability],
        labels: tuple[int, ...],
        order: tuple[str, ...] | None = None,
    ) -> dict[str, Any]:
        """Shares of rows that reach Ethereum's thresholds."""
        names = {BENIGN: "benign", EXPLOIT: "exploit", -1: "other"}
        alarms = self._alarms(both)
        table = {}
        for kind in order or np.unique(kinds).tolist():
            for label in labels:
                rows = (kinds == kind) & (self.data.labels == label)
                if rows.any():
                    shares = [float(alarm[rows].mean()) for alarm in alarms]
                    table[f"{kind} {names[label]}"] = {"rows": int(rows.sum()), "alarm_rates": shares}
        return table

    def _alter(self, model: EarlyModel, rows: NDArray[np.intp], into: dict[str, NDArray[np.float64]]) -> None:
        exploits = rows[self.data.labels[rows] == EXPLOIT]
        for way, change in WAYS.items():
            rng = np.random.default_rng(self.recipe.seed)
            codes = [change(self.data.codes[i], rng) for i in exploits]
            into[way][:, exploits] = model.margins(matrix(codes, self._selectors))

    def _obfuscated(self) -> dict[str, list[float]]:
        """Recall at Ethereum's thresholds, of both models: as they are, and changed."""
        exploits = self.data.labels == EXPLOIT
        table = {"as they are": self.grouped, **self._altered}
        return {
            way: [float(alarm[exploits].mean()) for alarm in self._alarms(both)]
            for way, both in table.items()
        }

    def _ablations(self, whole: list[Probability]) -> dict[str, Any]:
        """Time-ordered average precision and recall at 1 %, of both models, without some features."""
        recipes = {name: Recipe(self.recipe.seed, masked) for name, masked in ABLATIONS.items()}
        recipes["no made-up contracts"] = Recipe(self.recipe.seed, made_up=False)
        by_compiler: dict[str, Any] = {}
        table = {"everything": [short(self._ranking(p)) for p in whole]}
        for name, recipe in recipes.items():
            self._progress(f"ablation: {name}")
            model, margins = tested(recipe, self.data, ordered(self.data), self.made_up)
            table[name] = [short(self._ranking(p)) for p in self._probabilities(np.array(margins))]
            if not recipe.made_up:
                by_compiler = self._compilers(model)
        return {"ablations": table, "made_up_by_compiler": by_compiler}

    def _compilers(self, model: EarlyModel) -> dict[str, Any]:
        """Of made-up contracts, by a model that has seen none: shares at Ethereum's thresholds by compiler."""
        both = self._probabilities(np.array(model.margins(self.made_up.features)))
        alarms = self._alarms(both)
        return {
            str(compiler): {
                "rows": int((self.made_up.compilers == compiler).sum()),
                "alarm_rates": [float(a[self.made_up.compilers == compiler].mean()) for a in alarms],
            }
            for compiler in np.unique(self.made_up.compilers)
        }

    def _missed(self) -> dict[str, float]:
        """Incidents of which nothing reaches the recall model's threshold, and what share of benign outranks it."""
        recall, labels = self.grouped[0], self.data.labels
        benign = recall[labels == BENIGN]
        best: dict[str, float] = {}
        for i in np.flatnonzero(labels == EXPLOIT):
            share = float((benign >= recall[i]).mean())
            name = str(self.data.groups[i])
            best[name] = min(share, best.get(name, 1.0))
        threshold = self.thresholds["ethereum"]["high_recall"]
        reached = float((benign >= np.float32(threshold)).mean())
        return dict(sorted(((n, s) for n, s in best.items() if s > reached), key=lambda pair: pair[1]))

    def _surest(self) -> list[dict[str, Any]]:
        """Benign contracts that the precision model is surest of, and which share of the exploits outranks each."""
        precise, labels = self.grouped[1], self.data.labels
        benign = np.flatnonzero(labels == BENIGN)
        order = benign[np.argsort(-precise[benign], kind="stable")[:SUREST]]
        return [
            {
                "keccak256": keccak256(self.data.codes[i]).hex(),
                "source": str(self.data.sources[i]),
                "exploits_above": float((precise[labels == EXPLOIT] > precise[i]).mean()),
            }
            for i in order
        ]
