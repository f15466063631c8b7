"""Where in an array each label is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["label_boxes"]

_FEW = 65535


def label_boxes(labels: NDArray[Any]) -> dict[int, tuple[slice, ...]]:
    """Find the smallest box around each label, in order of the labels.

    Parameters
    ----------
    labels : ndarray of any shape
        Unsigned integers, 0 for background.

    Returns
    -------
    dict
        From the labels to slices, one an axis.
    """
    from scipy.ndimage import find_objects

    if labels.size == 0 or int(labels.max()) <= _FEW:
        numbers, values = labels, np.arange(_FEW + 1)
    else:
        values, flat = np.unique(labels, return_inverse=True)
        numbers = flat.reshape(labels.shape) + int(values[0] != 0)
        values = values if values[0] == 0 else np.concatenate([[0], values])
    found = find_objects(numbers)
    return {int(values[at]): box for at, box in enumerate(found, start=1) if box is not None}
