"""A model's answer for one transaction."""

from ctypes import c_float  # records need no numpy
from dataclasses import dataclass
from enum import IntEnum


class ThreatLevel(IntEnum):
    """How likely an exploit a transaction is; levels compare by severity."""

    BENIGN = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @classmethod
    def of(cls, probability: float) -> "ThreatLevel":
        """BENIGN p < 0.3, LOW < 0.5, MEDIUM < 0.7, HIGH < 0.9, else CRITICAL, compared as float32 like the sensor.

        NaN is CRITICAL: what cannot be judged must not pass as harmless.
        """
        p = c_float(probability).value
        for level, bound in zip(cls, (0.3, 0.5, 0.7, 0.9), strict=False):
            if p < c_float(bound).value:
                return level
        return cls.CRITICAL


@dataclass(frozen=True)
class DecisionFactor:
    """How much one feature moved a probability: p(x) − p(x with this feature at its training median)."""

    feature: str
    value: float
    contribution: float


@dataclass(frozen=True)
class ClassificationResult:
    """A model's answer for one transaction."""

    probability: float
    """Of an exploit, 0..1, calibrated for the prevalence that the model card states."""
    threat_level: ThreatLevel
    is_exploit: bool
    """Whether the probability reaches the threshold."""
    threshold: float
    decision_factors: tuple[DecisionFactor, ...]
    """Of each feature; largest absolute contribution first."""
    model: str
    version: str
