"""Trust: how well a mask is expected to agree with the object, as one number from all that speaks for it.

A logistic function of `Evidence`. Single limits each have to be wide enough for the worst of cases; weighed
together, a low overlap is forgiven where score and grey levels are right. The weights are fitted by
``python -m benchmarks.fit_trust`` on made volumes and on film; docs/decisions/0019 says on which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_sam.core.evidence import Evidence

__all__ = ["FITTED", "Trust"]


@dataclass(frozen=True)
class Trust:
    """Weights of `Evidence`.

    Parameters
    ----------
    weights : tuple of float
        One for each number of `Evidence`, in its order.
    bias : float
        Added to their sum.
    """

    weights: tuple[float, ...]
    bias: float

    def of(self, evidence: Evidence) -> float:
        """Return the expected IoU with the object, 0 to 1."""
        total = self.bias
        for weight, number in zip(self.weights, evidence.numbers, strict=True):
            total += weight * number
        return 1.0 / (1.0 + math.exp(-total))


FITTED = Trust((0.42, 0.45, 4.43, 4.22, -1.58), -3.83)
"""What this package uses, for candidates and for the mask that would be kept."""
