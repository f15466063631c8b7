"""Where an object ends: what part of a mask is expected to be the object, beyond an anchor.

Towards its ends an object shrinks, and a slab shows less and less of it: it is pale there, and still there.
Of a plane alone this cannot be told from something else in its place; it takes the plane before as well, and
how much is left of the object. Small networks of one hidden layer weigh all that; what they say is averaged
in log odds, as one network. They are fitted by ``python -m benchmarks.fit_endings`` on made volumes, whose
planes show slabs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.ending_weights import HIDDEN, MEANS, OUT, SPREADS
from napari_sam.core.evidence import Evidence, log_odds
from napari_sam.core.masks import BoxedMask
from napari_sam.core.propagation_front import Front

__all__ = ["NAMES", "ending_numbers", "expected_precision", "scaled", "weighed"]

NAMES = (
    "score", "overlap", "agreement", "fading", "shift",
    "score before", "overlap before", "agreement before", "fading before", "shift before",
    "presence", "shrunk", "left",
)  # fmt: skip
"""What is weighed; see `ending_numbers`."""

EYE_SHARE = 0.3
"""How much counts what a model says that looks at the mask, beside the networks of numbers, in log odds."""

MOST_SPREADS = 3.0
"""A number is held to be within so many spreads of its mean: what lies further off was never seen."""


def ending_numbers(front: Front, evidence: Evidence, presence: float, mask: BoxedMask) -> NDArray[np.float64]:
    """Say what tells whether an object still is in the next plane of a front.

    Parameters
    ----------
    front : Front
        Who asked, still in the plane before.
    evidence : Evidence
        What speaks for the mask.
    presence : float
        What the model says of the object's being there at all, 0 to 1.
    mask : BoxedMask
        What would be kept, not empty.

    Returns
    -------
    NDArray[float64], shape (13,)
        In the order of `NAMES`: the evidence here, and in the plane before (as here, next to an anchor); log
        odds of the presence; log of the area beside that of the plane before, and beside the largest so far.
    """
    before = front.evidence or evidence
    shrunk = math.log(mask.area / max(front.mask.area, 1))
    left = math.log(mask.area / max(front.most_px, mask.area))
    return np.array([*evidence.numbers, *before.numbers, log_odds(presence), shrunk, left])


def scaled(numbers: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return numbers ``(..., 13)`` in spreads from their means, none further than `MOST_SPREADS`.

    The network that looks at a mask is told them so, too: it has to be trained again after these are fitted.
    """
    return np.asarray(np.clip((numbers - MEANS) / SPREADS, -MOST_SPREADS, MOST_SPREADS))


def expected_precision(numbers: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return what part of masks is expected to be the object.

    Parameters
    ----------
    numbers : NDArray of floats, shape (..., 13)
        Of each mask its `ending_numbers`.

    Returns
    -------
    NDArray[float64], shape (...)
        0 to 1.
    """
    hidden = np.tanh(scaled(numbers) @ HIDDEN[:, :-1].T + HIDDEN[:, -1])
    return np.asarray(1.0 / (1.0 + np.exp(-(hidden @ OUT[:-1] + OUT[-1]))))


def weighed(told: float, seen: float) -> float:
    """Return what part of a mask is expected to be the object, by its numbers and by looking at it.

    Parameters
    ----------
    told, seen : float
        What the networks of numbers expect, and what a model that sees the mask does; 0 to 1.
    """
    odds = (1 - EYE_SHARE) * log_odds(told) + EYE_SHARE * log_odds(seen)
    return 1.0 / (1.0 + math.exp(-odds))
