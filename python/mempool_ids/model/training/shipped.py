"""One model of a folder, as it came, on labelled rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mempool_ids.model.inference import OnnxModel
from mempool_ids.model.manifest import ModelEntry
from mempool_ids.model.training.data import DataError, Dataset
from mempool_ids.model.training.evaluate import both_classes, summary
from mempool_ids.model.training.model import Recipe
from mempool_ids.model.training.scored import Scored, report


@dataclass(frozen=True)
class Shipped:
    """A model of `folder`, and what the manifest says of it."""

    folder: Path
    entry: ModelEntry
    fields: Mapping[str, Any]

    @property
    def prevalence(self) -> float:
        """The share of exploits for which its probabilities hold."""
        return float(self.fields["calibration"]["prevalence"])

    @property
    def recipe(self) -> Recipe:
        """How it was fitted."""
        training = self.entry.training
        return Recipe(self.entry.kind, int(training["seed"]), self.prevalence, training.get("parameters", {}))

    def has_seen(self, dataset: Dataset) -> bool:
        """Whether it was trained from one of these files."""
        return bool(set(self.entry.training.get("data", {}).values()) & set(dataset.hashes.values()))

    def can_be_judged_anew(self, dataset: Dataset) -> bool:
        """Whether it has seen these rows, and they are enough to train its recipe again on parts of them."""
        return self.has_seen(dataset) and both_classes(dataset)

    def scored(self, dataset: Dataset, probability: NDArray[np.float32]) -> Scored:
        """The rows with these probabilities, which are the model's own or its recipe's."""
        return Scored(
            self.entry.name, dataset, probability, self.entry.threshold, self.fields.get("thresholds", {})
        )

    def measured(self, dataset: Dataset, rates: Sequence[float]) -> tuple[dict[str, Any], Scored]:
        """What `as_shipped` says of the rows: `evaluate.summary`, where both classes are there, and `scored.report`.

        Of rows that the model was trained from the figures flatter; `seen_in_training` then says so.
        Raises `DataError`, `ModelError`.
        """
        if not len(dataset):
            raise DataError("there are no rows to measure the model on")
        p = OnnxModel(self.folder, self.entry).probability(np.ascontiguousarray(dataset.features))
        scored = self.scored(dataset, p)
        ranked = summary(dataset, p, seed=0, prevalence=self.prevalence) or {}
        seen = {"seen_in_training": True} if self.has_seen(dataset) else {}
        return {**ranked, **report(scored, rates), **seen}, scored
